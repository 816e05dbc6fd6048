// MXCSR: modes of floating-point vector instructions, sticky exceptions, #XM. @sdm 1 10.2.3 "MXCSR Control and Status Register"
import { MXCSR, OP_VALUE, XS_FAULT, XS_OK } from '../layout';
import { cr4, fault, faultCode } from '../state';
import { CR4_OSXMMEXCPT, MXCSR_DAZ, MXCSR_FIELDS, MXCSR_FZ, MXCSR_IM, MXCSR_MASKS, MXCSR_PE, MXCSR_RC, MXCSR_RC_SHIFT } from '../generated/register-bits';
import { VEC_GP, VEC_UD, VEC_XM } from '../generated/events';
import { accessStatus } from '../mmu/access';
import { operandRead, operandWrite } from '../exec/operand';
import { beginRounding, DE, IE, limitRaised, raised, ZE } from '../fpu/round';
import { absent } from './operand';

/** From an exception to its mask. */
const MASKS_SHIFT: u32 = ctz<u32>(MXCSR_IM);
/** Nearest rounding, all exceptions masked, PE already set: FTZ and DAZ do not matter to normal numbers. */
const QUICK_MASK: u32 = MXCSR_RC | MXCSR_MASKS | MXCSR_PE;
const QUICK: u32 = MXCSR_MASKS | MXCSR_PE;
const PLAIN_MASK: u32 = MXCSR_RC | MXCSR_MASKS;
const PLAIN: u32 = MXCSR_MASKS;
/** Exceptions found before the arithmetic is done. */
const PRECOMPUTATION: u32 = IE | DE | ZE;

/** True when plain WebAssembly arithmetic answers the same, exceptions included, for normal operands and results. */
export let quick: bool = false;
/** The same but for PE: `quick` is true when it is set, else only exact results do. */
export let plain: bool = false;

/** Nearest rounding, all exceptions masked. */
@inline export function isPlain(): bool { return (load<u32>(MXCSR) & PLAIN_MASK) == PLAIN; }
/** `quick` before beginFloat(). */
@inline export function isQuick(): bool { return (load<u32>(MXCSR) & QUICK_MASK) == QUICK; }

/** Begins a floating-point instruction. */
@inline export function beginFloat(): void {
  const mxcsr = load<u32>(MXCSR);
  plain = (mxcsr & PLAIN_MASK) == PLAIN;
  quick = (mxcsr & QUICK_MASK) == QUICK;
  beginRounding((mxcsr & MXCSR_RC) >> MXCSR_RC_SHIFT, (mxcsr & MXCSR_MASKS) >> MASKS_SHIFT, (mxcsr & MXCSR_FZ) != 0, (mxcsr & MXCSR_DAZ) != 0);
}

/** Exceptions raised so far that are not masked. */
@inline export function unmasked(): u32 { return raised & ~(load<u32>(MXCSR) >> MASKS_SHIFT); }

/**
 * Ends it: the flags become sticky. false: an unmasked exception; nothing may be written (answer XS_FAULT).
 * @sdm 1 11.5.3 "Handling Combinations of Masked and Unmasked Exceptions"
 */
@inline export function settleFlags(): bool { return raised == 0 || settleRaised(); }

function settleRaised(): bool {
  const open = unmasked();
  if (open & PRECOMPUTATION) limitRaised(PRECOMPUTATION);
  store<u32>(MXCSR, load<u32>(MXCSR) | raised);
  if (!open) return true;
  fault(cr4() & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD);
  return false;
}

/** Status of an instruction that settleFlags() stopped. */
export const FLOAT_FAULT: i32 = XS_FAULT;

export function execLdmxcsr(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  if (!operandRead(u, 4)) return accessStatus();
  const value = u32(load<u64>(OP_VALUE));
  if (value & ~MXCSR_FIELDS) return faultCode(VEC_GP, 0);
  store<u32>(MXCSR, value);
  return XS_OK;
}

export function execStmxcsr(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  return operandWrite(u, 4, load<u32>(MXCSR)) ? XS_OK : accessStatus();
}
