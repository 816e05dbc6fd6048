/** The PCI transport of virtio 1.x, without the transitional registers. @virtio 4.1 "Virtio Over PCI Bus" */
import type { StateFormat } from '../../state/saved.js';
import {
  count,
  list,
  optional,
  record,
  type Schema,
  type StateOf,
  text,
  u8,
  u16,
  u32,
  u64,
} from '../../state/schema.js';
import type { Clock, GuestMemory, Timer } from '../device.js';
import { bitNames, hex, restoreTimer } from '../device-state.js';
import type { CardMaker } from '../pci/card.js';
import { type BarRegion, PciFunction, type PciPlace, type PciState } from '../pci/function.js';
import { CAPABILITY_MSIX, type MsixState, MsixTable, msixCapability } from '../pci/msix.js';
import type { VirtioDevice, VirtioTransport } from './device.js';
import { NO_VECTOR, RING_STATE, RingError, RingMemory, type RingState, Virtqueue } from './ring.js';

const VENDOR = 0x1af4;
const FIRST_DEVICE_ID = 0x1040;

const CAPABILITY_VENDOR = 0x09;
const CFG_COMMON = 1;
const CFG_NOTIFY = 2;
const CFG_ISR = 3;
const CFG_DEVICE = 4;
const CFG_PCI = 5;

const MSIX_BAR = 1;
const MSIX_PENDING = 0x800;
const REGISTERS_BAR = 4;
const COMMON_OFFSET = 0x0000;
const COMMON_BYTES = 0x38;
const ISR_OFFSET = 0x1000;
const CONFIG_OFFSET = 0x2000;
const NOTIFY_OFFSET = 0x3000;
const REGION_BYTES = 0x1000;
const NOTIFY_MULTIPLIER = 4;

export const STATUS_DRIVER_OK = 0x04;
export const STATUS_FEATURES_OK = 0x08;
export const STATUS_NEEDS_RESET = 0x40;
const STATUS_NAMES = ['acknowledge', 'driver', 'driver-ok', 'features-ok', '', '', 'needs-reset', 'failed'];

const ISR_QUEUE = 1;
const ISR_CONFIG = 2;

export const F_INDIRECT = 28;
export const F_EVENT_INDEX = 29;
export const F_VERSION_1 = 32;

const TRANSPORT = record({
  featureSelect: u32,
  driverFeatureSelect: u32,
  driverFeatures: u64,
  configVector: u16,
  status: u8,
  generation: u32,
  queueSelect: u16,
  isr: u8,
  /** Queues with requests that wait for the device's next turn, a bit each, and when that is. */
  left: u32,
  resumesAt: optional(count),
});
type TransportState = StateOf<typeof TRANSPORT>;

interface VirtioPciState {
  transport: TransportState;
  queues: RingState[];
  msix: MsixState;
  lastError: string | undefined;
  device: object;
}

function powerOn(): TransportState {
  return {
    featureSelect: 0,
    driverFeatureSelect: 0,
    driverFeatures: 0n,
    configVector: NO_VECTOR,
    status: 0,
    generation: 0,
    queueSelect: 0,
    isr: 0,
    left: 0,
    resumesAt: undefined,
  };
}

/** A device that has worked for a while goes on so much later: the guest, and who wants it stopped, have their turns. */
const REST_NS = 10_000_000;

export class VirtioPci extends PciFunction<VirtioPciState> implements VirtioTransport {
  readonly memory: RingMemory;
  readonly queues: readonly Virtqueue[];
  /** Why the device asked for a reset, the last time it did. */
  lastError: string | undefined;
  private readonly msix: MsixTable;
  private readonly msixAt: number;
  private readonly windowAt: number;
  private readonly offered: bigint;
  private s = powerOn();
  private readonly rest: Timer;

