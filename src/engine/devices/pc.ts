/** The devices of a PC, wired as QEMU's pc machine wires them, and what a VMM needs of them. */
import type { VgaText } from '../debugger.js';
import { lowRamEnd, PCI_HOLE_END } from '../memory/memory-map.js';
import { checkAll, loadAll, type Saved, type Stateful, saveAll } from '../state/saved.js';
import { flag, list, record, type StateOf, tuple } from '../state/schema.js';
import type { VirtualClock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { AcpiPm } from './acpi-pm.js';
import { ApicBus } from './apic-bus.js';
import type { Drive } from './block.js';
import { Bus } from './bus.js';
import { DebugExit } from './debug-exit.js';
import { Debugcon } from './debugcon.js';
import type { Device, GuestEnd, GuestMemory, IrqLine, MmioDevice, PortDevice, SteadyAnswer } from './device.js';
import { Dma8237 } from './dma-8237.js';
import { driveCards } from './drive-cards.js';
import { FLOPPY_IRQ, FloppyController } from './floppy/controller.js';
import { floppyType } from './floppy/medium.js';
import { FpuError } from './fpu-error.js';
import { type FirmwareFile, FwCfg } from './fw-cfg.js';
import { Hpet } from './hpet.js';
import { I8042 } from './i8042.js';
import { buildIde } from './ide/controller.js';
import { Ioapic } from './ioapic.js';
import { IrqRouter } from './irq.js';
import { Lapic } from './lapic.js';
import type { ApicVectors } from './lapic-state.js';
import type { TscView } from './lapic-timer.js';
import { asWrite, type OutsideIrqchip } from './outside-irqchip.js';
import { PcTestdev } from './pc-testdev.js';
import { PciBus } from './pci/bus.js';
import type { CardMaker } from './pci/card.js';
import { HostBridge, IsaBridge, PowerManagement, type ShadowArea } from './pci/chipset.js';
import type { PciFunction } from './pci/function.js';
import { Pic8259 } from './pic-8259.js';
import { Pit8254 } from './pit-8254.js';
import {
  COM1_BASE,
  COM1_IRQ,
  FIRST_FREE_SLOT,
  FPU_IRQ,
  KEYBOARD_IRQ,
  MOUSE_IRQ,
  RTC_IRQ,
  SCI_IRQ,
} from './platform.js';
import { Rtc146818 } from './rtc-146818.js';
import { Serial16550 } from './serial-16550.js';
import { A20Gate, SystemPorts } from './system-ports.js';
import { UnservedInterrupts } from './unserved-interrupts.js';
import { VgaCard } from './vga/card.js';
import { VgaRegisters } from './vga/registers.js';
import { UnmappedVideoMemory, type VideoMemory } from './vga/video-memory.js';

export interface PcOptions {
  clock: VirtualClock;
  memory: GuestMemory;
  vcpus: number;
  /** Wall-clock time at virtual time 0, seconds since 1970; comes from the journal. */
  startSeconds: number;
  /** A byte from the guest's COM1. */
  serialOutput(byte: number): void;
  /** A byte to port e9h; without it the port does not exist. */
  debugOutput?(byte: number): void;
  /** Disks and CD-ROMs, in the order of the command line. */
  drives?: readonly Drive[];
  /** Memory of the video card that the guest reaches by itself; without it each access comes to the card. */
  video?: VideoMemory;
  /** Glyphs of 16 lines for text modes in which the guest has loaded none. */
  font?: Uint8Array;
  /** The network card: the first of all that are plugged in. */
  network?: CardMaker;
  /** Further PCI cards, each on a slot of its own behind the disks'. */
  cards?: readonly CardMaker[];
  /** Add what tests of hypervisors need of QEMU: isa-debug-exit at port f4h, and pc-testdev. */
  debugExit?: boolean;
  /** The guest ended by its own doing: power-off, reset or debug exit. */
  end(end: GuestEnd): void;
  /** INIT arrived: the vCPU waits for a start-up IPI. */
  init?(vcpu: number): void;
  /** Start-up IPI: a vCPU that waits starts in real mode at vector << 12. */
  startup?(vcpu: number, vector: number): void;
  /** An interrupt may have become deliverable: a halted vCPU looks again. */
  wake?(vcpu: number): void;
  a20Changed?(open: boolean): void;
  /** A BIOS runs and sets up the chipset and the PCI functions itself; otherwise they are as one left them. */
  bios?: boolean;
  /** What a BIOS finds by name in the firmware configuration device. */
  firmwareFiles?: readonly FirmwareFile[];
  /** QEMU's letters for what it tries first. */
  bootOrder?: string | undefined;
  /** The guest changed where accesses to a piece of C0000h to FFFFFh go. */
  shadowChanged?(area: ShadowArea): void;
  /** Interrupt controllers of the host's kernel in the place of this machine's own. */
  irqchip?: OutsideIrqchip | undefined;
  /** Where the vectors of a vCPU's local APIC lie; by default its own memory. */
  vectors?(vcpu: number): ApicVectors;
  /** Time stamp counter of a vCPU; by default virtual nanoseconds. */
  tsc?(vcpu: number): TscView;
}

/** The window at IA32_APIC_BASE (FEE00000h at power-on) shows each vCPU its own local APIC. */
class LapicWindow implements MmioDevice {
  readonly name = 'apic-msi';
  /** The vCPU whose access is being served. */
  active = 0;

  constructor(private readonly lapics: readonly Lapic[]) {}

  readonly #place = { gpa: 0, bytes: 0x1000 };

  get mmio(): { readonly gpa: number; readonly bytes: number } {
    // asked for at each access to any device
    this.#place.gpa = this.lapics[this.active].windowBase;
    return this.#place;
  }

  mmioRead(offset: number, bytes: number): bigint {
    const lapic = this.lapics[this.active];
    return lapic.hasWindow ? lapic.windowRead(offset, bytes) : (1n << BigInt(8 * bytes)) - 1n;
  }

  mmioRead32(offset: number, bytes: number): number {
    const lapic = this.lapics[this.active];
    return lapic.hasWindow ? lapic.windowRead32(offset, bytes) : 2 ** (8 * bytes) - 1;
  }

  mmioWrite32(offset: number, _bytes: number, value: number): void {
    const lapic = this.lapics[this.active];
    if (lapic.hasWindow) lapic.windowWrite32(offset, value);
  }

  steadyMmio(offset: number): SteadyAnswer | undefined {
    const lapic = this.lapics[this.active];
    return lapic.hasWindow && lapic.isSteady(offset >> 4) ? 'same' : undefined;
  }

  /** Reads have no effects. */
  mmioPeek(offset: number, bytes: number): bigint {
    return this.mmioRead(offset, bytes);
  }

  mmioWrite(offset: number, bytes: number, value: bigint): void {
    const lapic = this.lapics[this.active];
    if (lapic.hasWindow) lapic.windowWrite(offset, bytes, value);
  }
}

/** A wire that can be cut: the HPET takes the places of the 8254 and of the clock chip. */
class GatedLine implements IrqLine {
  private connected = true;
  private level = false;

  constructor(private readonly wire: IrqLine) {}

  set(high: boolean): void {
    this.level = high;
    if (this.connected) this.wire.set(high);
  }

  ignoresPulse(): boolean {
    return this.level && (!this.connected || this.wire.ignoresPulse?.() === true);
  }

  set open(connected: boolean) {
    this.connected = connected;
    this.wire.set(connected && this.level);
  }

  save(): StateOf<typeof GATE> {
    return { connected: this.connected, level: this.level };
  }

  /** The wire behind has its level already. */
  load({ connected, level }: StateOf<typeof GATE>): void {
    this.connected = connected;
    this.level = level;
  }
}

const GATE = record({ connected: flag, level: flag });
/** Level of every wire, the gates of timer and clock, and the NMI latch of each processor. */
const wiring = (wires: number, vcpus: number) =>
  record({ levels: list(flag, wires), gates: tuple(GATE, GATE), nmi: list(flag, vcpus) });
type WiringState = StateOf<ReturnType<typeof wiring>>;

export class Pc {
  readonly bus = new Bus();
  readonly lapic: readonly Lapic[];
  readonly pic: Pic8259;
  readonly ioapic: Ioapic;
  readonly pit: Pit8254;
  readonly rtc: Rtc146818;
  readonly serial: Serial16550;
  readonly keyboard: I8042;
  readonly pm: AcpiPm;
  readonly fpuError: FpuError;
  readonly vga: VgaCard;
  /** What the guest calls of a BIOS that is not there; undefined where one is. */
  readonly unserved: UnservedInterrupts | undefined;
  readonly hpet: Hpet;
  readonly pci: PciBus;
  readonly hostBridge: HostBridge;
  readonly isaBridge: IsaBridge;
  readonly apicBus = new ApicBus();
  readonly a20: A20Gate;
  readonly devices: Device[];
  /** State of all at power-on. */
  private powerOn: Readonly<Record<string, Saved>>;
  /** The host's kernel takes the interrupts of the local APICs. */
  readonly outsideApics: boolean;
  readonly irqs: IrqRouter;
  private readonly gates: readonly [GatedLine, GatedLine];
  private readonly window: LapicWindow;
  private readonly nmi: boolean[];

  constructor(private readonly options: PcOptions) {
    const { clock, vcpus } = options;
    const floppies = (options.drives ?? []).filter(({ bus }) => bus === 'floppy');
    const memoryOf = (device: string): GuestMemory => options.memory.of?.(device) ?? options.memory;
    const resetRequest = () => this.options.end({ kind: 'reset', status: 0, message: 'guest reset the machine' });
    this.unserved = options.bios ? undefined : new UnservedInterrupts();
    this.nmi = new Array(vcpus).fill(false);
    this.lapic = Array.from({ length: vcpus }, (_, id) => this.makeLapic(id));
    this.apicBus.lapics.push(...this.lapic);
    this.window = new LapicWindow(this.lapic);
    const { irqchip } = options;
    this.outsideApics = irqchip !== undefined;
    this.ioapic = new Ioapic(
      (message) => {
        if (!irqchip) this.apicBus.send(message);
        else {
          const { address, data } = asWrite(message);
          irqchip.message(address, data);
        }
      },
      () => {
        irqchip?.routesChanged();
        this.pit?.heard();
      },
    );
    this.pic = new Pic8259({ output: (high) => this.picOutput(high), listens: () => this.pit?.heard() });
    irqchip?.attach({ pic: this.pic, ioapic: this.ioapic, lapics: this.lapic });
    this.irqs =
      irqchip?.extent === 'all'
        ? new IrqRouter(
            { setLine: (irq, high) => irqchip.setLine(irq, high) },
            { setLine: (pin, high) => pin >= 16 && irqchip.setLine(pin, high) },
          )
        : new IrqRouter(this.pic, this.ioapic);
    this.a20 = new A20Gate(options.a20Changed);

    const timerLine = new GatedLine(this.irqs.line(0));
    const clockLine = new GatedLine(this.irqs.line(RTC_IRQ));
    this.gates = [timerLine, clockLine];
    this.pit = new Pit8254(clock, timerLine);
    this.serial = new Serial16550({
      name: 'serial0',
      base: COM1_BASE,
      irq: this.irqs.line(COM1_IRQ),
      clock,
      output: options.serialOutput,
    });
    this.keyboard = new I8042({
      irq: this.irqs.line(KEYBOARD_IRQ),
      auxIrq: this.irqs.line(MOUSE_IRQ),
      a20: this.a20,
      resetRequest,
    });
    this.rtc = new Rtc146818({
      clock,
      irq: clockLine,
      memoryBytes: options.memory.bytes,
      vcpus,
      floppies: floppies.map(floppyType),
      startSeconds: options.startSeconds,
      bootOrder: options.bootOrder,
      alarm: () => this.pm.alarm(),
    });
    const powerOff = (hibernated: boolean) =>
      options.end({
        ...({ kind: 'powered-off', status: 0 } as const),
        message: hibernated ? 'guest suspended itself to its disk and powered off' : 'guest powered off',
      });
    this.pm = new AcpiPm({
      clock,
      sci: this.irqs.line(SCI_IRQ),
      powerOff,
      suspend: () => options.end({ kind: 'suspended', status: 0, message: 'guest suspended itself to memory' }),
      resume: () => options.end({ kind: 'resumed', status: 0, message: 'guest wakes from memory' }),
    });
    const vgaRegisters = new VgaRegisters(clock);
    this.vga = new VgaCard({
      ...{ registers: vgaRegisters, clock, memory: memoryOf('vga'), font: options.font },
      video: options.video ?? new UnmappedVideoMemory(),
      hole: { first: lowRamEnd(options.memory.bytes), end: PCI_HOLE_END },
    });
    this.hpet = new Hpet({
      clock,
      line: (irq) => this.irqs.line(irq),
      replaceLegacy: (on) => {
        timerLine.open = !on;
        clockLine.open = !on;
        this.pit.heard();
      },
    });
    this.hostBridge = new HostBridge(options.shadowChanged);
    this.isaBridge = new IsaBridge((irq) => this.irqs.line(irq));
    this.pci = new PciBus({
      bus: this.bus,
      pirq: this.isaBridge,
      resetRequest,
      message: (address, data) =>
        irqchip ? irqchip.message(address, data) : this.apicBus.messageSignalled(address, data),
    });
    this.fpuError = new FpuError({
      irq: this.irqs.line(FPU_IRQ),
      inService: () => this.pic.serves(FPU_IRQ),
    });
    const board = new SystemPorts({ clock, pit: this.pit, a20: this.a20, resetRequest });

    const firmware = options.firmwareFiles ? { files: options.firmwareFiles } : {};
    const fwCfg = new FwCfg({ memoryBytes: options.memory.bytes, vcpus, memory: memoryOf('fw-cfg'), ...firmware });
    const onPorts = [
      this.serial,
      this.pic,
      this.pit,
      this.keyboard,
      this.rtc,
      this.pm,
      vgaRegisters,
      this.pci,
      board,
      this.fpuError,
      fwCfg,
    ];
    const extra: (Device & PortDevice)[] = [];
    if (options.debugOutput) extra.push(new Debugcon(options.debugOutput));
    if (this.unserved) extra.push(this.unserved);
    const ideDrives = (options.drives ?? []).filter(({ bus }) => bus === 'ide');
    const hasIde = ideDrives.length > 0 || options.bios === true;
    const irqLine = (irq: number) => this.irqs.line(irq);
    const ide = hasIde ? buildIde({ clock, memory: memoryOf('ide'), irqLine, drives: ideDrives }) : undefined;
    if (ide) extra.push(...ide.cables);
    if (floppies.length > 0 || options.bios === true) {
      const dma = new Dma8237(memoryOf('floppy'));
      extra.push(dma, new FloppyController({ dma, irq: this.irqs.line(FLOPPY_IRQ), drives: floppies }));
    }
    if (options.debugExit) {
      extra.push(new DebugExit((status, value) => this.debugExit(status, value)));
      const testdev = new PcTestdev(Array.from({ length: 24 }, (_, n) => (n === 2 ? undefined : this.irqs.line(n))));
      this.bus.addMmio(testdev);
      extra.push(testdev);
    }
    for (const device of [...onPorts, ...extra]) this.bus.addPorts(device);
    this.bus.addPorts(this.vga.vbe);
    this.bus.addMmio(this.vga.legacy);
    this.bus.addMmio(this.ioapic);
    this.bus.setFirstMmio(this.window);
    this.bus.addMmio(this.hpet);
    this.devices = [...onPorts, ...extra, this.hpet, this.ioapic, ...this.lapic];
    for (const chip of [this.hostBridge, this.isaBridge, new PowerManagement()]) this.plug(chip);
    // before what else has memory: its frame buffer keeps its place whatever cards there are
    this.plug(this.vga);
    if (ide) this.plug(ide.pci);
    if (options.network) this.plugCard(options.network);
    for (const { make } of driveCards(options.drives ?? [])) this.plugCard(make);
    for (const card of options.cards ?? []) this.plugCard(card);
    this.firmwareInit();
    this.powerOn = this.save();
  }

  /** Plugs a PCI function in; it is configured as firmware would unless a BIOS runs. @throws Error when its place is taken. */
  addPci(pciFunction: PciFunction): void {
    this.plug(pciFunction);
    if (!this.options.bios) this.pci.configure(pciFunction);
    this.powerOn = { ...this.powerOn, ...saveAll([pciFunction]) };
  }

  private plugCard(make: CardMaker): void {
    const place = { device: this.pci.freeDevice(FIRST_FREE_SLOT), function: 0 };
    const { memory, clock } = this.options;
    this.plug(make({ place, memory, clock }));
  }

  private plug(pciFunction: PciFunction): void {
    this.pci.add(pciFunction);
    this.devices.push(pciFunction);
  }

  private makeLapic(id: number): Lapic {
    const { clock, tsc, init, startup, wake, vectors } = this.options;
    return new Lapic({
      id,
      ...(vectors ? { vectors: vectors(id) } : {}),
      bus: this.apicBus,
      memory: this.options.memory,
      clock,
      tsc: tsc?.(id) ?? { hz: 1e9, now: () => BigInt(Math.floor(clock.now())) },
      endOfInterrupt: (vector) => this.ioapic.endOfInterrupt(vector),
      nmi: () => {
        this.nmi[id] = true;
      },
      init: () => {
        // The boot processor's LAPIC goes back to power-on as well: both wait or restart as the VMM decides.
        this.lapic[id].initReset();
        this.nmi[id] = false;
        init?.(id);
      },
      startup: (vector) => startup?.(id, vector),
      wake: () => wake?.(id),
    });
  }

  /** The 8259 pair's output goes to LINT0 of every processor and to the I/O APIC's pin 0. */
  private picOutput(high: boolean): void {
    for (const lapic of this.lapic) lapic.setLint0(high);
    this.ioapic.setLine(0, high);
    if (high) this.options.wake?.(0);
  }

  private debugExit(status: number, value: number): void {
    this.options.end({
      kind: 'debug-exit',
      status,
      message: `guest wrote 0x${value.toString(16)} to the debug exit port`,
    });
  }

  /**
   * What a BIOS programs before it starts a guest, with its masks: 8259 vectors 08h and 70h, timer, keyboard and
   * cascade open, of the slave the clock, mouse, FPU and disk; counter 0 at 18.2 Hz, virtual wire mode.
   */
  private firmwareInit(): void {
    if (this.options.bios) return;
    const out = (port: number, ...values: number[]) => {
      for (const value of values) this.bus.portWrite(port, 1, value);
    };
    out(0x20, 0x11);
    out(0x21, 0x08, 0x04, 0x01, 0xb8);
    out(0xa0, 0x11);
    out(0xa1, 0x70, 0x02, 0x01, 0x8e);
    // Level-triggered: the SCI, 9, and what the PCI interrupts are routed to, 10 and 11.
    out(0x4d1, 0b1110);
    out(0x43, 0x36);
    out(0x40, 0, 0);
    this.lapic[0].firmwareInit();
    this.hostBridge.openShadow();
    this.isaBridge.routeByFirmware();
    this.pci.configureAll();
  }

  /** Names the vCPU whose port or memory access comes next: it decides which local APIC answers. */
  set activeVcpu(vcpu: number) {
    this.window.active = vcpu;
  }

  get activeVcpu(): number {
    return this.window.active;
  }

  /** The timers to run the machine by. */
  get deadlines(): Deadlines {
    return this.options.clock.deadlines;
  }

  /** A clock chip ticks, though nobody hears it: time goes on for a guest that waits for nothing else. */
  get ticksUnheard(): boolean {
    return this.pit.rests || this.rtc.rests;
  }

  /** An interrupt wire for a further device, for example of PCI. */
  irqLine(irq: number): IrqLine {
    return this.irqs.line(irq);
  }

  /** True when the vCPU would take a maskable interrupt now if it has them enabled. */
  interruptPending(vcpu: number): boolean {
    const lapic = this.lapic[vcpu];
    return lapic.pending() !== undefined || this.extIntPending(lapic);
  }

  /** The local APIC of a vCPU is on, and no other chip has an interrupt for the vCPU. */
  servesAlone(vcpu: number): boolean {
    const lapic = this.lapic[vcpu];
    return lapic.enabled && !lapic.offersEnd && !this.extIntPending(lapic);
  }

  private extIntPending(lapic: Lapic): boolean {
    return this.pic.pending() && (lapic.extIntPending || lapic.acceptsPic());
  }

  /**
   * The vector to deliver; call it once for each delivery, after `interruptPending`. The local APIC goes first,
   * as in KVM's user-space order: a pending external vector then waits for the next boundary.
   */
  acknowledgeInterrupt(vcpu: number): number {
    const lapic = this.lapic[vcpu];
    if (lapic.pending() !== undefined) return lapic.acknowledge();
    lapic.clearExtInt();
    return this.pic.acknowledge();
  }

  nmiPending(vcpu: number): boolean {
    return this.nmi[vcpu];
  }

  /** The NMI was delivered (or is in the VMCS to be injected). */
  acknowledgeNmi(vcpu: number): void {
    this.nmi[vcpu] = false;
  }

  /** An NMI from the host (a monitor's `nmi`), on all vCPUs' LINT1. The RTC's port can mask it. */
  raiseNmi(): void {
    if (this.rtc.nmiMasked) return;
    for (const [vcpu] of this.lapic.entries()) {
      this.nmi[vcpu] = true;
      this.options.wake?.(vcpu);
    }
  }

  /** The text screen, or undefined in a graphics mode. */
  screen(): VgaText | undefined {
    return this.vga.screen();
  }

  /** RESET# on all devices, at whatever time: behind S3. */
  reset(): void {
    for (const device of this.devices) device.reset();
    this.nmi.fill(false);
    this.firmwareInit();
    this.forgetCounts();
  }

  /** The machine begins anew, and its clock: all devices as at power-on but for what a battery or the host keeps. */
  beginAgain(): void {
    for (const device of this.devices) {
      const powerOn = this.powerOnOf(device);
      device.load(device.beginAgain ? device.beginAgain(powerOn) : powerOn);
    }
    this.wires.load(this.powerOnOf(this.wires) as WiringState);
    this.forgetCounts();
  }

  private powerOnOf({ name }: Stateful): unknown {
    return structuredClone(this.powerOn[name].state);
  }

  /** Of interrupts, for observers: no state. */
  private forgetCounts(): void {
    this.irqs.raised.fill(0);
    for (const { accepted } of this.lapic) accepted.fill(0);
  }

  /** What lies between the devices; it is loaded last, since a device may drive its wires. */
  private get wires(): Stateful<WiringState> {
    return {
      name: 'wires',
      format: { kind: 'pc-wires', version: 2, shape: wiring(this.irqs.count, this.lapic.length) },
      save: () => ({
        levels: this.irqs.save(),
        gates: [this.gates[0].save(), this.gates[1].save()],
        nmi: this.nmi,
      }),
      load: ({ levels, gates, nmi }) => {
        this.irqs.load(levels);
        for (const [i, gate] of gates.entries()) this.gates[i].load(gate);
        for (const [vcpu, pending] of nmi.entries()) this.nmi[vcpu] = pending;
      },
    };
  }

  /** All that has state, in the order of loading. */
  get parts(): Stateful[] {
    return [...this.devices, this.wires];
  }

  /** State of every device by name, of the wires and of the NMI latches. */
  save(): Record<string, Saved> {
    return saveAll(this.parts);
  }

  /** @throws StateError when the states are of another machine; nothing is changed then. */
  load(states: Readonly<Record<string, Saved>>): void {
    checkAll(this.parts, states);
    loadAll(this.parts, states);
  }
}

export function buildPc(options: PcOptions): Pc {
  return new Pc(options);
}
