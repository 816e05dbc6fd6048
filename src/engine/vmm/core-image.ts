/**
 * The core's part of a machine's state, read from its linear memory and put back. All else in that memory is derived:
 * translations, contexts and decoded code (see `dropDerived`), what the debugger set, and what one call leaves behind.
 */
import {
  ACCESS_NONCANONICAL,
  ACTIVE,
  ASSIST_BYTES,
  ASSIST_DATA,
  ASSIST_KIND,
  ASSIST_STRING,
  ASSIST_WRITE,
  ATT_MTF,
  ATTENTION,
  CLOCK_OFFSET,
  CPUID_RECORDED,
  DIRTY_FOR_COPY,
  DIRTY_FRAMES,
  ENTRY_DOES_MORE,
  ENTRY_FAILURES,
  ENTRY_FAILURES_BYTES,
  EPT_POOL,
  EXIT_COUNTS,
  FAULT_ADDRESS,
  FAULT_LOG,
  FAULT_LOG_BYTES,
  FAULT_LOG_ENTRIES,
  FAULT_VECTOR,
  ICOUNT,
  IO_BITMAP_A,
  LATCH_BYTES,
  LATCH_COUNT,
  LATCHES,
  LIMIT,
  MAX_LATCHES,
  MAX_VCPUS,
  NEXT_RIP,
  OP_LINEAR,
  OP_VALUE,
  RAM_BASE,
  RANDOM_QUEUE,
  RANDOM_QUEUE_ENTRIES,
  REPEAT_ICOUNT,
  REPEAT_RIP,
  RIP_BASE,
  SEGMENT_LINEAR,
  SLICE_END,
  STEPPED,
  TOLD_ICOUNT,
  TOLD_RIP,
  TRACE_RECORD_BYTES,
  TRACE_RECORDS,
  TRACE_RING,
  TRACE_SEQUENCE,
  VCPU_STATE_BYTES,
  VIRTUAL_APIC_BASE,
  WATCH_BEFORE,
  WATCH_BEFORE_BYTES,
  WATCH_HIT,
  WATCH_WRITE,
} from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';
import { bytes, count, int, list, record, StateError, type StateOf } from '../state/schema.js';
import { stringPlaces, type Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const PAGE = 4096;
const RANDOM_BYTES = 16 + 8 * RANDOM_QUEUE_ENTRIES;
const FAULT_LOG_TOTAL = 16 + FAULT_LOG_ENTRIES * FAULT_LOG_BYTES;
const COUNTS_BYTES = 128 * 8;
/** I/O bitmaps, MSR bitmap and the virtual-APIC pages, which follow each other. */
const CONTROL_PAGES_BYTES = VIRTUAL_APIC_BASE + MAX_VCPUS * PAGE - IO_BITMAP_A;

export const coreShape = (vcpus: number) =>
  record({
    /** The vCPU whose turn it is, or was last. */
    current: int(0, vcpus - 1),
    blocks: list(bytes(VCPU_STATE_BYTES), vcpus),
    vmcs: list(bytes(PAGE), vcpus),
    controlPages: bytes(CONTROL_PAGES_BYTES),
    exitCounts: bytes(COUNTS_BYTES),
    traceSequence: count,
    entryFailures: bytes(ENTRY_FAILURES_BYTES),
    random: bytes(RANDOM_BYTES),
    faultLog: bytes(FAULT_LOG_TOTAL),
    /** EPT paging structures, the root first. */
    ept: bytes(),
  });
export type CoreState = StateOf<ReturnType<typeof coreShape>>;

/** Host memory with a machine's frames in the places of the core's layout, whatever engine runs it. */
export interface Framed {
  readonly host: HostMemory;
}

/** Where pages of the machine's frames lie: the exit trace, then guest RAM and what is behind it. */
function frameRanges(vm: Framed): readonly (readonly [start: number, end: number])[] {
  return [
    [TRACE_RING, TRACE_RING + TRACE_RECORDS * TRACE_RECORD_BYTES],
    [RAM_BASE, vm.host.bytes],
  ];
}

/** A page of host-physical memory. The bytes are the machine's own: who keeps them copies them. */
export interface Frame {
  readonly hpa: number;
  readonly bytes: Uint8Array;
}

/** All frames with anything but zeros in them, by address. */
export function* frames(vm: Framed): Generator<Frame> {
  const { u8, u32 } = vm.host;
  for (const [start, end] of frameRanges(vm)) {
    for (let hpa = start; hpa < end; hpa += PAGE) {
      if (!isZero(u32, hpa >>> 2)) yield { hpa, bytes: u8.subarray(hpa, hpa + PAGE) };
    }
  }
}

function isZero(words: Uint32Array, first: number): boolean {
  for (let at = first; at < first + PAGE / 4; at++) if (words[at] !== 0) return false;
  return true;
}

/**
 * Fields of a vCPU's block, and their bytes, that tell nothing between two runs of the core: how the run was cut into slices,
 * what is compiled, and who has looked, decides what they hold.
 */
const LEFTOVERS: readonly (readonly [field: number, bytes: number])[] = [
  [RIP_BASE, 8],
  [NEXT_RIP, 8],
  [LIMIT, 8],
  [SLICE_END, 8],
  [FAULT_VECTOR, FAULT_ADDRESS + 8 - FAULT_VECTOR],
  [ACCESS_NONCANONICAL, 4],
  [OP_LINEAR, 8],
  [OP_VALUE, 8],
  [SEGMENT_LINEAR, 8],
  [WATCH_HIT, WATCH_WRITE + 4 - WATCH_HIT],
  [WATCH_BEFORE, WATCH_BEFORE_BYTES + 4 - WATCH_BEFORE],
  [TOLD_RIP, 8],
  [TOLD_ICOUNT, 8],
  [ENTRY_DOES_MORE, 4],
  [CPUID_RECORDED, 4],
];

/** A copy of a vCPU's block without leftovers. @param now virtual time, which stands for one whose turn it is not */
function blockOf(vcpu: Vcpu, now: number): Uint8Array {
  const start = vcpu.at(ACTIVE);
  const block = vcpu.host.u8.slice(start, start + VCPU_STATE_BYTES);
  const words = new DataView(block.buffer);
  const u32 = (field: number) => words.getUint32(field - ACTIVE, true);
  const u64 = (field: number) => words.getBigUint64(field - ACTIVE, true);
  const clear = (first: number, end: number) => block.fill(0, first - ACTIVE, end - ACTIVE);
  for (const [field, bytes] of LEFTOVERS) clear(field, field + bytes);
  words.setBigUint64(CLOCK_OFFSET - ACTIVE, BigInt(vcpu.clockOffsetAt(now)), true);
  if ((u32(ATTENTION) & ATT_MTF) === 0) clear(STEPPED, STEPPED + 4);
  if (u64(REPEAT_ICOUNT) !== u64(ICOUNT)) clear(REPEAT_RIP, REPEAT_ICOUNT + 8);
  if (!vcpu.pendingExit) clear(ASSIST_KIND, ASSIST_DATA + 8);
  // the elements that OUTS would write, while nobody has taken them
  const waits = vcpu.pendingExit && u32(ASSIST_KIND) === ASSIST_STRING && u32(ASSIST_WRITE) !== 0;
  const places = waits ? 1 + stringPlaces(u32(ASSIST_DATA), u32(ASSIST_BYTES)) : 0;
  clear(LATCHES + (u32(LATCH_COUNT) + places) * LATCH_BYTES, LATCHES + MAX_LATCHES * LATCH_BYTES);
  return block;
}

/** The vCPUs are out of the guest, and nothing is cached: see Vm.save. */
export function saveCore(vm: Vm, current: number): CoreState {
  const { host } = vm;
  const now = vm.now();
  const copy = (at: number, length: number) => host.u8.slice(at, at + length);
  return {
    current,
    blocks: vm.vcpus.map((vcpu) => blockOf(vcpu, now)),
    vmcs: vm.vcpus.map(({ vmcs }) => copy(vmcs.region, PAGE)),
    controlPages: copy(IO_BITMAP_A, CONTROL_PAGES_BYTES),
    exitCounts: copy(EXIT_COUNTS, COUNTS_BYTES),
    traceSequence: host.getNumber(TRACE_SEQUENCE),
    entryFailures: copy(ENTRY_FAILURES, ENTRY_FAILURES_BYTES),
    random: copy(RANDOM_QUEUE, RANDOM_BYTES),
    faultLog: copy(FAULT_LOG, FAULT_LOG_TOTAL),
    ept: copy(EPT_POOL, vm.ept.bytes),
  };
}

/** What `checkFrame` and the schema cannot say: that the paging structures fit. @throws StateError */
export function checkCore(vm: Vm, { ept }: CoreState): void {
  if (!vm.ept.fits(ept.length)) throw new StateError(`the EPT's paging structures have ${ept.length} bytes`);
}

/** @throws StateError when the machine has no frame there. */
export function checkFrame(vm: Framed, { hpa, bytes: { length } }: Frame): void {
  const inside = frameRanges(vm).some(([start, end]) => hpa >= start && hpa + PAGE <= end);
  if (length !== PAGE || hpa % PAGE !== 0 || !inside)
    throw new StateError(`this machine has no frame of ${length} bytes at 0x${hpa.toString(16)}`);
}

/** Puts a state back, after `checkCore`; the vCPU that had its turn is the current one already. */
export function loadCore(vm: Vm, state: CoreState): void {
  const { host } = vm;
  for (const [i, vcpu] of vm.vcpus.entries()) {
    host.u8.set(state.blocks[i], vcpu.at(ACTIVE));
    host.u8.set(state.vmcs[i], vcpu.vmcs.region);
  }
  host.u8.set(state.controlPages, IO_BITMAP_A);
  host.u8.set(state.exitCounts, EXIT_COUNTS);
  host.setNumber(TRACE_SEQUENCE, state.traceSequence);
  host.u8.set(state.entryFailures, ENTRY_FAILURES);
  host.u8.set(state.random, RANDOM_QUEUE);
  host.u8.set(state.faultLog, FAULT_LOG);
  vm.ept.load(state.ept);
}

/** No exit is recorded. */
export function clearTrace({ u8 }: HostMemory): void {
  u8.fill(0, TRACE_RING, TRACE_RING + TRACE_RECORDS * TRACE_RECORD_BYTES);
  // whoever copies the machine's frames meanwhile is to copy these once more
  const first = DIRTY_FRAMES + TRACE_RING / PAGE;
  for (let page = 0; page < (TRACE_RECORDS * TRACE_RECORD_BYTES) / PAGE; page++) u8[first + page] |= DIRTY_FOR_COPY;
}

/** Every frame reads as zeros. */
export function clearFrames(vm: Framed): void {
  for (const [start, end] of frameRanges(vm)) vm.host.release(start, end - start);
}
