/** An NVMe controller with one namespace. @nvme NVM Express Base Specification 1.4 */
import { counted } from '../../counted.js';
import type { StateFormat } from '../../state/saved.js';
import { optional, record, type Schema, time, u32 } from '../../state/schema.js';
import { BlockError, type BlockStore } from '../block.js';
import type { Clock, Timer } from '../device.js';
import { hex, restoreTimer } from '../device-state.js';
import { BusMaster } from '../pci/bus-master.js';
import { type CardSlot, narrowed } from '../pci/card.js';
import { PciFunction } from '../pci/function.js';
import { CAPABILITY_MSIX, type MsixState, MsixTable, msixCapability } from '../pci/msix.js';
import { AdminCommands } from './admin.js';
import { NvmCommands } from './commands.js';
import { VENDOR } from './identify.js';
import { QUEUES, Queues, type SubmissionQueue } from './queues.js';
import * as R from './registers.js';

const DEVICE = 0x0010;
const REGISTERS_BAR = 0;
const REGISTER_BYTES = 0x4000;
const MSIX_BAR = 4;
const MSIX_BYTES = 0x1000;
const MSIX_PENDING = 0x800;
const VECTORS = R.IO_QUEUES + 1;
const MAX_PAGE_SHIFT = 4;
/** What a command costs beside its bytes, in bytes moved. */
const COMMAND_WORK = 8192;
/** A controller that has worked for a while goes on so much later: the guest has its turn. */
const REST_NS = 10_000_000;

const REGISTERS = record({
  ...{ masked: u32, control: u32, status: u32, adminSizes: u32 },
  ...{ asqLow: u32, asqHigh: u32, acqLow: u32, acqHigh: u32 },
});

interface NvmeState {
  registers: ReturnType<typeof powerOn>;
  queues: object;
  admin: object;
  work: object;
  msix: MsixState;
  resumesAt: number | undefined;
}

export interface NvmeOptions {
  name: string;
  serial: string;
  store: BlockStore;
}

export class NvmeController extends PciFunction<NvmeState> {
  private readonly bus: BusMaster;
  private readonly queues: Queues;
  private readonly nvm: NvmCommands;
  private readonly admin: AdminCommands;
  private readonly msix: MsixTable;
  private readonly msixAt: number;
  private readonly clock: Clock;
  private readonly rest: Timer;
  private r = powerOn();

  constructor(
    { place, memory, clock }: CardSlot,
    private readonly options: NvmeOptions,
  ) {
    super(options.name, place, { vendor: VENDOR, device: DEVICE, classCode: 0x010802, revision: 2, pin: 1 });
    const { store, serial } = options;
    this.clock = clock;
    this.bus = new BusMaster(memory);
    this.queues = new Queues(this.bus);
    const pageBytes = () => this.pageBytes;
    this.nvm = new NvmCommands({ store, bus: this.bus, pageBytes });
    const { bus, queues, nvm } = this;
    this.admin = new AdminCommands({ store, serial, bus, queues, nvm, pageBytes, vectors: () => VECTORS });
    this.msix = new MsixTable(VECTORS, MSIX_PENDING, (address, data) => this.message(address, data));
    const words = narrowed({
      read: (offset) => this.readRegister(offset),
      peek: (offset) => this.readRegister(offset),
      write: (offset, value) => this.writeRegister(offset, value),
    });
    this.bar(REGISTERS_BAR, 'memory64', REGISTER_BYTES, words);
    this.bar(MSIX_BAR, 'memory', MSIX_BYTES, this.msix);
    this.msixAt = this.capability(CAPABILITY_MSIX, msixCapability(VECTORS, MSIX_BAR, MSIX_PENDING));
    this.open(this.msixAt + 2, 2, 0xc000);
    this.rest = clock.timer(`${options.name} goes on`, () => this.run());
  }

  // --- registers ---------------------------------------------------------------------------------------------

  private get pageBytes(): number {
    return 4096 << Math.min((this.r.control >>> 7) & 15, MAX_PAGE_SHIFT);
  }

