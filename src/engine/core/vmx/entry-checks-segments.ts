// VM-entry checks on the guest segment registers.
// @sdm 3C 26.3.1.2 "Checks on Guest Segment Registers"
//
//   access rights: 16       15 14  13 12  11..8  7  6 5   4  3..0
//                  unusable G  D/B L  AVL  0     P  DPL   S  type
import {
  AR_DB, AR_DPL_SHIFT, AR_FIELDS, AR_G, AR_L, AR_P, AR_S, AR_UNUSABLE, CR0_PE, RFLAGS_VM,
} from '../generated/register-bits';
import {
  GUEST_CR0, GUEST_CS_AR_BYTES, GUEST_CS_BASE, GUEST_CS_LIMIT, GUEST_CS_SELECTOR, GUEST_DS_AR_BYTES, GUEST_DS_BASE,
  GUEST_DS_LIMIT, GUEST_DS_SELECTOR, GUEST_ES_AR_BYTES, GUEST_ES_BASE, GUEST_ES_LIMIT, GUEST_ES_SELECTOR,
  GUEST_FS_AR_BYTES, GUEST_FS_BASE, GUEST_FS_LIMIT, GUEST_FS_SELECTOR, GUEST_GS_AR_BYTES, GUEST_GS_BASE,
  GUEST_GS_LIMIT, GUEST_GS_SELECTOR, GUEST_LDTR_AR_BYTES, GUEST_LDTR_BASE, GUEST_LDTR_LIMIT, GUEST_LDTR_SELECTOR,
  GUEST_RFLAGS, GUEST_SS_AR_BYTES, GUEST_SS_BASE, GUEST_SS_LIMIT, GUEST_SS_SELECTOR, GUEST_TR_AR_BYTES, GUEST_TR_BASE,
  GUEST_TR_LIMIT, GUEST_TR_SELECTOR, VM_ENTRY_CONTROLS,
} from '../generated/vmcs';
import { CPU2_UNRESTRICTED_GUEST, ENTRY_IA_32E_MODE_GUEST } from '../generated/controls';
import {
  CHECK_CS_AR_RESERVED, CHECK_CS_BASE, CHECK_CS_DB, CHECK_CS_DPL, CHECK_CS_DPL_CONFORMING, CHECK_CS_DPL_DATA,
  CHECK_CS_G, CHECK_CS_P, CHECK_CS_S, CHECK_CS_TYPE, CHECK_DS_AR_RESERVED, CHECK_DS_BASE, CHECK_DS_DPL, CHECK_DS_G,
  CHECK_DS_P, CHECK_DS_S, CHECK_DS_TYPE, CHECK_ES_AR_RESERVED, CHECK_ES_BASE, CHECK_ES_DPL, CHECK_ES_G, CHECK_ES_P,
  CHECK_ES_S, CHECK_ES_TYPE, CHECK_FS_AR_RESERVED, CHECK_FS_BASE, CHECK_FS_DPL, CHECK_FS_G, CHECK_FS_P, CHECK_FS_S,
  CHECK_FS_TYPE, CHECK_GS_AR_RESERVED, CHECK_GS_BASE, CHECK_GS_DPL, CHECK_GS_G, CHECK_GS_P, CHECK_GS_S, CHECK_GS_TYPE,
  CHECK_LDTR_AR_RESERVED, CHECK_LDTR_BASE, CHECK_LDTR_G, CHECK_LDTR_P, CHECK_LDTR_S, CHECK_LDTR_TI, CHECK_LDTR_TYPE,
  CHECK_SS_AR_RESERVED, CHECK_SS_BASE, CHECK_SS_DPL_REAL, CHECK_SS_DPL_RPL, CHECK_SS_G, CHECK_SS_P, CHECK_SS_RPL,
  CHECK_SS_S, CHECK_SS_TYPE, CHECK_TR_AR_RESERVED, CHECK_TR_BASE, CHECK_TR_G, CHECK_TR_P, CHECK_TR_S, CHECK_TR_TI,
  CHECK_TR_TYPE, CHECK_TR_UNUSABLE, CHECK_V86_CS_AR, CHECK_V86_CS_BASE, CHECK_V86_CS_LIMIT, CHECK_V86_DS_AR,
  CHECK_V86_DS_BASE, CHECK_V86_DS_LIMIT, CHECK_V86_ES_AR, CHECK_V86_ES_BASE, CHECK_V86_ES_LIMIT, CHECK_V86_FS_AR,
  CHECK_V86_FS_BASE, CHECK_V86_FS_LIMIT, CHECK_V86_GS_AR, CHECK_V86_GS_BASE, CHECK_V86_GS_LIMIT, CHECK_V86_SS_AR,
  CHECK_V86_SS_BASE, CHECK_V86_SS_LIMIT,
} from '../generated/entry-checks';
import { canonical, must } from './entry-checks-controls';
import { field, field32, secondaryControls } from './vmcs';

const RESERVED: u32 = ~AR_FIELDS;

@inline function usable(ar: u32): bool { return !(ar & AR_UNUSABLE); }
@inline function dpl(ar: u32): u32 { return ar >> AR_DPL_SHIFT & 3; }

