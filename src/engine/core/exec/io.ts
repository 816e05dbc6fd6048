// Port I/O. Behind the ports is the VMM alone: an access that does not exit finds no device.
import {
  ASSIST_ADDRESS, ASSIST_BYTES, ASSIST_DATA, ASSIST_KIND, ASSIST_STRING, ASSIST_WRITE, BOUNCE, BOUNCE_BYTES, DEVICE_DATA, DR7, ICOUNT, LATCHES,
  LATCH_BYTES, LATCH_COUNT, LATCH_CURSOR, LATCH_EVENT, LATCH_ICOUNT, MAX_STRING_BYTES, NEXT_RIP, OP_LINEAR, RAX, RCX, RDI, RDX, RFLAGS, RIP,
  RSI, SEG_ES, SEG_TR, TLB_READ, XS_OK,
} from '../layout';
import { code64, cpl, faultCode, protectedMode, segAr, segBase, segLimit, v8086 } from '../state';
import { uAddrSize, uImm, uOpSize, uOpcode, uRep, uSeg } from '../uop';
import { AR_UNUSABLE, DR7_ENABLES, RFLAGS_DF, RFLAGS_IOPL_SHIFT, RFLAGS_TF } from '../generated/register-bits';
import { VEC_GP } from '../generated/events';
import { EXIT_REASON_IO_INSTRUCTION } from '../generated/exits';
import { debugPort } from '../events/debug';
import { accessStatus, readable, sysReadable, writable } from '../mmu/access';
import { inTlb } from '../mmu/tlb';
import { interruptWaits } from '../vmx/apic';
import { interceptIo } from '../vmx/bitmaps';
import { exitGla, exitInstructionInfo, vmExit } from '../vmx/exit';
import { askPort, askString, NOT_ASKED, steadyIn } from '../vmx/ask';
import { quickOut, quickOuts } from '../vmx/quick';
import { goesOn } from './repeat';
import { cutAddress, writeLinear } from './operand';
import { segmentLinear, withinLimit } from './segment';

// exit qualification
const QUAL_IN: u64 = 8;
const QUAL_STRING: u64 = 0x10;
const QUAL_REP: u64 = 0x20;
const QUAL_IMMEDIATE: u64 = 0x40;

/**
 * IOPL and the I/O permission bitmap of the TSS; XS_OK or the fault.
 * @sdm 1 19.5.2 "I/O Permission Bit Map"
 */
function permitted(port: u32, bytes: u32): i32 {
  if (!protectedMode()) return XS_OK;
  if (!v8086() && cpl() <= (<u32>(load<u64>(RFLAGS) >> RFLAGS_IOPL_SHIFT) & 3)) return XS_OK;
  const ar = segAr(SEG_TR);
  const limit = segLimit(SEG_TR);
  if (ar & AR_UNUSABLE || (ar & 13) != 9 || limit < 103) return faultCode(VEC_GP, 0);
  const base = segBase(SEG_TR);
  const map = sysReadable<u16>(base + 102);
  if (!map) return accessStatus();
  const at: u32 = <u32>load<u16>(map) + (port >> 3);
  if (at + 1 > limit) return faultCode(VEC_GP, 0);
  const p = sysReadable<u16>(base + at);
  if (!p) return accessStatus();
  const mask: u32 = (1 << bytes) - 1;
  return <u32>load<u16>(p) >> (port & 7) & mask ? faultCode(VEC_GP, 0) : XS_OK;
}

/** Opcodes E4 to E7 have the port in the instruction. */
@inline function immediatePort(u: usize): bool { return uOpcode(u) < 0xe8; }
@inline function portOf(u: usize): u32 { return immediatePort(u) ? <u32>uImm(u) & 0xff : load<u16>(RDX); }

@inline function qualification(port: u32, bytes: u32, bits: u64): u64 { return <u64>(bytes - 1) | bits | <u64>port << 16; }

@inline function ioExit(u: usize, port: u32, bytes: u32, bits: u64): i32 {
  return vmExit(EXIT_REASON_IO_INSTRUCTION, qualification(port, bytes, bits));
}

@inline function byteForm(u: usize): u32 { return uOpcode(u) & 1 ? min<u32>(uOpSize(u), 4) : 1; }

