/** Registers of SSE, AVX and the x87, as numbers that people read. */
import type { RegisterFile } from '../debugger.js';

export const LANES = ['hex', 'f32', 'f64', 'u8', 'u16', 'u32', 'u64', 'i32'] as const;
export type Lanes = (typeof LANES)[number];

const BITS: Readonly<Record<Lanes, number>> = { hex: 64, f32: 32, f64: 64, u8: 8, u16: 16, u32: 32, u64: 64, i32: 32 };

const scratch = new DataView(new ArrayBuffer(8));

function number(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return Object.is(value, -0) ? '-0' : String(value);
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : String(value);
}

/** The lanes of a register of 128 bits, the highest first. */
export function lanesOf(value: bigint, lanes: Lanes, bits = 128): string[] {
  const width = BITS[lanes];
  return Array.from({ length: bits / width }, (_, n) => {
    const lane = BigInt.asUintN(width, value >> BigInt(bits - width * (n + 1)));
    switch (lanes) {
      case 'hex':
        return lane.toString(16).padStart(16, '0');
      case 'f32':
        scratch.setUint32(0, Number(lane));
        return number(Math.fround(scratch.getFloat32(0)));
      case 'f64':
        scratch.setBigUint64(0, lane);
        return number(scratch.getFloat64(0));
      case 'i32':
        return BigInt.asIntN(32, lane).toString();
      default:
        return lane.toString();
    }
  });
}

const EXPONENT = 0x7fff;
const BIAS = 16383;
const WHOLE = 2 ** 63;

/** A value of 80 bits; its last bits are beyond what a double holds. @sdm 1 4.2.2 "Floating-Point Data Types" */
export function x87Text(value: bigint): string {
  const exponent = Number((value >> 64n) & BigInt(EXPONENT));
  const fraction = BigInt.asUintN(64, value);
  const sign = (value >> 79n) & 1n ? '-' : '';
  if (exponent === EXPONENT) return fraction === 1n << 63n ? `${sign}infinity` : 'NaN';
  if (fraction === 0n) return `${sign}0`;
  if (exponent !== 0 && fraction >> 63n === 0n) return 'unsupported';
  const power = (exponent === 0 ? 1 : exponent) - BIAS;
  const size = (Number(fraction) / WHOLE) * 2 ** power;
  if (size === 0 || !Number.isFinite(size)) return `${sign}${(Number(fraction) / WHOLE).toPrecision(9)} * 2^${power}`;
  return sign + number(size);
}

const EXCEPTIONS = ['IE', 'DE', 'ZE', 'OE', 'UE', 'PE'];
const ROUNDING = ['nearest', 'down', 'up', 'towards 0'];
const PRECISION = ['24 bits', 'reserved', '53 bits', '64 bits'];
const TAGS = ['valid', 'zero', 'special', 'empty'];

const named = (value: number, names: readonly string[]): string[] => names.filter((_, n) => (value >> n) & 1);

/** Words of a control or status register; empty for others. @sdm 1 8.1.3 "x87 FPU Status Register", 1 10.2.3 "MXCSR Control and Status Register" */
export function describeFpu(name: string, registers: RegisterFile): string {
  const value = Number(registers[name] ?? 0n);
  switch (name) {
    case 'fctrl':
      return `masked ${named(value, EXCEPTIONS).join(' ') || 'none'}, precision ${PRECISION[(value >> 8) & 3]}, rounds ${ROUNDING[(value >> 10) & 3]}`;
    case 'fstat': {
      const conditions = [8, 9, 10, 14]
        .filter((bit) => (value >> bit) & 1)
        .map((bit) => `C${bit === 14 ? 3 : bit - 8}`);
      const flags = [...named(value, [...EXCEPTIONS, 'SF', 'ES']), ...conditions, ...(value & 0x8000 ? ['B'] : [])];
      return `top ${(value >> 11) & 7}${flags.length ? `, ${flags.join(' ')}` : ''}`;
    }
    case 'ftag':
      return Array.from({ length: 8 }, (_, n) => `${n} ${TAGS[(value >> (2 * n)) & 3]}`).join(', ');
    case 'mxcsr': {
      const masked = named(value >> 7, EXCEPTIONS).join(' ') || 'none';
      const flags = [...named(value, EXCEPTIONS), ...(value & 0x40 ? ['DAZ'] : []), ...(value & 0x8000 ? ['FZ'] : [])];
      return `masked ${masked}, rounds ${ROUNDING[(value >> 13) & 3]}${flags.length ? `, ${flags.join(' ')}` : ''}`;
    }
    default:
      return '';
  }
}