/** G fits the limit: any of bits 11:0 clear demands G = 0, any of bits 31:20 set demands G = 1. */
@inline function granular(ar: u32, limit: u32): bool {
  const g = (ar & AR_G) != 0;
  return !((limit & 0xfff) != 0xfff && g) && !(limit >> 20 != 0 && !g);
}

/** All checks of segment registers; true when they hold. */
export function checkGuestSegments(): bool {
  const v86 = (field32(GUEST_RFLAGS) & <u32>RFLAGS_VM) != 0;
  let good = checkSystemSegments();
  if (v86) {
    good = v86Segment(GUEST_CS_SELECTOR, GUEST_CS_BASE, GUEST_CS_LIMIT, GUEST_CS_AR_BYTES, CHECK_V86_CS_BASE, CHECK_V86_CS_LIMIT, CHECK_V86_CS_AR) && good;
    good = v86Segment(GUEST_SS_SELECTOR, GUEST_SS_BASE, GUEST_SS_LIMIT, GUEST_SS_AR_BYTES, CHECK_V86_SS_BASE, CHECK_V86_SS_LIMIT, CHECK_V86_SS_AR) && good;
    good = v86Segment(GUEST_DS_SELECTOR, GUEST_DS_BASE, GUEST_DS_LIMIT, GUEST_DS_AR_BYTES, CHECK_V86_DS_BASE, CHECK_V86_DS_LIMIT, CHECK_V86_DS_AR) && good;
    good = v86Segment(GUEST_ES_SELECTOR, GUEST_ES_BASE, GUEST_ES_LIMIT, GUEST_ES_AR_BYTES, CHECK_V86_ES_BASE, CHECK_V86_ES_LIMIT, CHECK_V86_ES_AR) && good;
    good = v86Segment(GUEST_FS_SELECTOR, GUEST_FS_BASE, GUEST_FS_LIMIT, GUEST_FS_AR_BYTES, CHECK_V86_FS_BASE, CHECK_V86_FS_LIMIT, CHECK_V86_FS_AR) && good;
    return v86Segment(GUEST_GS_SELECTOR, GUEST_GS_BASE, GUEST_GS_LIMIT, GUEST_GS_AR_BYTES, CHECK_V86_GS_BASE, CHECK_V86_GS_LIMIT, CHECK_V86_GS_AR) && good;
  }
  good = checkBases() && good;
  good = checkCode() && good;
  good = checkStack() && good;
  good = dataSegment(GUEST_DS_SELECTOR, GUEST_DS_LIMIT, GUEST_DS_AR_BYTES, CHECK_DS_TYPE, CHECK_DS_S, CHECK_DS_DPL, CHECK_DS_P, CHECK_DS_AR_RESERVED, CHECK_DS_G) && good;
  good = dataSegment(GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_ES_AR_BYTES, CHECK_ES_TYPE, CHECK_ES_S, CHECK_ES_DPL, CHECK_ES_P, CHECK_ES_AR_RESERVED, CHECK_ES_G) && good;
  good = dataSegment(GUEST_FS_SELECTOR, GUEST_FS_LIMIT, GUEST_FS_AR_BYTES, CHECK_FS_TYPE, CHECK_FS_S, CHECK_FS_DPL, CHECK_FS_P, CHECK_FS_AR_RESERVED, CHECK_FS_G) && good;
  return dataSegment(GUEST_GS_SELECTOR, GUEST_GS_LIMIT, GUEST_GS_AR_BYTES, CHECK_GS_TYPE, CHECK_GS_S, CHECK_GS_DPL, CHECK_GS_P, CHECK_GS_AR_RESERVED, CHECK_GS_G) && good;
}

function v86Segment(selector: usize, base: usize, limit: usize, ar: usize, baseCheck: u32, limitCheck: u32, arCheck: u32): bool {
  let good = must(field(base) == <u64>(field32(selector) & 0xffff) << 4, baseCheck);
  good = must(field32(limit) == 0xffff, limitCheck) && good;
  return must(field32(ar) == 0xf3, arCheck) && good;
}

/** TR and LDTR. */
function checkSystemSegments(): bool {
  const tr = field32(GUEST_TR_AR_BYTES);
  const ldtr = field32(GUEST_LDTR_AR_BYTES);
  const type = tr & 15;
  const long = (field32(VM_ENTRY_CONTROLS) & ENTRY_IA_32E_MODE_GUEST) != 0;
  let good = must(!(field32(GUEST_TR_SELECTOR) & 4), CHECK_TR_TI);
  good = must(canonical(field(GUEST_TR_BASE)), CHECK_TR_BASE) && good;
  good = must(type == 11 || (type == 3 && !long), CHECK_TR_TYPE) && good;
  good = must(!(tr & AR_S), CHECK_TR_S) && good;
  good = must((tr & AR_P) != 0, CHECK_TR_P) && good;
  good = must(!(tr & RESERVED), CHECK_TR_AR_RESERVED) && good;
  good = must(granular(tr, field32(GUEST_TR_LIMIT)), CHECK_TR_G) && good;
  good = must(usable(tr), CHECK_TR_UNUSABLE) && good;
  if (!usable(ldtr)) return good;
  good = must(!(field32(GUEST_LDTR_SELECTOR) & 4), CHECK_LDTR_TI) && good;
  good = must(canonical(field(GUEST_LDTR_BASE)), CHECK_LDTR_BASE) && good;
  good = must((ldtr & 15) == 2, CHECK_LDTR_TYPE) && good;
  good = must(!(ldtr & AR_S), CHECK_LDTR_S) && good;
  good = must((ldtr & AR_P) != 0, CHECK_LDTR_P) && good;
  good = must(!(ldtr & RESERVED), CHECK_LDTR_AR_RESERVED) && good;
  return must(granular(ldtr, field32(GUEST_LDTR_LIMIT)), CHECK_LDTR_G) && good;
}

