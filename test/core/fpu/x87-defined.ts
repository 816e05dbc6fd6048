// What of an x87 instruction's outcome the SDM defines.
import { STATE, type X87Instruction } from './x87-cases.js';

const CONDITIONS = 0x4500;
const C1 = 0x200;
const STATUS_FLAGS = 0x8d5;

/** Loading a denormal with its exception not masked: processors of one maker push it, of the other do not. */
export function unspecified({ name }: X87Instruction, before: Buffer, host: Buffer): boolean {
  const denormalUnmasked = (before.readUInt16LE(STATE) & 2) === 0 && (host.readUInt16LE(STATE + 4) & 2) !== 0;
  return /^fld m(32|64)/.test(name) && denormalUnmasked;
}

/** Bits of FSW and RFLAGS that the SDM defines for the instruction and this outcome. */
export function defined({ name }: X87Instruction, host: Buffer): { status: number; flags: number } {
  let status = 0xffff;
  let flags = STATUS_FLAGS;
  const pending = (host.readUInt16LE(STATE + 4) & 0x80) !== 0;
  if (/^f(u|i)?com|^ftst/.test(name)) {
    // comparisons leave the condition codes when their exception is not masked; some processors set them
    if (pending) {
      status &= ~CONDITIONS;
      flags = 0;
    }
    // and some keep C1 where the SDM has it cleared
    if (/comip?/.test(name)) status &= ~C1;
  }
  return { status, flags };
}
