/**
 * The floppy controller of a PC: an 82077AA on IRQ 6 and DMA channel 2. Seeks and transfers take no time; the order of
 * interrupts and results is the chip's. @datasheet Intel 82077AA "CHMOS Single-Chip Floppy Disk Controller"
 */
import { bytes, flag, int, list, oneOf, optional, record, type StateOf, tuple, u8 } from '../../state/schema.js';
import type { Drive } from '../block.js';
import type { Device, IrqLine, PortDevice, PortRange } from '../device.js';
import { hex } from '../device-state.js';
import type { Dma8237 } from '../dma-8237.js';
import { MEDIUM, MediumBay } from '../medium-bay.js';
import { FloppyDrive, SECTOR_BYTES, type SectorResult } from './drive.js';

export const FLOPPY_IRQ = 6;
export const FLOPPY_DRIVES = 2;
const DMA_CHANNEL = 2;

const PORT_SRA = 0x3f0;
const PORT_SRB = 0x3f1;
const PORT_DOR = 0x3f2;
const PORT_TDR = 0x3f3;
const PORT_STATUS = 0x3f4;
const PORT_FIFO = 0x3f5;
const PORT_DIR = 0x3f7;

const DOR_DRIVE = 0x03;
const DOR_RUNS = 0x04;
const DOR_DMA = 0x08;
const DSR_RESET = 0x80;
const MSR_READY = 0x80;
const MSR_TO_HOST = 0x40;
const MSR_NON_DMA = 0x20;
const MSR_BUSY = 0x10;
const DIR_CHANGED = 0x80;

const ST0_ABNORMAL = 0x40;
const ST0_INVALID = 0x80;
const ST0_POLLING = 0xc0;
const ST0_SEEK_END = 0x20;
const ST0_CHECK = 0x10;
const ST1_END = 0x80;
const ST1_DATA = 0x20;
const ST1_NO_DATA = 0x04;
const ST1_PROTECTED = 0x02;
const ST1_NO_MARK = 0x01;
const ST2_WRONG_CYLINDER = 0x10;
const ST2_SCAN_HIT = 0x08;
const ST2_SCAN_FAILED = 0x04;
const ST3_PROTECTED = 0x40;
const ST3_READY = 0x20;
const ST3_TRACK_0 = 0x10;
const ST3_TWO_SIDES = 0x08;

const MULTITRACK = 0x80;
const HEAD = 0x04;
const NON_DMA = 0x01;
const IMPLIED_SEEK = 0x40;
const LOCK = 0x80;
const VERSION_82077 = 0x90;

const TRANSFERS = {
  read: 'to host',
  'read track': 'to host',
  write: 'from host',
  verify: 'none',
  scan: 'from host',
  format: 'from host',
} as const;
type TransferKind = keyof typeof TRANSFERS;

const TRANSFER = record({
  kind: oneOf('read', 'read track', 'write', 'verify', 'scan', 'format'),
  drive: int(0, 3),
  cylinder: u8,
  head: u8,
  sector: u8,
  /** N: a sector has 128 << N bytes. */
  size: u8,
  /** The last sector of a track; of a format, how many are to come. */
  last: u8,
  multitrack: flag,
  fill: u8,
  condition: oneOf('equal', 'low', 'high'),
  /** The sector that is moved byte by byte, and how far. */
  buffer: bytes(),
  at: int(0, 1 << 14),
});
type Transfer = StateOf<typeof TRANSFER>;

const STATE = record({
  dor: u8,
  dsr: u8,
  tdr: u8,
  ccr: u8,
  phase: oneOf('command', 'execution', 'result'),
  /** The command's bytes so far, or the results that are still to be read. */
  fifo: list(u8, { atMost: 16 }),
  transfer: optional(TRANSFER),
  /** ST0 of seeks and of the reset whose interrupt is not sensed yet, by drive. */
  pending: list(u8, { atMost: 4 }),
  interrupt: flag,
  specify: tuple(u8, u8),
  configure: tuple(u8, u8),
  locked: flag,
  perpendicular: u8,
  drives: list(record({ cylinder: u8, changed: flag, medium: MEDIUM }), FLOPPY_DRIVES),
});
type FloppyState = StateOf<typeof STATE>;

