// Random instructions of the general-purpose set for 64-bit mode, with the flags that are defined after each.
// Memory operands are [rbp + disp8]; rsp, r12-r15 are never named.

import { sparseBits } from '../../../src/engine/difftest/patterns.js';

const CF = 0x1;
const PF = 0x4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
export const ALL = CF | PF | AF | ZF | SF | OF;

/** xorshift32: the same cases on every run. */
export class Random {
  constructor(private state: number) {}

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** A 64-bit value with many short, sign-edge and bit-pattern ones. */
  value(): bigint {
    const wide = (BigInt(this.next()) << 32n) | BigInt(this.next());
    if (this.below(3) === 0) return sparseBits((n) => this.below(n), 8 << this.below(4));
    switch (this.below(8)) {
      case 0:
        return BigInt(this.below(4));
      case 1:
        return BigInt.asUintN(64, -BigInt(this.below(4)));
      case 2:
        return 1n << BigInt(this.below(64));
      case 3:
        return (1n << BigInt(this.below(64))) - 1n;
      case 4:
        return this.pick([0x80n, 0x7fn, 0x8000n, 0x7fffn, 0x80000000n, 0x7fffffffn, 1n << 63n, (1n << 63n) - 1n]);
      case 5:
        return BigInt(this.next());
      default:
        return wide;
    }
  }
}

export interface Instruction {
  readonly name: string;
  readonly bytes: number[];
  /** Status flags with a defined value. */
  readonly flags: number;
  /** May raise #DE. */
  readonly divides?: boolean;
}

/** Registers that cases may name: rax rcx rdx rbx rsi rdi r8 r9. */
const REGISTERS = [0, 1, 2, 3, 6, 7, 8, 9] as const;

interface Operands {
  /** 0 for 16 bits, ... */
  readonly size: 1 | 2 | 4 | 8;
  readonly memory: boolean;
}

/** Prefixes, opcode and ModRM for reg, rm (a register or memory). */
function encode(
  random: Random,
  operands: Operands,
  opcode: readonly number[],
  reg: number,
  tail: readonly number[] = [],
  mandatory: readonly number[] = [],
): number[] {
  const rm = operands.memory ? 5 : random.pick(REGISTERS);
  const rex = (operands.size === 8 ? 8 : 0) | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0);
  const byteRex = operands.size === 1 && random.below(2) === 0 ? 0x40 : 0;
  const prefix = operands.size === 2 ? [0x66] : [];
  const modrm = operands.memory ? [0x45 | ((reg & 7) << 3), random.below(6) * 8] : [0xc0 | ((reg & 7) << 3) | (rm & 7)];
  return [...prefix, ...mandatory, ...(rex || byteRex ? [0x40 | rex] : []), ...opcode, ...modrm, ...tail];
}

function anySize(random: Random): Operands {
  return { size: random.pick([1, 2, 4, 8]), memory: random.below(3) === 0 };
}

function wideSize(random: Random): Operands {
  return { size: random.pick([2, 4, 8]), memory: random.below(3) === 0 };
}

const register = (random: Random): number => random.pick(REGISTERS);
/** A register number that is a valid byte register without REX: rm of byte forms may become ah to bh. */
function immediate(random: Random, bytes: number): number[] {
  const value = random.value();
  return Array.from({ length: bytes }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));
}

type Generator = (random: Random) => Instruction;

const ALU_NAMES = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFT_NAMES = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'];

/** Logic leaves AF undefined. */
const aluFlags = (n: number): number => (n === 1 || n === 4 || n === 6 ? ALL & ~AF : ALL);

const alu: Generator = (random) => {
  const n = random.below(8);
  const operands = anySize(random);
  const wide = operands.size > 1 ? 1 : 0;
  const name = `${ALU_NAMES[n]}${operands.size * 8}`;
  switch (random.below(4)) {
    case 0:
      return { name, flags: aluFlags(n), bytes: encode(random, operands, [n * 8 + wide], register(random)) };
    case 1:
      return { name, flags: aluFlags(n), bytes: encode(random, operands, [n * 8 + 2 + wide], register(random)) };
    case 2:
      return {
        name,
        flags: aluFlags(n),
        bytes: encode(random, operands, [0x80 + wide], n, immediate(random, Math.min(operands.size, 4))),
      };
    default:
      return {
        name,
        flags: aluFlags(n),
        bytes: encode(random, operands, [wide ? 0x83 : 0x80], n, immediate(random, 1)),
      };
  }
};

