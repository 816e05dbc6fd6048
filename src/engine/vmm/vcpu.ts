import { CR0, RFLAGS } from '../../spec/masks.js';
import {
  ACTIVE,
  CLOCK_OFFSET,
  GPR,
  ICOUNT,
  LATCH_BYTES,
  LATCH_COUNT,
  LATCHES,
  MAX_IDLE_ROUNDS,
  MAX_LATCHES,
  MAX_OUTSIDE_ENTRIES,
  OUTSIDE_COUNT,
  OUTSIDE_ENTRIES,
  OUTSIDE_ENTRY_BYTES,
  PARKED_BASE,
  TOLD_ICOUNT,
  TOLD_RIP,
  VCPU_STATE_BYTES,
  VMCS_BASE,
  VMCS_DIRTY,
} from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';
import { count, flag, list, optional, record, type StateOf, text, time, tuple, u8, u32, u64 } from '../state/schema.js';
import { EVENT_ERROR_CODE, EVENT_TYPE, EVENT_VALID } from './entry-events.js';
import { noProvocations, VCPU_PROVOCATIONS } from './provocations.js';
import { Vmcs } from './vmcs.js';

/** Every area of the VMCS is checked at the next VM entry. */
const VMCS_ALL_DIRTY = 7;

/** More MSRs than there are that hold what the guest wrote. */
const INTERRUPTS_ON = Number(RFLAGS.IF);
const MAX_STORED_MSRS = 1024;

/** What the VMM keeps of a vCPU beside its block in the core's memory and its VMCS. */
export const VCPU_STATE = record({
  launched: flag,
  pendingExit: flag,
  fruitless: record({ icount: count, exits: count }),
  halted: flag,
  justHalted: flag,
  waitsForSipi: flag,
  woken: flag,
  pendingInit: flag,
  pendingSipi: optional(u8),
  armedFor: optional(time),
  steppedOver: optional(record({ field: text, bits: u32, apicPage: flag })),
  unhalted: flag,
  nmiPending: flag,
  provoked: VCPU_PROVOCATIONS,
  storedMsrs: list(tuple(u32, u64), { atMost: MAX_STORED_MSRS }),
});
export type VcpuState = StateOf<typeof VCPU_STATE>;

/** Latches whose place `count` elements of string I/O take. */
export const stringPlaces = (count: number, bytes: number): number => Math.ceil((count * bytes) / LATCH_BYTES);

/** One virtual CPU: its state block in the core's memory and its VMCS. */
export class Vcpu {
  readonly vmcs: Vmcs;
  /** The core runs this vCPU now, so its state stands in the ACTIVE block. */
  active = false;
  /** Virtual time that an instruction takes, ns. @see Vm.clockShift */
  instructionNs = 1;
  /** The guest is between VM entry and VM exit: the VMCS guest area is stale. */
  inGuest = false;
  launched = false;
  /** A VM exit is recorded and not yet handled. */
  pendingExit = false;
  /**
   * The guest was entered since the last exit; an observer who has it left meanwhile does not change that. No state: a loaded
   * machine enters anew, which delivers nothing that was not due.
   */
  entered = false;
  /** Exits in a row that have retired nothing, and where they began. */
  fruitless = { icount: 0, exits: 0 };
  /** Waiting in HLT for an interrupt, or after INIT for a start-up IPI. */
  halted = false;
  /** The exit that halted it is handled, and it has not looked yet whether something wakes it. */
  justHalted = false;
  /** After INIT: only a start-up IPI makes it run. */
  waitsForSipi = false;
  /** Something happened since it halted that it has to look at. */
  woken = false;
  held = false;
  holdsInterrupts = false;
  /** An INIT, and a start-up IPI's vector, that it takes when its turn comes. */
  pendingInit = false;
  pendingSipi: number | undefined;
  /** Virtual time that the VMX-preemption timer was set for at the last VM entry. */
  armedFor: number | undefined;
  /** Intercept that is off for one instruction; with it the APIC-access page may be out of the EPT. */
  steppedOver: VcpuState['steppedOver'];
  /** Another vCPU kicked this one before it halted (KVM's KICK_CPU). */
  unhalted = false;
  /** Instruction count at which a debugger's step is done. */
  stepGoal: number | undefined;
  /** An NMI waits until the guest can take it. */
  nmiPending = false;
  /** What the guest asked for by hypercall. */
  provoked = noProvocations();
  /** MSRs that hold what the guest wrote (MTRRs, IA32_MISC_ENABLE). */
  readonly storedMsrs = new Map<number, bigint>();

