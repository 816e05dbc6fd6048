// FXSAVE and FXRSTOR.
import { MXCSR, OP_LINEAR, XS_OK } from '../layout';
import { cr4, fault, faultCode, refuse } from '../state';
import { uOpSize } from '../uop';
import { CR4_OSFXSR, MXCSR_FIELDS } from '../generated/register-bits';
import { VEC_GP, VEC_NM } from '../generated/events';
import { accessStatus } from '../mmu/access';
import { operandLinear } from '../exec/operand';
import {
  LEGACY_BYTES, LEGACY_MXCSR, LEGACY_XMM, image, putMxcsr, putX87, putXmm, readArea, takeX87, takeXmm, vectorCount,
  writeArea,
} from './save-area';
import { x87Absent } from './stack';

/** Linear address of the area, on 16 bytes; false: fault recorded. */
function areaLinear(u: usize, write: bool): bool {
  if (!operandLinear(u, LEGACY_BYTES, write)) return false;
  return load<u64>(OP_LINEAR) & 15 ? refuse(VEC_GP, 0) : true;
}

/** Without CR4.OSFXSR the XMM registers stay out. @sdm 2A "FXSAVE" */
export function execFxsave(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  if (!areaLinear(u, true)) return accessStatus();
  putX87(uOpSize(u) == 8);
  putMxcsr();
  let bytes: u32 = LEGACY_XMM;
  if (cr4() & CR4_OSFXSR) {
    putXmm();
    bytes += vectorCount() * 16;
  }
  return writeArea(load<u64>(OP_LINEAR), bytes, image) ? XS_OK : accessStatus();
}

/** @sdm 2A "FXRSTOR" */
export function execFxrstor(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  if (!areaLinear(u, false)) return accessStatus();
  if (!readArea(load<u64>(OP_LINEAR), LEGACY_XMM + 256, image)) return accessStatus();
  const mxcsr = load<u32>(image, LEGACY_MXCSR);
  if (mxcsr & ~MXCSR_FIELDS) return faultCode(VEC_GP, 0);
  takeX87(uOpSize(u) == 8);
  store<u32>(MXCSR, mxcsr);
  if (cr4() & CR4_OSFXSR) takeXmm();
  return XS_OK;
}
