/** What the registers say about how the guest's code is to be read. */

import type { CodeBits } from '../../disasm/index.js';
import type { RegisterFile } from '../debugger.js';

const bit = (value: bigint | undefined, n: number) => (((value ?? 0n) >> BigInt(n)) & 1n) === 1n;

/** Default operand size of the code segment. @sdm 3A 3.4.5 "Segment Descriptors" */
export function codeBits(registers: RegisterFile): CodeBits {
  if (bit(registers.efer, 10) && bit(registers.cs_ar, 13)) return 64;
  return bit(registers.cs_ar, 14) ? 32 : 16;
}

/** Base of CS as it counts: none in 64-bit mode. */
export function codeBase(registers: RegisterFile): bigint {
  return codeBits(registers) === 64 ? 0n : (registers.cs_base ?? 0n);
}

/** Linear address of the instruction that runs next. */
export function linearPc(registers: RegisterFile): bigint {
  const rip = registers.rip ?? 0n;
  return codeBits(registers) === 64 ? rip : BigInt.asUintN(32, codeBase(registers) + rip);
}

/** Width of the stack pointer: SS.B outside 64-bit mode. @sdm 1 6.2.3 "Address-Size Attributes for Stack Accesses" */
export function stackBits(registers: RegisterFile): 16 | 32 | 64 {
  if (codeBits(registers) === 64) return 64;
  return bit(registers.ss_ar, 14) ? 32 : 16;
}

/** Linear address of the top of the stack. */
export function linearStack(registers: RegisterFile): bigint {
  const offset = BigInt.asUintN(stackBits(registers), registers.rsp ?? 0n);
  return codeBits(registers) === 64 ? offset : BigInt.asUintN(32, (registers.ss_base ?? 0n) + offset);
}

export function privilegeLevel(registers: RegisterFile): number {
  return bit(registers.cr0, 0) ? Number(((registers.ss_ar ?? 0n) >> 5n) & 3n) : 0;
}

/** Activity states beside the active one. @sdm 3C 24.4.2 "Guest Non-Register State" */
const ACTIVITY = ['', 'halted', 'shutdown', 'waits for SIPI'];

/** `64-bit CPL0 PG IF=0`. */
export function modeText(registers: RegisterFile): string {
  // A stub of another program may tell no control registers: of a process, say.
  const known = registers.cr0 !== undefined;
  const protectedMode = !known || bit(registers.cr0, 0);
  const bits = codeBits(registers);
  const mode = !protectedMode
    ? 'real mode'
    : bit(registers.rflags, 17)
      ? 'virtual-8086'
      : bits === 64
        ? '64-bit'
        : bit(registers.efer, 10)
          ? `${bits}-bit compat`
          : `${bits}-bit protected`;
  const parts = [mode];
  if (known && protectedMode) parts.push(`CPL${privilegeLevel(registers)}`);
  if (bit(registers.cr0, 31)) parts.push('PG');
  parts.push(`IF=${bit(registers.rflags, 9) ? 1 : 0}`);
  const activity = ACTIVITY[Number(registers.activity ?? 0n)];
  if (activity) parts.push(activity);
  return parts.join(' ');
}
