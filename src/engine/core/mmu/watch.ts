// The debugger's watchpoints and the guest's data breakpoints (DR0-DR3).
import {
  ATT_TRAP, ATT_WATCH, CR4, DR0, DR7, PENDING_DBG, WATCHPOINT_COUNT, WATCH_ADDRESS, WATCH_BEFORE, WATCH_BEFORE_BYTES, WATCH_BYTES, WATCH_HIT, WATCH_ID,
  WATCH_SIZE, WATCH_TABLE, WATCH_WRITE,
} from '../layout';
import { attend } from '../state';
import { CR4_DE, DR7_ENABLES, DR7_LEN0_SHIFT, DR7_RW0_SHIFT } from '../generated/register-bits';
import { PENDING_ENABLED_BREAKPOINT } from '../generated/events';

const WATCH_FLAG_READ: u32 = 1;
const WATCH_FLAG_WRITE: u32 = 2;
const WATCH_FLAG_PHYSICAL: u32 = 4;

/** DR7's length code to bytes. @sdm 3B 18.2.4 "Debug Control Register (DR7)" */
@inline function breakpointBytes(n: u32): u64 {
  const code = <u32>(load<u64>(DR7) >> (DR7_LEN0_SHIFT + 4 * n)) & 3;
  return code == 2 ? 8 : code + 1;
}

@inline function breakpointKind(n: u32): u32 { return <u32>(load<u64>(DR7) >> (DR7_RW0_SHIFT + 4 * n)) & 3; }
@inline function breakpointEnabled(n: u32): bool { return (load<u64>(DR7) >> (2 * n) & 3) != 0; }

/** True when a breakpoint of that kind covers a byte of [la, la + bytes). */
function breakpointTouches(n: u32, la: u64, bytes: u64): bool {
  const size = breakpointBytes(n);
  const first = load<u64>(DR0 + n * 8) & ~(size - 1);
  return la + bytes > first && la < first + size;
}

/** True when the page must stay out of the TLBs because a data breakpoint or watchpoint touches it. */
export function pageWatched(la: u64, gpa: u64): bool {
  if (load<u64>(DR7) & DR7_ENABLES) {
    for (let n: u32 = 0; n < 4; n++) {
      if (breakpointEnabled(n) && breakpointKind(n) & 1 && breakpointTouches(n, la & ~(<u64>0xfff), 0x1000)) return true;
    }
  }
  const count = load<u32>(WATCHPOINT_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const row = WATCH_TABLE + i * WATCH_BYTES;
    const page = (load<u32>(row, 16) & WATCH_FLAG_PHYSICAL ? gpa : la) & ~(<u64>0xfff);
    if (load<u64>(row) <= page + 0xfff && load<u64>(row, 8) >= page) return true;
  }
  return false;
}

/** Index of the first watchpoint that the access hits, or -1. */
function watchpointHit(la: u64, gpa: u64, bytes: u32, write: bool): i32 {
  const wanted = write ? WATCH_FLAG_WRITE : WATCH_FLAG_READ;
  const count = load<u32>(WATCHPOINT_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const row = WATCH_TABLE + i * WATCH_BYTES;
    const flags = load<u32>(row, 16);
    const first = flags & WATCH_FLAG_PHYSICAL ? gpa : la;
    if (flags & wanted && load<u64>(row) <= first + bytes - 1 && load<u64>(row, 8) >= first) return <i32>i;
  }
  return -1;
}

/** Bits of DR0-3 whose data breakpoint the access hits. */
function breakpointsHit(la: u64, bytes: u32, write: bool): u64 {
  let bits: u64 = 0;
  if (!(load<u64>(DR7) & DR7_ENABLES)) return bits;
  for (let n: u32 = 0; n < 4; n++) {
    const kind = breakpointKind(n);
    if (breakpointEnabled(n) && (kind == 3 || (kind == 1 && write)) && breakpointTouches(n, la, bytes)) bits |= <u64>1 << n;
  }
  return bits;
}

/** True when the access would hit something: it has to run in a block of its own. */
export function watchHits(la: u64, gpa: u64, bytes: u32, write: bool): bool {
  return breakpointsHit(la, bytes, write) != 0 || watchpointHit(la, gpa, bytes, write) >= 0;
}

/** Records what the access hits for the boundary after the instruction. host: the frame's bytes as they still are, or 0. */
export function watchRecord(la: u64, gpa: u64, bytes: u32, write: bool, host: usize): void {
  const bits = breakpointsHit(la, bytes, write);
  if (bits) {
    store<u64>(PENDING_DBG, load<u64>(PENDING_DBG) | bits | PENDING_ENABLED_BREAKPOINT);
    attend(ATT_TRAP);
  }
  const hit = watchpointHit(la, gpa, bytes, write);
  if (hit < 0 || load<u32>(WATCH_HIT)) return;
  store<u32>(WATCH_HIT, 1);
  store<u32>(WATCH_ID, load<u32>(WATCH_TABLE + <u32>hit * WATCH_BYTES, 20));
  store<u64>(WATCH_ADDRESS, la);
  store<u32>(WATCH_SIZE, bytes);
  store<u32>(WATCH_WRITE, write ? 1 : 0);
  const known: u32 = host ? min<u32>(bytes, 32) : 0;
  store<u32>(WATCH_BEFORE_BYTES, known);
  memory.copy(WATCH_BEFORE, host, known);
  attend(ATT_WATCH);
}

/** I/O breakpoints (CR4.DE): records the trap for a port access. @sdm 3B 18.2.4 "Debug Control Register (DR7)" */
export function portBreakpoint(port: u32, bytes: u32): void {
  if (!(load<u64>(CR4) & CR4_DE) || !(load<u64>(DR7) & DR7_ENABLES)) return;
  for (let n: u32 = 0; n < 4; n++) {
    if (breakpointEnabled(n) && breakpointKind(n) == 2 && breakpointTouches(n, port, bytes)) {
      store<u64>(PENDING_DBG, load<u64>(PENDING_DBG) | <u64>1 << n | PENDING_ENABLED_BREAKPOINT);
      attend(ATT_TRAP);
    }
  }
}

/** Bits of DR0-3 whose instruction breakpoint is at the linear address. */
export function executionBreakpoints(la: u64): u64 {
  let bits: u64 = 0;
  for (let n: u32 = 0; n < 4; n++) {
    if (breakpointEnabled(n) && breakpointKind(n) == 0 && load<u64>(DR0 + n * 8) == la) bits |= <u64>1 << n;
  }
  return bits;
}

/** True when DR7 enables an instruction breakpoint. */
export function executionBreakpointsEnabled(): bool {
  for (let n: u32 = 0; n < 4; n++) if (breakpointEnabled(n) && breakpointKind(n) == 0) return true;
  return false;
}
