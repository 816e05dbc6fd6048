// Reads of device registers that have no effects: while nothing of the VMM runs, no device changes, so that a register that has been
// read once answers the same, or what the clock makes of it. The VMM fills the table after it has answered itself
// (src/engine/vmm/steady-reads.ts) and voids it whenever a device may have changed: at each other access, and before each run.
import {
  DEVICE_DATA, ICOUNT, LATCHES, LATCH_BYTES, LATCH_COUNT, SE_GENERATION, SE_KEY, SE_KIND, SE_MASK, SE_RATE, SE_SHIFT, SE_SINCE, SE_VALUE,
  STEADY_CYCLES, STEADY_ENTRIES, STEADY_ENTRY_BYTES, STEADY_GENERATION, STEADY_ICOUNT, STEADY_READS, STEADY_TABLE, STEADY_TICKS, STEADY_TOLD,
} from '../layout';
import { clock } from '../clock';

const SECOND: u64 = 1000000000;
/** Accesses to device memory by one instruction; the VMM counts exits that retire nothing. */
const MOST_READS: u32 = 8;

@inline function placeOf(kind: u32, address: u64): usize {
  const place = (<u32>address ^ <u32>(address >> 4) ^ kind) & (STEADY_ENTRIES - 1);
  return <usize>STEADY_TABLE + <usize>(place * STEADY_ENTRY_BYTES);
}

@inline function keyOf(kind: u32, address: u64, bytes: u32): u64 { return address | <u64>bytes << 48 | <u64>kind << 56; }

/** The entry for a read of `bytes` at an address of a kind (ASK_*), or 0. */
export function steadyEntry(kind: u32, address: u64, bytes: u32): usize {
  const entry = placeOf(kind, address);
  if (load<u32>(entry, SE_GENERATION) != load<u32>(STEADY_GENERATION)) return 0;
  return load<u64>(entry, SE_KEY) == keyOf(kind, address, bytes) ? entry : 0;
}

/** For the VMM: the entry that such a read finds until a device may have changed; how the register goes on is the VMM's to write there. */
export function keepSteady(kind: u32, address: f64, bytes: u32): usize {
  const entry = placeOf(kind, <u64>address);
  store<u64>(entry, keyOf(kind, <u64>address, bytes), SE_KEY);
  store<u32>(entry, load<u32>(STEADY_GENERATION), SE_GENERATION);
  return entry;
}

/** What the register answers `ns` from now. */
export function steadyDatum(entry: usize, ns: u64): u64 {
  const kind = load<u32>(entry, SE_KIND);
  let value = load<u64>(entry, SE_VALUE);
  const rate = load<u64>(entry, SE_RATE);
  const now = clock() + ns;
  if (kind == STEADY_TICKS) value += (now - load<u64>(entry, SE_SINCE)) / rate;
  else if (kind == STEADY_CYCLES) {
    const seconds = now / SECOND;
    value = seconds * rate + (now - seconds * SECOND) * rate / SECOND;
  }
  value = value >> load<u64>(entry, SE_SHIFT) & load<u64>(entry, SE_MASK);
  store<u64>(DEVICE_DATA, value);
  return value;
}

/** May one more exit that retires nothing be answered at this instruction? */
export function readsSteadily(): bool {
  return load<u64>(STEADY_ICOUNT) != load<u64>(ICOUNT) || load<u32>(STEADY_READS) < MOST_READS;
}

/** Counts an exit that retires nothing. */
export function countSteady(): void {
  if (load<u64>(STEADY_ICOUNT) != load<u64>(ICOUNT)) {
    store<u64>(STEADY_ICOUNT, load<u64>(ICOUNT));
    store<u32>(STEADY_READS, 0);
    store<u32>(STEADY_TOLD, 0);
  }
  store<u32>(STEADY_READS, load<u32>(STEADY_READS) + 1);
}

/** Counts an access to device memory, and gives it to its instruction. */
export function latchSteady(address: u64, bytes: u32, value: u64, write: bool): void {
  countSteady();
  const count = load<u32>(LATCH_COUNT);
  const latch = <usize>LATCHES + <usize>(count * LATCH_BYTES);
  store<u64>(latch, address);
  store<u64>(latch, value, 8);
  store<u64>(latch, <u64>bytes | <u64>write << 32, 16);
  store<u32>(LATCH_COUNT, count + 1);
}

/** A device has heard something. */
@inline export function unsettle(): void { store<u32>(STEADY_GENERATION, load<u32>(STEADY_GENERATION) + 1); }
