// INT n, INT3, INTO, ICEBP and IRET.
import {
  INTERRUPTIBILITY, NEXT_RIP, RFLAGS, RIP, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SEG_TR, XS_OK, CTX_SYSTEM, RSP,
} from '../layout';
import { code64, cpl, longMode, protectedMode, segAr, segBase, segLimit, v8086, VEC_GP } from '../state';
import { accessStatus, readAs, setNmiUnblocked } from '../mmu/access';
import { MODE_FLAGS, updateMode, updateSegment } from '../mmu/mode';
import { softEvent } from '../events/deliver';
import { keepRf } from '../events/debug';
import { windowMayOpen } from '../vmx/boundary';
import { pinControls } from '../vmx/vmcs';
import { uImm, uLen, uOpSize } from '../uop';
import {
  descriptor, descriptorAddress, markAccessed, reject, rejectSelector, setRealSegment, setSegmentRaw,
} from './segment';
import { TASK_BY_IRET, taskSwitch } from './task';
import { checkReturnCode, returnOutward } from './far';
import {
  checkTarget, commitCode, commitStack, currentStack, jumpTo, setLevel, stackDrop, stackPeek, stackValue, wideStack, commitNewStack,
} from './transfer';

const FLAG_TF: u64 = 0x100;
const FLAG_IF: u64 = 0x200;
const FLAG_IOPL: u64 = 0x3000;
const FLAG_NT: u64 = 0x4000;
const FLAG_VM: u64 = 0x20000;
/** CF PF AF ZF SF TF DF OF NT: what any IRET loads. */
const FLAGS_ALWAYS: u64 = 0x4dd5;
/** RF AC ID: loaded by IRETD and IRETQ. */
const FLAGS_WIDE: u64 = 0x250000;
const FLAGS_VIRTUAL: u64 = 0x180000; // VIF VIP

export function execInt(u: usize): i32 {
  // virtual-8086 mode needs IOPL 3
  if (v8086() && (load<u64>(RFLAGS) & FLAG_IOPL) != FLAG_IOPL) return failed(reject(VEC_GP, 0));
  return softEvent(<u32>uImm(u) & 0xff, 4, uLen(u));
}
export function execInt3(u: usize): i32 { return softEvent(3, 6, uLen(u)); }
export function execInto(u: usize): i32 {
  return load<u64>(RFLAGS) & 0x800 ? softEvent(4, 6, uLen(u)) : XS_OK;
}
export function execIcebp(u: usize): i32 { return softEvent(1, 5, uLen(u)); }

@inline function failed(done: bool): i32 { return done ? XS_OK : accessStatus(); }

/** Flags after a return at the present CPL and IOPL. */
function returnedFlags(image: u64, bytes: u32): u64 {
  const old = load<u64>(RFLAGS);
  let mask = FLAGS_ALWAYS;
  if (bytes > 2) mask |= FLAGS_WIDE;
  if (cpl() <= <u32>(old >> 12 & 3)) mask |= FLAG_IF;
  if (cpl() == 0) mask |= bytes > 2 ? FLAG_IOPL | FLAGS_VIRTUAL : FLAG_IOPL;
  return (old & ~mask) | (image & mask) | 2;
}

/** IRET ends blocking by NMI, unless NMI exiting without virtual NMIs leaves that to the VMM. */
function unblockNmi(): void {
  const blocking = load<u32>(INTERRUPTIBILITY) & 8;
  if (!blocking || (pinControls() & 0x28) == 8) return;
  store<u32>(INTERRUPTIBILITY, load<u32>(INTERRUPTIBILITY) & ~8);
  setNmiUnblocked(true);
}

/** IRET, IRETD, IRETQ. @sdm 2A 3.3 "IRET/IRETD/IRETQ - Interrupt Return" */
export function execIret(u: usize): i32 {
  const bytes = uOpSize(u);
  unblockNmi();
  const status = protectedMode() && !v8086() ? protectedReturn(bytes) : realReturn(bytes);
  if (status == XS_OK) {
    setNmiUnblocked(false);
    keepRf();
    windowMayOpen();
  }
  return status;
}

/** Pops eIP, CS and eFLAGS into the values below. */
let poppedRip: u64 = 0;
let poppedCs: u32 = 0;
let poppedFlags: u64 = 0;
function popFrame(bytes: u32): bool {
  if (!stackPeek(0, bytes)) return false;
  poppedRip = stackValue;
  if (!stackPeek(bytes, bytes)) return false;
  poppedCs = <u32>stackValue & 0xffff;
  if (!stackPeek(2 * bytes, bytes)) return false;
  poppedFlags = stackValue;
  return true;
}