const test: Generator = (random) => {
  const operands = anySize(random);
  const wide = operands.size > 1 ? 1 : 0;
  const bytes =
    random.below(2) === 0
      ? encode(random, operands, [0x84 + wide], register(random))
      : encode(random, operands, [0xf6 + wide], 0, immediate(random, Math.min(operands.size, 4)));
  return { name: `test${operands.size * 8}`, flags: ALL & ~AF, bytes };
};

const unary: Generator = (random) => {
  const operands = anySize(random);
  const wide = operands.size > 1 ? 1 : 0;
  const [name, opcode, reg] = random.pick([
    ['not', 0xf6, 2],
    ['neg', 0xf6, 3],
    ['inc', 0xfe, 0],
    ['dec', 0xfe, 1],
  ] as const);
  return { name: `${name}${operands.size * 8}`, flags: ALL, bytes: encode(random, operands, [opcode + wide], reg) };
};

const shift: Generator = (random) => {
  const operands = anySize(random);
  const wide = operands.size > 1 ? 1 : 0;
  const n = random.below(8);
  const bits = operands.size * 8;
  const count = random.below(2) === 0 ? random.below(4) : random.below(70);
  const masked = count & (operands.size === 8 ? 63 : 31);
  let flags = n < 4 ? ALL : ALL & ~AF;
  // OF is defined for a count of 1 only, and CF not for shifts (SAR apart) by the size or more
  if (masked > 1) flags &= ~OF;
  if (n >= 4 && n !== 7 && masked >= bits) flags &= ~CF;
  if (n < 2 && masked !== 0 && masked % bits === 0) flags &= ~(OF | CF);
  if ((n === 2 || n === 3) && masked > bits) flags &= ~OF;
  if (masked === 0) flags = ALL;
  const name = `${SHIFT_NAMES[n]}${bits}`;
  if (count === 1 && random.below(2) === 0) return { name, flags, bytes: encode(random, operands, [0xd0 + wide], n) };
  return { name, flags, bytes: encode(random, operands, [0xc0 + wide], n, [count]) };
};

/** Shifts by CL: the count is not known here, so OF and CF are left out where any count leaves them undefined. */
const shiftCl: Generator = (random) => {
  const operands = anySize(random);
  const n = random.below(8);
  let flags = PF | ZF | SF;
  if (n === 7 || (n >= 4 && operands.size >= 4)) flags |= CF;
  if (n < 4) flags |= AF;
  return {
    name: `${SHIFT_NAMES[n]}${operands.size * 8}cl`,
    flags,
    bytes: encode(random, operands, [operands.size > 1 ? 0xd3 : 0xd2], n),
  };
};

const doubleShift: Generator = (random) => {
  const operands: Operands = { size: random.pick([4, 8]), memory: random.below(3) === 0 };
  const [name, opcode] = random.pick([
    ['shld', 0xa4],
    ['shrd', 0xac],
  ] as const);
  const count = random.below(64);
  const masked = count & (operands.size === 8 ? 63 : 31);
  const flags = masked === 0 ? ALL : masked === 1 ? ALL & ~AF : ALL & ~(AF | OF);
  return {
    name: `${name}${operands.size * 8}`,
    flags,
    bytes: encode(random, operands, [0x0f, opcode], register(random), [count]),
  };
};

const multiply: Generator = (random) => {
  const operands = anySize(random);
  if (operands.size > 1 && random.below(2) === 0) {
    switch (random.below(3)) {
      case 0:
        return {
          name: `imul2-${operands.size * 8}`,
          flags: CF | OF,
          bytes: encode(random, operands, [0x0f, 0xaf], register(random)),
        };
      case 1:
        return {
          name: `imul3-${operands.size * 8}`,
          flags: CF | OF,
          bytes: encode(random, operands, [0x69], register(random), immediate(random, Math.min(operands.size, 4))),
        };
      default:
        return {
          name: `imul3b-${operands.size * 8}`,
          flags: CF | OF,
          bytes: encode(random, operands, [0x6b], register(random), immediate(random, 1)),
        };
    }
  }
  const n = random.pick([4, 5]);
  return {
    name: `${n === 4 ? 'mul' : 'imul'}${operands.size * 8}`,
    flags: CF | OF,
    bytes: encode(random, operands, [operands.size > 1 ? 0xf7 : 0xf6], n),
  };
};

const divide: Generator = (random) => {
  const operands = anySize(random);
  const n = random.pick([6, 7]);
  return {
    name: `${n === 6 ? 'div' : 'idiv'}${operands.size * 8}`,
    flags: 0,
    divides: true,
    bytes: encode(random, operands, [operands.size > 1 ? 0xf7 : 0xf6], n),
  };
};

