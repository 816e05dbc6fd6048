/** The chipset of QEMU's pc machine: 440FX host bridge, PIIX3 ISA bridge and PIIX4 power management. */
import type { StateFormat } from '../../state/saved.js';
import { flag, list, record, type StateOf } from '../../state/schema.js';
import type { IrqLine } from '../device.js';
import { PM_BASE, SCI_IRQ } from '../platform.js';
import type { PirqSink } from './bus.js';
import { COMMAND, INTERRUPT_LINE, PciFunction, STATUS } from './function.js';

const INTEL = 0x8086;

const PAM = 0x59;
const PAM_REGISTERS = 7;
const PAM_READ = 1;
const PAM_WRITE = 2;
const SMRAM = 0x72;
const SMRAM_POWER_ON = 0x02;
const SMRAM_LOCK = 0x10;
const SMRAM_OPEN = 0x40;

/** A piece of the area from C0000h to FFFFFh: where its reads and writes go, to RAM or else past it. */
export interface ShadowArea {
  gpa: number;
  bytes: number;
  readRam: boolean;
  writeRam: boolean;
}

/** The 440FX host bridge. `shadow` is told when the guest changes where the firmware area's accesses go. */
export class HostBridge extends PciFunction {
  constructor(private readonly shadow: (area: ShadowArea) => void = () => {}) {
    super(
      '440FX host bridge',
      { device: 0, function: 0 },
      { vendor: INTEL, device: 0x1237, classCode: 0x060000, revision: 2 },
    );
    this.config[COMMAND] = 0x06;
    this.put(STATUS, 2, 0x0280);
    this.config[SMRAM] = SMRAM_POWER_ON;
    this.open(0x50, 8);
    for (let i = 0; i < PAM_REGISTERS; i++) this.open(PAM + i, 1, i === 0 ? 0x30 : 0x33);
    this.open(SMRAM, 1, 0x78);
  }

  /** The 13 areas in order of address. @datasheet Intel 82441FX "PAM[6:0]" */
  areas(): ShadowArea[] {
    const area = (gpa: number, bytes: number, nibble: number): ShadowArea => ({
      ...{ gpa, bytes },
      readRam: (nibble & PAM_READ) !== 0,
      writeRam: (nibble & PAM_WRITE) !== 0,
    });
    const low = Array.from({ length: 12 }, (_, i) =>
      area(0xc0000 + i * 0x4000, 0x4000, this.config[PAM + 1 + (i >> 1)] >> (4 * (i & 1))),
    );
    return [...low, area(0xf0000, 0x10000, this.config[PAM] >> 4)];
  }

  /** Firmware leaves the whole area as RAM. */
  openShadow(): void {
    for (let i = 0; i < PAM_REGISTERS; i++) this.config[PAM + i] = i === 0 ? 0x30 : 0x33;
    for (const area of this.areas()) this.shadow(area);
  }

  override configWrite(register: number, bytes: number, value: number): void {
    const before = this.areas();
    const smram = this.config[SMRAM];
    super.configWrite(register, bytes, value);
    // Once locked, the register is read-only until the next reset and SMRAM is closed.
    if (smram & SMRAM_LOCK) this.config[SMRAM] = smram;
    if (this.config[SMRAM] & SMRAM_LOCK) this.config[SMRAM] &= ~SMRAM_OPEN;
    for (const [i, area] of this.areas().entries()) {
      if (area.readRam !== before[i].readRam || area.writeRam !== before[i].writeRam) this.shadow(area);
    }
  }

  protected override resetDevice(): void {
    for (const area of this.areas()) this.shadow(area);
  }

  protected override loadDevice(): void {
    this.resetDevice();
  }

  override describe(): [string, string][] {
    const text = ({ gpa, readRam, writeRam }: ShadowArea) =>
      `${gpa.toString(16)}:${readRam ? 'r' : '-'}${writeRam ? 'w' : '-'}`;
    return [...super.describe(), ['shadow RAM', this.areas().map(text).join(' ')]];
  }
}

const PIRQ_ROUTE = 0x60;
const PIRQS = 4;
const NOT_ROUTED = 0x80;
/** Interrupts that a PIRQ may be routed to; the others belong to the board. */
const ROUTABLE = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15];
/** Where firmware routes PIRQA to PIRQD, as SeaBIOS does. */
export const FIRMWARE_ROUTES: readonly number[] = [10, 10, 11, 11];
/** PIRQA to PIRQD are also wired to these inputs of the I/O APIC. */
export const PIRQ_GSI = 16;

