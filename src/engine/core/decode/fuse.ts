// Finishing a decoded block: the terminal micro-op.
import { OP_NEXT } from './ops';
import { UOP_BYTES } from '../uop';

/**
 * Finishes the micro-ops in [first, end): appends the one that goes on to the next block when the last
 * instruction does not end it. Answers the end of the block's micro-ops.
 */
export function finishBlock(first: usize, end: usize, ended: bool, mode: u32, bytes: u32, count: u32): usize {
  if (ended) return end;
  memory.fill(end, 0, UOP_BYTES);
  store<u16>(end, OP_NEXT);
  store<u16>(end, u16(bytes), 12);
  store<u8>(end, u8(count), 15);
  return end + UOP_BYTES;
}
