/** virtio-balloon with statistics and free page reporting. @virtio 5.5 "Traditional Memory Balloon Device" */
import { counted } from '../../counted.js';
import { count, list, optional, record, type StateOf, text, tuple, u16, u32, u64 } from '../../state/schema.js';
import { VirtioDevice } from './device.js';
import { Chain, RingError } from './ring.js';

const F_STATS = 1;
const F_DEFLATE_ON_OOM = 2;
const F_REPORTING = 5;
const QUEUE_SIZE = 128;
const INFLATE = 0;
const DEFLATE = 1;
const STATS = 2;
const CONFIG_ACTUAL = 4;
export const BALLOON_PAGE_BYTES = 4096;
/** Page numbers in one request: Linux sends 256. */
const MAX_PAGES = 1 << 16;
const STAT_BYTES = 10;
/** Names of the statistics, by tag. @virtio 5.5.6.4 */
const STAT_NAMES = [
  ...['swapped in', 'swapped out', 'major faults', 'minor faults', 'free', 'total', 'available', 'disk caches'],
  ...['huge pages', 'failed huge pages', 'OOM kills', 'allocation stalls', 'async scans', 'direct scans'],
  ...['async reclaims', 'direct reclaims'],
];

const MAX_STATS = 64;
const STATE = record({
  target: u32,
  actual: u32,
  released: count,
  stats: list(tuple(text, u64), { atMost: MAX_STATS }),
  /** Head of the statistics buffer that the device holds. */
  statsHead: optional(u16),
});
type BalloonState = StateOf<typeof STATE>;

export class VirtioBalloon extends VirtioDevice<BalloonState> {
  readonly format = { kind: 'virtio-balloon', version: 1, shape: STATE };
  private target = 0;
  private actual = 0;
  private released = 0;
  private stats: [name: string, value: bigint][] = [];
  /** The statistics buffer, which the device holds until it wants fresh numbers. */
  private statsChain: Chain | undefined;

  constructor(name: string) {
    super(
      name,
      5,
      0x00ff00,
      [QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE],
      [F_STATS, F_DEFLATE_ON_OOM, F_REPORTING],
    );
  }

  config(): Uint8Array {
    const view = new DataView(new ArrayBuffer(8));
    view.setUint32(0, this.target, true);
    view.setUint32(4, this.actual, true);
    return new Uint8Array(view.buffer);
  }

  override writeConfig(offset: number, bytes: number, value: number): void {
    if (offset === CONFIG_ACTUAL && bytes === 4) this.actual = value;
  }

  /** Asks the guest to give up so many pages of 4 KiB in all. */
  inflateTo(pages: number): void {
    this.target = pages;
    this.transport.configChanged();
  }

  get pages(): { target: number; actual: number } {
    return { target: this.target, actual: this.actual };
  }

  /** Asks for fresh statistics: they arrive when the guest gives the buffer back. */
  refreshStats(): void {
    const chain = this.statsChain;
    if (chain === undefined || !this.transport.running) return;
    this.statsChain = undefined;
    this.transport.guarded(() => {
      this.transport.queues[STATS].push(chain, 0);
      this.transport.usedBuffers(STATS);
    });
  }

  get statistics(): readonly [string, bigint][] {
    return this.stats;
  }

  /** Queue numbers skip what was not agreed on: reporting comes after the statistics. @virtio 5.5.2 "Virtqueues" */
  private get reporting(): number {
    return this.transport.has(F_STATS) ? STATS + 1 : STATS;
  }

  notify(index: number): void {
    if (index === STATS && this.transport.has(F_STATS)) {
      this.takeStats();
      return;
    }
    const queue = this.transport.queues[index];
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (index === INFLATE) this.inflate(chain);
      else if (index === this.reporting && index !== DEFLATE && this.transport.has(F_REPORTING)) this.report(chain);
      // Deflating needs nothing: a page that is written has a frame again.
      queue.push(chain, 0);
    }
    this.transport.usedBuffers(index);
  }

  private inflate(chain: Chain): void {
    const count = chain.readableBytes / 4;
    if (!Number.isInteger(count) || count > MAX_PAGES)
      throw new RingError(`${chain.readableBytes} bytes of page numbers`);
    const view = new DataView(chain.read(0, chain.readableBytes).buffer);
    for (let i = 0; i < count; i++) {
      const gpa = view.getUint32(4 * i, true) * BALLOON_PAGE_BYTES;
      if (!chain.memory.contains(gpa, BALLOON_PAGE_BYTES)) throw new RingError(`page 0x${gpa.toString(16)} is not RAM`);
      this.release(chain, gpa, BALLOON_PAGE_BYTES);
    }
  }

  /** Pages that the guest has free for now. */
  private report(chain: Chain): void {
    for (const { gpa, bytes } of chain.writable) {
      const first = Math.ceil(gpa / BALLOON_PAGE_BYTES) * BALLOON_PAGE_BYTES;
      const end = Math.floor((gpa + bytes) / BALLOON_PAGE_BYTES) * BALLOON_PAGE_BYTES;
      if (end > first) this.release(chain, first, end - first);
    }
  }

  private release(chain: Chain, gpa: number, bytes: number): void {
    chain.memory.release(gpa, bytes);
    this.released += bytes / BALLOON_PAGE_BYTES;
  }

  private takeStats(): void {
    const queue = this.transport.queues[STATS];
    const chain = queue.pop();
    if (chain === undefined) return;
    if (this.statsChain !== undefined) throw new RingError('a second buffer of statistics');
    const bytes = chain.read(0, Math.min(chain.readableBytes, STAT_BYTES * MAX_STATS));
    const view = new DataView(bytes.buffer);
    this.stats = [];
    for (let at = 0; at + STAT_BYTES <= bytes.length; at += STAT_BYTES) {
      const tag = view.getUint16(at, true);
      this.stats.push([STAT_NAMES[tag] ?? `statistic ${tag}`, view.getBigUint64(at + 2, true)]);
    }
    this.statsChain = chain;
  }

  override reset(): void {
    this.actual = 0;
    this.stats = [];
    this.statsChain = undefined;
  }

  /** The host wants its pages still. */
  override beginAgain(powerOn: BalloonState): BalloonState {
    return { ...powerOn, target: this.target };
  }

  save(): BalloonState {
    const { target, actual, released, stats } = this;
    return { target, actual, released, stats, statsHead: this.statsChain?.head };
  }

  load({ target, actual, released, stats, statsHead }: BalloonState): void {
    this.target = target;
    this.actual = actual;
    this.released = released;
    this.stats = stats;
    this.statsChain = statsHead === undefined ? undefined : new Chain(this.transport.memory, statsHead, [], []);
  }

  override describe(): [string, string][] {
    return [
      ['balloon', `${this.actual} of ${counted(this.target, 'page')}`],
      ['given back', counted(this.released, 'page')],
      ...this.stats.map(([name, value]): [string, string] => [name, value.toString()]),
    ];
  }
}
