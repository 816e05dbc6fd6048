// No-operations, memory hints and ordering: memory here is always in order.
import { OP_LINEAR, XS_OK } from '../layout';
import { accessStatus, readable } from '../mmu/access';
import { operandLinear } from './operand';

/** NOP, ENDBR, prefetches: no access, no fault. */
export function execNop(u: usize): i32 { return XS_OK; }

/** LFENCE, MFENCE, SFENCE. */
export function execFence(u: usize): i32 { return XS_OK; }

/** Faults as a read of one byte does. */
export function execClflush(u: usize): i32 {
  if (!operandLinear(u, 1, false)) return accessStatus();
  return readable<u8>(load<u64>(OP_LINEAR)) ? XS_OK : accessStatus();
}
