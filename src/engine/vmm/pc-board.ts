import { MSR } from '../../spec/msrs.js';
import { RANDOM_QUEUE } from '../core/layout.js';
import type { Picture, VgaText } from '../debugger.js';
import type { Drive } from '../devices/block.js';
import { countedCable, noTraffic } from '../devices/counted-cable.js';
import type { GuestEnd, Nanoseconds, SteadyAnswer } from '../devices/device.js';
import type { FirmwareFile } from '../devices/fw-cfg.js';
import type { MediumDrive } from '../devices/medium-bay.js';
import { buildPc, type Pc } from '../devices/pc.js';
import type { CardMaker } from '../devices/pci/card.js';
import type { ShadowArea } from '../devices/pci/chipset.js';
import { decodeMove, encodeMove, type MouseMove } from '../devices/ps2-mouse.js';
import { isKey } from '../devices/scancodes.js';
import type { VideoMemory } from '../devices/vga/video-memory.js';
import { VirtioBalloon } from '../devices/virtio/balloon.js';
import { ChaChaSource } from '../devices/virtio/chacha.js';
import { VirtioConsole } from '../devices/virtio/console.js';
import { virtioCard } from '../devices/virtio/pci.js';
import { VirtioRng } from '../devices/virtio/rng.js';
import { DeviceView } from '../memory/device-view.js';
import type { BootOffer } from '../net/dhcp.js';
import { gatedHost } from '../net/gated-host.js';
import { encodeEvent, type HostNetwork } from '../net/host-network.js';
import { UserNet } from '../net/user-net.js';
import { GUEST_END } from '../state/guest-end.js';
import type { Stateful } from '../state/saved.js';
import { count, optional, record, type StateOf } from '../state/schema.js';
import { VirtualClock } from '../time/clock.js';
import type { InputKeeper } from '../time/input-keeper.js';
import { PHASE } from '../time/instant.js';
import { Journal } from '../time/journal.js';
import type { Board, OwnApic } from './board.js';
import type { Card, NetModel } from './cards.js';
import { vectorsInCore } from './core-apic.js';
import type { Hypervisor } from './hypervisor.js';
import { netCard } from './net-models.js';

const STATE = record({
  /** What the devices told and the VMM has not taken yet. */
  end: optional(GUEST_END),
  bootSeconds: count,
  /** Inputs of the host so far. */
  inputs: count,
});

const X2APIC_LAST = 0x83f;
const REGISTER_TPR = 8;
const TSC_HZ = 1e9;
const DEFAULT_SEED = 0x9e3779b97f4a7;

/** A network card on the user-mode network, whose outer end is the host's. */
export interface NetworkOptions {
  /** Absent: a virtio card. */
  model?: NetModel;
  mac: Uint8Array;
  host: HostNetwork;
  /** Ports of the host lead to the guest. */
  forwards: boolean;
  /** What DHCP offers beside the address. */
  boot?: BootOffer;
  /** Expansion ROM of the card, from which firmware boots over the network. */
  rom?: Uint8Array;
}

export interface PcBoardOptions {
  isaDebugExit: boolean;
  /** Seconds since 1970 at power-on. */
  wallSeconds: number;
  /** Seed of RDRAND and RDSEED; always the same unless given, so that runs repeat. */
  seed?: number;
  /** Keeps the inputs of the host for who goes back; without one none stays in memory. */
  inputs?: InputKeeper;
  serial(bytes: Uint8Array): void;
  drives?: readonly Drive[];
  /** Memory of the video card that the guest reaches by itself. */
  video?: VideoMemory;
  font?: Uint8Array;
  /** A byte to a debug console port. */
  debugOutput?: (byte: number) => void;
  /** A BIOS runs: what it is told, and who shows RAM or ROM in the firmware area. */
  network?: NetworkOptions;
  cards?: readonly Card[];
  bios?: {
    files: readonly FirmwareFile[];
    bootOrder?: string | undefined;
    shadowChanged(area: ShadowArea): void;
  };
}