  constructor(
    place: PciPlace,
    readonly device: VirtioDevice,
    memory: GuestMemory,
    private readonly clock: Clock,
  ) {
    super(device.name, place, {
      vendor: VENDOR,
      device: FIRST_DEVICE_ID + device.type,
      classCode: device.classCode,
      revision: 1,
      pin: 1,
    });
    this.memory = new RingMemory(memory);
    const features = () => ({ indirect: this.has(F_INDIRECT), eventIndex: this.has(F_EVENT_INDEX) });
    this.queues = device.queueSizes.map((size) => new Virtqueue(size, this.memory, features));
    this.offered = [...device.features, F_INDIRECT, F_EVENT_INDEX, F_VERSION_1].reduce(
      (mask, bit) => mask | (1n << BigInt(bit)),
      0n,
    );
    const vectors = device.queueSizes.length + 1;
    this.msix = new MsixTable(vectors, MSIX_PENDING, (address, data) => this.message(address, data));
    this.bar(MSIX_BAR, 'memory', 0x1000, this.msix);
    this.bar(REGISTERS_BAR, 'memory64', 4 * REGION_BYTES, this.registers(), true);
    this.msixAt = this.capability(CAPABILITY_MSIX, msixCapability(vectors, MSIX_BAR, MSIX_PENDING));
    this.open(this.msixAt + 2, 2, 0xc000);
    this.structure(CFG_COMMON, COMMON_OFFSET, COMMON_BYTES);
    this.structure(CFG_ISR, ISR_OFFSET, 1);
    this.structure(CFG_DEVICE, CONFIG_OFFSET, REGION_BYTES);
    this.structure(CFG_NOTIFY, NOTIFY_OFFSET, vectors * NOTIFY_MULTIPLIER, [NOTIFY_MULTIPLIER, 0, 0, 0]);
    this.windowAt = this.structure(CFG_PCI, 0, 0, [0, 0, 0, 0]);
    // The window's bar, offset, length and data.
    this.open(this.windowAt + 4, 1);
    this.open(this.windowAt + 8, 4);
    this.open(this.windowAt + 12, 4);
    this.open(this.windowAt + 16, 4);
    this.rest = clock.timer(`${device.name} goes on`, () => this.goOn());
    device.attach(this);
  }

  /** @virtio 4.1.4 "Virtio Structure PCI Capabilities" */
  private structure(type: number, offset: number, length: number, extra: readonly number[] = []): number {
    const word = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
    const bar = type === CFG_PCI ? 0 : REGISTERS_BAR;
    return this.capability(CAPABILITY_VENDOR, [
      ...[16 + extra.length, type, bar, 0, 0, 0],
      ...word(offset),
      ...word(length),
      ...extra,
    ]);
  }

  // --- registers ---------------------------------------------------------------------------------------------

  private registers(): BarRegion {
    return {
      read: (offset, bytes) => (offset === ISR_OFFSET ? this.takeIsr() : this.readRegister(offset, bytes)),
      peek: (offset, bytes) => this.readRegister(offset, bytes),
      write: (offset, bytes, value) => this.writeRegister(offset, bytes, value),
    };
  }

  private readRegister(offset: number, bytes: number): number {
    switch (offset & ~(REGION_BYTES - 1)) {
      case COMMON_OFFSET:
        return this.readCommon(offset, bytes);
      case ISR_OFFSET:
        return offset === ISR_OFFSET ? this.s.isr : 0;
      case CONFIG_OFFSET: {
        const config = this.device.config();
        let value = 0;
        for (let i = 0; i < bytes; i++) value |= (config[offset - CONFIG_OFFSET + i] ?? 0) << (8 * i);
        return value >>> 0;
      }
      default:
        return 0;
    }
  }

  private writeRegister(offset: number, bytes: number, value: number): void {
    switch (offset & ~(REGION_BYTES - 1)) {
      case COMMON_OFFSET:
        this.guarded(() => this.writeCommon(offset, bytes, value));
        break;
      case CONFIG_OFFSET:
        this.guarded(() => this.device.writeConfig(offset - CONFIG_OFFSET, bytes, value));
        break;
      case NOTIFY_OFFSET:
        this.notified((offset - NOTIFY_OFFSET) / NOTIFY_MULTIPLIER);
        break;
    }
  }

  private notified(index: number): void {
    if (!this.running || !this.isBusMaster || !this.queues[index]?.ready) return;
    const queue = this.queues[index];
    this.guarded(() => {
      if (!queue.inTurn(() => this.device.notify(index))) return;
      this.s.left |= 1 << index;
      if (this.rest.deadline === undefined) this.rest.arm(this.clock.now() + REST_NS);
    });
  }

  /** Serves what the last turn left. */
  private goOn(): void {
    const { left } = this.s;
    this.s.left = 0;
    for (const index of this.queues.keys()) if ((left >>> index) & 1) this.notified(index);
  }

  private takeIsr(): number {
    const { isr } = this.s;
    this.s.isr = 0;
    this.setIntx(false);
    return isr;
  }

