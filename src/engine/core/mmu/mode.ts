// What the decoder and the fast paths need to know about the mode, derived from control state.
import {
  ATTENTION, ATT_STEP, CPL, CR0, DR7, EFER, MODE, MODE_CODE32, MODE_CODE64, MODE_FLAT, MODE_STACK32, READ_ROOMS, RFLAGS, SEGMENTS,
  SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_CS, SEG_DS, SEG_ES, SEG_LIMIT, SEG_SS, WRITE_ROOMS,
} from '../layout';
import { segAr } from '../state';
import {
  AR_DB, AR_DPL_SHIFT, AR_L, AR_P, AR_S, AR_UNUSABLE, CR0_PE, DR7_ENABLES, EFER_LMA, RFLAGS_AC, RFLAGS_RF, RFLAGS_TF,
  RFLAGS_VM,
} from '../generated/register-bits';
import { checkContext, CTX_USER, refreshUser } from './tlb';
import { updateVectors } from '../simd/operand';
import { executionBreakpointsEnabled } from './watch';

/** Usable and present code or data. */
const USABLE: u32 = AR_P | AR_S;

/** Base 0, limit 4 GiB, usable, and of the wanted type. */
function flat(seg: u32, typeMask: u32, type: u32): bool {
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  const ar = load<u32>(p, SEG_AR);
  return (
    load<u64>(p, SEG_BASE) == 0 && load<u32>(p, SEG_LIMIT) == 0xffffffff && (ar & (USABLE | AR_UNUSABLE)) == USABLE && (ar & typeMask) == type
  );
}

/** Bytes of a segment that accesses may use without a look at its descriptor. @sdm 3A 5.3 "Limit Checking" 5.4 "Type Checking" */
export function updateRooms(seg: u32): void {
  const p = SEGMENTS + seg * SEGMENT_BYTES;
  const ar = load<u32>(p, SEG_AR);
  const typed = (load<u64>(CR0) & CR0_PE) != 0 && (load<u64>(RFLAGS) & RFLAGS_VM) == 0;
  // expand-down data is the handlers'
  const room: u64 = (ar & 0x1c) == 0x14 ? 0 : u64(load<u32>(p, SEG_LIMIT)) + 1;
  const usable = !typed || (ar & AR_UNUSABLE) == 0;
  const kind = ar & 10;
  store<u64>(READ_ROOMS + (seg << 3), usable && (!typed || kind != 8) ? room : 0);
  store<u64>(WRITE_ROOMS + (seg << 3), usable && (!typed || kind == 2) ? room : 0);
}

/**
 * Recomputes MODE, CPL, CTX, ATT_STEP and VECTORS_OFF after CR0, CR4, EFER, CS, SS, RFLAGS.VM/TF/RF/AC or DR7
 * changed. CPL is the DPL of SS, as in the VMCS.
 */
export function updateMode(): void {
  const flags = load<u64>(RFLAGS);
  store<u32>(CPL, load<u64>(CR0) & CR0_PE ? segAr(SEG_SS) >> AR_DPL_SHIFT & 3 : 0);
  const cs = segAr(SEG_CS);
  let mode: u32 = 0;
  if (load<u64>(EFER) & EFER_LMA && cs & AR_L) mode = MODE_CODE64 | MODE_FLAT;
  else {
    if (cs & AR_DB) mode |= MODE_CODE32;
    if (segAr(SEG_SS) & AR_DB) mode |= MODE_STACK32;
    // code readable (bits 3, 1), data writable and expand-up (bits 3, 2, 1 = 001)
    for (let seg: u32 = 0; seg < 6; seg++) updateRooms(seg);
    if (flat(SEG_CS, 10, 10) && flat(SEG_DS, 14, 2) && flat(SEG_ES, 14, 2) && flat(SEG_SS, 14, 2)) mode |= MODE_FLAT;
  }
  store<u32>(MODE, mode);
  const step = (flags & (RFLAGS_TF | RFLAGS_RF)) != 0 || (load<u64>(DR7) & DR7_ENABLES && executionBreakpointsEnabled());
  store<u32>(ATTENTION, step ? load<u32>(ATTENTION) | ATT_STEP : load<u32>(ATTENTION) & ~ATT_STEP);
  checkContext();
  updateVectors();
}

/** What `flat` asks of the type of a segment: code readable, data writable and expand-up. */
@inline function flatAs(seg: u32): bool { return seg == SEG_CS ? flat(seg, 10, 10) : flat(seg, 14, 2); }

/** As updateMode() where one of ES, CS, SS and DS, or FS or GS, was loaded, and neither CPL nor RFLAGS has changed; CS not in IA-32e mode. */
export function updateSegment(seg: u32): void {
  const mode = load<u32>(MODE);
  if (mode & MODE_CODE64) return;
  updateRooms(seg);
  if (seg > <u32>SEG_DS) return;
  const big = (segAr(seg) & AR_DB) != 0;
  if (seg == SEG_CS && big != ((mode & MODE_CODE32) != 0)) return updateMode();
  if (seg == SEG_SS && big != ((mode & MODE_STACK32) != 0)) return updateMode();
  if (flatAs(seg) != ((mode & MODE_FLAT) != 0)) updateMode();
}

/** Flags that updateMode() looks at. */
export const MODE_FLAGS: u64 = RFLAGS_TF | RFLAGS_RF | RFLAGS_AC;

/** As updateMode() where 64-bit code stays such, and only CPL and RFLAGS have changed: fast system calls. */
// 5 loads, 5 stores
export function changeLevel(level: u32): void {
  if (load<u64>(RFLAGS) & MODE_FLAGS || load<u64>(DR7) & DR7_ENABLES) return updateMode();
  store<u32>(CPL, level);
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_STEP);
  refreshUser(level == 3 ? CTX_USER : 0);
}
