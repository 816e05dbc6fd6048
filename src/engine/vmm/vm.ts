import { OPCODE_FEATURES } from '../../spec/opcodes/index.js';
import type { InitialState } from '../boot/image.js';
import type { CoreExports } from '../core/core-exports.js';
import {
  ABSENT_FEATURES,
  CLOCK_SHIFT,
  CR2,
  EXIT_COUNTS,
  IN_ROOT,
  LINEAR_SHIFT,
  RAM_BASE,
  SYSCALL_LONG,
  SYSCALL_MODES,
  SYSCALL_PROTECTED,
  SYSCALL_WITH_CSTAR,
  TRACE_ENABLED,
  TSC_ADJUST,
  TSC_AUX,
  VMMCALL_EXITS,
} from '../core/layout.js';
import { EMULATION_NS, MMIO_ACCESS_NS, PORT_ACCESS_NS } from '../core/prices.js';
import type { CompilerCounters } from '../debugger.js';
import type { GuestEnd } from '../devices/device.js';
import type { Jit } from '../jit/jit.js';
import type { MachineView } from '../machine-view.js';
import type { HostMemory } from '../memory/host-memory.js';
import type { StateFormat, Stateful } from '../state/saved.js';
import type { Activity } from './activity.js';
import type { Board } from './board.js';
import { linearRip } from './code-address.js';
import { checkCore, clearTrace } from './core-image.js';
import { type CpuModel, cpuModel, DEFAULT_CPU_MODEL, hasFeature, linearBits } from './cpu-models.js';
import { DeviceAccesses } from './device-access.js';
import { DirtyFrames } from './dirty-frames.js';
import { EPT_MEMORY_TYPE, EptBuilder } from './ept-builder.js';
import { FirmwareRom } from './firmware-rom.js';
import { interruptHalted } from './halted-interrupt.js';
import type { HandlerWatch, Hypervisor, SliceEnd, VirtualCpu } from './hypervisor.js';
import { setInitialState } from './initial-state.js';
import { EptProvocations } from './provocations.js';
import { QuickExits } from './quick-exits.js';
import { RamView } from './ram-view.js';
import { Slice } from './slice.js';
import { armStep, disarmStep } from './stepping.js';
import { Vcpu } from './vcpu.js';
import { hasVideoFrames, VideoFrames } from './video-frames.js';
import { captureVm, restoreVm, type VmState, vmFormat } from './vm-state.js';
import { fillMsrBitmap, setUpModel, setUpVmcs } from './vmcs-setup.js';
import { armProbes, type Witness } from './witness.js';

const SYSCALL_OF = { GenuineIntel: SYSCALL_LONG, AuthenticAMD: SYSCALL_PROTECTED, none: SYSCALL_WITH_CSTAR } as const;

