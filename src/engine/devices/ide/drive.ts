/** What disks and CD-ROM drives on an ATA cable have in common: the task file, the data port, interrupts, time. */
import {
  bytes,
  count,
  flag,
  list,
  oneOf,
  optional,
  record,
  type Schema,
  type StateOf,
  time,
  u8,
} from '../../state/schema.js';
import type { Clock, Nanoseconds, Timer } from '../device.js';
import { restoreTimer } from '../device-state.js';
import {
  COMMAND,
  CONTROL,
  COUNT,
  DEVICE,
  ERROR,
  ERROR_FEATURES,
  LBA_HIGH,
  LBA_LOW,
  LBA_MID,
  STATUS,
  STATUS_COMMAND,
} from './registers.js';

/** What a command takes, and each sector on top of it, in virtual time. */
const COMMAND_NS: Nanoseconds = 10_000;
const SECTOR_NS: Nanoseconds = 500;

/** The cable that a drive hangs on. */
export interface Cable {
  readonly clock: Clock;
  /** The drive's interrupt request changed. */
  interruptChanged(): void;
  /** True when the bus master waits for data. */
  readonly dmaStarted: boolean;
  /**
   * Moves data through the bus master's descriptors: into `data` from memory, or out of it.
   * @returns false when the descriptors or memory end before the data do.
   */
  transfer(data: Uint8Array, toMemory: boolean): boolean;
}

/** What the drive does next: once the time of a command has passed, or the data port is through its buffer. */
const PHASES = ['idle', 'busy', 'in', 'out', 'dma'] as const;
export type Phase = (typeof PHASES)[number];

const REGISTERS = record({
  /** Task file by offset; the previous values are behind the high-order-byte bit. */
  registers: list(u8, 8),
  previous: list(u8, 8),
  error: u8,
  status: u8,
  interrupt: flag,
  control: u8,
  phase: oneOf(...PHASES),
  buffer: bytes(),
  position: count,
  /** Command in progress. */
  command: u8,
});

/** What a drive saves: what every one has, and its own. */
export interface DriveState<S> {
  drive: StateOf<typeof REGISTERS>;
  busyUntil: number | undefined;
  own: S;
}

/** What a command leaves in the drive's registers. */
export interface TaskFile {
  status: number;
  error: number;
  /** By offset from the command block, and what they held before. */
  registers: readonly number[];
  previous: readonly number[];
}

export abstract class IdeDrive<S = object> {
  protected s: StateOf<typeof REGISTERS>;
  protected readonly timer: Timer;

  constructor(
    readonly name: string,
    protected readonly cable: Cable,
  ) {
    this.timer = cable.clock.timer(`${name} command`, () => this.busyEnds());
    this.s = {
      registers: new Array<number>(8).fill(0),
      previous: new Array<number>(8).fill(0),
      error: 0,
      status: 0,
      interrupt: false,
      control: 0,
      phase: 'idle',
      buffer: new Uint8Array(0),
      position: 0,
      command: 0,
    };
  }

  /** Does or starts a command that was written. */
  protected abstract execute(command: number): void;
  /** The time of the command or of a block has passed. */
  protected abstract busyEnds(): void;
  /** The host has read the whole buffer. */
  protected abstract bufferRead(): void;
  /** The host has filled the buffer. */
  protected abstract bufferWritten(): void;
  /** Task file after a reset, by which software tells disks from packet devices. */
  protected abstract signature(): { mid: number; high: number; status: number };
  protected abstract readonly ownShape: Schema<S>;
  protected abstract saveOwn(): S;
  protected abstract loadOwn(state: S): void;

  get interrupt(): boolean {
    return this.s.interrupt && (this.s.control & CONTROL.noInterrupt) === 0;
  }

  get status(): number {
    return this.s.status;
  }

  // ---- registers ----

  read(register: number): number {
    const { s } = this;
    if (register === STATUS_COMMAND) {
      this.setInterrupt(false);
      return s.status;
    }
    if ((s.control & CONTROL.highOrder) !== 0 && register >= COUNT && register <= LBA_HIGH) {
      return s.previous[register];
    }
    return register === ERROR_FEATURES ? s.error : s.registers[register];
  }

  write(register: number, value: number): void {
    const { s } = this;
    s.control &= ~CONTROL.highOrder;
    if ((s.status & STATUS.busy) !== 0 && register !== DEVICE) return;
    s.previous[register] = s.registers[register];
    s.registers[register] = value;
  }

  command(value: number): void {
    const { s } = this;
    const reset = value === COMMAND.deviceReset;
    if ((s.status & (STATUS.busy | STATUS.dataRequest)) !== 0 && !reset) return;
    this.setInterrupt(false);
    s.command = value;
    s.error = 0;
    this.execute(value);
  }

  /** The device control register; a falling reset bit starts the drive anew. */
  writeControl(value: number): void {
    const { s } = this;
    const before = s.control;
    s.control = value;
    if ((value & CONTROL.reset) !== 0 && (before & CONTROL.reset) === 0) {
      this.abandon();
      s.status = STATUS.busy;
    } else if ((value & CONTROL.reset) === 0 && (before & CONTROL.reset) !== 0) {
      this.softReset();
    }
    this.cable.interruptChanged();
  }

  // ---- data port ----

  readData(bytes: number): number {
    const { s } = this;
    if (s.phase !== 'in') return 0;
    let value = 0;
    for (let i = 0; i < bytes && s.position < s.buffer.length; i++) value |= s.buffer[s.position++] << (8 * i);
    if (s.position >= s.buffer.length) this.bufferRead();
    return value >>> 0;
  }

