import { OPCODE_FEATURES } from '../../spec/opcodes/index.js';
import type { InitialState } from '../boot/image.js';
import type { CoreExports } from '../core/core-exports.js';
import {
  ABSENT_FEATURES,
  ASK_CR8,
  ASK_MMIO,
  ASK_MSR,
  ASK_PORT,
  ASK_STRING,
  ASKED_ENTERS,
  ASKED_GOES_ON,
  ASKED_LEAVES,
  ASKED_REFUSED,
  ATTENTION,
  CLOCK_OFFSET,
  CR2,
  DEVICE_DATA,
  ENTER_EXIT,
  ENTER_OK,
  EXIT_COUNTS,
  INTERRUPTIBILITY,
  LATCH_COUNT,
  LIMIT,
  LINEAR_SHIFT,
  MAX_IDLE_ROUNDS,
  PROBE_BYTES,
  PROBE_COUNT,
  PROBE_TABLE,
  RAM_BASE,
  RFLAGS,
  RUN_BREAKPOINT,
  RUN_HALTED,
  RUN_LIMIT,
  RUN_PROBE,
  RUN_VMEXIT,
  RUN_WATCHPOINT,
  SYSCALL_LONG,
  SYSCALL_MODES,
  SYSCALL_PROTECTED,
  SYSCALL_WITH_CSTAR,
  TR_ACTION,
  TR_DETAIL,
  TRACE_ENABLED,
  TRACE_RECORD_BYTES,
  TRACE_RECORDS,
  TRACE_RING,
  TRACE_SEQUENCE,
  TSC_ADJUST,
  TSC_AUX,
  VMCS_DIRTY,
  VMMCALL_EXITS,
  XS_EXIT,
} from '../core/layout.js';
import { EMULATION_NS, MMIO_ACCESS_NS, PORT_ACCESS_NS } from '../core/prices.js';
import type { CompilerCounters } from '../debugger.js';
import type { GuestEnd, GuestMemory } from '../devices/device.js';
import type { Jit } from '../jit/jit.js';
import type { MachineView } from '../machine-view.js';
import type { HostMemory } from '../memory/host-memory.js';
import { GUEST_END } from '../state/guest-end.js';
import type { StateFormat, Stateful } from '../state/saved.js';
import { count, list, optional, record, type StateOf } from '../state/schema.js';
import type { Activity } from './activity.js';
import type { Board } from './board.js';
import { linearRip } from './code-address.js';
import { PRIMARY } from './controls.js';
import { type CoreState, checkCore, clearTrace, coreShape, loadCore, saveCore } from './core-image.js';
import { type CpuModel, cpuModel, DEFAULT_CPU_MODEL, hasFeature, linearBits } from './cpu-models.js';
import { DirtyFrames } from './dirty-frames.js';
import { EPT_MEMORY_TYPE, EptBuilder } from './ept-builder.js';
import { EVENT_TYPE, EVENT_VALID, type Outcome } from './exit.js';
import { EXIT_HANDLERS } from './exits/index.js';
import { FirmwareRom } from './firmware-rom.js';
import type { HandlerWatch, Hypervisor, SliceEnd, VirtualCpu } from './hypervisor.js';
import { setInitialState } from './initial-state.js';
import { isSteady, readMsr, writeMsr } from './msrs.js';
import { initVcpu, startVcpu } from './multiprocessor.js';
import { physicalRead } from './physical-access.js';
import { EPT_PROVOCATIONS, EptProvocations, repairEntry, spoilEntry } from './provocations.js';
import { QuickExits } from './quick-exits.js';
import { VCPU_STATE, Vcpu, type VcpuState } from './vcpu.js';
import { hasVideoFrames, VideoFrames } from './video-frames.js';
import { fieldOffset } from './vmcs.js';
import { fillMsrBitmap, setUpModel, setUpVmcs } from './vmcs-setup.js';
import type { Witness } from './witness.js';

const RFLAGS_IF = 0x200;
const CR0_PE = 1n;
const HLT = 0xf4;
const BLOCKED_BY_STI_OR_MOV_SS = 3;
const BLOCKED_BY_NMI = 8;
const REASON_MASK = 0xffff;
const REASON_MTF = 37;
const ACTION = { resume: 1, inject: 2, stop: 3 } as const;
/** A slice ends after so many exits: the ring of the trace holds them until somebody has looked. */
const SLICE_EXITS = TRACE_RECORDS / 2;
/** A slice in which devices have moved more ends early: instructions no longer say how long it takes. */
const SLICE_DMA_BYTES = 16 << 20;
const RIP_FIELD = fieldOffset('GUEST_RIP');
const QUALIFICATION_FIELD = fieldOffset('EXIT_QUALIFICATION');
const GPA_FIELD = fieldOffset('GUEST_PHYSICAL_ADDRESS');
const TIMER_FIELD = fieldOffset('VMX_PREEMPTION_TIMER_VALUE');

/** A datum of so many bytes. */
const ONES = [
  0n,
  0xffn,
  0xffffn,
  0xff_ffffn,
  0xffff_ffffn,
  2n ** 40n - 1n,
  2n ** 48n - 1n,
  2n ** 56n - 1n,
  2n ** 64n - 1n,
];
const wide = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

const SYSCALL_OF = { GenuineIntel: SYSCALL_LONG, AuthenticAMD: SYSCALL_PROTECTED, none: SYSCALL_WITH_CSTAR } as const;

/** Makes what a debugger sees of a machine on this engine; `label`: what a guest-physical address is. */
export type Viewer = (vm: Vm, label: (gpa: number) => string) => MachineView;

/** What survives runSlice in the engine, frames apart. */
export interface VmState {
  core: CoreState;
  vcpus: VcpuState[];
  provocations: StateOf<typeof EPT_PROVOCATIONS>;
  exits: number;
  end: GuestEnd | undefined;
}

