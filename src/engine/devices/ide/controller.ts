/**
 * The IDE controller of the PIIX3: two cables at the places of the PC/AT, each with a bus master.
 * @datasheet Intel 82371SB "IDE Interface", SFF-8038i
 */
import type { StateFormat } from '../../state/saved.js';
import { flag, record, type Schema, u8, u32 } from '../../state/schema.js';
import type { Drive } from '../block.js';
import type { Clock, Device, GuestMemory, IrqLine, PortDevice, PortRange } from '../device.js';
import { hex } from '../device-state.js';
import { MediumBay, type MediumDrive } from '../medium-bay.js';
import { COMMAND as PCI_COMMAND, STATUS as PCI_STATUS, PciFunction } from '../pci/function.js';
import { CdromDrive } from './cdrom.js';
import { AtaDisk } from './disk.js';
import type { Cable, IdeDrive } from './drive.js';
import { COMMAND, DATA, DEVICE, DEVICE_SECOND, STATUS_COMMAND } from './registers.js';

const CABLES = [
  { command: 0x1f0, control: 0x3f6, irq: 14 },
  { command: 0x170, control: 0x376, irq: 15 },
] as const;
export const IDE_DRIVES = 4;
/** The second cable's first place, where PCs have the drive for CDs. */
export const CD_PLACE = 2;

const BM_COMMAND = 0;
const BM_STATUS = 2;
const BM_TABLE = 4;
const BM_BYTES = 8;
const BM_START = 0x01;
const BM_TO_MEMORY = 0x08;
const BM_ACTIVE = 0x01;
const BM_ERROR = 0x02;
const BM_INTERRUPT = 0x04;
const BM_CAPABLE = 0x60;
const PRD_BYTES = 8;
const PRD_END = 0x8000_0000;
const MAX_PRDS = 8192;

export interface IdeCableOptions {
  index: 0 | 1;
  clock: Clock;
  memory: GuestMemory;
  irq: IrqLine;
}

const BUS_MASTER = record({ command: u8, status: u8, table: u32 });

interface CableState {
  second: boolean;
  bm: { command: number; status: number; table: number };
  /** Of each drive that there is. */
  first: object;
  other: object;
}

/** One cable: its two drives, its ports and its half of the bus master. */
export class IdeCable implements Cable, Device<CableState>, PortDevice {
  readonly name: string;
  readonly ports: readonly PortRange[];
  readonly clock: Clock;
  readonly drives: (IdeDrive | undefined)[] = [undefined, undefined];
  private readonly commandBase: number;
  private second = false;
  private bm = { command: 0, status: 0, table: 0 };

  constructor(private readonly options: IdeCableOptions) {
    const { command, control } = CABLES[options.index];
    this.name = `ide${options.index}`;
    this.clock = options.clock;
    this.commandBase = command;
    this.ports = [
      { first: command, count: 8 },
      { first: control, count: 1 },
    ];
  }

  private get selected(): IdeDrive | undefined {
    return this.drives[this.second ? 1 : 0];
  }

  portRead(port: number, bytes: number): number {
    const register = port - this.commandBase;
    if (register === DATA) return this.selected?.readData(bytes) ?? 0xffffffff;
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.registerRead(port + i) << (8 * i);
    return value >>> 0;
  }

  /** A drive that is not there does not drive the wires: they read as zeros. */
  private registerRead(port: number): number {
    const register = port - this.commandBase;
    const drive = this.selected;
    if (drive === undefined) return 0;
    return register > STATUS_COMMAND || register < 0 ? drive.status : drive.read(register);
  }

  portWrite(port: number, bytes: number, value: number): void {
    if (port === this.commandBase) {
      this.selected?.writeData(bytes, value);
      return;
    }
    for (let i = 0; i < bytes; i++) this.registerWrite(port + i, (value >>> (8 * i)) & 0xff);
  }

  private registerWrite(port: number, value: number): void {
    const register = port - this.commandBase;
    if (register > STATUS_COMMAND || register < 0) {
      for (const drive of this.drives) drive?.writeControl(value);
      return;
    }
    if (register === STATUS_COMMAND) {
      const all = value === COMMAND.diagnostic;
      for (const drive of all ? this.drives : [this.selected]) drive?.command(value);
      if (all) this.second = false;
      return;
    }
    for (const drive of this.drives) drive?.write(register, value);
    if (register === DEVICE) {
      this.second = (value & DEVICE_SECOND) !== 0;
      this.interruptChanged();
    }
  }

  /** Only the drive that is selected drives the interrupt wire. */
  interruptChanged(): void {
    const high = this.selected?.interrupt ?? false;
    if (high) this.bm.status |= BM_INTERRUPT;
    this.options.irq.set(high);
  }

  // ---- bus master ----

  get dmaStarted(): boolean {
    return (this.bm.command & BM_START) !== 0;
  }

  busMasterRead(offset: number, bytes: number): number {
    const { command, status, table } = this.bm;
    const image = [command, 0, status, 0, table & 255, (table >>> 8) & 255, (table >>> 16) & 255, table >>> 24];
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (image[offset + i] ?? 0) << (8 * i);
    return value >>> 0;
  }