const bit: Generator = (random) => {
  const operands = wideSize(random);
  const n = random.below(4);
  const name = `${['bt', 'bts', 'btr', 'btc'][n]}${operands.size * 8}`;
  // A register offset reaches outside the buffer with a memory operand: registers only.
  if (random.below(2) === 0) {
    return {
      name,
      flags: CF | ZF,
      bytes: encode(random, { ...operands, memory: false }, [0x0f, 0xa3 + n * 8], register(random)),
    };
  }
  return { name, flags: CF | ZF, bytes: encode(random, operands, [0x0f, 0xba], n + 4, [random.below(256)]) };
};

const scan: Generator = (random) => {
  const operands = wideSize(random);
  const [name, prefix, opcode, flags] = random.pick([
    ['bsf', [], 0xbc, ZF],
    ['bsr', [], 0xbd, ZF],
    ['tzcnt', [0xf3], 0xbc, ZF | CF],
    ['lzcnt', [0xf3], 0xbd, ZF | CF],
    ['popcnt', [0xf3], 0xb8, ALL],
  ] as const);
  return {
    name: `${name}${operands.size * 8}`,
    flags,
    bytes: encode(random, operands, [0x0f, opcode], register(random), [], prefix),
  };
};

const move: Generator = (random) => {
  const wide = wideSize(random);
  const any = anySize(random);
  const w = any.size > 1 ? 1 : 0;
  switch (random.below(10)) {
    case 0:
      return { name: 'mov', flags: ALL, bytes: encode(random, any, [0x88 + w], register(random)) };
    case 1:
      return { name: 'movr', flags: ALL, bytes: encode(random, any, [0x8a + w], register(random)) };
    case 2:
      return {
        name: 'movi',
        flags: ALL,
        bytes: encode(random, any, [0xc6 + w], 0, immediate(random, Math.min(any.size, 4))),
      };
    case 3:
      return {
        name: 'movzx',
        flags: ALL,
        bytes: encode(random, wide, [0x0f, random.pick([0xb6, 0xb7])], register(random)),
      };
    case 4:
      return {
        name: 'movsx',
        flags: ALL,
        bytes: encode(random, wide, [0x0f, random.pick([0xbe, 0xbf])], register(random)),
      };
    case 5:
      return { name: 'movsxd', flags: ALL, bytes: encode(random, wide, [0x63], register(random)) };
    case 6:
      return { name: 'xchg', flags: ALL, bytes: encode(random, any, [0x86 + w], register(random)) };
    case 7:
      return { name: 'xadd', flags: ALL, bytes: encode(random, any, [0x0f, 0xc0 + w], register(random)) };
    case 8:
      return { name: 'cmpxchg', flags: ALL, bytes: encode(random, any, [0x0f, 0xb0 + w], register(random)) };
    default: {
      const size = random.pick([4, 8] as const);
      const rm = register(random);
      return {
        name: 'bswap',
        flags: ALL,
        bytes: [0x40 | (size === 8 ? 8 : 0) | (rm > 7 ? 1 : 0), 0x0f, 0xc8 + (rm & 7)],
      };
    }
  }
};

const conditional: Generator = (random) => {
  const cc = random.below(16);
  if (random.below(2) === 0)
    return {
      name: `cmov${cc}`,
      flags: ALL,
      bytes: encode(random, wideSize(random), [0x0f, 0x40 + cc], register(random)),
    };
  return {
    name: `set${cc}`,
    flags: ALL,
    bytes: encode(random, { size: 1, memory: random.below(3) === 0 }, [0x0f, 0x90 + cc], 0),
  };
};

const plain: Generator = (random) => {
  const [name, bytes, flags] = random.pick([
    ['cbw', [0x66, 0x98], ALL],
    ['cwde', [0x98], ALL],
    ['cdqe', [0x48, 0x98], ALL],
    ['cwd', [0x66, 0x99], ALL],
    ['cdq', [0x99], ALL],
    ['cqo', [0x48, 0x99], ALL],
    ['lahf', [0x9f], ALL],
    ['sahf', [0x9e], ALL],
    ['cmc', [0xf5], ALL],
    ['clc', [0xf8], ALL],
    ['stc', [0xf9], ALL],
    ['cmpxchg8b', [0x0f, 0xc7, 0x4d, 0x08], ALL],
    ['cmpxchg16b', [0x48, 0x0f, 0xc7, 0x4d, 0x10], ALL],
    ['xlat-free nop', [0x0f, 0x1f, 0x40, 0x00], ALL],
  ] as const);
  return { name, flags, bytes: [...bytes] };
};