const ISA_BRIDGE = record({
  /** Level of each PIRQ. */
  levels: list(flag, PIRQS),
});
type IsaBridgeState = StateOf<typeof ISA_BRIDGE>;

/** The PIIX3 ISA bridge: routes the four PCI interrupts to ISA ones. */
export class IsaBridge extends PciFunction<IsaBridgeState> implements PirqSink {
  private readonly levels = [false, false, false, false];
  private readonly isa = new Map<number, IrqLine>();
  private readonly direct: IrqLine[];

  /** `line` makes a wire of its own to an interrupt input; several wires to one input are OR-ed. */
  constructor(line: (irq: number) => IrqLine) {
    super(
      'PIIX3 ISA bridge',
      { device: 1, function: 0 },
      { vendor: INTEL, device: 0x7000, classCode: 0x060100, multifunction: true },
    );
    this.config[COMMAND] = 0x07;
    this.put(STATUS, 2, 0x0200);
    for (let pirq = 0; pirq < PIRQS; pirq++) this.config[PIRQ_ROUTE + pirq] = NOT_ROUTED;
    this.open(0x4c, 0x60 - 0x4c);
    for (let pirq = 0; pirq < PIRQS; pirq++) this.open(PIRQ_ROUTE + pirq, 1, 0x8f);
    this.open(0x64, 0xf0 - 0x64);
    for (const irq of ROUTABLE) this.isa.set(irq, line(irq));
    this.direct = Array.from({ length: PIRQS }, (_, pirq) => line(PIRQ_GSI + pirq));
  }

  isaIrq(pirq: number): number | undefined {
    const route = this.config[PIRQ_ROUTE + pirq];
    const irq = route & 0x0f;
    return (route & NOT_ROUTED) !== 0 || !this.isa.has(irq) ? undefined : irq;
  }

  setPirq(pirq: number, high: boolean): void {
    this.levels[pirq] = high;
    this.direct[pirq].set(high);
    this.drive();
  }

  /** Firmware's routing. */
  routeByFirmware(): void {
    for (const [pirq, irq] of FIRMWARE_ROUTES.entries()) this.config[PIRQ_ROUTE + pirq] = irq;
    this.drive();
  }

  private drive(): void {
    const high = new Set<number | undefined>();
    for (let pirq = 0; pirq < PIRQS; pirq++) if (this.levels[pirq]) high.add(this.isaIrq(pirq));
    for (const [irq, line] of this.isa) line.set(high.has(irq));
  }

  protected override configWritten(): void {
    this.drive();
  }

  protected override resetDevice(): void {
    this.drive();
  }

  protected override get deviceFormat(): StateFormat<IsaBridgeState> {
    return { kind: 'isa-bridge', version: 1, shape: ISA_BRIDGE };
  }

  protected override saveDevice(): IsaBridgeState {
    return { levels: this.levels };
  }

  protected override loadDevice({ levels }: IsaBridgeState): void {
    for (const [pirq, high] of levels.entries()) this.levels[pirq] = high;
  }

  override describe(): [string, string][] {
    const route = (pirq: number) => `${this.isaIrq(pirq) ?? '-'}${this.levels[pirq] ? ' high' : ''}`;
    return [...super.describe(), ...['A', 'B', 'C', 'D'].map((n, i): [string, string] => [`PIRQ${n}`, route(i)])];
  }
}

/** The PIIX4's power management function; its registers are the device `acpi-pm`. */
export class PowerManagement extends PciFunction {
  /** The SCI does not follow the routing of PIRQs: ACPI's tables name its line. */
  override readonly wiredIrq = SCI_IRQ;

  constructor() {
    super(
      'PIIX4 power management',
      { device: 1, function: 3 },
      { vendor: INTEL, device: 0x7113, classCode: 0x068000, revision: 3, pin: 1 },
    );
    this.put(STATUS, 2, 0x0280);
    this.config[INTERRUPT_LINE] = this.wiredIrq;
    // Base address of the block, bit 0: I/O; its enable bit. The block does not move.
    this.put(0x40, 2, PM_BASE | 1);
    this.config[0x80] = 0x01;
    // Firmware takes APMC_EN for system management mode that is set up already: there is none to set up.
    this.config[0x5b] = 0x02;
    this.open(0x90, 4, 0xffc0);
    this.open(0xd2, 1);
  }
}