/** Makes what a debugger sees of a machine on this engine; `label`: what a guest-physical address is. */
export type Viewer = (vm: Vm, label: (gpa: number) => string) => MachineView;

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
  /** Elements that string I/O moved at the current exit; 0: it was no such. For the trace. */
  exitElements = 0;
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
  readonly #accesses = new DeviceAccesses(this);
  /** The slice under way, or the last one. */
  readonly slice = new Slice(this, this.#accesses);

  constructor(
    readonly core: CoreExports,
    readonly host: HostMemory,
    readonly memoryBytes: number,
    vcpus: number,
    private readonly viewer: Viewer,
  ) {
    this.quick = new QuickExits(host, core);
    host.deviceAccess = (kind, address, bytes, write, low, high) =>
      this.#accesses.answer(kind, address, bytes, write, low, high);
    this.memory = new RamView(this, memoryBytes);
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
    this.select(this.vcpus[0]);
  }

  /** Looks for who changes something. */
  get witness(): Witness | undefined {
    return this.#witness;
  }

  set witness(witness: Witness | undefined) {
    this.#witness = witness;
    if (!witness) armProbes(this.host, []);
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

  /** An instruction takes 2^n ns, as QEMU's `-icount shift=n` has it. Changed before the guest starts. */
  set clockShift(shift: number) {
    this.host.set32(CLOCK_SHIFT, shift);
    for (const vcpu of this.vcpus) vcpu.instructionNs = 2 ** shift;
  }

  get instructionNs(): number {
    return this.#current.instructionNs;
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

  /** The vCPU that the core holds. */
  get running(): Vcpu {
    return this.#current;
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
    return this.slice.run(vcpu, instructions);
  }

  /** Brings the guest state into the VMCS so that observers see it; the next run enters again. */
  synchronize(): void {
    // an observer may ask for it while a device works in the turn of another vCPU, which goes on with its own
    const running = this.#current;
    for (const vcpu of this.vcpus) if (vcpu.inGuest) this.leave(vcpu);
    this.select(running);
  }

  tell(index: number): void {
    this.synchronize();
    this.vcpus[index].tellAt(linearRip(this.vcpus[index]));
  }

  /** Whether a VM entry of this vCPU would pass all checks, with what its VMCS holds now. */
  entryHolds(vcpu: Vcpu): boolean {
    this.synchronize();
    const running = this.#current;
    this.select(vcpu);
    const holds = this.core.checkEntry() !== 0;
    this.select(running);
    return holds;
  }

  interruptHalted(vector: number, segment: number): boolean {
    this.synchronize();
    return interruptHalted(this, vector, segment);
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
    this.#powerOn ??= structuredClone(captureVm(this));
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
    this.takeEnd();
    this.#witness?.sees('prepared', this.#current);
  }

  /**
   * Lets `ns` of virtual time pass: what an access to a device takes. A loop that polls a port would otherwise need
   * millions of exits for the milliseconds that it waits.
   */
  spend(ns: number): void {
    this.#current.passTime(ns);
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
    return vmFormat(this.vcpus.length);
  }

  /**
   * The engine's state but for the frames (core-image.ts). To save is an event of the run: all that is derived is
   * dropped, so that this machine goes on just as one that loads the state. No debugger's step is under way.
   */
  save(): VmState {
    this.synchronize();
    this.core.dropDerived();
    return captureVm(this);
  }

  /** As `save` for who stays in this machine: decoded code follows from memory, only translations are dropped. */
  forgetTranslations(): void {
    this.synchronize();
    this.core.forgetTranslations();
  }

  load(state: VmState): void {
    restoreVm(this, state);
    this.core.dropDerived();
  }

  /** Asks for a stop after one more instruction of this vCPU (by MTF). */
  armStep(vcpu: Vcpu, count: number): void {
    armStep(vcpu, count);
  }

  disarmStep(vcpu: Vcpu): void {
    disarmStep(vcpu);
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
    this.takeEnd();
  }

  mmioRead(vcpu: Vcpu, gpa: number, bytes: number): bigint {
    this.spend(MMIO_ACCESS_NS);
    return this.board.mmioRead(vcpu.index, gpa, bytes);
  }

  mmioWrite(vcpu: Vcpu, gpa: number, bytes: number, value: bigint): void {
    this.spend(MMIO_ACCESS_NS);
    this.board.mmioWrite(vcpu.index, gpa, bytes, value);
    this.takeEnd();
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
    this.select(vcpu);
    this.core.flushTlb();
    this.select(running);
  }

  /** Ends the running vCPU's turn early: it waits for another one. */
  yieldTurn(): void {
    this.slice.yields = true;
  }

  endSlice(): void {
    this.slice.interrupted = true;
  }

  /** Host address of a guest-physical byte that is RAM or ROM, whatever spoils the EPT for a while. */
  frameOf(gpa: bigint): number | undefined {
    if (gpa >> 39n !== 0n) return undefined;
    const at = Number(gpa);
    const leaf = this.provocations.rightLeaf(at - (at % 4096));
    return leaf === undefined ? this.ept.frameOf(at) : Number(leaf & 0x7f_ffff_f000n) + (at % 4096);
  }

  exitCount(reason: number): number {
    return this.host.getNumber(EXIT_COUNTS + reason * 8);
  }

  /** Makes it the vCPU that the core holds. */
  select(vcpu: Vcpu): void {
    if (vcpu.active) return;
    const now = this.#current.clock;
    for (const other of this.vcpus) other.active = false;
    this.core.selectVcpu(vcpu.index);
    vcpu.active = true;
    this.#current = vcpu;
    vcpu.clock = now;
  }

  /** Takes it out of the guest: its state goes into the VMCS. */
  leave(vcpu: Vcpu): void {
    this.select(vcpu);
    this.core.saveGuest();
    vcpu.vmcs.setEvent(vcpu.vmcs.entryInfo & 0x7fffffff, 0, 0);
    vcpu.inGuest = false;
  }

  /** The guest is left so that a VM entry does what waits; as on a processor by an interrupt of the host. */
  kick(vcpu: Vcpu): void {
    if (vcpu.inGuest) this.leave(vcpu);
    this.host.set32(vcpu.at(IN_ROOT), 1);
  }

  /** The board may have ended the guest. */
  takeEnd(): void {
    this.end ??= this.board.takeEnd();
  }
}