/** @sdm 2A "IN" */
export function execIn(u: usize): i32 {
  const port = portOf(u);
  const bytes = byteForm(u);
  const status = permitted(port, bytes);
  if (status != XS_OK) return status;
  if (interceptIo(port, bytes)) {
    const bits = QUAL_IN | (immediatePort(u) ? QUAL_IMMEDIATE : 0);
    const asked = askPort(port, bytes, false, 0, qualification(port, bytes, bits));
    if (asked == NOT_ASKED) return ioExit(u, port, bytes, bits);
    giveDatum(bytes, load<u32>(DEVICE_DATA));
    return asked;
  }
  giveDatum(bytes, 0xffffffff);
  debugPort(port, bytes);
  return XS_OK;
}

/** IN and OUT that need neither the VMM nor a fault, with the registers that an exit records in memory; else nothing is done. */
export function portAtOnce(u: usize): bool {
  const port = portOf(u);
  const bytes = byteForm(u);
  if (cpl() || !interceptIo(port, bytes)) return false;
  const bits = qualification(port, bytes, immediatePort(u) ? QUAL_IMMEDIATE : 0);
  if (uOpcode(u) & 2) return quickOut(port, bytes, outDatum(bytes), bits);
  if (!steadyIn(port, bytes, bits | QUAL_IN)) return false;
  giveDatum(bytes, load<u32>(DEVICE_DATA));
  return true;
}

@inline function outDatum(bytes: u32): u32 { return load<u32>(RAX) & (bytes == 4 ? ~(<u32>0) : (<u32>1 << (bytes << 3)) - 1); }

function giveDatum(bytes: u32, datum: u32): void {
  if (bytes == 1) store<u8>(RAX, datum);
  else if (bytes == 2) store<u16>(RAX, datum);
  else store<u64>(RAX, datum);
}

/** @sdm 2B "OUT" */
export function execOut(u: usize): i32 {
  const port = portOf(u);
  const bytes = byteForm(u);
  const status = permitted(port, bytes);
  if (status != XS_OK) return status;
  if (interceptIo(port, bytes)) {
    const bits = immediatePort(u) ? QUAL_IMMEDIATE : 0;
    const value = outDatum(bytes);
    if (quickOut(port, bytes, value, qualification(port, bytes, bits))) return XS_OK;
    const asked = askPort(port, bytes, true, value, qualification(port, bytes, bits));
    return asked == NOT_ASKED ? ioExit(u, port, bytes, bits) : asked;
  }
  debugPort(port, bytes);
  return XS_OK;
}

/** Places that a latch takes for `count` elements, beside its own. */
@inline function places(count: u32, bytes: u32): u32 { return (count * bytes + LATCH_BYTES - 1) / LATCH_BYTES; }

/** Next latch of the running instruction when it holds this port's data, else 0; latches of another instruction are dropped. */
function portLatch(port: u32, bytes: u32, write: bool): usize {
  if (load<u64>(LATCH_ICOUNT) != load<u64>(ICOUNT)) {
    store<u32>(LATCH_COUNT, 0);
    store<u32>(LATCH_CURSOR, 0);
    return 0;
  }
  const cursor = load<u32>(LATCH_CURSOR);
  if (cursor >= load<u32>(LATCH_COUNT)) return 0;
  const latch: usize = LATCHES + cursor * LATCH_BYTES;
  if (load<u64>(latch) != port || load<u32>(latch, 16) != bytes || (load<u32>(latch, 20) != 0) != write) {
    store<u32>(LATCH_COUNT, cursor);
    return 0;
  }
  store<u32>(LATCH_CURSOR, cursor + 1 + places(load<u32>(latch, 8), bytes));
  return latch;
}

/** Where the data of the next latch stand. */
@inline function latchData(): usize { return LATCHES + (load<u32>(LATCH_COUNT) + 1) * LATCH_BYTES; }

@inline function loadElement(p: usize, bytes: u32): u32 {
  return bytes == 1 ? load<u8>(p) : bytes == 2 ? load<u16>(p) : load<u32>(p);
}

@inline function storeElement(p: usize, bytes: u32, value: u32): void {
  if (bytes == 1) store<u8>(p, value);
  else if (bytes == 2) store<u16>(p, value);
  else store<u32>(p, value);
}