@inline function lowBase(base: usize, ar: usize, number: u32): bool {
  return must(!usable(field32(ar)) || field(base) >> 32 == 0, number);
}

function checkBases(): bool {
  let good = must(canonical(field(GUEST_FS_BASE)), CHECK_FS_BASE);
  good = must(canonical(field(GUEST_GS_BASE)), CHECK_GS_BASE) && good;
  good = must(field(GUEST_CS_BASE) >> 32 == 0, CHECK_CS_BASE) && good;
  good = lowBase(GUEST_SS_BASE, GUEST_SS_AR_BYTES, CHECK_SS_BASE) && good;
  good = lowBase(GUEST_DS_BASE, GUEST_DS_AR_BYTES, CHECK_DS_BASE) && good;
  return lowBase(GUEST_ES_BASE, GUEST_ES_AR_BYTES, CHECK_ES_BASE) && good;
}

@inline function unrestricted(): bool { return (secondaryControls() & CPU2_UNRESTRICTED_GUEST) != 0; }

function checkCode(): bool {
  const cs = field32(GUEST_CS_AR_BYTES);
  const ss = field32(GUEST_SS_AR_BYTES);
  const type = cs & 15;
  const code = type == 9 || type == 11 || type == 13 || type == 15;
  let good = must(code || (type == 3 && unrestricted()), CHECK_CS_TYPE);
  good = must((cs & AR_S) != 0, CHECK_CS_S) && good;
  if (type == 3) good = must(dpl(cs) == 0, CHECK_CS_DPL_DATA) && good;
  else if (type == 9 || type == 11) good = must(dpl(cs) == dpl(ss), CHECK_CS_DPL) && good;
  else if (code) good = must(dpl(cs) <= dpl(ss), CHECK_CS_DPL_CONFORMING) && good;
  good = must((cs & AR_P) != 0, CHECK_CS_P) && good;
  good = must(!(cs & RESERVED), CHECK_CS_AR_RESERVED) && good;
  const long = (field32(VM_ENTRY_CONTROLS) & ENTRY_IA_32E_MODE_GUEST) != 0;
  good = must(!(long && cs & AR_L && cs & AR_DB), CHECK_CS_DB) && good;
  return must(granular(cs, field32(GUEST_CS_LIMIT)), CHECK_CS_G) && good;
}

function checkStack(): bool {
  const ss = field32(GUEST_SS_AR_BYTES);
  const rpl = field32(GUEST_SS_SELECTOR) & 3;
  let good = true;
  if (!unrestricted()) {
    good = must(rpl == (field32(GUEST_CS_SELECTOR) & 3), CHECK_SS_RPL);
    good = must(dpl(ss) == rpl, CHECK_SS_DPL_RPL) && good;
  }
  const flat = (field32(GUEST_CS_AR_BYTES) & 15) == 3 || !(field32(GUEST_CR0) & <u32>CR0_PE);
  good = must(!flat || dpl(ss) == 0, CHECK_SS_DPL_REAL) && good;
  if (!usable(ss)) return good;
  const type = ss & 15;
  good = must(type == 3 || type == 7, CHECK_SS_TYPE) && good;
  good = must((ss & AR_S) != 0, CHECK_SS_S) && good;
  good = must((ss & AR_P) != 0, CHECK_SS_P) && good;
  good = must(!(ss & RESERVED), CHECK_SS_AR_RESERVED) && good;
  return must(granular(ss, field32(GUEST_SS_LIMIT)), CHECK_SS_G) && good;
}

function dataSegment(
  selector: usize, limit: usize, rights: usize,
  typeCheck: u32, sCheck: u32, dplCheck: u32, pCheck: u32, reservedCheck: u32, gCheck: u32,
): bool {
  const ar = field32(rights);
  if (!usable(ar)) return true;
  const type = ar & 15;
  let good = must((type & 1) != 0 && (!(type & 8) || (type & 2) != 0), typeCheck);
  good = must((ar & AR_S) != 0, sCheck) && good;
  if (!unrestricted() && type <= 11) good = must(dpl(ar) >= (field32(selector) & 3), dplCheck) && good;
  good = must((ar & AR_P) != 0, pCheck) && good;
  good = must(!(ar & RESERVED), reservedCheck) && good;
  return must(granular(ar, field32(limit)), gCheck) && good;
}
