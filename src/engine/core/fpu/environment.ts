// FLDENV, FNSTENV, FRSTOR and FNSAVE. @sdm 1 8.1.10 "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE"
import {
  OP_LINEAR, X87, X87_FCW, X87_FDP, X87_FIP, X87_FOP, X87_FSW, X87_FTW, XS_OK,
} from '../layout';
import { fault, protectedMode, v8086 } from '../state';
import { uModReg, uOpSize } from '../uop';
import { VEC_NM } from '../generated/events';
import { accessStatus, readSlow, writeSlow, wroteAs } from '../mmu/access';
import { operandLinear } from '../exec/operand';
import { initialize, loadControl } from './control-instructions';
import { DENORMAL, NORMAL, ZERO, classOf } from './float80';
import { FCW_MASKS, FSW_B, FSW_ES } from '../generated/register-bits';
import { begin, refreshSummary, top, x87Absent } from './stack';

const image: usize = memory.data(128, 16);

/** The 16-bit tag word: 0 valid, 1 zero, 2 special, 3 empty, two bits a physical register. */
export function fullTags(): u32 {
  let tags: u32 = 0;
  const used: u32 = load<u8>(X87_FTW);
  for (let n: u32 = 0; n < 8; n++) {
    let tag: u32 = 3;
    if (used >> n & 1) {
      const p: usize = X87 + (n << 4);
      const kind = classOf(load<u16>(p, 8), load<u64>(p));
      tag = kind == NORMAL ? 0 : kind == ZERO ? 1 : 2;
    }
    tags |= tag << n * 2;
  }
  return tags;
}

/** Loads the tags: only empty or not is kept, the rest is computed when it is stored. */
export function loadFullTags(tags: u32): void {
  let used: u32 = 0;
  for (let n: u32 = 0; n < 8; n++) if ((tags >> n * 2 & 3) != 3) used |= 1 << n;
  store<u8>(X87_FTW, u8(used));
}

@inline function realFormat(): bool { return !protectedMode() || v8086(); }
@inline function wideFormat(u: usize): bool { return uOpSize(u) != 2; }

/** Writes the environment's words at p; the selectors are deprecated and 0. Answers its length. */
function putEnvironment(wide: bool): u32 {
  const fip = load<u64>(X87_FIP);
  const fdp = load<u64>(X87_FDP);
  const fop: u32 = load<u16>(X87_FOP) & 0x7ff;
  const real = realFormat();
  if (wide) {
    store<u32>(image, 0xffff0000 | load<u16>(X87_FCW));
    store<u32>(image, 0xffff0000 | load<u16>(X87_FSW), 4);
    store<u32>(image, 0xffff0000 | fullTags(), 8);
    if (real) {
      store<u32>(image, 0xffff0000 | u32(fip & 0xffff), 12);
      store<u32>(image, u32(fip >> 16 & 0xffff) << 12 | fop, 16);
      store<u32>(image, 0xffff0000 | u32(fdp & 0xffff), 20);
      store<u32>(image, u32(fdp >> 16 & 0xffff) << 12, 24);
    } else {
      store<u32>(image, u32(fip), 12);
      store<u32>(image, fop << 16, 16);
      store<u32>(image, u32(fdp), 20);
      store<u32>(image, 0xffff0000, 24);
    }
    return 28;
  }
  store<u16>(image, load<u16>(X87_FCW));
  store<u16>(image, load<u16>(X87_FSW), 2);
  store<u16>(image, u16(fullTags()), 4);
  store<u16>(image, u16(fip), 6);
  store<u16>(image, real ? u16(u32(fip >> 16 & 15) << 12 | fop) : 0, 8);
  store<u16>(image, u16(fdp), 10);
  store<u16>(image, real ? u16(u32(fdp >> 16 & 15) << 12) : 0, 12);
  return 14;
}

function takeEnvironment(p: usize, wide: bool): void {
  const real = realFormat();
  let fip: u64;
  let fdp: u64;
  let fop: u32 = load<u16>(X87_FOP);
  if (wide) {
    loadControl(load<u16>(p));
    store<u16>(X87_FSW, load<u16>(p, 4));
    loadFullTags(load<u16>(p, 8));
    if (real) {
      fip = u64(load<u16>(p, 12)) | u64(load<u32>(p, 16) >> 12 & 0xffff) << 16;
      fop = load<u32>(p, 16) & 0x7ff;
      fdp = u64(load<u16>(p, 20)) | u64(load<u32>(p, 24) >> 12 & 0xffff) << 16;
    } else {
      fip = load<u32>(p, 12);
      fop = load<u32>(p, 16) >> 16 & 0x7ff;
      fdp = load<u32>(p, 20);
    }
  } else {
    loadControl(load<u16>(p));
    store<u16>(X87_FSW, load<u16>(p, 2));
    loadFullTags(load<u16>(p, 4));
    fip = load<u16>(p, 6);
    fdp = load<u16>(p, 10);
    if (real) {
      fip |= u64(load<u16>(p, 8) >> 12) << 16;
      fop = load<u16>(p, 8) & 0x7ff;
      fdp |= u64(load<u16>(p, 12) >> 12) << 16;
    }
  }
  store<u64>(X87_FIP, fip);
  store<u64>(X87_FDP, fdp);
  store<u16>(X87_FOP, u16(fop));
  refreshSummary();
}

/** @sdm 2A "FLDENV" */
export function execFldenv(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  const wide = wideFormat(u);
  const bytes: u32 = wide ? 28 : 14;
  if (!operandLinear(u, bytes, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), bytes);
  if (!p) return accessStatus();
  takeEnvironment(p, wide);
  return XS_OK;
}

/** Stores the environment, then masks all exceptions. @sdm 2A "FSTENV/FNSTENV" */
export function execFnstenv(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  const bytes = putEnvironment(wideFormat(u));
  if (!writeImage(u, bytes)) return accessStatus();
  store<u16>(X87_FCW, load<u16>(X87_FCW) | FCW_MASKS);
  store<u16>(X87_FSW, u16(load<u16>(X87_FSW) & ~(FSW_ES | FSW_B)));
  return XS_OK;
}

function writeImage(u: usize, bytes: u32): bool {
  if (!operandLinear(u, bytes, true)) return false;
  const p = writeSlow(load<u64>(OP_LINEAR), bytes, false);
  if (!p) return false;
  memory.copy(p, image, bytes);
  return wroteAs(p, bytes);
}

/** Environment, then ST(0) to ST(7) of 10 bytes; then as FNINIT. @sdm 2A "FSAVE/FNSAVE" */
export function execFnsave(u: usize): i32 {
  if (x87Absent()) return fault(VEC_NM);
  const length = putEnvironment(wideFormat(u));
  for (let i: u32 = 0; i < 8; i++) memory.copy(image + length + i * 10, X87 + ((top() + i & 7) << 4), 10);
  if (!writeImage(u, length + 80)) return accessStatus();
  initialize();
  return XS_OK;
}

/** @sdm 2A "FRSTOR" */
export function execFrstor(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  const wide = wideFormat(u);
  const length: u32 = wide ? 28 : 14;
  if (!operandLinear(u, length + 80, false)) return accessStatus();
  const p = readSlow(load<u64>(OP_LINEAR), length + 80);
  if (!p) return accessStatus();
  takeEnvironment(p, wide);
  for (let i: u32 = 0; i < 8; i++) {
    const slot: usize = X87 + ((top() + i & 7) << 4);
    store<u64>(slot, load<u64>(p + length + i * 10));
    store<u16>(slot, load<u16>(p + length + i * 10, 8), 8);
  }
  return XS_OK;
}