/** Exit qualification of a string instruction beside port and size, and its instruction information. */
@inline function stringBits(u: usize, write: bool): u64 { return QUAL_STRING | (uRep(u) ? QUAL_REP : 0) | (write ? 0 : QUAL_IN); }
@inline function stringInfo(u: usize, write: bool): u32 {
  const size: u32 = uAddrSize(u) == 8 ? 2 : uAddrSize(u) == 4 ? 1 : 0;
  return size << 7 | (write ? uSeg(u) << 15 : 0);
}

/** The VMM moves at most so many elements and appends a latch: the instruction then runs again, unless the answer is XS_OK. */
function stringExit(u: usize, port: u32, bytes: u32, write: bool, most: u32, la: u64): i32 {
  store<u32>(ASSIST_KIND, ASSIST_STRING);
  store<u32>(ASSIST_WRITE, write ? 1 : 0);
  store<u32>(ASSIST_BYTES, bytes);
  store<u64>(ASSIST_ADDRESS, port);
  store<u64>(ASSIST_DATA, most);
  store<u64>(LATCH_ICOUNT, load<u64>(ICOUNT));
  store<u32>(LATCH_EVENT, 0);
  const info = stringInfo(u, write);
  const bits = stringBits(u, write);
  const asked = askString(port, bytes, write, most, qualification(port, bytes, bits), la, info);
  if (asked == XS_OK) return XS_OK;
  store<u32>(LATCH_CURSOR, 0);
  if (asked != NOT_ASKED) return asked;
  exitInstructionInfo(info);
  exitGla(la);
  return ioExit(u, port, bytes, bits);
}

/** RCX cut to the address size; 1 without REP. */
@inline function iterations(u: usize): u64 { return uRep(u) ? cutAddress(load<u64>(RCX), uAddrSize(u)) : 1; }

/**
 * How many of `left` elements one exit may move: those in the page of the first, at linear address `la` and `offset` in its
 * segment. It follows from the guest's state alone, so that exits repeat however somebody looks at them.
 */
function together(u: usize, seg: u32, la: u64, offset: u64, bytes: u32, left: u64): u32 {
  if (left < 2 || (load<u64>(RFLAGS) & (RFLAGS_DF | RFLAGS_TF)) != 0 || (load<u32>(DR7) & <u32>DR7_ENABLES) != 0) return 1;
  let most = min<u64>(left, min<u64>((0x1000 - (la & 0xfff)) / bytes, MAX_STRING_BYTES / bytes));
  const size = uAddrSize(u);
  if (size != 8) most = min<u64>(most, ((<u64>1 << (size << 3)) - offset) / bytes);
  if (most < 2) return 1;
  return code64() || withinLimit(segAr(seg), segLimit(seg), offset, u32(most) * bytes) ? u32(most) : 1;
}

function setCounter(at: usize, size: u32, value: u64): void {
  if (size == 8) store<u64>(at, value);
  else if (size == 4) store<u64>(at, value & 0xffffffff);
  else store<u16>(at, <u16>value);
}

/** `count` elements are done, as one instruction: moves the index, counts RCX down, stays at the instruction while some are left. */
function goOn(u: usize, index: usize, bytes: u32, count: u32): void {
  const size = uAddrSize(u);
  const step: u64 = load<u64>(RFLAGS) & RFLAGS_DF ? -(<u64>bytes) : <u64>bytes * count;
  setCounter(index, size, load<u64>(index) + step);
  store<u32>(LATCH_COUNT, 0);
  store<u32>(LATCH_CURSOR, 0);
  if (!uRep(u)) return;
  const left = cutAddress(load<u64>(RCX) - count, size);
  setCounter(RCX, size, left);
  if (!left) return;
  store<u64>(NEXT_RIP, load<u64>(RIP));
  goesOn(load<u64>(ICOUNT), load<u64>(ICOUNT) + 1);
}

/** The element lies in device memory or in two pages: it has its own accesses. */
@inline function isBounced(p: usize): bool { return <u32>(p - BOUNCE) < <u32>BOUNCE_BYTES; }

@inline function elementToRead(la: u64, bytes: u32): usize {
  return bytes == 1 ? readable<u8>(la) : bytes == 2 ? readable<u16>(la) : readable<u32>(la);
}