/** Parameters and work by the low five bits of the first byte; TRANSFER commands have MT, MFM and SK above them. */
interface Command {
  readonly name: string;
  readonly parameters: number;
  run(fdc: FloppyController, parameters: number[], first: number): void;
}

export interface FloppyOptions {
  dma: Dma8237;
  irq: IrqLine;
  /** A and B. */
  drives: readonly (Drive | undefined)[];
}

export class FloppyController implements Device<FloppyState>, PortDevice {
  readonly name = 'floppy';
  readonly format = { kind: 'fdc-82077', version: 2, shape: STATE };
  readonly ports: readonly PortRange[] = [
    { first: PORT_SRA, count: 6 },
    { first: PORT_DIR, count: 1 },
  ];
  readonly portWidth = 1;
  readonly drives: readonly FloppyDrive[];
  private s: Omit<FloppyState, 'drives'> = powerOn();

  constructor(private readonly options: FloppyOptions) {
    this.drives = Array.from(
      { length: FLOPPY_DRIVES },
      (_, n) =>
        new FloppyDrive(new MediumBay(options.drives[n] ?? { name: `floppy${n}`, kind: 'floppy', store: undefined })),
    );
  }

  reset(): void {
    this.options.dma.withdraw(DMA_CHANNEL);
    this.s = powerOn();
    this.interrupt(false);
    for (const drive of this.drives) drive.cylinder = 0;
  }

  // --- ports ---

  portRead(port: number): number {
    const { s } = this;
    switch (port) {
      case PORT_SRA: {
        const drive = this.selected;
        const track0 = drive?.cylinder === 0 ? 0 : 0x10;
        return (s.interrupt ? 0x80 : 0) | (this.drives[1].hasDisk ? 0 : 0x40) | track0;
      }
      case PORT_SRB:
        return 0xc0 | ((s.dor >> 4) & 3) | (s.dor & 1 ? 0x20 : 0);
      case PORT_DOR:
        return s.dor;
      case PORT_TDR:
        return s.tdr;
      case PORT_STATUS:
        return this.mainStatus();
      case PORT_FIFO:
        return this.readFifo();
      case PORT_DIR:
        return this.selected?.changed ? DIR_CHANGED : 0;
      default:
        return 0xff;
    }
  }

  portWrite(port: number, _bytes: number, value: number): void {
    const { s } = this;
    switch (port) {
      case PORT_DOR:
        this.writeDor(value);
        break;
      case PORT_TDR:
        s.tdr = value & 3;
        break;
      case PORT_STATUS:
        s.dsr = value & ~DSR_RESET;
        if (value & DSR_RESET) this.softReset();
        break;
      case PORT_FIFO:
        this.writeFifo(value);
        break;
      case PORT_DIR:
        s.ccr = value & 3;
        break;
    }
  }

  private writeDor(value: number): void {
    const ran = this.s.dor & DOR_RUNS;
    this.s.dor = value;
    if ((value & DOR_RUNS) === 0) {
      this.halt();
      this.interrupt(false);
    } else if (!ran) this.softReset();
  }

  /** All that a command in work holds. */
  private halt(): void {
    this.options.dma.withdraw(DMA_CHANNEL);
    Object.assign(this.s, { phase: 'command', fifo: [], transfer: undefined, pending: [] });
  }

  /** After it the drives are polled: each has an interrupt status to be sensed. */
  private softReset(): void {
    this.halt();
    const { s } = this;
    if (!s.locked) s.configure = [0, 0];
    s.pending = [0, 1, 2, 3].map((drive) => ST0_POLLING | drive);
    this.interrupt(true);
  }

  private mainStatus(): number {
    const { phase, transfer, fifo, dor } = this.s;
    if ((dor & DOR_RUNS) === 0) return 0;
    if (phase === 'command') return MSR_READY | (fifo.length > 0 ? MSR_BUSY : 0);
    if (phase === 'result') return MSR_READY | MSR_TO_HOST | MSR_BUSY;
    if (!transfer || this.usesDma) return MSR_BUSY;
    const toHost = TRANSFERS[transfer.kind] === 'to host' ? MSR_TO_HOST : 0;
    return MSR_READY | toHost | MSR_NON_DMA | MSR_BUSY;
  }

  private readFifo(): number {
    const { s } = this;
    if (s.phase === 'execution') return this.readByte();
    if (s.phase === 'command') return 0;
    this.interrupt(false);
    const value = s.fifo.shift() ?? 0;
    if (s.fifo.length === 0) s.phase = 'command';
    return value;
  }