  writeData(bytes: number, value: number): void {
    const { s } = this;
    if (s.phase !== 'out') return;
    for (let i = 0; i < bytes && s.position < s.buffer.length; i++) s.buffer[s.position++] = (value >>> (8 * i)) & 0xff;
    if (s.position >= s.buffer.length) this.bufferWritten();
  }

  // ---- a cable that moves whole buffers, as SATA's ----

  get taskFile(): TaskFile {
    const { status, error, registers, previous } = this.s;
    return { status, error, registers, previous };
  }

  get phase(): Phase {
    return this.s.phase;
  }

  /** Bytes that the drive waits for. */
  get bufferRoom(): number {
    return this.s.buffer.length - this.s.position;
  }

  /** It waits for the packet of a PACKET command. */
  get wantsPacket(): boolean {
    return this.s.phase === 'out' && this.s.command === COMMAND.packet;
  }

  /** Software holds the reset bit. */
  get inReset(): boolean {
    return (this.s.control & CONTROL.reset) !== 0;
  }

  /** All that the data port would give now. */
  takeBuffer(): Uint8Array {
    const { s } = this;
    const rest = s.buffer.slice(s.position);
    s.position = s.buffer.length;
    this.bufferRead();
    return rest;
  }

  /** All that the drive waits for. */
  fillBuffer(data: Uint8Array): void {
    const { s } = this;
    s.buffer.set(data.subarray(0, this.bufferRoom), s.position);
    s.position = s.buffer.length;
    this.bufferWritten();
  }

  /** The host had no room for the data: the command fails. */
  giveUp(): void {
    this.abandon();
    this.fail(ERROR.aborted);
  }

  /** The host forgot the command. */
  abort(): void {
    this.softReset();
  }

  /** Data that the host's side of the cable knows, as a command's answer; without any the command fails. */
  answerWith(command: number, data: Uint8Array | undefined): void {
    this.setInterrupt(false);
    this.s.command = command;
    this.s.error = 0;
    if (data) this.offer(data);
    else this.fail(ERROR.aborted);
  }

  /** The bus master was started or the drive began to wait for it. */
  dmaReady(): void {
    if (this.s.phase === 'dma' && this.cable.dmaStarted) this.startDma();
  }

  /** Both sides are ready for the data of a DMA command. */
  protected abstract startDma(): void;

  // ---- what commands are made of ----

  /** Busy for the time that `sectors` take; `busyEnds` follows. */
  protected busy(sectors = 0): void {
    this.s.status = STATUS.busy;
    this.s.phase = 'busy';
    this.timer.arm(this.cable.clock.now() + COMMAND_NS + sectors * SECTOR_NS);
  }

  protected offer(data: Uint8Array): void {
    const { s } = this;
    s.buffer = data;
    s.position = 0;
    s.phase = 'in';
    s.status = STATUS.ready | STATUS.seekDone | STATUS.dataRequest;
    this.setInterrupt(true);
  }

  protected ask(bytes: number, interrupt: boolean): void {
    const { s } = this;
    s.buffer = new Uint8Array(bytes);
    s.position = 0;
    s.phase = 'out';
    s.status = STATUS.ready | STATUS.seekDone | STATUS.dataRequest;
    if (interrupt) this.setInterrupt(true);
  }

  protected awaitDma(): void {
    this.s.phase = 'dma';
    this.s.status = STATUS.ready | STATUS.seekDone | STATUS.dataRequest;
    this.dmaReady();
  }

  /** The command has ended well. */
  protected done(interrupt = true): void {
    const { s } = this;
    s.phase = 'idle';
    s.buffer = new Uint8Array(0);
    s.status = STATUS.ready | STATUS.seekDone;
    if (interrupt) this.setInterrupt(true);
  }

  /** The command has failed; who is told by the interrupt sees why. */
  protected fail(error: number): void {
    this.done(false);
    this.s.error = error;
    this.s.status |= STATUS.error;
    this.setInterrupt(true);
  }

  protected setInterrupt(high: boolean): void {
    this.s.interrupt = high;
    this.cable.interruptChanged();
  }

  private abandon(): void {
    this.timer.cancel();
    this.s.phase = 'idle';
    this.s.buffer = new Uint8Array(0);
    this.s.interrupt = false;
  }

  protected softReset(): void {
    const { s } = this;
    this.abandon();
    const { mid, high, status } = this.signature();
    s.error = 1;
    s.registers[COUNT] = 1;
    s.registers[LBA_LOW] = 1;
    s.registers[LBA_MID] = mid;
    s.registers[LBA_HIGH] = high;
    s.registers[DEVICE] = 0;
    s.previous.fill(0);
    s.status = status;
  }

  /** Power-on. */
  reset(): void {
    this.s.control = 0;
    this.softReset();
  }

  get shape(): Schema<DriveState<S>> {
    const whole = record({ drive: REGISTERS, busyUntil: optional(time), own: this.ownShape });
    return whole as unknown as Schema<DriveState<S>>;
  }

  save(): DriveState<S> {
    return { drive: this.s, busyUntil: this.timer.deadline, own: this.saveOwn() };
  }

  load({ drive, busyUntil, own }: DriveState<S>): void {
    this.s = drive;
    this.loadOwn(own);
    restoreTimer(this.timer, busyUntil);
  }

  /** The state at power-on, with the medium that is in it now. */
  keepMedium(powerOn: DriveState<S>): DriveState<S> {
    return powerOn;
  }

  abstract describe(): string;
}