  private readRegister(offset: number): number {
    const { r } = this;
    switch (offset) {
      case R.CAP:
        return R.CAP_LOW >>> 0;
      case R.CAP + 4:
        return R.CAP_HIGH >>> 0;
      case R.VS:
        return R.VERSION;
      case R.INTMS:
      case R.INTMC:
        return r.masked;
      case R.CC:
        return r.control;
      case R.CSTS:
        return r.status;
      case R.AQA:
        return r.adminSizes;
      case R.ASQ:
        return r.asqLow;
      case R.ASQ + 4:
        return r.asqHigh;
      case R.ACQ:
        return r.acqLow;
      case R.ACQ + 4:
        return r.acqHigh;
      default:
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    const { r } = this;
    if (offset >= R.DOORBELLS) {
      this.doorbell((offset - R.DOORBELLS) >> 2, value & 0xffff);
      return;
    }
    switch (offset) {
      case R.INTMS:
        r.masked = (r.masked | value) >>> 0;
        this.driveIntxPin();
        break;
      case R.INTMC:
        r.masked = (r.masked & ~value) >>> 0;
        this.driveIntxPin();
        break;
      case R.CC:
        this.writeControl(value);
        break;
      case R.AQA:
        r.adminSizes = value & 0x0fff_0fff;
        break;
      case R.ASQ:
        r.asqLow = (value & ~0xfff) >>> 0;
        break;
      case R.ASQ + 4:
        r.asqHigh = value;
        break;
      case R.ACQ:
        r.acqLow = (value & ~0xfff) >>> 0;
        break;
      case R.ACQ + 4:
        r.acqHigh = value;
        break;
    }
  }

  /** @nvme 3.1.5 "CC - Controller Configuration" */
  private writeControl(value: number): void {
    const { r } = this;
    const before = r.control;
    r.control = (value & 0x00ff_fff1) >>> 0;
    const [was, is] = [(before & R.CC_ENABLE) !== 0, (value & R.CC_ENABLE) !== 0];
    if (was && !is) this.disable();
    if (!was && is) this.enable();
    if ((value & R.CC_SHUTDOWN) === 0 || (before & R.CC_SHUTDOWN) !== 0) return;
    try {
      this.options.store.flush();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
    r.status = (r.status & ~0xc) | R.CSTS_SHUTDOWN_DONE;
  }

  private enable(): void {
    const { r, bus } = this;
    const submission = (r.adminSizes & 0xfff) + 1;
    const completion = (r.adminSizes >>> 16) + 1;
    const asq = r.asqLow + r.asqHigh * 2 ** 32;
    const acq = r.acqLow + r.acqHigh * 2 ** 32;
    const legal =
      ((r.control >>> 7) & 15) <= MAX_PAGE_SHIFT &&
      ((r.control >>> 4) & 7) === 0 &&
      submission > 1 &&
      completion > 1 &&
      bus.contains(asq, submission * 64) &&
      bus.contains(acq, completion * 16);
    if (!legal) {
      r.status = R.CSTS_FATAL;
      return;
    }
    this.queues.clear();
    this.queues.addCompletion(0, acq, completion, 0, true);
    this.queues.addSubmission(0, asq, submission, 0);
    r.status = R.CSTS_READY;
  }

  /** A controller reset: what lies in AQA, ASQ and ACQ stays. */
  private disable(): void {
    this.queues.clear();
    this.admin.reset();
    this.rest.cancel();
    this.r.status = 0;
    this.driveIntxPin();
  }

  private doorbell(index: number, value: number): void {
    if ((this.r.status & R.CSTS_READY) === 0) return;
    if ((index & 1) === 0) {
      const queue = this.queues.sq(index >> 1);
      if (!queue || value >= queue.entries) return;
      queue.tail = value;
    } else {
      const queue = this.queues.cq(index >> 1);
      if (!queue || value >= queue.entries) return;
      queue.head = value;
      this.driveIntxPin();
    }
    this.run();
  }

  // --- commands ----------------------------------------------------------------------------------------------

  /** Serves the queues in turn, as much as fits one. */
  private run(): void {
    if (!this.isBusMaster || (this.r.status & R.CSTS_READY) === 0) return;
    const { bus, queues } = this;
    bus.beginTurn();
    const told = new Set<number>();
    let more = true;
    while (more && !bus.tired) {
      more = false;
      for (const queue of [...queues.submission]) {
        if (queues.sq(queue.id) !== queue || !queues.ready(queue)) continue;
        more = true;
        this.serve(queue, told);
        if (bus.tired) break;
      }
    }
    for (const id of told) this.interrupt(id);
    const left = queues.submission.some((queue) => queues.ready(queue));
    if (left && this.rest.deadline === undefined) this.rest.arm(this.clock.now() + REST_NS);
  }

  private serve(queue: SubmissionQueue, told: Set<number>): void {
    const command = this.queues.take(queue);
    this.bus.spend(COMMAND_WORK);
    const completion = queue.id === 0 ? this.admin.run(command) : { result: 0, status: this.nvm.run(command) };
    if (!completion) return;
    const status = completion.status === 0 ? 0 : completion.status | R.DO_NOT_RETRY;
    this.queues.complete(queue, command.getUint16(2, true), { ...completion, status });
    told.add(queue.completion);
  }

  private interrupt(id: number): void {
    const queue = this.queues.cq(id);
    if (!queue) return;
    if (this.msix.enabled) {
      if (queue.interrupts) this.msix.signal(queue.vector);
    } else this.driveIntxPin();
  }

  /** The pin is high while a queue has completions that the host has not taken. */
  private driveIntxPin(): void {
    const { masked } = this.r;
    const waits = this.queues.completion.some(
      ({ interrupts, vector, head, tail }) => interrupts && head !== tail && ((masked >>> vector) & 1) === 0,
    );
    this.setIntx(waits && !this.msix.enabled);
  }

  protected override configWritten(register: number, bytes: number): void {
    if (register >= this.msixAt + 4 || register + bytes <= this.msixAt + 2) return;
    this.msix.setControl(this.get(this.msixAt + 2, 2));
    this.driveIntxPin();
  }

  // --- state -------------------------------------------------------------------------------------------------

  protected override resetDevice(): void {
    this.disable();
    this.msix.reset();
    this.r = powerOn();
  }

  protected override get deviceFormat(): StateFormat<NvmeState> {
    const shape = record({
      ...{ registers: REGISTERS, queues: QUEUES, admin: this.admin.shape, work: this.nvm.shape },
      ...{ msix: this.msix.shape, resumesAt: optional(time) },
    });
    return { kind: 'nvme', version: 1, shape: shape as unknown as Schema<NvmeState> };
  }

  protected override saveDevice(): NvmeState {
    return {
      registers: this.r,
      queues: this.queues.save(),
      admin: this.admin.save(),
      work: this.nvm.work,
      msix: this.msix.save(),
      resumesAt: this.rest.deadline,
    };
  }

  protected override loadDevice(state: NvmeState): void {
    this.r = state.registers;
    this.queues.load(state.queues as never);
    this.admin.load(state.admin as never);
    this.nvm.work = state.work as never;
    this.msix.load(state.msix);
    restoreTimer(this.rest, state.resumesAt);
  }

  override describe(): [string, string][] {
    const { r, queues, nvm } = this;
    const { sectors, readOnly } = this.options.store;
    const state = r.status & R.CSTS_FATAL ? 'failed' : r.status & R.CSTS_READY ? 'ready' : 'off';
    return [
      ...super.describe(),
      ['namespace 1', `${counted(sectors, 'sector')}${readOnly ? ' read-only' : ''}`],
      ['CC', hex(r.control, 8)],
      ['CSTS', `${hex(r.status, 8)} ${state}`],
      ...queues.submission.map((q): [string, string] => [
        `SQ ${q.id}`,
        `${hex(q.gpa, 8)} of ${q.entries} head ${q.head} tail ${q.tail} to CQ ${q.completion}`,
      ]),
      ...queues.completion.map((q): [string, string] => [
        `CQ ${q.id}`,
        `${hex(q.gpa, 8)} of ${q.entries} head ${q.head} tail ${q.tail} vector ${q.vector}`,
      ]),
      [
        'requests',
        `${counted(nvm.work.reads, 'read')} ${counted(nvm.work.writes, 'write')} ${counted(nvm.work.errors, 'error')}`,
      ],
      ...(this.bus.aborts > 0 ? [['DMA outside RAM', String(this.bus.aborts)] as [string, string]] : []),
    ];
  }
}

function powerOn() {
  return { masked: 0, control: 0, status: 0, adminSizes: 0, asqLow: 0, asqHigh: 0, acqLow: 0, acqHigh: 0 };
}