  private writeFifo(value: number): void {
    const { s } = this;
    if ((s.dor & DOR_RUNS) === 0 || s.phase === 'result') return;
    if (s.phase === 'execution') {
      this.writeByte(value);
      return;
    }
    s.fifo.push(value);
    const [first] = s.fifo;
    const command = commandOf(first);
    if (s.fifo.length <= (command?.parameters ?? 0)) return;
    const parameters = s.fifo.slice(1);
    s.fifo = [];
    if (command) command.run(this, parameters, first);
    else this.results([ST0_INVALID]);
  }

  // --- what commands do ---

  get selected(): FloppyDrive | undefined {
    return this.drives[this.s.dor & DOR_DRIVE];
  }

  private get usesDma(): boolean {
    return (this.s.specify[1] & NON_DMA) === 0;
  }

  private interrupt(high: boolean): void {
    this.s.interrupt = high;
    this.options.irq.set(high && (this.s.dor & DOR_DMA) !== 0);
  }

  results(values: number[], interrupt = false): void {
    const { s } = this;
    s.phase = 'result';
    s.fifo = values;
    s.transfer = undefined;
    if (!interrupt) return;
    s.pending = this.seeksPending();
    this.interrupt(true);
  }

  /** A further interrupt ends the telling of the reset: who sensed less than four of it goes on. */
  private seeksPending(): number[] {
    return this.s.pending.filter((st0) => (st0 & ST0_POLLING) !== ST0_POLLING);
  }

  specify(first: number, second: number): void {
    this.s.specify = [first, second];
  }

  configure(first: number, second: number): void {
    this.s.configure = [first, second];
  }

  lock(first: number): void {
    this.s.locked = (first & LOCK) !== 0;
    this.results([this.s.locked ? 0x10 : 0]);
  }

  perpendicular(value: number): void {
    this.s.perpendicular = value;
  }

  dumpRegisters(): void {
    const { specify, configure, locked, perpendicular } = this.s;
    const cylinders = [0, 1, 2, 3].map((n) => this.drives[n]?.cylinder ?? 0);
    const last = this.selected?.format?.sectors ?? 0;
    this.results([...cylinders, ...specify, last, (locked ? LOCK : 0) | (perpendicular & 0x7f), ...configure]);
  }

  driveStatus(select: number): void {
    const drive = this.drives[select & DOR_DRIVE];
    const protect = drive?.hasDisk && drive.writeProtected ? ST3_PROTECTED : 0;
    const track0 = drive?.cylinder === 0 ? ST3_TRACK_0 : 0;
    this.results([protect | ST3_READY | track0 | ST3_TWO_SIDES | (select & (HEAD | DOR_DRIVE))]);
  }

  /** The head goes to a cylinder; the interrupt tells when it is there. */
  seek(select: number, cylinder: number): void {
    const number = select & DOR_DRIVE;
    const drive = this.drives[number];
    drive?.seek(cylinder);
    // a drive that is not there never finds its track 0
    const found = drive ? ST0_SEEK_END : ST0_SEEK_END | ST0_ABNORMAL | ST0_CHECK;
    this.s.pending = [...this.seeksPending().filter((st0) => (st0 & DOR_DRIVE) !== number), found | (select & 7)];
    this.interrupt(true);
  }

  relativeSeek(first: number, select: number, steps: number): void {
    const cylinder = this.drives[select & DOR_DRIVE]?.cylinder ?? 0;
    this.seek(select, cylinder + (first & 0x40 ? steps : -steps));
  }

  senseInterrupt(): void {
    const { s } = this;
    const st0 = s.pending.shift();
    if (st0 === undefined) {
      this.results([ST0_INVALID]);
      return;
    }
    if (this.seeksPending().length === 0) this.interrupt(false);
    this.results([st0, this.drives[st0 & DOR_DRIVE]?.cylinder ?? 0]);
  }

  /** The first sector's address that passes under the head. */
  readId(select: number): void {
    const drive = this.drives[select & DOR_DRIVE];
    const head = (select & HEAD) >> 2;
    const { format, cylinder } = drive ?? {};
    const there = format !== undefined && head < format.heads && (cylinder ?? 0) < format.cylinders;
    if (there) this.results([select & 7, 0, 0, cylinder ?? 0, head, 1, 2], true);
    else this.results([ST0_ABNORMAL | (select & 7), ST1_NO_MARK, 0, cylinder ?? 0, head, 1, 2], true);
  }