  constructor(
    readonly index: number,
    readonly host: HostMemory,
    touched: () => void,
  ) {
    // A parked vCPU keeps the mark in its own state.
    const mark = () => (this.active ? touched() : host.set32(this.at(VMCS_DIRTY), VMCS_ALL_DIRTY));
    this.vmcs = new Vmcs(host, VMCS_BASE + index * 0x1000, mark);
  }

  /** Address of a state field, given its address in the ACTIVE block. */
  at(field: number): number {
    return this.active ? field : field - ACTIVE + PARKED_BASE + this.index * VCPU_STATE_BYTES;
  }

  get icount(): number {
    return this.host.getNumber(this.at(ICOUNT));
  }

  set icount(value: number) {
    this.host.setNumber(this.at(ICOUNT), value);
  }

  /** Virtual time in ns. */
  get clock(): number {
    return this.icount * this.instructionNs + this.host.getNumber(this.at(CLOCK_OFFSET));
  }

  /** Its clock stood while it was not its turn, or somebody puts it. */
  set clock(now: number) {
    this.host.setNumber(this.at(CLOCK_OFFSET), this.clockOffsetAt(now));
  }

  /** What has passed at virtual time `now` beside its instructions, ns. */
  clockOffsetAt(now: number): number {
    return Math.max(0, now - this.icount * this.instructionNs);
  }

  /** Virtual time when the instruction at hand has retired. */
  get clockBehind(): number {
    return this.clock + this.instructionNs;
  }

  /** Lets ns pass beside what instructions take. */
  passTime(ns: number): void {
    const at = this.at(CLOCK_OFFSET);
    this.host.setNumber(at, this.host.getNumber(at) + ns);
  }

  /** A debugger knows that it stands at this linear address: a breakpoint there does not stop it again before it has moved. */
  tellAt(linear: bigint): void {
    this.host.set64(this.at(TOLD_RIP), BigInt.asUintN(64, linear + 1n));
    this.host.setNumber(this.at(TOLD_ICOUNT), this.icount);
  }

  /** A debugger has put it elsewhere: a breakpoint there stops it. */
  forgetTold(): void {
    this.host.set64(this.at(TOLD_RIP), 0n);
  }

  get interruptsEnabled(): boolean {
    return (this.vmcs.rflags & INTERRUPTS_ON) !== 0;
  }

  gpr(index: number): bigint {
    return this.host.get64(this.at(GPR) + index * 8);
  }

  gprLow(index: number): number {
    return this.host.get32(this.at(GPR) + index * 8);
  }

  setGpr(index: number, value: bigint): void {
    this.host.set64(this.at(GPR) + index * 8, BigInt.asUintN(64, value));
  }

  /** A 32-bit result: the upper half becomes 0. */
  setGpr32(index: number, value: number): void {
    const at = (this.at(GPR) + index * 8) >>> 2;
    this.host.u32[at] = value >>> 0;
    this.host.u32[at + 1] = 0;
  }

  setGpr16(index: number, value: number): void {
    this.host.u16[(this.at(GPR) + index * 8) >>> 1] = value;
  }

  /** Low byte of a register. */
  setGpr8(index: number, value: number): void {
    this.host.u8[this.at(GPR) + index * 8] = value;
  }