/** (REP) INS, as many elements as one exit moves. @sdm 2A "INS/INSB/INSW/INSD" */
export function execIns(u: usize): i32 {
  const port: u32 = load<u16>(RDX);
  const bytes = byteForm(u);
  const left = iterations(u);
  if (left == 0) return XS_OK;
  const status = permitted(port, bytes);
  if (status != XS_OK) return status;
  const offset = cutAddress(load<u64>(RDI), uAddrSize(u));
  if (!segmentLinear(SEG_ES, offset, bytes, true)) return accessStatus();
  const la = load<u64>(OP_LINEAR);
  if (!interceptIo(port, bytes)) {
    if (!writeLinear(la, bytes, 0xffffffff)) return accessStatus();
    goOn(u, RDI, bytes, 1);
    debugPort(port, bytes);
    return XS_OK;
  }
  let latch = portLatch(port, bytes, false);
  if (!latch) {
    // a destination that faults does so before the device is read
    const p = bytes == 1 ? writable<u8>(la) : bytes == 2 ? writable<u16>(la) : writable<u32>(la);
    if (!p) return accessStatus();
    const most: u32 = isBounced(p) ? 1 : together(u, SEG_ES, la, offset, bytes, left);
    const asked = stringExit(u, port, bytes, false, most, la);
    if (asked != XS_OK) return asked;
    latch = portLatch(port, bytes, false);
  }
  const count = load<u32>(latch, 8);
  for (let n: u32 = 0; n < count; n++) {
    // one that has to run alone writes the first ones again, from the same latch
    if (!writeLinear(la + n * bytes, bytes, loadElement(latch + LATCH_BYTES + n * bytes, bytes))) return accessStatus();
  }
  goOn(u, RDI, bytes, count);
  debugPort(port, bytes);
  return XS_OK;
}

/** (REP) OUTS, as many elements as one exit moves. @sdm 2B "OUTS/OUTSB/OUTSW/OUTSD" */
export function execOuts(u: usize): i32 {
  const port: u32 = load<u16>(RDX);
  const bytes = byteForm(u);
  const left = iterations(u);
  if (left == 0) return XS_OK;
  const status = permitted(port, bytes);
  if (status != XS_OK) return status;
  const offset = cutAddress(load<u64>(RSI), uAddrSize(u));
  if (!segmentLinear(uSeg(u), offset, bytes, false)) return accessStatus();
  const la = load<u64>(OP_LINEAR);
  const p = elementToRead(la, bytes);
  if (!p) return accessStatus();
  let count: u32 = 1;
  if (interceptIo(port, bytes)) {
    const first = loadElement(p, bytes);
    const bounced = isBounced(p);
    let latch = portLatch(port, bytes, true);
    const most: u32 = latch ? load<u32>(latch, 8) : bounced ? 1 : together(u, uSeg(u), la, offset, bytes, left);
    if (!latch && !bounced && inTlb(TLB_READ, la) && !interruptWaits()) {
      // the page is no device's and nobody watches it: the elements are what stands there
      count = quickOuts(port, bytes, p, most, qualification(port, bytes, stringBits(u, true)), la, stringInfo(u, true));
      if (count) {
        store<u64>(LATCH_ICOUNT, load<u64>(ICOUNT));
        store<u32>(LATCH_EVENT, 0);
        goOn(u, RSI, bytes, count);
        debugPort(port, bytes);
        return XS_OK;
      }
    }
    const data = latchData();
    if (!latch) {
      memory.fill(data - LATCH_BYTES, 0, (1 + places(most, bytes)) * LATCH_BYTES);
      storeElement(data, bytes, first);
    }
    for (let n: u32 = 1; n < most; n++) {
      const element = elementToRead(la + n * bytes, bytes);
      if (!element) return accessStatus();
      if (!latch) storeElement(data + n * bytes, bytes, loadElement(element, bytes));
    }
    if (!latch) {
      const asked = stringExit(u, port, bytes, true, most, la);
      if (asked != XS_OK) return asked;
      latch = portLatch(port, bytes, true);
    }
    count = load<u32>(latch, 8);
  }
  goOn(u, RSI, bytes, count);
  debugPort(port, bytes);
  return XS_OK;
}