  start(kind: TransferKind, first: number, parameters: number[], condition: Transfer['condition'] = 'equal'): void {
    const { s } = this;
    const isFormat = kind === 'format';
    const [select, ...rest] = parameters;
    const drive = this.drives[select & DOR_DRIVE];
    const head = (select & HEAD) >> 2;
    const [cylinder, , sector, size, last] = isFormat ? [drive?.cylinder ?? 0, 0, 1, rest[0], rest[1]] : rest;
    if (!isFormat && s.configure[0] & IMPLIED_SEEK) drive?.seek(cylinder);
    const transfer: Transfer = {
      ...{ kind, condition, drive: select & DOR_DRIVE, cylinder, head, size, last },
      sector: kind === 'read track' ? 1 : sector,
      multitrack: (first & MULTITRACK) !== 0 && kind !== 'read track',
      fill: isFormat ? rest[3] : 0,
      ...{ buffer: new Uint8Array(0), at: 0 },
    };
    s.transfer = transfer;
    s.phase = 'execution';
    if (!isFormat && drive && cylinder !== drive.cylinder) {
      this.stop(ST1_NO_DATA, ST2_WRONG_CYLINDER);
      return;
    }
    if (!drive?.hasDisk) {
      this.stop(ST1_NO_MARK, 0);
      return;
    }
    if (size > 2 || (!isFormat && size < 2)) {
      this.stop(ST1_NO_MARK, 0);
      return;
    }
    if (isFormat && drive.writeProtected) {
      this.stop(ST1_PROTECTED, 0);
      return;
    }
    if (isFormat && last === 0) {
      this.stop(0, 0, true);
      return;
    }
    if (TRANSFERS[kind] === 'none') {
      this.verify(transfer);
      return;
    }
    if (this.usesDma) this.options.dma.request(DMA_CHANNEL, () => this.transferByDma());
    else this.nextBuffer(transfer);
  }

  private verify(transfer: Transfer): void {
    const sector = new Uint8Array(SECTOR_BYTES);
    for (;;) {
      const fault = this.access(transfer, sector);
      if (fault) {
        this.stop(...fault);
        return;
      }
      if (!this.advance(transfer)) {
        this.stop(0, 0, true);
        return;
      }
    }
  }

  /** Moves sector after sector until the channel's count or the track ends. Both bound it. */
  private transferByDma(): void {
    const { dma } = this.options;
    const { transfer } = this.s;
    if (!transfer) return;
    for (;;) {
      const buffer = new Uint8Array(unitOf(transfer));
      const toHost = TRANSFERS[transfer.kind] === 'to host';
      const before = toHost ? this.access(transfer, buffer) : undefined;
      if (before) {
        this.stop(...before);
        return;
      }
      const { terminal } = toHost ? dma.toMemory(DMA_CHANNEL, buffer) : dma.fromMemory(DMA_CHANNEL, buffer);
      const after = toHost ? undefined : this.access(transfer, buffer);
      if (after) {
        this.stop(...after);
        return;
      }
      const more = this.advance(transfer);
      if (terminal) {
        this.stop(0, 0, true);
        return;
      }
      if (!more) {
        this.endOfTrack(transfer);
        return;
      }
      // a channel that ended or was masked meanwhile: the rest waits for it
      if (!dma.open(DMA_CHANNEL)) {
        dma.request(DMA_CHANNEL, () => this.transferByDma());
        return;
      }
    }
  }

  // --- byte by byte, without DMA ---

  private nextBuffer(transfer: Transfer): void {
    transfer.buffer = new Uint8Array(unitOf(transfer));
    transfer.at = 0;
    if (TRANSFERS[transfer.kind] === 'to host') {
      const fault = this.access(transfer, transfer.buffer);
      if (fault) {
        this.stop(...fault);
        return;
      }
    }
    this.interrupt(true);
  }

  private readByte(): number {
    const { transfer } = this.s;
    if (!transfer || this.usesDma || TRANSFERS[transfer.kind] !== 'to host') return 0;
    this.interrupt(false);
    const value = transfer.buffer[transfer.at++];
    if (transfer.at === transfer.buffer.length) this.bufferDone(transfer);
    return value;
  }

