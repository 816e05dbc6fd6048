/** Registers as QEMU's monitor prints them (`info registers`), in the debugger API's names. */
import type { RegisterFile } from '../../engine/debugger.js';

const GENERAL: Record<string, string> = { EIP: 'rip', RIP: 'rip', EFL: 'rflags', RFL: 'rflags' };
for (const name of ['AX', 'BX', 'CX', 'DX', 'SI', 'DI', 'BP', 'SP']) {
  GENERAL[`R${name}`] = GENERAL[`E${name}`] = `r${name.toLowerCase()}`;
}
for (let n = 8; n < 16; n++) GENERAL[`R${n}`] = `r${n}`;
const SEGMENTS: Record<string, string> = { LDT: 'ldtr', TR: 'tr' };
for (const name of ['ES', 'CS', 'SS', 'DS', 'FS', 'GS']) SEGMENTS[name] = name.toLowerCase();
/** Access rights in the VMCS format: bits 8 to 15 and 20 to 23 of a descriptor's upper half. */
const RIGHTS = 0xf0ffn;
const UNUSABLE = 1n << 16n;
const PRESENT = 1n << 7n;

const number = (hex: string): bigint => BigInt(`0x${hex}`);

/**
 * The registers in the monitor's text for one vCPU; what it does not print is absent.
 * @throws Error when the text has no instruction pointer: the vCPU does not exist
 */
export function parseRegisters(text: string): RegisterFile {
  const file: RegisterFile = {};
  let top = 0;
  const physical: bigint[] = [];
  for (const [, name, value] of text.matchAll(/\b([A-Z]{2,3}|R\d{1,2}) ?=([0-9a-f]{8,16})\b/g)) {
    const own = GENERAL[name!];
    if (own) file[own] = number(value!);
  }
  for (const line of text.split('\n')) {
    const segment = /^([A-Z]{2,3}) *=\s*([0-9a-f]{4}) ([0-9a-f]{8,16}) ([0-9a-f]{8}) ([0-9a-f]{8})/.exec(line);
    if (segment && SEGMENTS[segment[1]!]) {
      const name = SEGMENTS[segment[1]!]!;
      const rights = (number(segment[5]!) >> 8n) & RIGHTS;
      file[name] = number(segment[2]!);
      file[`${name}_base`] = number(segment[3]!);
      file[`${name}_limit`] = number(segment[4]!);
      file[`${name}_ar`] = rights & PRESENT ? rights : rights | UNUSABLE;
    }
    const table = /^([GI])DT= *([0-9a-f]{8,16}) ([0-9a-f]{8})/.exec(line);
    if (table) {
      file[`${table[1]!.toLowerCase()}dtr_base`] = number(table[2]!);
      file[`${table[1]!.toLowerCase()}dtr_limit`] = number(table[3]!);
    }
    for (const [, name, value] of line.matchAll(/\b(CR[0-8]|DR[0-7]|EFER)=([0-9a-f]{8,16})/g))
      file[name!.toLowerCase()] = number(value!);
    const fpu = /^FCW=([0-9a-f]{4}) FSW=([0-9a-f]{4}) \[ST=(\d)\] FTW=([0-9a-f]{2}) MXCSR=([0-9a-f]{8})/.exec(line);
    if (fpu) {
      file.fctrl = number(fpu[1]!);
      file.fstat = number(fpu[2]!);
      top = Number(fpu[3]);
      file.ftag = number(fpu[4]!);
      file.mxcsr = number(fpu[5]!);
    }
    for (const [, n, mantissa, exponent] of line.matchAll(/FPR(\d)=([0-9a-f]{16}) ([0-9a-f]{4})/g))
      physical[Number(n)] = (number(exponent!) << 64n) | number(mantissa!);
    for (const [, n, value] of line.matchAll(/[XYZ]MM(\d\d)=([0-9a-f ]+)/g)) {
      const words = value!.trim().split(' ').map(number);
      if (Number(n) > 15 || words.length < 2) continue;
      const at = words.length;
      file[`xmm${Number(n)}`] = (words[at - 2]! << 64n) | words[at - 1]!;
      if (at >= 4) file[`ymm${Number(n)}h`] = (words[at - 4]! << 64n) | words[at - 3]!;
    }
    const flags = /\bII=(\d).*\bHLT=(\d)/.exec(line);
    if (flags) {
      file.interruptibility = BigInt(flags[1]!);
      file.activity = BigInt(flags[2]!);
    }
  }
  physical.forEach((value, n) => {
    file[`st${(n - top + 8) & 7}`] = value;
  });
  if (file.rip === undefined) throw new Error(text.trim().split('\n')[0] || 'QEMU gives no registers');
  return file;
}