const lea: Generator = (random) => {
  const size = random.pick([2, 4, 8] as const);
  const reg = register(random);
  const base = random.pick([0, 1, 2, 3, 6, 7]);
  const index = random.pick([0, 1, 2, 3, 6, 7]);
  const address32 = random.below(4) === 0 ? [0x67] : [];
  return {
    name: `lea${size * 8}`,
    flags: ALL,
    bytes: [
      ...address32,
      ...(size === 2 ? [0x66] : []),
      0x40 | (size === 8 ? 8 : 0) | (reg > 7 ? 4 : 0),
      0x8d,
      0x84 | ((reg & 7) << 3),
      (random.below(4) << 6) | (index << 3) | base,
      ...immediate(random, 4),
    ],
  };
};

const movbe: Generator = (random) => {
  const operands: Operands = { size: random.pick([2, 4, 8]), memory: true };
  return {
    name: 'movbe',
    flags: ALL,
    bytes: encode(random, operands, [0x0f, 0x38, random.pick([0xf0, 0xf1])], register(random)),
  };
};

const crc32: Generator = (random) => {
  const operands = anySize(random);
  return {
    name: `crc32-${operands.size * 8}`,
    flags: ALL,
    bytes: encode(random, operands, [0x0f, 0x38, operands.size > 1 ? 0xf1 : 0xf0], register(random), [], [0xf2]),
  };
};

const adx: Generator = (random) => {
  const operands: Operands = { size: random.pick([4, 8]), memory: random.below(3) === 0 };
  const prefix = random.pick([0x66, 0xf3]);
  return {
    name: prefix === 0x66 ? 'adcx' : 'adox',
    flags: ALL,
    bytes: encode(random, operands, [0x0f, 0x38, 0xf6], register(random), [], [prefix]),
  };
};

/** BMI1 and BMI2 by VEX. */
const bmi: Generator = (random) => {
  const wide = random.below(2);
  const reg = register(random);
  const vvvv = register(random);
  const memory = random.below(3) === 0;
  const rm = memory ? 5 : register(random);
  const [name, map, pp, opcode, fixed, flags] = random.pick([
    ['andn', 2, 0, 0xf2, -1, ALL & ~(AF | PF)],
    ['blsr', 2, 0, 0xf3, 1, CF | ZF | SF | OF],
    ['blsmsk', 2, 0, 0xf3, 2, CF | ZF | SF | OF],
    ['blsi', 2, 0, 0xf3, 3, CF | ZF | SF | OF],
    ['bzhi', 2, 0, 0xf5, -1, CF | ZF | SF | OF],
    ['pext', 2, 2, 0xf5, -1, ALL],
    ['pdep', 2, 3, 0xf5, -1, ALL],
    ['mulx', 2, 3, 0xf6, -1, ALL],
    ['bextr', 2, 0, 0xf7, -1, CF | ZF | OF],
    ['shlx', 2, 1, 0xf7, -1, ALL],
    ['sarx', 2, 2, 0xf7, -1, ALL],
    ['shrx', 2, 3, 0xf7, -1, ALL],
    ['rorx', 3, 3, 0xf0, -2, ALL],
  ] as const);
  const field = fixed >= 0 ? fixed : reg;
  const second = (wide << 7) | ((fixed === -2 ? 15 : ~vvvv & 15) << 3) | pp;
  const first = (field > 7 ? 0 : 0x80) | 0x40 | (rm > 7 ? 0 : 0x20) | map;
  const modrm = memory ? [0x45 | ((field & 7) << 3), random.below(6) * 8] : [0xc0 | ((field & 7) << 3) | (rm & 7)];
  return { name, flags, bytes: [0xc4, first, second, opcode, ...modrm, ...(fixed === -2 ? [random.below(256)] : [])] };
};

/** What every x86-64 CPU has. */
export const BASE: readonly Generator[] = [
  alu,
  alu,
  alu,
  test,
  unary,
  shift,
  shift,
  shiftCl,
  doubleShift,
  multiply,
  bit,
  move,
  move,
  conditional,
  plain,
  lea,
];
/** Beside them: what needs a feature of the host, by the name in /proc/cpuinfo. */
export const BY_FEATURE: readonly (readonly [string, Generator])[] = [
  ['bmi1', scan],
  ['movbe', movbe],
  ['sse4_2', crc32],
  ['adx', adx],
  ['bmi2', bmi],
];
export { divide };