/** The PC's devices as the VMM uses them; host input enters here, through the journal. */
export class PcBoard implements Board {
  readonly pc: Pc;
  readonly journal: Journal;
  /** Seconds since 1970 at power-on. */
  bootSeconds: number;
  readonly net: UserNet | undefined;
  /** What has passed the cable of its network card. */
  readonly traffic = noTraffic();
  readonly balloon: VirtioBalloon | undefined;
  readonly console: VirtioConsole | undefined;
  /** Guest memory as the devices reach it. */
  readonly dma: DeviceView;
  /** What a machine that repeats a run writes now nobody has seen yet. */
  isNews: () => boolean = () => false;
  readonly #clock: VirtualClock;
  #end: GuestEnd | undefined;
  #repeats = false;
  /** Of the host's network, meanwhile. */
  readonly #waiting: Uint8Array[] = [];

  constructor(
    readonly vm: Hypervisor,
    options: PcBoardOptions,
  ) {
    this.dma = new DeviceView(vm.memory, () => vm.endSlice?.());
    this.#clock = new VirtualClock(() => vm.now());
    this.journal = new Journal(
      () => ({ at: vm.now(), icount: BigInt(vm.icount), exits: vm.exits, turn: 0, phase: PHASE.entered }),
      options.inputs,
    );
    this.bootSeconds = this.journal.initial('wall-clock', options.wallSeconds);
    const seed = this.journal.initial('seed', options.seed ?? DEFAULT_SEED);
    vm.host.setNumber(RANDOM_QUEUE + 8, seed);
    const { network } = options;
    const has = (card: Card) => options.cards?.includes(card) === true;
    this.net = network
      ? new UserNet({ clock: this.#clock, ...network, host: gatedHost(network.host, () => this.#repeats) })
      : undefined;
    const serial = (bytes: Uint8Array): void => {
      if (!this.#repeats || this.isNews()) options.serial(bytes);
    };
    const { debugOutput } = options;
    this.balloon = has('virtio-balloon') ? new VirtioBalloon('balloon0') : undefined;
    this.console = has('virtio-console')
      ? new VirtioConsole({ name: 'console0', output: (bytes) => serial(bytes) })
      : undefined;
    const nic =
      network && this.net
        ? netCard(
            network.model,
            {
              ...{ name: 'net0', mac: network.mac },
              backend: countedCable(this.net, this.traffic, () => !this.#repeats),
            },
            network.rom,
          )
        : undefined;
    const cards: CardMaker[] = [];
    if (has('virtio-rng')) cards.push(virtioCard(new VirtioRng('rng0', new ChaChaSource(seedBytes(seed)))));
    if (this.balloon) cards.push(virtioCard(this.balloon));
    if (this.console) cards.push(virtioCard(this.console));
    this.pc = buildPc({
      clock: this.#clock,
      memory: this.dma,
      vcpus: vm.vcpus.length,
      startSeconds: this.bootSeconds,
      serialOutput: (byte) => serial(Uint8Array.of(byte)),
      debugExit: options.isaDebugExit,
      ...(options.drives ? { drives: options.drives } : {}),
      ...(nic ? { network: nic } : {}),
      cards,
      ...(options.video ? { video: options.video } : {}),
      ...(options.font ? { font: options.font } : {}),
      ...(debugOutput
        ? {
            debugOutput: (byte: number) => {
              if (!this.#repeats || this.isNews()) debugOutput(byte);
            },
          }
        : {}),
      ...(options.bios
        ? {
            bios: true,
            firmwareFiles: options.bios.files,
            bootOrder: options.bios.bootOrder,
            shadowChanged: options.bios.shadowChanged,
          }
        : {}),
      end: (end) => {
        this.#end ??= end;
      },
      init: (vcpu) => {
        vm.vcpus[vcpu].pendingInit = true;
        vm.vcpus[vcpu].pendingSipi = undefined;
      },
      startup: (vcpu, vector) => {
        vm.vcpus[vcpu].pendingSipi = vector;
      },
      wake: (vcpu) => vm.wake(vcpu),
      irqchip: vm.irqchip,
      ...(vm.engine === 'vtx' ? { vectors: (vcpu: number) => vectorsInCore(vm.host, vcpu) } : {}),
      tsc: (vcpu) => ({ hz: TSC_HZ, now: () => vm.tsc(vcpu) }),
    });
    this.pc.bus.portsChanged = () => vm.portsChanged?.();
    this.journal.take('serial0', (data) => this.pc.serial.receive(data as Uint8Array));
    this.journal.take('console0', (data) => this.console?.receive(data as Uint8Array));
    this.journal.take('net0', (data) => this.net?.hostEvent(data as Uint8Array));
    this.journal.take('balloon0', (data) => this.balloon?.inflateTo(data as number));
    this.journal.take('balloon0-stats', () => this.balloon?.refreshStats());
    this.journal.take('key', (data) => void this.pc.keyboard.press(data as string));
    this.journal.take('key-down', (data) => this.pc.keyboard.key(data as string, true));
    this.journal.take('key-up', (data) => this.pc.keyboard.key(data as string, false));
    this.journal.take('medium', (data) => this.#mediumIs(data as string));
    this.journal.take('mouse', (data) => this.pc.keyboard.moveMouse(decodeMove(data as Uint8Array)));
  }

  portRead(vcpu: number, port: number, bytes: number): number {
    this.pc.activeVcpu = vcpu;
    return this.pc.bus.portRead(port, bytes);
  }

  portWrite(vcpu: number, port: number, bytes: number, value: number): void {
    this.pc.activeVcpu = vcpu;
    this.pc.bus.portWrite(port, bytes, value);
  }

  lateWrites(port: number): 'latch' | 'nobody' | undefined {
    return this.pc.bus.lateWrites(port);
  }

  mmioRead(vcpu: number, gpa: number, bytes: number): bigint {
    this.pc.activeVcpu = vcpu;
    return this.pc.bus.mmioRead(gpa, bytes);
  }

  mmioWrite(vcpu: number, gpa: number, bytes: number, value: bigint): void {
    this.pc.activeVcpu = vcpu;
    this.pc.bus.mmioWrite(gpa, bytes, value);
  }

  mmioRead32(vcpu: number, gpa: number, bytes: number): number {
    this.pc.activeVcpu = vcpu;
    return this.pc.bus.mmioRead32(gpa, bytes);
  }

  mmioWrite32(vcpu: number, gpa: number, bytes: number, value: number): void {
    this.pc.activeVcpu = vcpu;
    this.pc.bus.mmioWrite32(gpa, bytes, value);
  }

  mmioPeek(vcpu: number, gpa: number, bytes: number): bigint | undefined {
    const { pc } = this;
    const active = pc.activeVcpu;
    pc.activeVcpu = vcpu;
    try {
      this.vm.irqchip?.refresh();
      return pc.bus.mmioPeek(gpa, bytes);
    } finally {
      pc.activeVcpu = active;
    }
  }

  steadyPort(vcpu: number, port: number, bytes: number): SteadyAnswer | undefined {
    return this.pc.lapic[vcpu].offersEnd ? undefined : this.pc.bus.steadyPort(port, bytes);
  }

  steadyMmio(vcpu: number, gpa: number, bytes: number): SteadyAnswer | undefined {
    this.pc.activeVcpu = vcpu;
    return this.pc.lapic[vcpu].offersEnd ? undefined : this.pc.bus.steadyMmio(gpa, bytes);
  }

  ownApic(vcpu: number): OwnApic | undefined {
    return this.pc.servesAlone(vcpu) ? this.pc.lapic[vcpu] : undefined;
  }

  deadlineBeside(vcpu: number): Nanoseconds | undefined {
    return this.#clock.deadlines.nextBeside(this.pc.lapic[vcpu].timerAt);
  }

  hearTpr(vcpu: number, value: number): void {
    this.pc.lapic[vcpu].hearTpr(value);
  }

  hearIcr(vcpu: number, low: number, high: number): void {
    this.pc.lapic[vcpu].hearIcr(low, high);
  }

  hearCount(vcpu: number, count: number, at: Nanoseconds): void {
    this.pc.lapic[vcpu].hearCount(count, at);
  }

  hearDeadline(vcpu: number, deadline: bigint, due: Nanoseconds): void {
    this.pc.lapic[vcpu].hearDeadline(deadline, due);
  }

  steadyTpr(vcpu: number): SteadyAnswer | undefined {
    return this.pc.lapic[vcpu].offersEnd ? undefined : 'same';
  }

  interruptPending(vcpu: number): boolean {
    return this.pc.interruptPending(vcpu);
  }

  seeEndOfInterrupt(vcpu: number): void {
    this.pc.lapic[vcpu].seeEndOfInterrupt();
  }

  acknowledgeInterrupt(vcpu: number): number {
    return this.pc.acknowledgeInterrupt(vcpu);
  }

  numericError(): boolean {
    return this.pc.fpuError.report();
  }

  nmiWaits(vcpu: number): boolean {
    return this.pc.nmiPending(vcpu);
  }

  takeNmi(vcpu: number): boolean {
    if (!this.pc.nmiPending(vcpu)) return false;
    this.pc.acknowledgeNmi(vcpu);
    return true;
  }

  nextDeadline(): Nanoseconds | undefined {
    return this.#clock.deadlines.next();
  }

  runDue(now: Nanoseconds): void {
    this.#clock.deadlines.runDue(now);
  }

  tpr(vcpu: number): number {
    return this.pc.lapic[vcpu].readRegister(REGISTER_TPR);
  }

  setTpr(vcpu: number, value: number): void {
    this.pc.lapic[vcpu].writeRegister(REGISTER_TPR, value);
  }

  readApicMsr(vcpu: number, msr: number): bigint | undefined {
    const lapic = this.pc.lapic[vcpu];
    if (msr === MSR.IA32_TSC_DEADLINE) return lapic.tscDeadline;
    return msr <= X2APIC_LAST ? lapic.readX2apic(msr) : undefined;
  }

  writeApicMsr(vcpu: number, msr: number, value: bigint): boolean {
    const lapic = this.pc.lapic[vcpu];
    if (msr !== MSR.IA32_TSC_DEADLINE) return msr <= X2APIC_LAST && lapic.writeX2apic(msr, value);
    lapic.tscDeadline = value;
    return true;
  }

  apicBase(vcpu: number): bigint {
    return this.pc.lapic[vcpu].apicBase;
  }

  setApicBase(vcpu: number, value: bigint): boolean {
    return this.pc.lapic[vcpu].writeApicBase(value);
  }

  /** Something of the machine's own can end S3. */
  get canWake(): boolean {
    return this.pc.pm.wakesByAlarm && this.pc.rtc.alarmOn;
  }

  setParavirtualEoi(vcpu: number, gpa: number | undefined): void {
    this.pc.lapic[vcpu].setParavirtualEoi(gpa);
  }

  sendInterrupt(targets: readonly number[], mode: number, vector: number): void {
    const lapics = targets.map((id) => this.pc.lapic[id]);
    this.pc.apicBus.deliver({ vector, mode, level: false, logical: false, destination: 0 }, lapics);
  }

  /** What the board keeps beside its devices. */
  get ownState(): Stateful<StateOf<typeof STATE>> {
    return {
      name: 'board0',
      format: { kind: 'pc-board', version: 1, shape: STATE },
      save: () => ({ end: this.#end, bootSeconds: this.bootSeconds, inputs: this.journal.position }),
      load: ({ end, bootSeconds, inputs }) => {
        this.#end = end;
        this.bootSeconds = bootSeconds;
        this.journal.goOnFrom(inputs);
      },
    };
  }

  takeEnd(): GuestEnd | undefined {
    const end = this.#end;
    this.#end = undefined;
    return end;
  }

  /** Input at the console: the virtio console once its driver runs, before that and without one COM1. */
  serialInput(bytes: Uint8Array): void {
    this.journal.input(this.console?.isOpen ? 'console0' : 'serial0', bytes);
  }

  /** Bytes of `serialInput` that the guest has not read yet. */
  get inputWaiting(): number {
    return this.console?.isOpen ? this.console.waiting : this.pc.serial.waiting;
  }

  /** An event of the host's network. */
  networkEvent(bytes: Uint8Array): void {
    if (this.#repeats) this.#waiting.push(bytes);
    else this.journal.input('net0', bytes);
  }

  /**
   * The machine repeats its past: what leaves it has left before, and what comes from the host's network waits for the
   * live end.
   */
  set repeats(on: boolean) {
    this.#repeats = on;
    if (!on) for (const bytes of this.#waiting.splice(0)) this.journal.input('net0', bytes);
  }

  /** The guest's connections have no other end any more: it is in another process, or back at an earlier time. */
  loseConnections(): void {
    for (const id of this.net?.connections ?? []) this.networkEvent(encodeEvent({ kind: 'error', id }));
  }

  /** Asks the guest to give up so many pages of 4 KiB. */
  setBalloon(pages: number): void {
    this.journal.input('balloon0', pages);
  }

  refreshBalloon(): void {
    this.journal.input('balloon0-stats', 0);
  }

  /** Presses and releases a key. @throws Error when the keyboard has no key of that name. */
  key(name: string): void {
    this.journal.input('key', name);
  }

  /** A key goes down or up. @throws Error when the keyboard has no key of that name */
  keyEvent(name: string, down: boolean): void {
    if (!isKey(name)) throw new Error(`${name} is not a key`);
    this.journal.input(down ? 'key-down' : 'key-up', name);
  }

  moveMouse(move: MouseMove): void {
    this.journal.input('mouse', encodeMove(move));
  }

  /** Drives whose medium can be changed. */
  get mediumDrives(): MediumDrive[] {
    return this.pc.devices.flatMap(({ mediumDrives = [] }) => mediumDrives);
  }

  /** Another medium for a drive, by its file, or none. */
  changeMedium(drive: string, file: string | undefined): void {
    this.journal.input('medium', JSON.stringify(file === undefined ? [drive] : [drive, file]));
  }

  /** The button of a drive whose door software holds shut. */
  askForEjection(drive: string): void {
    this.journal.input('medium', JSON.stringify([drive, null]));
  }

  #mediumIs(text: string): void {
    const [name, file] = JSON.parse(text) as unknown[];
    const drive = this.mediumDrives.find(({ bay }) => bay.name === name);
    if (file === null) drive?.askForEjection();
    else if (file === undefined || typeof file === 'string') drive?.change(file);
  }

  screen(): VgaText | undefined {
    return this.pc.screen();
  }

  picture(most?: { width: number; height: number }): Picture {
    return this.pc.vga.picture(most);
  }

  describe(): { name: string; rows: [string, string][] }[] {
    this.vm.irqchip?.refresh();
    return this.pc.devices.map((device) => ({ name: device.name, rows: device.describe?.() ?? [] }));
  }

  /** RESET# on all devices, at whatever time. */
  reset(): void {
    this.#end = undefined;
    this.net?.reset();
    this.pc.reset();
  }

  /** The machine begins anew, as at power-on; the journal goes on. */
  beginAgain(): void {
    this.#end = undefined;
    const load = () => this.pc.beginAgain();
    if (this.net) this.net.beginAgain(load);
    else load();
  }
}

/** A seed of 32 bytes from the machine's one number. */
function seedBytes(seed: number): Uint8Array {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setFloat64(0, seed);
  return bytes;
}