/** A virtual machine on the embedded engine: vCPUs, guest memory behind EPT, devices, and the exit loop. */
export class Vm implements Hypervisor<Vcpu> {
  readonly engine = 'vtx';
  readonly realTime = false;
  readonly vcpus: Vcpu[] = [];
  readonly ept: EptBuilder;
  readonly memory: RamView;
  /** Exits that the core completes by itself. */
  readonly quick: QuickExits;
  /** EPT leaves that guests had changed by hypercall. */
  readonly provocations = new EptProvocations(this);
  readonly dirtyFrames = new DirtyFrames(this);
  board!: Board;
  /** How the guest ended, once it has. */
  end: GuestEnd | undefined;
  /** Value that the current exit moved: port, MSR or device data. For the trace. */
  exitDetail = 0;
  /** Asked at each exit before it is handled: true stops there. */
  exitFilter: ((vcpu: VirtualCpu) => boolean) | undefined;
  breakpointFilter: ((vcpu: VirtualCpu) => boolean) | undefined;
  /** A slice ends, as at its limit, when so many exits are handled; where that is `pending`, before that. */
  exitGoal: { exits: number; pending: boolean } | undefined;
  #witness: Witness | undefined;
  /** Where this thread tells another one what it does. */
  activity: Activity | undefined;
  handlerWatch: HandlerWatch | undefined;
  /** Exits handled so far. */
  exits = 0;
  #paravirtual = true;
  #cpu: CpuModel = cpuModel(DEFAULT_CPU_MODEL);
  /** Compiles hot code; absent where all is interpreted. */
  jit: Jit | undefined;
  /** The state before the first instruction, which a reset loads. */
  #powerOn: VmState | undefined;
  /** The vCPU that the core holds. */
  #current!: Vcpu;
  /** The vCPU that runs only waits for another one. */
  #yields = false;
  /** Somebody wants the slice to end; the turn goes on. */
  #interrupted = false;
  /** `memory.moved` that ends the slice. */
  #mostMoved = 0;
  /** What the core asked for last: it left the guest with the exit recorded, and handled unless the answer was a refusal. */
  #left: { kind: number; handled: boolean } | undefined;