function realReturn(bytes: u32): i32 {
  const virtual = v8086();
  if (virtual && (load<u64>(RFLAGS) & FLAG_IOPL) != FLAG_IOPL) return failed(reject(VEC_GP, 0));
  currentStack();
  if (!popFrame(bytes)) return accessStatus();
  if (poppedRip > <u64>(virtual ? 0xffff : segLimit(SEG_CS))) return failed(reject(VEC_GP, 0));
  stackDrop(3 * bytes);
  commitStack();
  setRealSegment(SEG_CS, poppedCs);
  const old = load<u64>(RFLAGS);
  let mask = FLAGS_ALWAYS | FLAG_IF;
  if (bytes > 2) mask |= FLAGS_WIDE;
  if (!virtual) mask |= FLAG_IOPL;
  store<u64>(RFLAGS, (old & ~mask) | (poppedFlags & mask) | 2);
  jumpTo(poppedRip);
  if ((old | load<u64>(RFLAGS)) & MODE_FLAGS) updateMode();
  else updateSegment(SEG_CS);
  return XS_OK;
}

function protectedReturn(bytes: u32): i32 {
  if (load<u64>(RFLAGS) & FLAG_NT) {
    if (longMode()) return failed(reject(VEC_GP, 0));
    const p = readAs(segBase(SEG_TR), 2, load<u32>(CTX_SYSTEM));
    return p ? taskSwitch(load<u16>(p), TASK_BY_IRET, false) : accessStatus();
  }
  currentStack();
  if (!popFrame(bytes)) return accessStatus();
  if (poppedFlags & FLAG_VM && bytes == 4 && cpl() == 0 && !longMode()) return failed(returnToVirtual());
  if (!checkReturnCode(poppedCs)) return accessStatus();
  const d = descriptor;
  const address = descriptorAddress;
  if (!checkTarget(d, poppedRip)) return accessStatus();
  const flags = returnedFlags(poppedFlags, bytes);
  if ((poppedCs & 3) == cpl() && !code64()) {
    if (!markAccessed(address, d)) return accessStatus();
    stackDrop(3 * bytes);
    commitStack();
    store<u64>(RFLAGS, flags);
    commitCode(poppedCs, d, poppedCs & 3, poppedRip);
    updateMode();
    return XS_OK;
  }
  if (!stackPeek(3 * bytes, bytes)) return accessStatus();
  const sp = stackValue;
  if (!stackPeek(4 * bytes, bytes)) return accessStatus();
  if (!returnOutward(poppedCs, d, address, poppedRip, <u32>stackValue & 0xffff, sp, 0)) return accessStatus();
  store<u64>(RFLAGS, flags);
  updateMode();
  return XS_OK;
}

/** IRETD at CPL 0 with VM in the image: ESP, SS, ES, DS, FS, GS follow EFLAGS on the stack. */
function returnToVirtual(): bool {
  if (poppedRip > 0xffff) return reject(VEC_GP, 0);
  let selectors0: u64 = 0;
  let selectors1: u64 = 0;
  for (let i: u32 = 0; i < 6; i++) {
    if (!stackPeek(12 + 4 * i, 4)) return false;
    if (i == 0) selectors0 = stackValue;
    else if (i < 4) selectors1 |= (stackValue & 0xffff) << (16 * (i - 1));
    else selectors0 |= (stackValue & 0xffff) << (16 * (i - 2));
  }
  store<u64>(RFLAGS, (load<u64>(RFLAGS) & 0xffffffff00000000) | (poppedFlags & 0x3f7fd5) | 2);
  store<u64>(RSP, selectors0 & 0xffffffff);
  setRealSegment(SEG_CS, poppedCs);
  setRealSegment(SEG_SS, <u32>selectors1 & 0xffff);
  setRealSegment(SEG_ES, <u32>(selectors1 >> 16) & 0xffff);
  setRealSegment(SEG_DS, <u32>(selectors1 >> 32) & 0xffff);
  setRealSegment(SEG_FS, <u32>(selectors0 >> 32) & 0xffff);
  setRealSegment(SEG_GS, <u32>(selectors0 >> 48) & 0xffff);
  jumpTo(poppedRip);
  updateMode();
  return true;
}
