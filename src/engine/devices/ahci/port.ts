/** A port of the controller with its drive: commands by their slots, FISes, the port's registers. @ahci 5 "Data Transfer Operation" */
import { record, type Schema } from '../../state/schema.js';
import type { Clock, Timer } from '../device.js';
import { bitNames, hex, restoreTimer } from '../device-state.js';
import type { Cable, IdeDrive } from '../ide/drive.js';
import { COUNT, DEVICE, ERROR_FEATURES, LBA_HIGH, LBA_LOW, LBA_MID, STATUS } from '../ide/registers.js';
import { deviceBitsFis, type HostCommand, hostCommand, pioSetupFis, RECEIVED } from './fis.js';
import { OWN, type PortState, powerOn } from './port-state.js';
import { movePrdt } from './prdt.js';
import { isQueued, type QueuedCommands, READ_LOG_EXT } from './queued.js';
import {
  CAUSE,
  CAUSE_NAMES,
  CMD,
  CMD_WRITABLE,
  CONNECTED,
  ERROR_EXCHANGED,
  NO_SIGNATURE,
  NO_STATUS,
  PX,
} from './registers.js';
import { HEADER_BYTES, type ReportOptions, Reports } from './reports.js';

const TABLE_PACKET = 0x40;
const TABLE_PRDT = 0x80;
const PACKET_BYTES = 12;
const HEADER_CLEAR_BUSY = 0x400;
const CONTROL_RESET = 0x04;

/** Those that are read as they are. */
const PLAIN_REGISTERS = new Map<number, keyof PortState['own']['registers'] & keyof typeof PX>(
  (['clb', 'clbu', 'fb', 'fbu', 'ie', 'tfd', 'sig', 'sctl', 'serr', 'sact', 'ci'] as const).map((name) => [
    PX[name],
    name,
  ]),
);

/** What a piece of data or the end of a command costs beside its bytes, in bytes moved. */
const STEP_WORK = 16384;

/** From the doorbell to the drive, in virtual time. */
const ISSUE_NS = 2_000;
/** A port that has worked for a while goes on so much later: the guest has its turn. */
const REST_NS = 10_000_000;

export interface PortOptions extends ReportOptions {
  name: string;
  clock: Clock;
}

export class AhciPort implements Cable {
  readonly clock: Clock;
  drive: IdeDrive | undefined;
  /** Present where the drive is a disk. */
  queued: QueuedCommands | undefined;
  private s = powerOn();
  private advancing = false;
  private readonly timer: Timer;
  private readonly reports: Reports;

  constructor(private readonly options: PortOptions) {
    this.clock = options.clock;
    this.reports = new Reports(options, () => this.s.registers);
    this.timer = options.clock.timer(`${options.name} slots`, () => this.run());
  }

  // --- registers ---------------------------------------------------------------------------------------------

  /** Causes that the port wants to interrupt by. */
  get pending(): number {
    const { is, ie } = this.s.registers;
    return (this.interruptStatus(is) & ie) >>> 0;
  }

  private interruptStatus(is: number): number {
    return is | (this.s.registers.serr & ERROR_EXCHANGED ? CAUSE.connected : 0);
  }

  read(offset: number): number {
    const r = this.s.registers;
    if (offset === PX.is) return this.interruptStatus(r.is) >>> 0;
    if (offset === PX.cmd) return r.cmd | (r.cmd & CMD.start ? (this.s.slot ?? 0) << 8 : 0);
    if (offset === PX.ssts) return this.drive && (r.sctl & 0xf) === 0 ? CONNECTED : 0;
    const plain = PLAIN_REGISTERS.get(offset);
    return plain === undefined ? 0 : r[plain];
  }