  private writeByte(value: number): void {
    const { transfer } = this.s;
    if (!transfer || this.usesDma || TRANSFERS[transfer.kind] !== 'from host') return;
    this.interrupt(false);
    transfer.buffer[transfer.at++] = value;
    if (transfer.at < transfer.buffer.length) return;
    const fault = this.access(transfer, transfer.buffer);
    if (fault) this.stop(...fault);
    else this.bufferDone(transfer);
  }

  /** Nobody gives a terminal count here: the end of the track is the end. */
  private bufferDone(transfer: Transfer): void {
    if (this.advance(transfer)) this.nextBuffer(transfer);
    else this.endOfTrack(transfer);
  }

  private endOfTrack({ kind }: Transfer): void {
    if (kind === 'format') this.stop(0, 0, true);
    else this.stop(ST1_END, 0);
  }

  // --- one sector ---

  /** Reads, writes, compares or formats the transfer's sector; answers ST1 and ST2 of a failure. */
  private access(transfer: Transfer, buffer: Uint8Array): [number, number] | undefined {
    const drive = this.drives[transfer.drive];
    const { head, sector } = transfer;
    switch (transfer.kind) {
      case 'read':
      case 'read track':
      case 'verify':
        return faultOf(drive.read(head, sector, buffer));
      case 'write':
        return faultOf(drive.write(head, sector, buffer));
      case 'format':
        return faultOf(drive.write(head, buffer[2], new Uint8Array(SECTOR_BYTES).fill(transfer.fill)));
      case 'scan': {
        const there = new Uint8Array(SECTOR_BYTES);
        const fault = faultOf(drive.read(head, sector, there));
        if (fault) return fault;
        return scanMatches(transfer.condition, there, buffer) ? [0, ST2_SCAN_HIT] : undefined;
      }
    }
  }

  /** Goes on to the next sector; false at the end of the track, or of the cylinder where both heads take part. */
  private advance(transfer: Transfer): boolean {
    if (transfer.kind === 'format') {
      transfer.sector++;
      return --transfer.last > 0;
    }
    const ended = transfer.sector === transfer.last;
    if (!ended && transfer.sector < 0xff) {
      transfer.sector++;
      return true;
    }
    transfer.sector = 1;
    if (!transfer.multitrack || transfer.head === 1) {
      transfer.cylinder = (transfer.cylinder + 1) & 0xff;
      if (transfer.multitrack) transfer.head = 0;
      return false;
    }
    transfer.head = 1;
    return true;
  }

  /** Ends the transfer: with its terminal count or a scan's hit normally, else abnormally. */
  private stop(st1: number, st2: number, normal = false): void {
    const { transfer } = this.s;
    if (!transfer) return;
    const { kind, drive, cylinder, head, sector, size } = transfer;
    const scanned = kind === 'scan' && normal ? ST2_SCAN_FAILED : st2;
    const fine = normal || st2 === ST2_SCAN_HIT;
    const st0 = (fine ? 0 : ST0_ABNORMAL) | (head << 2) | drive;
    this.results([st0, st1, scanned, cylinder, head, sector, size], true);
  }

  get mediumDrives(): readonly FloppyDrive[] {
    return this.drives;
  }

  /** Another start finds in the drives what is in them. */
  beginAgain(powerOn: FloppyState): FloppyState {
    const drives = powerOn.drives.map((state, n) => ({ ...state, medium: this.drives[n].bay.file }));
    return { ...powerOn, drives };
  }

  save(): FloppyState {
    return {
      ...this.s,
      drives: this.drives.map(({ cylinder, changed, bay }) => ({ cylinder, changed, medium: bay.file })),
    };
  }

  load({ drives, ...state }: FloppyState): void {
    this.s = state;
    for (const [n, { medium, ...drive }] of drives.entries()) {
      this.drives[n].bay.put(medium);
      Object.assign(this.drives[n], drive);
    }
    const { transfer, phase } = state;
    if (transfer && phase === 'execution' && this.usesDma)
      this.options.dma.request(DMA_CHANNEL, () => this.transferByDma());
  }

