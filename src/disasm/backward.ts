/** Disassembly of what stands before an address, for scrolling up. */
import type { Disassembler } from './disassembler.js';
import { type DisassembleOptions, type Instruction, isData } from './instruction.js';

/** Longest x86 instruction is 15 bytes; the extra ones let the streams fall into step. */
export const BACKWARD_BYTES_PER_INSTRUCTION = 15;

/**
 * At most `count` instructions that end exactly at `end`, oldest first.
 *
 * x86 code cannot be read backwards. Every offset of `before` is decoded once; streams that start at different
 * offsets soon fall into step, so an offset that many of them pass is a real boundary. Walking back from `end`,
 * the predecessor that most streams pass wins. A known boundary (`start`, a symbol) decides outright.
 *
 * @param before bytes of [end - before.length, end); about 15 for each instruction wanted and 32 more.
 * @param start linear address in that range known to start an instruction.
 */
export function disassembleBackward(
  disassembler: Disassembler,
  before: Uint8Array,
  end: bigint,
  count: number,
  options: Omit<DisassembleOptions, 'count'>,
  start?: bigint,
): Instruction[] {
  if (before.length === 0 || count <= 0) return [];
  const first = end - BigInt(before.length);
  if (start !== undefined && start >= first && start < end) {
    const forward = disassembler.disassemble(before.subarray(Number(start - first)), start, options);
    const last = forward.at(-1);
    if (last && last.address + BigInt(last.bytes.length) === end) return forward.slice(-count);
  }
  const window = before.length > 512 ? before.subarray(before.length - 512) : before;
  const base = end - BigInt(window.length);
  const at: Instruction[] = [];
  for (let offset = 0; offset < window.length; offset++) {
    const bytes = window.subarray(offset, offset + BACKWARD_BYTES_PER_INSTRUCTION);
    at.push(disassembler.disassemble(bytes, base + BigInt(offset), { ...options, count: 1 })[0]!);
  }
  const votes = new Uint32Array(window.length + 1).fill(1);
  for (let offset = 0; offset < window.length; offset++) {
    const next = offset + at[offset]!.bytes.length;
    // A stream that ran over bytes which are no instruction says nothing about boundaries.
    if (next <= window.length && !isData(at[offset]!)) votes[next]! += votes[offset]!;
  }
  const result: Instruction[] = [];
  for (let here = window.length; here > 0 && result.length < count; ) {
    let best = -1;
    for (let offset = Math.max(0, here - 15); offset < here; offset++) {
      const instruction = at[offset]!;
      if (offset + instruction.bytes.length !== here) continue;
      if (best < 0 || weight(at[offset]!, votes[offset]!) > weight(at[best]!, votes[best]!)) best = offset;
    }
    if (best < 0) break;
    result.unshift(at[best]!);
    here = best;
  }
  return result;
}

function weight(instruction: Instruction, votes: number): number {
  return isData(instruction) ? 0 : votes;
}