  /** @virtio 4.1.4.3 "Common configuration structure layout" */
  private readCommon(offset: number, bytes: number): number {
    const { s } = this;
    const q = this.queues[s.queueSelect]?.s;
    const field = offset & ~3;
    const words: Record<number, number> = {
      0: s.featureSelect,
      4: this.featureWord(this.offered, s.featureSelect),
      8: s.driverFeatureSelect,
      12: this.featureWord(s.driverFeatures, s.driverFeatureSelect),
      16: s.configVector | (this.queues.length << 16),
      20: s.status | (s.generation << 8) | (s.queueSelect << 16),
      24: q === undefined ? NO_VECTOR << 16 : q.size | (q.vector << 16),
      28: (q?.enabled ? 1 : 0) | ((q === undefined ? 0 : s.queueSelect) << 16),
      32: low(q?.descriptors ?? 0),
      36: high(q?.descriptors ?? 0),
      40: low(q?.driver ?? 0),
      44: high(q?.driver ?? 0),
      48: low(q?.device ?? 0),
      52: high(q?.device ?? 0),
    };
    const value = (words[field] ?? 0) >>> (8 * (offset & 3));
    return bytes === 4 ? value : value & (2 ** (8 * bytes) - 1);
  }

  private featureWord(features: bigint, select: number): number {
    return select > 1 ? 0 : Number((features >> BigInt(32 * select)) & 0xffffffffn);
  }

  private writeCommon(offset: number, bytes: number, value: number): void {
    const { s } = this;
    // A register is written whole; 64-bit ones in halves.
    const q = this.queues[s.queueSelect]?.s;
    const vector = value < this.msix.vectors ? value : NO_VECTOR;
    switch (offset) {
      case 0:
        s.featureSelect = value;
        return;
      case 8:
        s.driverFeatureSelect = value;
        return;
      case 12:
        this.acceptFeatures(value);
        return;
      case 16:
        s.configVector = vector;
        return;
      case 20:
        this.writeStatus(value & 0xff);
        return;
      case 22:
        s.queueSelect = value & 0xffff;
        return;
    }
    if (q === undefined) return;
    if (offset === 26) q.vector = vector;
    // The rings of a queue that is on do not move.
    if (q.enabled || bytes > 4) return;
    switch (offset) {
      case 24:
        q.size = value & 0xffff;
        break;
      case 28:
        if (value === 1) this.queues[s.queueSelect].enable();
        break;
      case 32:
        q.descriptors = withLow(q.descriptors, value);
        break;
      case 36:
        q.descriptors = withHigh(q.descriptors, value);
        break;
      case 40:
        q.driver = withLow(q.driver, value);
        break;
      case 44:
        q.driver = withHigh(q.driver, value);
        break;
      case 48:
        q.device = withLow(q.device, value);
        break;
      case 52:
        q.device = withHigh(q.device, value);
        break;
    }
  }

  private acceptFeatures(word: number): void {
    const { s } = this;
    // What was agreed stays agreed until the next reset.
    if (s.driverFeatureSelect > 1 || s.status & STATUS_FEATURES_OK) return;
    const shift = BigInt(32 * s.driverFeatureSelect);
    s.driverFeatures = (s.driverFeatures & ~(0xffffffffn << shift)) | (BigInt(word >>> 0) << shift);
  }

  /** @virtio 2.1 "Device Status Field" */
  private writeStatus(value: number): void {
    const { s } = this;
    if (value === 0) {
      this.resetTransport();
      return;
    }
    const started = (value & ~s.status & STATUS_DRIVER_OK) !== 0;
    // Bits are only ever added; FEATURES_OK sticks when the set is one that the device can work with.
    let next = s.status | (value & ~STATUS_NEEDS_RESET);
    if (value & ~s.status & STATUS_FEATURES_OK) {
      const version1 = (s.driverFeatures >> BigInt(F_VERSION_1)) & 1n;
      if ((s.driverFeatures & ~this.offered) !== 0n || version1 === 0n) next &= ~STATUS_FEATURES_OK;
    }
    s.status = next;
    // Linux's balloon driver notifies before DRIVER_OK; what waits is served now.
    if (started) for (const [index] of this.queues.entries()) this.notified(index);
  }

  /** The window into the BARs through configuration space. @virtio 4.1.4.9 "PCI configuration access capability" */
  override configRead(register: number, bytes: number): number {
    const window = this.windowTarget(register);
    if (window) {
      const value = window.bar.read(window.offset, window.bytes);
      this.put(this.windowAt + 16, window.bytes, value);
    }
    return super.configRead(register, bytes);
  }

  protected override configWritten(register: number, bytes: number): void {
    const touched = register < this.msixAt + 4 && register + bytes > this.msixAt + 2;
    if (touched) this.msix.setControl(this.get(this.msixAt + 2, 2));
    const window = this.windowTarget(register);
    if (window) window.bar.write(window.offset, window.bytes, this.get(this.windowAt + 16, window.bytes));
  }

