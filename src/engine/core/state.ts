// Short names for the state that many files of the core touch.
import {
  ATTENTION, CPL, CR0, CR4, EFER, FAULT_ADDRESS, FAULT_ERROR, FAULT_HAS_ERROR, FAULT_VECTOR, GPR,
  LINEAR_SHIFT, MODE, MODE_CODE64, RFLAGS, SEGMENTS, SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, XS_FAULT, XS_OK,
} from './layout';
import { CR0_PE, CR4_LA57, EFER_LMA, RFLAGS_VM } from './generated/register-bits';

@inline export function reg64(index: u32): u64 { return load<u64>(index << 3, GPR); }
@inline export function setReg64(index: u32, value: u64): void { store<u64>(index << 3, value, GPR); }
@inline export function reg32(index: u32): u32 { return load<u32>(index << 3, GPR); }
/** A write of 32 bits clears the upper half, as in 64-bit mode. */
@inline export function setReg32(index: u32, value: u32): void { store<u64>(index << 3, u64(value), GPR); }
@inline export function reg16(index: u32): u32 { return load<u16>(index << 3, GPR); }
@inline export function setReg16(index: u32, value: u32): void { store<u16>(index << 3, value, GPR); }

@inline export function segSelector(seg: u32): u32 { return load<u16>(SEGMENTS + seg * SEGMENT_BYTES, SEG_SELECTOR); }
@inline export function segAr(seg: u32): u32 { return load<u32>(SEGMENTS + seg * SEGMENT_BYTES, SEG_AR); }
@inline export function segLimit(seg: u32): u32 { return load<u32>(SEGMENTS + seg * SEGMENT_BYTES, SEG_LIMIT); }
@inline export function segBase(seg: u32): u64 { return load<u64>(SEGMENTS + seg * SEGMENT_BYTES, SEG_BASE); }

@inline export function cr0(): u64 { return load<u64>(CR0); }
@inline export function cr4(): u64 { return load<u64>(CR4); }
@inline export function efer(): u64 { return load<u64>(EFER); }
@inline export function cpl(): u32 { return load<u32>(CPL); }
@inline export function rflags(): u64 { return load<u64>(RFLAGS); }
@inline export function protectedMode(): bool { return (load<u32>(CR0) & <u32>CR0_PE) != 0; }
@inline export function longMode(): bool { return (load<u32>(EFER) & <u32>EFER_LMA) != 0; }
@inline export function code64(): bool { return (load<u32>(MODE) & MODE_CODE64) != 0; }
@inline export function v8086(): bool { return (load<u32>(RFLAGS) & <u32>RFLAGS_VM) != 0 && protectedMode(); }
@inline export function attend(bits: u32): void { store<u32>(ATTENTION, load<u32>(ATTENTION) | bits); }

/** An address that code and data may have: CR4.LA57 chooses its width. */
export function canonicalAddress(la: u64): bool {
  const shift: u64 = load<u64>(CR4) & CR4_LA57 ? 7 : 16;
  return <u64>(<i64>(la << shift) >> shift) == la;
}

/** A base that a register may take: of the CPU's widest addresses, whatever CR4.LA57 says. */
export function canonicalBase(la: u64): bool {
  const shift: u64 = load<u32>(LINEAR_SHIFT);
  return <u64>(<i64>(la << shift) >> shift) == la;
}

let decision: i32 = XS_OK;

/**
 * Keeps what was decided about the instruction in hand, and answers it. Only who records a fault, an exit or the wish to
 * run the instruction again decides, so that a handler which answers accessStatus() cannot answer an older decision.
 */
export function decide(status: i32): i32 {
  decision = status;
  return status;
}

/** The last decision: XS_FAULT, XS_EXIT or XS_RETRY; XS_OK when there was none since clearDecision(). */
export function decided(): i32 { return decision; }
export function clearDecision(): void { decision = XS_OK; }

/** Records an exception without error code and answers XS_FAULT. */
export function fault(vector: u32): i32 {
  store<u32>(FAULT_VECTOR, vector);
  store<u32>(FAULT_ERROR, 0);
  store<u32>(FAULT_HAS_ERROR, 0);
  store<u64>(FAULT_ADDRESS, 0);
  return decide(XS_FAULT);
}

/** Records an exception with error code and answers XS_FAULT. */
export function faultCode(vector: u32, code: u32): i32 {
  fault(vector);
  store<u32>(FAULT_ERROR, code);
  store<u32>(FAULT_HAS_ERROR, 1);
  return XS_FAULT;
}

/** As faultCode, for who answers false. */
export function refuse(vector: u32, code: u32): bool {
  faultCode(vector, code);
  return false;
}