  write(offset: number, value: number): void {
    const r = this.s.registers;
    switch (offset) {
      case PX.clb:
        r.clb = (value & ~0x3ff) >>> 0;
        break;
      case PX.clbu:
        r.clbu = value;
        break;
      case PX.fb:
        r.fb = (value & ~0xff) >>> 0;
        break;
      case PX.fbu:
        r.fbu = value;
        break;
      case PX.is:
        r.is = (r.is & ~value) >>> 0;
        this.options.interruptChanged();
        break;
      case PX.ie:
        r.ie = (value & 0xfdc0_00ff) >>> 0;
        this.options.interruptChanged();
        break;
      case PX.cmd:
        this.writeCommand(value);
        break;
      case PX.sctl:
        this.writeControl(value);
        break;
      case PX.serr:
        r.serr = (r.serr & ~value) >>> 0;
        this.options.interruptChanged();
        break;
      case PX.sact:
        if (r.cmd & CMD.start) r.sact = (r.sact | value) >>> 0;
        break;
      case PX.ci:
        if ((r.cmd & CMD.start) === 0) break;
        r.ci = (r.ci | value) >>> 0;
        this.wake(ISSUE_NS);
        break;
    }
  }

  private writeCommand(value: number): void {
    const r = this.s.registers;
    const before = r.cmd;
    let cmd = (value & CMD_WRITABLE) | (before & CMD.atapi);
    if (value & CMD.override) r.tfd &= ~(STATUS.busy | STATUS.dataRequest);
    // the interface's state is as soon reached as it is asked for
    cmd &= 0x0fff_ffff;
    if (cmd & CMD.start) cmd |= CMD.running;
    if (cmd & CMD.receive) cmd |= CMD.receiving;
    r.cmd = cmd >>> 0;
    if ((cmd & CMD.start) === 0) this.stop();
    if (cmd & CMD.receive) this.greet();
  }

  /** COMRESET while DET is 1; the device comes back when it is 0. */
  private writeControl(value: number): void {
    const r = this.s.registers;
    const before = r.sctl & 0xf;
    r.sctl = (value & 0xfff) >>> 0;
    if (before === 1 && (value & 0xf) === 0) this.resetDevice();
  }

  private resetDevice(): void {
    const r = this.s.registers;
    this.stop();
    this.drive?.reset();
    this.queued?.reset();
    r.tfd = NO_STATUS;
    r.sig = NO_SIGNATURE;
    r.sact = 0;
    r.ci = 0;
    this.s.greeted = false;
    this.s.stopped = false;
    if (this.drive) r.serr = (r.serr | ERROR_EXCHANGED) >>> 0;
    if (r.cmd & CMD.receive) this.greet();
    this.options.interruptChanged();
  }

  /** The device's first FIS, by which software knows what it is. */
  private greet(): void {
    const { drive, s } = this;
    if (!drive || s.greeted) return;
    s.greeted = true;
    const { registers: r } = drive.taskFile;
    s.registers.sig = ((r[LBA_HIGH] << 24) | (r[LBA_MID] << 16) | (r[LBA_LOW] << 8) | r[COUNT]) >>> 0;
    s.registers.cmd = (s.registers.cmd & ~CMD.atapi) | (r[LBA_HIGH] === 0xeb ? CMD.atapi : 0);
    this.reports.sendRegisters(this.drive!.taskFile, false);
  }

  /** ST went to 0: what was issued is forgotten, and what the drive was at. */
  private stop(): void {
    const { s } = this;
    this.timer.cancel();
    s.registers.ci = 0;
    s.registers.sact = 0;
    s.stopped = false;
    if (s.slot === undefined) return;
    s.slot = undefined;
    this.drive?.abort();
  }

  // --- commands ----------------------------------------------------------------------------------------------

  private wake(ns: number): void {
    if (this.timer.deadline === undefined) this.timer.arm(this.clock.now() + ns);
  }

  private get idle(): boolean {
    const { s } = this;
    return s.slot === undefined && !s.stopped;
  }

  /** Goes on with the command under way, then with the slots that are issued. */
  private run(): void {
    if (!this.options.mayMaster() || !this.drive) return;
    this.options.bus.beginTurn();
    this.advance();
    let served = 0;
    while (this.idle && this.s.registers.ci !== 0 && this.s.registers.cmd & CMD.start) {
      if (this.options.bus.tired || served++ >= 32) {
        this.wake(REST_NS);
        break;
      }
      this.start(lowestBit(this.s.registers.ci));
    }
    this.queued?.finish((tags, failed) => this.queuedEnded(tags, failed));
  }