  private windowTarget(register: number): { bar: BarRegion; offset: number; bytes: number } | undefined {
    if ((register & ~3) !== this.windowAt + 16) return undefined;
    const bar = this.bars.find(({ index }) => index === this.config[this.windowAt + 4]);
    const offset = this.get(this.windowAt + 8, 4);
    const bytes = this.get(this.windowAt + 12, 4);
    const legal = bytes === 1 || bytes === 2 || bytes === 4;
    if (bar === undefined || !legal || offset % bytes !== 0 || offset + bytes > bar.bytes) return undefined;
    return { bar, offset, bytes };
  }

  // --- what the device uses ----------------------------------------------------------------------------------

  has(feature: number): boolean {
    return ((this.s.driverFeatures >> BigInt(feature)) & 1n) !== 0n;
  }

  get running(): boolean {
    const needed = STATUS_DRIVER_OK | STATUS_FEATURES_OK;
    return (this.s.status & (needed | STATUS_NEEDS_RESET)) === needed;
  }

  usedBuffers(queue: number): void {
    if (this.queues[queue].mustInterrupt()) this.interrupt(this.queues[queue].s.vector, ISR_QUEUE);
  }

  configChanged(): void {
    this.s.generation = (this.s.generation + 1) & 0xff;
    if (this.s.status & STATUS_DRIVER_OK) this.interrupt(this.s.configVector, ISR_CONFIG);
  }

  private interrupt(vector: number, isr: number): void {
    if (this.msix.enabled) {
      if (vector !== NO_VECTOR) this.msix.signal(vector);
      return;
    }
    this.s.isr |= isr;
    this.setIntx(true);
  }

  guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
      this.lastError = error.message;
      const wasRunning = (this.s.status & STATUS_DRIVER_OK) !== 0;
      this.s.status |= STATUS_NEEDS_RESET;
      if (wasRunning) this.interrupt(this.s.configVector, ISR_CONFIG);
    }
  }

  // --- state -------------------------------------------------------------------------------------------------

  private resetTransport(): void {
    this.s = powerOn();
    this.rest.cancel();
    for (const queue of this.queues) queue.reset();
    this.setIntx(false);
    this.device.reset();
  }

  protected override resetDevice(): void {
    this.msix.reset();
    this.lastError = undefined;
    this.resetTransport();
  }

  beginAgain(powerOn: PciState<VirtioPciState>): PciState<VirtioPciState> {
    return { ...powerOn, device: { ...powerOn.device, device: this.device.beginAgain(powerOn.device.device) } };
  }

  protected override get deviceFormat(): StateFormat<VirtioPciState> {
    const { kind, version, shape } = this.device.format;
    const whole = record({
      transport: TRANSPORT,
      queues: list(RING_STATE, this.queues.length),
      msix: this.msix.shape,
      lastError: optional(text),
      device: shape,
    });
    return { kind, version, shape: whole as Schema<VirtioPciState> };
  }

  protected override saveDevice(): VirtioPciState {
    const queues = this.queues.map((queue) => queue.s);
    const { lastError } = this;
    const transport = { ...this.s, resumesAt: this.rest.deadline };
    return { transport, queues, msix: this.msix.save(), lastError, device: this.device.save() };
  }

  protected override loadDevice({ transport, queues, msix, lastError, device }: VirtioPciState): void {
    this.s = transport;
    restoreTimer(this.rest, transport.resumesAt);
    for (const [i, queue] of queues.entries()) this.queues[i].s = queue;
    this.msix.load(msix);
    this.lastError = lastError;
    this.device.load(device);
  }

  override describe(): [string, string][] {
    const { s } = this;
    const queue = ({ s: q }: Virtqueue) =>
      q.enabled ? `size ${q.size} available ${q.nextAvailable} used ${q.nextUsed}` : 'off';
    return [
      ...super.describe(),
      ['status', `${hex(s.status)} ${bitNames(s.status, STATUS_NAMES)}`],
      ['features', `0x${s.driverFeatures.toString(16)} of 0x${this.offered.toString(16)}`],
      ...this.queues.map((q, i): [string, string] => [`queue ${i}`, queue(q)]),
      ...(this.lastError === undefined ? [] : [['last error', this.lastError] as [string, string]]),
      ...this.device.describe(),
    ];
  }
}

/** Puts a virtio device on a PCI card. */
export function virtioCard(device: VirtioDevice): CardMaker {
  return ({ place, memory, clock }) => new VirtioPci(place, device, memory.of?.(device.name) ?? memory, clock);
}

function low(value: number): number {
  return value % 2 ** 32;
}

function high(value: number): number {
  return Math.floor(value / 2 ** 32);
}

function withLow(old: number, value: number): number {
  return high(old) * 2 ** 32 + value;
}

function withHigh(old: number, value: number): number {
  return value * 2 ** 32 + low(old);
}
