// INT n, INT3, INTO, ICEBP and IRET.
import {
  INTERRUPTIBILITY, NEXT_RIP, RFLAGS, RIP, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SEG_TR, XS_OK, CTX_SYSTEM, RSP,
} from '../layout';
import { code64, cpl, longMode, protectedMode, segAr, segBase, segLimit, v8086 } from '../state';
import { accessStatus, readAs, setNmiUnblocked } from '../mmu/access';
import { MODE_FLAGS, updateMode, updateSegment } from '../mmu/mode';
import { softEvent } from '../events/deliver';
import { keepRf } from '../events/debug';
import { windowMayOpen } from '../vmx/boundary';
import { pinControls } from '../vmx/vmcs';
import { uImm, uLen, uOpSize } from '../uop';
import {
  RFLAGS_AC, RFLAGS_ALWAYS_ONE, RFLAGS_DF, RFLAGS_FIELDS, RFLAGS_ID, RFLAGS_IF, RFLAGS_IOPL, RFLAGS_IOPL_SHIFT,
  RFLAGS_NT, RFLAGS_OF, RFLAGS_RF, RFLAGS_STATUS, RFLAGS_TF, RFLAGS_VIF, RFLAGS_VIP, RFLAGS_VM,
} from '../generated/register-bits';
import {
  BLOCKING_BY_NMI, TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_INTERRUPT, VEC_BP, VEC_DB,
  VEC_GP, VEC_OF,
} from '../generated/events';
import { PIN_NMI_EXITING, PIN_VIRTUAL_NMIS } from '../generated/controls';
import {
  descriptor, descriptorAddress, markAccessed, reject, rejectSelector, setRealSegment, setSegmentRaw,
} from './segment';
import { TASK_BY_IRET, taskSwitch } from './task';
import { checkReturnCode, returnOutward } from './far';
import {
  checkTarget, commitCode, commitStack, currentStack, jumpTo, setLevel, stackDrop, stackPeek, stackValue, wideStack, commitNewStack,
} from './transfer';

/** What any IRET loads. */
const FLAGS_ALWAYS: u64 = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
/** Loaded by IRETD and IRETQ. */
const FLAGS_WIDE: u64 = RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
const FLAGS_VIRTUAL: u64 = RFLAGS_VIF | RFLAGS_VIP;

export function execInt(u: usize): i32 {
  // virtual-8086 mode needs IOPL 3
  if (v8086() && (load<u64>(RFLAGS) & RFLAGS_IOPL) != RFLAGS_IOPL) return failed(reject(VEC_GP, 0));
  return softEvent(<u32>uImm(u) & 0xff, TYPE_SOFTWARE_INTERRUPT, uLen(u));
}
export function execInt3(u: usize): i32 { return softEvent(VEC_BP, TYPE_SOFTWARE_EXCEPTION, uLen(u)); }
export function execInto(u: usize): i32 {
  return load<u64>(RFLAGS) & RFLAGS_OF ? softEvent(VEC_OF, TYPE_SOFTWARE_EXCEPTION, uLen(u)) : XS_OK;
}
export function execIcebp(u: usize): i32 { return softEvent(VEC_DB, TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, uLen(u)); }

@inline function failed(done: bool): i32 { return done ? XS_OK : accessStatus(); }

/** Flags after a return at the present CPL and IOPL. */
function returnedFlags(image: u64, bytes: u32): u64 {
  const old = load<u64>(RFLAGS);
  let mask = FLAGS_ALWAYS;
  if (bytes > 2) mask |= FLAGS_WIDE;
  if (cpl() <= <u32>(old >> RFLAGS_IOPL_SHIFT & 3)) mask |= RFLAGS_IF;
  if (cpl() == 0) mask |= bytes > 2 ? RFLAGS_IOPL | FLAGS_VIRTUAL : RFLAGS_IOPL;
  return (old & ~mask) | (image & mask) | RFLAGS_ALWAYS_ONE;
}

/** IRET ends blocking by NMI, unless NMI exiting without virtual NMIs leaves that to the VMM. */
function unblockNmi(): void {
  const blocking = load<u32>(INTERRUPTIBILITY) & BLOCKING_BY_NMI;
  if (!blocking || (pinControls() & (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)) == PIN_NMI_EXITING) return;
  store<u32>(INTERRUPTIBILITY, load<u32>(INTERRUPTIBILITY) & ~BLOCKING_BY_NMI);
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
  if (virtual && (load<u64>(RFLAGS) & RFLAGS_IOPL) != RFLAGS_IOPL) return failed(reject(VEC_GP, 0));
  currentStack();
  if (!popFrame(bytes)) return accessStatus();
  if (poppedRip > <u64>(virtual ? 0xffff : segLimit(SEG_CS))) return failed(reject(VEC_GP, 0));
  stackDrop(3 * bytes);
  commitStack();
  setRealSegment(SEG_CS, poppedCs);
  const old = load<u64>(RFLAGS);
  let mask = FLAGS_ALWAYS | RFLAGS_IF;
  if (bytes > 2) mask |= FLAGS_WIDE;
  if (!virtual) mask |= RFLAGS_IOPL;
  store<u64>(RFLAGS, (old & ~mask) | (poppedFlags & mask) | RFLAGS_ALWAYS_ONE);
  jumpTo(poppedRip);
  if ((old | load<u64>(RFLAGS)) & MODE_FLAGS) updateMode();
  else updateSegment(SEG_CS);
  return XS_OK;
}

function protectedReturn(bytes: u32): i32 {
  if (load<u64>(RFLAGS) & RFLAGS_NT) {
    if (longMode()) return failed(reject(VEC_GP, 0));
    const p = readAs(segBase(SEG_TR), 2, load<u32>(CTX_SYSTEM));
    return p ? taskSwitch(load<u16>(p), TASK_BY_IRET, false) : accessStatus();
  }
  currentStack();
  if (!popFrame(bytes)) return accessStatus();
  if (poppedFlags & RFLAGS_VM && bytes == 4 && cpl() == 0 && !longMode()) return failed(returnToVirtual());
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
  store<u64>(RFLAGS, (load<u64>(RFLAGS) & 0xffffffff00000000) | (poppedFlags & RFLAGS_FIELDS) | RFLAGS_ALWAYS_ONE);
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