  describe(): [string, string][] {
    const { phase, dor, transfer } = this.s;
    const rows = this.drives.map(({ format, cylinder, writeProtected }, n): [string, string] => {
      const disk = format ? `${format.cylinders}/${format.heads}/${format.sectors}` : 'no disk';
      return [`drive ${'AB'[n]}`, `${disk}${format && writeProtected ? ' write-protected' : ''}, cylinder ${cylinder}`];
    });
    return [['phase', `${phase}${transfer ? ` ${transfer.kind}` : ''}`], ['DOR', hex(dor)], ...rows];
  }
}

function powerOn(): Omit<FloppyState, 'drives'> {
  return {
    ...{ dor: 0x0c, dsr: 2, tdr: 0, ccr: 2, phase: 'command', fifo: [], transfer: undefined, pending: [] },
    ...{ interrupt: false, specify: [0, 0], configure: [0, 0], locked: false, perpendicular: 0 },
  };
}

/** Bytes that a step of the transfer moves: a sector, or the four of its address. */
function unitOf({ kind }: Transfer): number {
  return kind === 'format' ? 4 : SECTOR_BYTES;
}

function faultOf(result: SectorResult): [number, number] | undefined {
  const faults: Record<SectorResult, [number, number] | undefined> = {
    done: undefined,
    absent: [ST1_NO_DATA, 0],
    failed: [ST1_DATA, 0],
    protected: [ST1_PROTECTED, 0],
  };
  return faults[result];
}

/** FFh in the host's bytes matches all. */
function scanMatches(condition: Transfer['condition'], disk: Uint8Array, host: Uint8Array): boolean {
  return disk.every((byte, i) => {
    if (host[i] === 0xff || byte === host[i]) return true;
    return condition === 'low' ? byte < host[i] : condition === 'high' && byte > host[i];
  });
}

const transferCommand = (name: string, kind: TransferKind, condition?: Transfer['condition']): Command => ({
  name,
  parameters: 8,
  run: (fdc, parameters, first) => fdc.start(kind, first, parameters, condition),
});

/** By the low five bits of the first byte. */
const COMMANDS: Readonly<Record<number, Command>> = {
  2: transferCommand('READ TRACK', 'read track'),
  3: { name: 'SPECIFY', parameters: 2, run: (fdc, [a, b]) => fdc.specify(a, b) },
  4: { name: 'SENSE DRIVE STATUS', parameters: 1, run: (fdc, [select]) => fdc.driveStatus(select) },
  5: transferCommand('WRITE DATA', 'write'),
  6: transferCommand('READ DATA', 'read'),
  7: { name: 'RECALIBRATE', parameters: 1, run: (fdc, [select]) => fdc.seek(select & DOR_DRIVE, 0) },
  8: { name: 'SENSE INTERRUPT STATUS', parameters: 0, run: (fdc) => fdc.senseInterrupt() },
  9: transferCommand('WRITE DELETED DATA', 'write'),
  10: { name: 'READ ID', parameters: 1, run: (fdc, [select]) => fdc.readId(select) },
  12: transferCommand('READ DELETED DATA', 'read'),
  13: { name: 'FORMAT TRACK', parameters: 5, run: (fdc, parameters, first) => fdc.start('format', first, parameters) },
  14: { name: 'DUMPREG', parameters: 0, run: (fdc) => fdc.dumpRegisters() },
  15: {
    name: 'SEEK',
    parameters: 2,
    run: (fdc, [select, cylinder], first) =>
      first & 0x80 ? fdc.relativeSeek(first, select, cylinder) : fdc.seek(select, cylinder),
  },
  16: { name: 'VERSION', parameters: 0, run: (fdc) => fdc.results([VERSION_82077]) },
  17: transferCommand('SCAN EQUAL', 'scan', 'equal'),
  18: { name: 'PERPENDICULAR MODE', parameters: 1, run: (fdc, [value]) => fdc.perpendicular(value) },
  19: { name: 'CONFIGURE', parameters: 3, run: (fdc, [, a, b]) => fdc.configure(a, b) },
  20: { name: 'LOCK', parameters: 0, run: (fdc, _, first) => fdc.lock(first) },
  22: transferCommand('VERIFY', 'verify'),
  25: transferCommand('SCAN LOW OR EQUAL', 'scan', 'low'),
  29: transferCommand('SCAN HIGH OR EQUAL', 'scan', 'high'),
};

function commandOf(first: number): Command | undefined {
  return COMMANDS[first & 0x1f];
}