  constructor(
    readonly core: CoreExports,
    readonly host: HostMemory,
    readonly memoryBytes: number,
    vcpus: number,
    private readonly viewer: Viewer,
  ) {
    this.quick = new QuickExits(host);
    host.deviceAccess = (kind, address, bytes, write, low, high) =>
      this.#deviceAccess(kind, address, bytes, write, low, high);
    this.memory = new RamView(this);
    this.ept = new EptBuilder(host);
    this.ept.map(0, RAM_BASE, memoryBytes, { read: true, write: true, execute: true }, EPT_MEMORY_TYPE.WB);
    fillMsrBitmap(host);
    host.set32(TRACE_ENABLED, 1);
    this.paravirtual = true;
    for (let index = 0; index < vcpus; index++) {
      // the region becomes the current one of the vCPU that the core holds
      core.selectVcpu(index);
      core.initVmcs(index);
      const vcpu = new Vcpu(index, host, () => core.vmcsTouched());
      this.vcpus.push(vcpu);
      setUpVmcs(vcpu, this.ept.eptp, this.#cpu, vcpus);
      this.#current = vcpu;
    }
    this.cpu = this.#cpu;
    this.#select(this.vcpus[0]);
  }

  /** Looks for who changes something. */
  get witness(): Witness | undefined {
    return this.#witness;
  }

  set witness(witness: Witness | undefined) {
    this.#witness = witness;
    if (!witness) this.#armProbes([]);
  }

  /** What CPUID shows, XCR0 and CR4 take, and how wide linear addresses are. Changed before the guest starts. */
  get cpu(): CpuModel {
    return this.#cpu;
  }

  set cpu(model: CpuModel) {
    this.#cpu = model;
    this.quick.forget();
    this.host.set32(LINEAR_SHIFT, 64 - linearBits(model));
    this.host.set32(SYSCALL_MODES, SYSCALL_OF[model.vendor ?? 'none']);
    const absent = OPCODE_FEATURES.map((name, n) => (hasFeature(model, name) ? 0n : 1n << BigInt(n + 1)));
    this.host.set64(
      ABSENT_FEATURES,
      absent.reduce((mask, bit) => mask | bit, 0n),
    );
    this.core.dropBlocks();
    for (const vcpu of this.vcpus) setUpModel(vcpu, model);
  }

  /** KVM's paravirtual interface is offered to the guest. */
  get paravirtual(): boolean {
    return this.#paravirtual;
  }

  set paravirtual(on: boolean) {
    this.#paravirtual = on;
    this.quick.forget();
    this.host.set32(VMMCALL_EXITS, on ? 1 : 0);
  }

  get compilerCounters(): (() => CompilerCounters) | undefined {
    const { jit } = this;
    return jit && (() => jit.counters(this.icount));
  }

  portsChanged(): void {
    this.quick.forgetPorts();
  }

  /** Virtual time in ns. The vCPUs take turns and time passes for the one that runs: it is one time for all. */
  now(): number {
    return this.#current.clock;
  }

  /** Instructions that all vCPUs have retired. */
  get icount(): number {
    return this.vcpus.reduce((sum, vcpu) => sum + vcpu.icount, 0);
  }

  /** An interrupt or INIT came for a vCPU: if it is halted, it looks at its next turn. */
  wake(vcpu: number): void {
    this.vcpus[vcpu].woken = true;
  }

  /**
   * Runs the guest for at most `instructions` of a vCPU, handling its exits.
   * @param vcpu the one to run
   */
  runSlice(vcpu: Vcpu, instructions: number): SliceEnd {
    this.#select(vcpu);
    const { core, host } = this;
    const until = vcpu.icount + instructions;
    // what came up since this vCPU's last turn is for the VM entry to see
    if (vcpu.inGuest && (vcpu.woken || vcpu.armedFor !== this.#nextEvent(vcpu))) this.#leave(vcpu);
    this.#yields = false;
    this.#interrupted = false;
    this.#mostMoved = this.memory.moved + SLICE_DMA_BYTES;
    const full = this.exits + SLICE_EXITS;
    for (;;) {
      this.#select(vcpu);
      if (vcpu.pendingExit) {
        vcpu.pendingExit = false;
        const outcome = this.#handle(vcpu);
        this.#witness?.sees('handled', vcpu);
        if (outcome === 'stop') return { kind: 'ended' };
        if (this.#stepDone(vcpu)) return { kind: 'step' };
        if (this.#yields) return { kind: 'limit', yields: true };
        if (this.#interrupted || this.memory.moved > this.#mostMoved) return { kind: 'limit' };
        // a limit that the exit's instruction reaches is met before what the next VM entry delivers
        if (vcpu.icount >= until && this.#entryDelivers(vcpu)) return { kind: 'limit' };
        if (this.exits >= full) return { kind: 'limit' };
        if (this.exitGoal?.pending === false && this.exits >= this.exitGoal.exits) return { kind: 'limit' };
      }
      if (this.end) return { kind: 'ended' };
      if (!vcpu.inGuest) {
        const goes = this.#prepareEntry(vcpu);
        this.#witness?.sees('prepared', vcpu);
        if (!goes) return { kind: 'idle', deadline: this.board.nextDeadline() };
        if (this.#interrupted) return { kind: 'limit' };
        const entered = this.#enter(vcpu);
        this.#witness?.sees(entered && !vcpu.pendingExit ? 'entered' : 'exited', vcpu);
        if (!entered) return { kind: 'entry-failed' };
        if (vcpu.pendingExit || (vcpu.provoked.hostEvent && this.#signal(vcpu))) {
          // a step's trap between the delivery of an event and the instruction is no exit to anybody
          if (!this.#isStepTrap(vcpu) && this.exitFilter?.(vcpu)) return { kind: 'exit' };
          continue;
        }
      }
      if (vcpu.icount >= until) return { kind: 'limit' };
      // an instruction whose device accesses are latched ends before anything else happens
      const completing = host.get32(LATCH_COUNT) !== 0;
      host.setNumber(LIMIT, completing ? vcpu.icount + 1 : until);
      const before = vcpu.icount;
      this.quick.allow(this.#handsOver(vcpu) ? full - this.exits - 1 : 0, vcpu.armedFor);
      if (this.#witness) this.#armProbes(this.#witness.probes(vcpu));
      const result = core.run();
      this.exits += this.quick.take(vcpu, this.board);
      this.jit?.compileWaiting();
      if (completing && vcpu.icount > before) host.set32(LATCH_COUNT, 0);
      switch (result) {
        case RUN_VMEXIT:
          vcpu.inGuest = false;
          vcpu.pendingExit = true;
          vcpu.entered = false;
          // counted, and nobody waits for it
          if (this.#left) break;
          this.exits++;
          this.#witness?.sees('exited', vcpu);
          if (this.exitGoal?.pending && this.exits === this.exitGoal.exits) return { kind: 'limit' };
          if (this.exitFilter?.(vcpu)) return { kind: 'exit' };
          break;
        case RUN_HALTED:
          this.#leave(vcpu);
          vcpu.halted = true;
          break;
        case RUN_LIMIT:
          if (!completing) return { kind: 'limit' };
          if (this.#hasCompleted(vcpu)) return { kind: 'step' };
          break;
        case RUN_PROBE:
          this.#witness?.sees('ran', vcpu);
          if (completing && vcpu.icount > before && this.#hasCompleted(vcpu)) return { kind: 'step' };
          break;
        case RUN_BREAKPOINT:
          // asked while the guest's state is still the core's: a condition that does not hold costs no VM entry
          if (this.breakpointFilter?.(vcpu) === false) break;
          if (vcpu.inGuest) this.#leave(vcpu);
          return { kind: 'breakpoint' };
        case RUN_WATCHPOINT:
          this.#witness?.sees('watched', vcpu);
          this.#leave(vcpu);
          return { kind: 'watchpoint' };
        default:
          throw new Error(`the core answered run status ${result}`);
      }
    }
  }

  /** Nobody looks at each exit, and nothing is prepared for the next VM entry. */
  #handsOver({ provoked, stepGoal, steppedOver }: Vcpu): boolean {
    if (this.exitFilter !== undefined || this.exitGoal !== undefined || this.#witness !== undefined) return false;
    if (stepGoal !== undefined || steppedOver !== undefined) return false;
    return provoked.hostEvent === undefined && provoked.failEntry === undefined && provoked.failing === undefined;
  }

  /** An instruction has taken its latches: true where that was a debugger's step. */
  #hasCompleted(vcpu: Vcpu): boolean {
    // the common case of a device access: nothing came up meanwhile, so the guest goes on without another entry
    if (vcpu.stepGoal === undefined && !this.#hasEvent(vcpu)) return false;
    this.#leave(vcpu);
    return this.#stepDone(vcpu);
  }

  #armProbes(words: readonly number[]): void {
    const { host } = this;
    for (const [n, address] of words.entries()) {
      host.set32(PROBE_TABLE + n * PROBE_BYTES, address);
      host.set64(PROBE_TABLE + n * PROBE_BYTES + 8, host.get64(address));
    }
    host.set32(PROBE_COUNT, words.length);
  }

  /** Exits that repeat and retire nothing: time passes and the host is heard, as on a processor. */
  #stuck(vcpu: Vcpu): boolean {
    const { icount, fruitless } = vcpu;
    if (fruitless.icount !== icount) fruitless.exits = 0;
    fruitless.icount = icount;
    if (++fruitless.exits <= MAX_IDLE_ROUNDS) return false;
    vcpu.icount = icount + 1;
    return true;
  }

  /** Brings the guest state into the VMCS so that observers see it; the next run enters again. */
  synchronize(): void {
    // an observer may ask for it while a device works in the turn of another vCPU, which goes on with its own
    const running = this.#current;
    for (const vcpu of this.vcpus) if (vcpu.inGuest) this.#leave(vcpu);
    this.#select(running);
  }

  tell(index: number): void {
    this.synchronize();
    this.vcpus[index].tellAt(linearRip(this.vcpus[index]));
  }

  /** Whether a VM entry of this vCPU would pass all checks, with what its VMCS holds now. */
  entryHolds(vcpu: Vcpu): boolean {
    this.synchronize();
    const running = this.#current;
    this.#select(vcpu);
    const holds = this.core.checkEntry() !== 0;
    this.#select(running);
    return holds;
  }

  interruptHalted(vector: number, segment: number): boolean {
    this.synchronize();
    const [vcpu] = this.vcpus;
    const { vmcs } = vcpu;
    const real = (vmcs.get('GUEST_CR0') & CR0_PE) === 0n && vmcs.get('GUEST_IDTR_BASE') === 0n;
    const rip = vmcs.rip;
    if (!real || !vcpu.halted || rip < 2n || (vmcs.entryInfo & EVENT_VALID) !== 0) return false;
    const at = Number(vmcs.get('GUEST_CS_BASE') + rip) - 1;
    const entry = this.memory.read(vector * 4, 4);
    if ((entry[2] | (entry[3] << 8)) !== segment || at >= this.memoryBytes) return false;
    if (this.memory.read(at, 1)[0] !== HLT) return false;
    // a software interrupt pushes the address behind its own byte: that of HLT
    vmcs.set('GUEST_RIP', rip - 2n);
    vmcs.setEvent((EVENT_VALID | (EVENT_TYPE.softwareInterrupt << 8) | vector) >>> 0, 0, 1);
    vmcs.activity = 0;
    vcpu.halted = false;
    return true;
  }

  /** Loads the state before the first instruction. */
  resetState(): void {
    if (!this.#powerOn) throw new Error('the machine was never started');
    clearTrace(this.host);
    this.load(structuredClone(this.#powerOn));
  }

  start(state: InitialState): void {
    setInitialState(this.vcpus[0], state);
    for (const vcpu of this.vcpus.slice(1)) vcpu.waitForSipi();
    this.#powerOn ??= structuredClone(this.capture());
  }

  stopVcpus(): void {
    this.end = undefined;
    this.synchronize();
    for (const vcpu of this.vcpus) vcpu.waitForSipi();
  }

  view(label: (gpa: number) => string): MachineView {
    return this.viewer(this, label);
  }

  mapFirmware(rom: Uint8Array): FirmwareRom {
    return new FirmwareRom(this, rom);
  }

  mapVideo(romBytes: number): VideoFrames | undefined {
    return hasVideoFrames(this, romBytes) ? new VideoFrames(this, romBytes) : undefined;
  }

  close(): void {}

  /** Moves virtual time forward while every vCPU is halted; devices do what is due then. */
  warpTo(clock: number): void {
    const ahead = clock - this.now();
    if (ahead > 0) this.spend(ahead);
    this.board.runDue(this.now());
    this.#takeEnd();
    this.#witness?.sees('prepared', this.#current);
  }

  /**
   * Lets `ns` of virtual time pass: what an access to a device takes. A loop that polls a port would otherwise need
   * millions of exits for the milliseconds that it waits.
   */
  spend(ns: number): void {
    const vcpu = this.#current;
    vcpu.clockOffset = this.host.getNumber(vcpu.at(CLOCK_OFFSET)) + ns;
  }

  get state(): Stateful<VmState> {
    return {
      name: this.engine,
      format: this.format,
      save: () => this.save(),
      check: ({ core }) => checkCore(this, core),
      load: (state) => this.load(state),
    };
  }

  get format(): StateFormat<VmState> {
    const vcpus = this.vcpus.length;
    const shape = record({
      core: coreShape(vcpus),
      vcpus: list(VCPU_STATE, vcpus),
      provocations: EPT_PROVOCATIONS,
      exits: count,
      end: optional(GUEST_END),
    });
    return { kind: 'vtx', version: 3, shape };
  }

  /**
   * The engine's state but for the frames (core-image.ts). To save is an event of the run: all that is derived is
   * dropped, so that this machine goes on just as one that loads the state. No debugger's step is under way.
   */
  save(): VmState {
    this.synchronize();
    this.core.dropDerived();
    return this.capture();
  }

  /** As `save` for who stays in this machine: decoded code follows from memory, only translations are dropped. */
  forgetTranslations(): void {
    this.synchronize();
    this.core.forgetTranslations();
  }

  /** The state alone, after `synchronize`; it shares the machine's objects. */
  capture(): VmState {
    const { end, exits } = this;
    return {
      core: saveCore(this, this.#current.index),
      vcpus: this.vcpus.map((vcpu) => vcpu.save()),
      provocations: this.provocations.save(),
      exits,
      end,
    };
  }

  load(state: VmState): void {
    this.restore(state);
    this.core.dropDerived();
  }

  /** As `load` where decoded code is that of the memory that goes with the state. */
  restore({ core, vcpus, provocations, exits, end }: VmState): void {
    for (const vcpu of this.vcpus) vcpu.inGuest = false;
    this.#select(this.vcpus[core.current]);
    loadCore(this, core);
    for (const [i, state] of vcpus.entries()) this.vcpus[i].load(state);
    this.provocations.load(provocations);
    this.exits = exits;
    this.end = end;
    this.quick.forget();
    this.core.forgetTranslations();
  }

  /** Asks for a stop after one more instruction of this vCPU (by MTF). */
  armStep(vcpu: Vcpu, count: number): void {
    vcpu.stepGoal = vcpu.icount + count;
    vcpu.vmcs.primary |= PRIMARY.monitorTrapFlag;
  }

  disarmStep(vcpu: Vcpu): void {
    vcpu.stepGoal = undefined;
    if (!vcpu.steppedOver) vcpu.vmcs.primary &= ~PRIMARY.monitorTrapFlag;
  }

  finish(end: GuestEnd): void {
    this.end ??= end;
  }

  /** The VMM has carried out the instruction that exited. */
  complete(vcpu: Vcpu): void {
    vcpu.complete();
    this.spend(EMULATION_NS);
  }

  portRead(vcpu: Vcpu, port: number, bytes: number): number {
    this.spend(PORT_ACCESS_NS);
    return this.board.portRead(vcpu.index, port, bytes);
  }

  portWrite(vcpu: Vcpu, port: number, bytes: number, value: number): void {
    this.spend(PORT_ACCESS_NS);
    this.board.portWrite(vcpu.index, port, bytes, value);
    this.#takeEnd();
  }

  mmioRead(vcpu: Vcpu, gpa: number, bytes: number): bigint {
    this.spend(MMIO_ACCESS_NS);
    return this.board.mmioRead(vcpu.index, gpa, bytes);
  }

  mmioWrite(vcpu: Vcpu, gpa: number, bytes: number, value: bigint): void {
    this.spend(MMIO_ACCESS_NS);
    this.board.mmioWrite(vcpu.index, gpa, bytes, value);
    this.#takeEnd();
  }

  tpr(vcpu: Vcpu): number {
    return this.board.tpr(vcpu.index);
  }

  setTpr(vcpu: Vcpu, value: number): void {
    this.board.setTpr(vcpu.index, value);
  }

  tsc(index: number): bigint {
    const vcpu = this.vcpus[index];
    return BigInt.asUintN(64, BigInt(this.now()) + this.host.get64(vcpu.at(TSC_ADJUST)) + vcpu.vmcs.get('TSC_OFFSET'));
  }

  tscAux(vcpu: Vcpu): number {
    return this.host.get32(vcpu.at(TSC_AUX));
  }

  setCr2(vcpu: Vcpu, value: bigint): void {
    this.host.set64(vcpu.at(CR2), value);
  }

  flushTlb(vcpu: Vcpu): void {
    const running = this.#current;
    this.#select(vcpu);
    this.core.flushTlb();
    this.#select(running);
  }

  /** Ends the running vCPU's turn early: it waits for another one. */
  yieldTurn(): void {
    this.#yields = true;
  }

  endSlice(): void {
    this.#interrupted = true;
  }

  /** Turns an intercept off for one instruction; MTF ends that, and puts the APIC-access page back if it was taken out. */
  stepOver(vcpu: Vcpu, field: string, bits: number, apicPage = false): void {
    vcpu.steppedOver = { field, bits: bits >>> 0, apicPage };
    vcpu.vmcs.rerunInstruction();
    vcpu.vmcs.set(field, vcpu.vmcs.get(field) & ~BigInt(bits >>> 0));
    vcpu.vmcs.primary |= PRIMARY.monitorTrapFlag;
  }

  endStepOver(vcpu: Vcpu): void {
    const over = vcpu.steppedOver;
    if (!over) return;
    vcpu.steppedOver = undefined;
    vcpu.vmcs.set(over.field, vcpu.vmcs.get(over.field) | BigInt(over.bits >>> 0));
    if (over.apicPage) this.provocations.mapApicPage(vcpu, true);
  }

  /** PDPTEs of PAE paging from guest memory into the VMCS; false when one has reserved bits set (#GP). */
  loadPdptes(vcpu: Vcpu): boolean {
    const cr3 = Number(vcpu.vmcs.get('GUEST_CR3') & 0xffffffe0n);
    const entries = [0, 1, 2, 3].map((i) => physicalRead(vcpu, this, cr3 + i * 8, 8));
    const reserved = 0xffffff80000001e6n;
    if (entries.some((entry) => (entry & 1n) !== 0n && (entry & reserved) !== 0n)) return false;
    entries.forEach((entry, i) => {
      vcpu.vmcs.set(`GUEST_PDPTR${i}`, entry);
    });
    return true;
  }

  /** Host address of a guest-physical byte that is RAM or ROM, whatever spoils the EPT for a while. */
  frameOf(gpa: bigint): number | undefined {
    if (gpa >> 39n !== 0n) return undefined;
    const at = Number(gpa);
    const leaf = this.provocations.rightLeaf(at - (at % 4096));
    return leaf === undefined ? this.ept.frameOf(at) : Number(leaf & 0x7f_ffff_f000n) + (at % 4096);
  }

  /** Takes the newest exit out of trace and counts: it was the debugger's own. */
  withdrawExit(reason: number): void {
    const { host } = this;
    host.setNumber(TRACE_SEQUENCE, host.getNumber(TRACE_SEQUENCE) - 1);
    for (const vcpu of this.vcpus) vcpu.vmcs.controls.withdrawn();
    const count = EXIT_COUNTS + reason * 8;
    host.setNumber(count, host.getNumber(count) - 1);
    this.exits--;
  }

  exitCount(reason: number): number {
    return this.host.getNumber(EXIT_COUNTS + reason * 8);
  }

  #select(vcpu: Vcpu): void {
    if (vcpu.active) return;
    const now = this.#current.clock;
    for (const other of this.vcpus) other.active = false;
    this.core.selectVcpu(vcpu.index);
    vcpu.active = true;
    this.#current = vcpu;
    // its clock stood while it was not its turn
    vcpu.clockOffset = now - vcpu.icount;
  }

  #leave(vcpu: Vcpu): void {
    this.#select(vcpu);
    this.core.saveGuest();
    vcpu.vmcs.setEvent(vcpu.vmcs.entryInfo & 0x7fffffff, 0, 0);
    vcpu.inGuest = false;
  }

  #takeEnd(): void {
    this.end ??= this.board.takeEnd();
  }

  /** Devices' due work, interrupt injection and the preemption timer; false when the vCPU stays halted. */
  #prepareEntry(vcpu: Vcpu): boolean {
    const { board } = this;
    const completing = this.host.get32(vcpu.at(LATCH_COUNT)) !== 0;
    // what that wakes is looked at here, wherever a limit has had it seen before
    board.seeEndOfInterrupt?.(vcpu.index);
    // what woke it waits for the entry after this one
    if (!completing) vcpu.woken = false;
    vcpu.justHalted = false;
    if (vcpu.pendingInit) {
      vcpu.pendingInit = false;
      initVcpu(vcpu);
      this.flushTlb(vcpu);
    }
    if (vcpu.pendingSipi !== undefined) startVcpu(vcpu, vcpu.pendingSipi);
    vcpu.pendingSipi = undefined;
    if (vcpu.waitsForSipi && vcpu.provoked.hostEvent === undefined) return false;
    const { vmcs } = vcpu;
    const now = this.now();
    let deadline = board.nextDeadline();
    if (deadline !== undefined && deadline <= now) {
      board.runDue(now);
      this.#takeEnd();
      deadline = board.nextDeadline();
    }
    // a SIPI of the host reaches a vCPU that waits for it: such an entry injects nothing
    const injects = !completing && (vmcs.entryInfo & EVENT_VALID) === 0 && vcpu.provoked.hostEvent?.kind !== 'sipi';
    if (vcpu.holdsInterrupts) {
      if (vcpu.halted && this.#couldWake(vcpu)) vcpu.halted = false;
    } else if (injects) this.#injectPending(vcpu);
    if (vcpu.halted) return false;
    this.#armTimer(vcpu, now, deadline);
    if (vcpu.provoked.hostEvent?.kind === 'sipi') vmcs.activity = 3;
    spoilEntry(vcpu);
    return true;
  }

  /** When the guest's turn must end for the devices or for itself; undefined: never. */
  #nextEvent(vcpu: Vcpu, deadline = this.board.nextDeadline()): number | undefined {
    const { timerRequest } = vcpu.provoked;
    if (deadline === undefined || timerRequest === undefined) return deadline ?? timerRequest;
    return Math.min(deadline, timerRequest);
  }

  /** The next VM entry would do more than go on with the guest. */
  #entryDelivers(vcpu: Vcpu): boolean {
    this.board.seeEndOfInterrupt?.(vcpu.index);
    const { woken, nmiPending, provoked, pendingInit, pendingSipi, index, vmcs } = vcpu;
    if (woken || nmiPending || pendingInit || pendingSipi !== undefined) return true;
    if (provoked.hostEvent !== undefined || (vmcs.entryInfo & EVENT_VALID) !== 0) return true;
    if (this.board.nmiWaits(index) || (vcpu.interruptsEnabled && this.board.interruptPending(index))) return true;
    const deadline = this.board.nextDeadline();
    return deadline !== undefined && deadline <= this.now();
  }

  /** Something waits that only a VM entry delivers. */
  #hasEvent(vcpu: Vcpu): boolean {
    const { woken, nmiPending, provoked, pendingInit, index } = vcpu;
    return woken || nmiPending || provoked.hostEvent !== undefined || pendingInit || this.board.interruptPending(index);
  }

  /** The VMX-preemption timer ends the guest's turn at the next event. It counts ns, 32 bits. */
  #armTimer(vcpu: Vcpu, now: number, deadline: number | undefined): void {
    const at = this.#nextEvent(vcpu, deadline);
    vcpu.armedFor = at;
    const wait = (at ?? Number.POSITIVE_INFINITY) - now;
    this.host.set32(vcpu.vmcs.region + TIMER_FIELD, Math.min(Math.max(wait, 0), 0xffffffff));
  }

  /** Something waits that the halted vCPU would take. */
  #couldWake(vcpu: Vcpu): boolean {
    const { board } = this;
    const { index, vmcs } = vcpu;
    if (vcpu.nmiPending || board.nmiWaits(index)) return (vmcs.interruptibility & BLOCKED_BY_NMI) === 0;
    return vcpu.interruptsEnabled && board.interruptPending(index);
  }

  /** Injects the highest-priority pending event, or opens the window that tells when it can be. */
  #injectPending(vcpu: Vcpu): void {
    const { board } = this;
    const { vmcs } = vcpu;
    const shadow = vmcs.interruptibility;
    // one NMI waits at most: what the board has latched joins the one that the guest blocks
    const latched = board.takeNmi(vcpu.index);
    if (latched || vcpu.nmiPending) {
      if ((shadow & (BLOCKED_BY_NMI | BLOCKED_BY_STI_OR_MOV_SS)) === 0) {
        vcpu.nmiPending = false;
        vcpu.halted = false;
        vcpu.nmi();
        return;
      }
      vcpu.nmiPending = true;
      vmcs.primary |= PRIMARY.nmiWindowExiting;
    }
    if (!board.interruptPending(vcpu.index)) return;
    if ((vmcs.rflags & RFLAGS_IF) !== 0 && (shadow & BLOCKED_BY_STI_OR_MOV_SS) === 0) {
      vcpu.halted = false;
      const vector = board.acknowledgeInterrupt(vcpu.index);
      vcpu.interrupt(vector);
      if (board.interruptPending(vcpu.index)) vmcs.primary |= PRIMARY.interruptWindowExiting;
    } else if (!vcpu.halted) {
      vmcs.primary |= PRIMARY.interruptWindowExiting;
    }
  }

  #enter(vcpu: Vcpu): boolean {
    const { core } = this;
    const status = vcpu.launched ? core.vmResume() : core.vmLaunch();
    switch (status) {
      case ENTER_OK:
        vcpu.launched = true;
        vcpu.inGuest = true;
        vcpu.entered = true;
        return true;
      case ENTER_EXIT:
        // delivering the injected event caused an exit
        vcpu.launched = true;
        vcpu.pendingExit = true;
        vcpu.entered = false;
        this.exits++;
        return true;
      default:
        if (!repairEntry(vcpu)) return false;
        this.exits++;
        return this.#enter(vcpu);
    }
  }

  /** An event of the host at this instruction boundary; true when it made the guest exit. */
  #signal(vcpu: Vcpu): boolean {
    const { kind, vector } = vcpu.provoked.hostEvent!;
    vcpu.provoked.hostEvent = undefined;
    const { core } = this;
    const status =
      kind === 'interrupt'
        ? core.externalInterrupt(vector)
        : kind === 'nmi'
          ? core.nmi()
          : kind === 'init'
            ? core.initSignal()
            : core.sipi(vector);
    if (status !== XS_EXIT) return false;
    vcpu.inGuest = false;
    vcpu.pendingExit = true;
    vcpu.entered = false;
    this.exits++;
    return true;
  }

  /** Says which exit is handled, for who watches this thread. */
  #tell(region: number, vcpu: number, reason: number): void {
    if (!this.activity) return;
    const { host } = this;
    const field = (offset: number): [number, number] => [host.get32(region + offset), host.get32(region + offset + 4)];
    this.activity.handles(vcpu, reason, field(RIP_FIELD), field(QUALIFICATION_FIELD), field(GPA_FIELD));
  }

  /** The exit at hand is one that a debugger's step asked for. */
  #isStepTrap({ vmcs, stepGoal, steppedOver }: Vcpu): boolean {
    return (vmcs.reason & REASON_MASK) === REASON_MTF && stepGoal !== undefined && !steppedOver;
  }

  /**
   * The core has recorded an exit for an access to a device and asks for it; the guest is not left yet (core/vmx/ask.ts).
   * @returns ASKED_*
   */
  #deviceAccess(kind: number, address: number, bytes: number, write: number, low: number, high: number): number {
    const vcpu = this.#current;
    this.exits += this.quick.take(vcpu, this.board);
    this.#tell(vcpu.vmcs.region, vcpu.index, vcpu.vmcs.reason);
    this.handlerWatch?.begins();
    const done = this.#access(vcpu, kind, address, bytes, write !== 0, low, high);
    if (done) this.handlerWatch?.ends(vcpu.vmcs.reason & REASON_MASK);
    this.activity?.resumes();
    // where anything waits, an instruction that runs again is followed by another VM entry
    const pending = this.board.interruptPending(vcpu.index);
    const waits = pending || vcpu.woken;
    const runsAgain = kind === ASK_MMIO || kind === ASK_STRING;
    // one that reaches the limit ends the slice before what the next VM entry delivers
    const reaches = !runsAgain && vcpu.icount + (kind === ASK_PORT && write ? 0 : 1) >= this.host.getNumber(LIMIT);
    if (done && !reaches && this.#goesOn(vcpu, pending, kind === ASK_MSR || kind === ASK_CR8 ? EMULATION_NS : 0))
      return waits ? ASKED_ENTERS : ASKED_GOES_ON;
    this.#left = { kind, handled: done };
    return done ? ASKED_LEAVES : ASKED_REFUSED;
  }

  /** False: there is no such register, or it does not take the value. */
  #access(
    vcpu: Vcpu,
    kind: number,
    address: number,
    bytes: number,
    write: boolean,
    low: number,
    high: number,
  ): boolean {
    const { board, host } = this;
    const { index } = vcpu;
    switch (kind) {
      case ASK_MMIO: {
        if (this.provocations.isSpoilt(address)) return false;
        if (bytes <= 4) {
          const value = write ? low >>> 0 : board.mmioRead32(index, address, bytes);
          if (write) board.mmioWrite32(index, address, bytes, value);
          else host.setNumber(DEVICE_DATA, value);
          vcpu.addLatch32(address, value, bytes, write);
        } else {
          const value = write ? wide(low, high) & ONES[bytes] : board.mmioRead(index, address, bytes);
          if (write) board.mmioWrite(index, address, bytes, value);
          else host.set64(DEVICE_DATA, value);
          vcpu.addLatch(address, value, bytes, write);
        }
        if (this.#stuck(vcpu)) this.#interrupted = true;
        break;
      }
      case ASK_STRING:
      case ASK_PORT: {
        const value = write ? low >>> 0 : board.portRead(index, address, bytes);
        if (write) board.portWrite(index, address, bytes, value);
        else host.set32(DEVICE_DATA, value);
        if (kind === ASK_PORT) {
          if (write) this.quick.keepPort(board, address, bytes);
          break;
        }
        vcpu.addLatch32(address, value, bytes, write);
        if (this.#stuck(vcpu)) this.#interrupted = true;
        break;
      }
      case ASK_MSR: {
        const msr = address >>> 0;
        if (write) return writeMsr(vcpu, this, msr, wide(low, high));
        const value = readMsr(vcpu, this, msr);
        if (value === undefined) return false;
        if (isSteady(msr)) this.quick.keepMsr(vcpu, msr, value);
        host.set64(DEVICE_DATA, value);
        break;
      }
      default:
        if (write) this.setTpr(vcpu, low << 4);
        else host.setNumber(DEVICE_DATA, this.tpr(vcpu) >> 4);
    }
    if (write) this.#takeEnd();
    return true;
  }

  /** Would the VM entry after this exit, which takes `ns` from now on, only go on with the guest? Then it has. */
  #goesOn(vcpu: Vcpu, pending: boolean, ns: number): boolean {
    if (this.end || this.#yields || this.#interrupted || this.memory.moved > this.#mostMoved) return false;
    const { board, host } = this;
    const { index } = vcpu;
    if (!vcpu.inGuest || vcpu.pendingInit || vcpu.pendingSipi !== undefined || vcpu.nmiPending) return false;
    if (host.get32(VMCS_DIRTY) !== 0 || host.get32(ATTENTION) !== 0) return false;
    if ((pending && !this.#waitsForWindow(vcpu)) || board.nmiWaits(index)) return false;
    const event = this.#nextEvent(vcpu);
    if (event !== undefined && event <= this.now() + ns + 1) return false;
    vcpu.woken = false;
    vcpu.armedFor = event;
    this.quick.expect(event);
    return true;
  }

  /** A pending interrupt changes nothing at VM entry: the guest, which runs, does not take it, and the window is asked for. */
  #waitsForWindow({ vmcs }: Vcpu): boolean {
    return (vmcs.primary & PRIMARY.interruptWindowExiting) !== 0 && (this.host.get32(RFLAGS) & RFLAGS_IF) === 0;
  }

  /** The rest of an exit that a device has answered already. */
  #conclude(vcpu: Vcpu, kind: number): Outcome {
    if (kind === ASK_STRING) vcpu.vmcs.rerunInstruction();
    else if (kind !== ASK_MMIO) vcpu.complete();
    if (!this.end) return 'resume';
    vcpu.host.set32(this.#traceSlot() + TR_ACTION, ACTION.stop);
    return 'stop';
  }

  #handle(vcpu: Vcpu): Outcome {
    const { vmcs, host } = vcpu;
    const left = this.#left;
    this.#left = undefined;
    if (left?.handled) return this.#conclude(vcpu, left.kind);
    const reason = vmcs.reason & REASON_MASK;
    const slot = this.#traceSlot();
    this.exitDetail = 0;
    this.#reinject(vcpu);
    this.#tell(vmcs.region, vcpu.index, reason);
    const handler = EXIT_HANDLERS[reason];
    const before = vcpu.icount;
    let outcome: Outcome;
    if (this.#isStepTrap(vcpu)) {
      this.withdrawExit(REASON_MTF);
      return 'resume';
    }
    this.handlerWatch?.begins();
    if (handler) outcome = handler(vcpu, this);
    else {
      this.finish({ kind: 'error', status: 3, message: `no handler for VM exit ${reason}` });
      outcome = 'stop';
    }
    this.handlerWatch?.ends(reason);
    if (vcpu.icount === before && this.#stuck(vcpu)) this.#interrupted = true;
    this.activity?.resumes();
    host.set32(slot + TR_ACTION, ACTION[outcome]);
    host.set32(slot + TR_DETAIL, outcome === 'inject' ? vmcs.entryInfo & 0xff : this.exitDetail >>> 0);
    return outcome;
  }

  /** An event whose delivery the exit interrupted is delivered at the next entry. @sdm 3C 31.7.1.2 "Resuming Guest Software" */
  #reinject(vcpu: Vcpu): void {
    const info = vcpu.vmcs.vectoringInfo;
    if ((info & EVENT_VALID) === 0) return;
    vcpu.vmcs.setEvent((info & ~0x1000) >>> 0, vcpu.vmcs.vectoringError, vcpu.vmcs.instructionLength);
    if (((info >> 8) & 7) === 2) {
      const at = vcpu.vmcs.region + fieldOffset('GUEST_INTERRUPTIBILITY_INFO');
      this.host.set32(at, this.host.get32(at) & ~BLOCKED_BY_NMI);
      this.host.set32(vcpu.at(INTERRUPTIBILITY), this.host.get32(vcpu.at(INTERRUPTIBILITY)) & ~BLOCKED_BY_NMI);
    }
  }

  #stepDone(vcpu: Vcpu): boolean {
    if (vcpu.stepGoal === undefined || vcpu.steppedOver) return false;
    if (vcpu.icount < vcpu.stepGoal) return false;
    this.disarmStep(vcpu);
    return true;
  }

  #traceSlot(): number {
    const newest = this.host.get32(TRACE_SEQUENCE) - 1;
    return TRACE_RING + (newest & (TRACE_RECORDS - 1)) * TRACE_RECORD_BYTES;
  }
}

/** Guest RAM: one run of frames from GPA 0. */
class RamView implements GuestMemory {
  /** Bytes that devices have read and written. */
  moved = 0;

  constructor(readonly vm: Vm) {}

  get bytes(): number {
    return this.vm.memoryBytes;
  }

  read(gpa: number, length: number): Uint8Array {
    this.#check(gpa, length);
    this.moved += length;
    return this.vm.host.u8.subarray(RAM_BASE + gpa, RAM_BASE + gpa + length);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.#check(gpa, bytes.length);
    this.moved += bytes.length;
    this.vm.host.willWrite(RAM_BASE + gpa, bytes.length);
    this.vm.host.u8.set(bytes, RAM_BASE + gpa);
    const first = gpa - (gpa % 4096);
    for (let page = first; page < gpa + bytes.length; page += 4096) this.vm.core.invalidatePageCode(RAM_BASE + page);
  }

  release(gpa: number, bytes: number): void {
    this.#check(gpa, bytes);
    this.vm.host.willWrite(RAM_BASE + gpa, bytes);
    this.vm.host.release(RAM_BASE + gpa, bytes);
    for (let page = gpa; page < gpa + bytes; page += 4096) this.vm.core.invalidatePageCode(RAM_BASE + page);
  }

  #check(gpa: number, length: number): void {
    if (gpa < 0 || length < 0 || gpa + length > this.bytes) {
      throw new RangeError(`guest-physical 0x${gpa.toString(16)} + ${length} is outside RAM of ${this.bytes} bytes`);
    }
  }
}