  busMasterWrite(offset: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.busMasterByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  private busMasterByte(offset: number, value: number): void {
    const { bm } = this;
    if (offset === BM_COMMAND) {
      const started = (value & BM_START) !== 0 && (bm.command & BM_START) === 0;
      bm.command = value & (BM_START | BM_TO_MEMORY);
      if ((value & BM_START) === 0) bm.status &= ~BM_ACTIVE;
      if (!started) return;
      bm.status |= BM_ACTIVE;
      this.selected?.dmaReady();
    } else if (offset === BM_STATUS) {
      // error and interrupt are cleared by ones
      bm.status = (bm.status & ~(value & (BM_ERROR | BM_INTERRUPT)) & ~BM_CAPABLE) | (value & BM_CAPABLE);
    } else if (offset >= BM_TABLE) {
      const shift = 8 * (offset - BM_TABLE);
      bm.table = ((bm.table & ~(0xff << shift)) | ((offset === BM_TABLE ? value & ~3 : value) << shift)) >>> 0;
    }
  }

  transfer(data: Uint8Array, toMemory: boolean): boolean {
    const { bm } = this;
    const { memory } = this.options;
    bm.status &= ~BM_ACTIVE;
    if (((bm.command & BM_TO_MEMORY) !== 0) !== toMemory) return false;
    try {
      let done = 0;
      for (let i = 0; i < MAX_PRDS && done < data.length; i++) {
        const entry = memory.read(bm.table + i * PRD_BYTES, PRD_BYTES).slice();
        const view = new DataView(entry.buffer);
        const gpa = view.getUint32(0, true) & ~1;
        const bytes = Math.min(view.getUint32(4, true) & 0xfffe || 0x10000, data.length - done);
        if (toMemory) memory.write(gpa >>> 0, data.subarray(done, done + bytes));
        else data.set(memory.read(gpa >>> 0, bytes), done);
        done += bytes;
        if (view.getUint32(4, true) >= PRD_END) break;
      }
      return done === data.length;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      bm.status |= BM_ERROR;
      return false;
    }
  }

  // ---- Device ----

  reset(): void {
    this.second = false;
    this.bm = { command: 0, status: 0, table: 0 };
    for (const drive of this.drives) drive?.reset();
    this.options.irq.set(false);
  }

  get format(): StateFormat<CableState> {
    const [first, other] = this.drives.map((drive): Schema<object> => drive?.shape ?? record({}));
    const shape = record({ second: flag, bm: BUS_MASTER, first, other });
    return { kind: 'ide-cable', version: 2, shape };
  }

  /** Drives whose medium can be changed. */
  get mediumDrives(): MediumDrive[] {
    return this.drives.filter((drive) => drive instanceof CdromDrive);
  }

  beginAgain(powerOn: CableState): CableState {
    const [first, other] = [powerOn.first, powerOn.other].map((state, i): object =>
      this.drives[i] ? this.drives[i].keepMedium(state as never) : state,
    );
    return { ...powerOn, first, other };
  }

  save(): CableState {
    const [first, other] = this.drives.map((drive): object => drive?.save() ?? {});
    return { second: this.second, bm: this.bm, first, other };
  }

  load({ second, bm, first, other }: CableState): void {
    this.second = second;
    this.bm = bm;
    this.drives[0]?.load(first as never);
    this.drives[1]?.load(other as never);
  }

  describe(): [string, string][] {
    const rows = this.drives.map((drive, i): [string, string] => [
      `drive ${i}${this.second === (i === 1) ? ' *' : ''}`,
      drive === undefined ? '-' : `${drive.describe()}, status ${hex(drive.status)}`,
    ]);
    return [...rows, ['bus master', `${hex(this.bm.command)} ${hex(this.bm.status)} table ${hex(this.bm.table, 8)}`]];
  }
}

/** The controller's place on the PCI bus: both cables stay where the PC/AT had them, only the bus masters move. */
export class IdeFunction extends PciFunction {
  constructor(cables: readonly IdeCable[]) {
    super('PIIX3 IDE', { device: 1, function: 1 }, { vendor: 0x8086, device: 0x7010, classCode: 0x010180 });
    this.put(PCI_STATUS, 2, 0x0280);
    this.config[PCI_COMMAND] = 0x01;
    // IDETIM of both cables: decoding is on, as firmware leaves it
    this.put(0x40, 4, 0x8000_8000);
    this.open(0x40, 5);
    this.bar(4, 'io', 2 * BM_BYTES, {
      read: (offset, bytes) => cables[offset >> 3].busMasterRead(offset & 7, bytes),
      write: (offset, bytes, value) => cables[offset >> 3].busMasterWrite(offset & 7, bytes, value),
    });
  }
}

export interface IdeOptions {
  clock: Clock;
  memory: GuestMemory;
  irqLine(irq: number): IrqLine;
  /** At most four: the first two are on the first cable. */
  drives: readonly Drive[];
}

/** Both cables with their drives. CD-ROMs go behind the disks: to the second cable's first place when it is free. */
export function buildIde({ clock, memory, irqLine, drives }: IdeOptions): { cables: IdeCable[]; pci: IdeFunction } {
  const cables = ([0, 1] as const).map(
    (index) => new IdeCable({ index, clock, memory, irq: irqLine(CABLES[index].irq) }),
  );
  for (const [place, drive] of idePlaces(drives)) {
    const cable = cables[place >> 1];
    const { name, serial } = drive;
    cable.drives[place & 1] =
      drive.kind === 'cdrom' || drive.store === undefined
        ? new CdromDrive({ name, serial, bay: new MediumBay(drive), cable })
        : new AtaDisk({ name, serial, store: drive.store, cable });
  }
  return { cables, pci: new IdeFunction(cables) };
}

/** Disks from the first place on; the first CD-ROM goes to the third place, where PCs have it, if no disk is there. */
export function idePlaces(drives: readonly Drive[]): Map<number, Drive> {
  const taken = new Map<number, Drive>();
  const disks = drives.filter(({ kind }) => kind === 'disk');
  for (const [place, drive] of disks.entries()) taken.set(place, drive);
  for (const drive of drives.filter(({ kind }) => kind === 'cdrom')) {
    const place = [CD_PLACE, 3, 1, 0].find((candidate) => !taken.has(candidate));
    if (place !== undefined) taken.set(place, drive);
  }
  return taken;
}