  private start(slot: number): void {
    const { s } = this;
    const { bus } = this.options;
    const r = s.registers;
    const header = bus.view(r.clb + r.clbu * 2 ** 32 + slot * HEADER_BYTES, 16);
    const flags = header.getUint32(0, true);
    const gpa = (header.getUint32(8, true) & ~0x7f) >>> 0;
    s.table = { gpa: gpa + header.getUint32(12, true) * 2 ** 32, entries: flags >>> 16 };
    s.position = { entry: 0, offset: 0 };
    s.moved = 0;
    s.packetSent = false;
    const command = hostCommand(bus.view(s.table.gpa, 20));
    if (!command) {
      this.fatal();
      return;
    }
    if (!command.isCommand) this.control(slot, flags, command);
    else if (isQueued(command.command) && this.queued) this.queue(slot, command);
    else this.execute(slot, command);
  }

  /** A host bus error: the list or the table is none. */
  private fatal(): void {
    this.s.stopped = true;
    this.reports.raise(CAUSE.hostData);
  }

  /** The device control register: a reset by software is two of these. */
  private control(slot: number, flags: number, { control }: HostCommand): void {
    const { drive, s } = this;
    const resets = (control & CONTROL_RESET) === 0 && drive!.inReset;
    drive!.writeControl(control & CONTROL_RESET);
    s.registers.ci = (s.registers.ci & ~(1 << slot)) >>> 0;
    s.registers.tfd = drive!.taskFile.status;
    if (flags & HEADER_CLEAR_BUSY) s.registers.tfd &= ~STATUS.busy;
    if (resets) {
      this.queued?.reset();
      this.reports.sendRegisters(this.drive!.taskFile, true);
    }
  }

  private execute(slot: number, command: HostCommand): void {
    const { drive, s } = this;
    s.slot = slot;
    const high = (shift: number) => Math.floor(command.lba / 2 ** shift) & 0xff;
    const set = (register: number, previous: number, value: number) => {
      drive!.write(register, previous);
      drive!.write(register, value);
    };
    set(ERROR_FEATURES, command.features >> 8, command.features & 0xff);
    set(COUNT, command.count >> 8, command.count & 0xff);
    set(LBA_LOW, high(24), high(0));
    set(LBA_MID, high(32), high(8));
    set(LBA_HIGH, high(40), high(16));
    // there is one device on the cable
    drive!.write(DEVICE, command.device & ~0x10);
    s.registers.tfd = STATUS.busy | STATUS.ready;
    if (command.command === READ_LOG_EXT && this.queued)
      drive!.answerWith(READ_LOG_EXT, this.queued.log(command.lba % 256));
    else drive!.command(command.command);
    this.advance();
  }

  /** The drive waits for data, or has ended. Not while it does already: it asks for the next piece from within. */
  private advance(): void {
    if (this.advancing || !this.drive) return;
    this.advancing = true;
    try {
      while (this.s.slot !== undefined && this.step(this.drive)) {
        if (!this.options.bus.tired) continue;
        this.wake(REST_NS);
        break;
      }
    } finally {
      this.advancing = false;
    }
  }

  /** False when the drive is busy or through. */
  private step(drive: IdeDrive): boolean {
    const { s } = this;
    if (drive.status & STATUS.busy) return false;
    const { phase } = drive;
    this.options.bus.spend(STEP_WORK);
    if (phase === 'in') {
      const { taskFile } = drive;
      const data = drive.takeBuffer();
      const file = { ...taskFile, status: taskFile.status };
      this.reports.post(RECEIVED.pioSetup, pioSetupFis(file, true, data.length, drive.status));
      const fits = this.move(data, true);
      this.reports.raise(CAUSE.pioSetup);
      if (!fits) drive.giveUp();
      return true;
    }
    if (phase === 'out') {
      const bytes = drive.bufferRoom;
      this.reports.post(RECEIVED.pioSetup, pioSetupFis(drive.taskFile, false, bytes, STATUS.busy));
      const data = new Uint8Array(bytes);
      if (drive.wantsPacket && !s.packetSent) {
        s.packetSent = true;
        data.set(this.options.bus.read(s.table.gpa + TABLE_PACKET, PACKET_BYTES));
      } else if (!this.move(data, false)) {
        drive.giveUp();
        return true;
      }
      drive.fillBuffer(data);
      return true;
    }
    if (phase === 'dma') return false;
    this.ended(drive);
    return false;
  }