  /** Hands the core an access that the VMM has done; the instruction runs again and takes it. */
  addLatch(address: number, data: bigint, bytes: number, write: boolean): void {
    this.host.set64(this.#latch(address, bytes, write) + 8, data);
  }

  /** As addLatch for at most 4 bytes. */
  addLatch32(address: number, data: number, bytes: number, write: boolean): void {
    this.host.setNumber(this.#latch(address, bytes, write) + 8, data);
  }

  /** Where the elements of the string access at hand stand. */
  stringData(): number {
    return this.at(LATCHES) + (this.host.get32(this.at(LATCH_COUNT)) + 1) * LATCH_BYTES;
  }

  /** Hands the core `count` elements of string I/O, which stand at `stringData` already. */
  addStringLatch(port: number, bytes: number, count: number, write: boolean): void {
    const data = this.stringData();
    const end = data + stringPlaces(count, bytes) * LATCH_BYTES;
    this.host.u8.fill(0, data + count * bytes, end);
    this.host.setNumber(this.#latch(port, bytes, write) + 8, count);
    this.host.set32(this.at(LATCH_COUNT), (end - this.at(LATCHES)) / LATCH_BYTES);
  }

  #latch(address: number, bytes: number, write: boolean): number {
    const count = this.host.get32(this.at(LATCH_COUNT));
    if (count >= MAX_LATCHES)
      throw new Error(`an instruction of vCPU ${this.index} made more than ${MAX_LATCHES} device accesses`);
    const at = this.at(LATCHES) + count * LATCH_BYTES;
    this.host.setNumber(at, address);
    this.host.set32(at + 16, bytes);
    this.host.set32(at + 20, write ? 1 : 0);
    this.host.set32(this.at(LATCH_COUNT), count + 1);
    return at;
  }

  /** Hands the core a paging-structure entry that lies in no frame; the walk runs again and finds it. */
  addOutsideEntry(gpa: number, value: bigint): void {
    const { host } = this;
    const count = host.get32(this.at(OUTSIDE_COUNT));
    const entries = this.at(OUTSIDE_ENTRIES);
    let place = count % MAX_OUTSIDE_ENTRIES;
    for (let n = 0; n < Math.min(count, MAX_OUTSIDE_ENTRIES); n++) {
      if (host.getNumber(entries + n * OUTSIDE_ENTRY_BYTES) === gpa) place = n;
    }
    host.setNumber(entries + place * OUTSIDE_ENTRY_BYTES, gpa);
    host.set64(entries + place * OUTSIDE_ENTRY_BYTES + 8, value);
    if (place === count % MAX_OUTSIDE_ENTRIES) host.set32(this.at(OUTSIDE_COUNT), count + 1);
  }

  /** Exits that repeat and retire nothing: time passes, and true says that the host is to be heard, as on a processor. */
  isStuck(): boolean {
    const { icount, fruitless } = this;
    if (fruitless.icount !== icount) fruitless.exits = 0;
    fruitless.icount = icount;
    if (++fruitless.exits <= MAX_IDLE_ROUNDS) return false;
    this.icount = icount + 1;
    return true;
  }

  /** The instruction that exited is done: past it, and counted. */
  complete(): void {
    this.vmcs.skipInstruction();
    this.icount += 1;
  }

  /** Injects a hardware exception at the next entry. Real mode knows no error codes, and VM entry refuses them there. */
  exception(vector: number, error?: number): void {
    const real = (this.vmcs.get('GUEST_CR0') & CR0.PE) === 0n;
    const code = error === undefined || real ? 0 : EVENT_ERROR_CODE;
    this.vmcs.setEvent(
      (EVENT_VALID | (EVENT_TYPE.hardwareException << 8) | code | vector) >>> 0,
      code && (error ?? 0),
      0,
    );
  }

  interrupt(vector: number): void {
    this.vmcs.setEvent((EVENT_VALID | (EVENT_TYPE.externalInterrupt << 8) | vector) >>> 0, 0, 0);
  }

  nmi(): void {
    this.vmcs.setEvent((EVENT_VALID | (EVENT_TYPE.nmi << 8) | 2) >>> 0, 0, 0);
  }

  /** @see VCPU_STATE. No debugger's step is under way, and the guest is left. */
  save(): VcpuState {
    const { launched, pendingExit, fruitless, halted, waitsForSipi, woken, pendingInit, pendingSipi } = this;
    const { justHalted, armedFor, steppedOver, unhalted, nmiPending, provoked } = this;
    const storedMsrs = [...this.storedMsrs].sort(([a], [b]) => a - b);
    return {
      ...{ launched, pendingExit, fruitless, halted, waitsForSipi, woken, pendingInit, pendingSipi },
      ...{ justHalted, armedFor, steppedOver, unhalted, nmiPending, provoked, storedMsrs },
    };
  }

  load({ storedMsrs, ...state }: VcpuState): void {
    Object.assign(this, state);
    this.vmcs.controls.forget();
    this.inGuest = false;
    this.entered = false;
    this.stepGoal = undefined;
    this.storedMsrs.clear();
    for (const [msr, value] of storedMsrs) this.storedMsrs.set(msr, value);
  }

  /** An application processor after INIT: it runs nothing until a SIPI. */
  waitForSipi(): void {
    this.vmcs.activity = 3;
    this.halted = true;
    this.waitsForSipi = true;
    this.nmiPending = false;
  }

  /** It would run if it had its turn now, or must look whether it can. */
  get runnable(): boolean {
    return !this.halted || this.woken || this.justHalted;
  }
}