  private move(data: Uint8Array, toMemory: boolean): boolean {
    const { s } = this;
    const list = { gpa: s.table.gpa + TABLE_PRDT, entries: s.table.entries };
    const moved = movePrdt(this.options.bus, list, s.position, data, toMemory);
    s.moved += moved;
    return moved === data.length;
  }

  /** The drive's command has ended, well or not. */
  private ended(drive: IdeDrive): void {
    const { s } = this;
    const slot = s.slot!;
    const r = s.registers;
    s.slot = undefined;
    this.reports.moved(slot, s.moved);
    const failed = (drive.status & STATUS.error) !== 0;
    if (failed) s.stopped = true;
    else r.ci = (r.ci & ~(1 << slot)) >>> 0;
    this.reports.sendRegisters(this.drive!.taskFile, true);
    if (failed) this.reports.raise(CAUSE.taskFile);
    else if (r.ci !== 0) this.wake(ISSUE_NS);
  }

  // --- queued commands ---------------------------------------------------------------------------------------

  private queue(slot: number, command: HostCommand): void {
    const { s } = this;
    const r = s.registers;
    // the device has taken the command: it is not busy and the slot is the tag's alone
    r.ci = (r.ci & ~(1 << slot)) >>> 0;
    r.tfd = STATUS.ready | STATUS.seekDone;
    const ok = this.queued!.run(command, (data, toMemory) => this.move(data, toMemory));
    if (ok) this.reports.moved(slot, s.moved);
    else s.stopped = true;
  }

  private queuedEnded(tags: number, failed: boolean): void {
    const r = this.s.registers;
    r.sact = (r.sact & ~tags) >>> 0;
    const status = STATUS.ready | STATUS.seekDone | (failed ? STATUS.error : 0);
    const error = failed ? 0x04 : 0;
    r.tfd = status | (error << 8);
    this.reports.post(RECEIVED.deviceBits, deviceBitsFis(status, error, tags));
    this.reports.raise(CAUSE.deviceBits | (failed ? CAUSE.taskFile : 0));
  }

  // --- what the drive asks of its cable ----------------------------------------------------------------------

  interruptChanged(): void {
    if (this.s.slot === undefined || !this.drive?.interrupt) return;
    this.advance();
    // the next command is started behind the drive's work, not inside it
    if (this.idle && this.s.registers.ci !== 0) this.wake(ISSUE_NS);
  }

  readonly dmaStarted = true;

  transfer(data: Uint8Array, toMemory: boolean): boolean {
    return this.move(data, toMemory);
  }

  // --- state -------------------------------------------------------------------------------------------------

  reset(): void {
    this.timer.cancel();
    this.drive?.reset();
    this.queued?.reset();
    this.s = powerOn();
  }

  get shape(): Schema<PortState> {
    const none = record({});
    const shape = record({
      own: OWN,
      drive: (this.drive?.shape ?? none) as Schema<object>,
      queued: (this.queued?.shape ?? none) as Schema<object>,
    });
    return shape as unknown as Schema<PortState>;
  }

  save(): PortState {
    const own = { ...this.s, goesOnAt: this.timer.deadline };
    return { own, drive: this.drive?.save() ?? {}, queued: this.queued?.save() ?? {} };
  }

  load({ own, drive, queued }: PortState): void {
    this.s = own;
    restoreTimer(this.timer, own.goesOnAt);
    this.drive?.load(drive as never);
    this.queued?.load(queued as never);
  }

  describe(): string {
    const { drive } = this;
    if (!drive) return '-';
    const r = this.s.registers;
    const running = r.cmd & CMD.start ? 'running' : 'stopped';
    const work = `issued ${hex(r.ci, 8)} active ${hex(r.sact, 8)} status ${hex(r.tfd & 0xff)}`;
    const requests = this.queued ? `, ${this.queued.describe()}` : '';
    return `${drive.describe()}, ${running}, ${work}, ${bitNames(this.pending, CAUSE_NAMES)}${requests}`;
  }
}

function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value);
}
