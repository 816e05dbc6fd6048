/** virtio-blk. @virtio 5.2 "Block Device" */
import { counted } from '../../counted.js';
import { count, record, type StateOf } from '../../state/schema.js';
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import { geometryOf } from '../geometry.js';
import { VirtioDevice } from './device.js';
import { type Chain, RingError } from './ring.js';

const F_SEG_MAX = 2;
const F_GEOMETRY = 4;
const F_READ_ONLY = 5;
const F_BLK_SIZE = 6;
const F_FLUSH = 9;
const F_DISCARD = 13;
const F_WRITE_ZEROES = 14;

const T_IN = 0;
const T_OUT = 1;
const T_FLUSH = 4;
const T_GET_ID = 8;
const T_DISCARD = 11;
const T_WRITE_ZEROES = 13;

const S_OK = 0;
const S_IOERR = 1;
const S_UNSUPPORTED = 2;

const HEADER_BYTES = 16;
const ID_BYTES = 20;
const RANGE_BYTES = 16;
const FLAG_UNMAP = 1;
const QUEUE_SIZE = 256;
/** Data segments of a request: all of a queue but header and status. */
const SEG_MAX = QUEUE_SIZE - 2;
/** Largest piece that is copied at once. */
const TRANSFER_BYTES = 1 << 20;
/** A request longer than this is no driver's; it would keep the guest waiting. */
const MAX_REQUEST_BYTES = 1 << 27;
/** Zeroing takes a part of the time that moving as many bytes does. */
const ZERO_SHARE = 16;
const MAX_RANGES = 32;
const MAX_RANGE_SECTORS = 1 << 22;

export interface VirtioBlkOptions {
  name: string;
  store: BlockStore;
  /** Serial number, at most 20 bytes of ASCII. */
  serial: string;
}

interface Outcome {
  status: number;
  /** Bytes of data written to the guest, without the status. */
  written: number;
}

const STATE = record({ reads: count, writes: count, errors: count });
type VirtioBlkState = StateOf<typeof STATE>;

export class VirtioBlk extends VirtioDevice<VirtioBlkState> {
  readonly format = { kind: 'virtio-blk', version: 1, shape: STATE };
  private readonly store: BlockStore;
  private readonly serial: string;
  private reads = 0;
  private writes = 0;
  private errors = 0;

  constructor({ name, store, serial }: VirtioBlkOptions) {
    const features = [F_SEG_MAX, F_GEOMETRY, F_BLK_SIZE, F_FLUSH];
    features.push(...(store.readOnly ? [F_READ_ONLY] : [F_DISCARD, F_WRITE_ZEROES]));
    super(name, 2, 0x010000, [QUEUE_SIZE], features);
    this.store = store;
    this.serial = serial;
  }

  config(): Uint8Array {
    const view = new DataView(new ArrayBuffer(60));
    view.setBigUint64(0, BigInt(this.store.sectors), true);
    view.setUint32(12, SEG_MAX, true);
    const { cylinders, heads, sectors } = geometryOf(this.store.sectors);
    view.setUint16(16, cylinders, true);
    view.setUint8(18, heads);
    view.setUint8(19, sectors);
    view.setUint32(20, SECTOR_BYTES, true);
    view.setUint16(34, 1, true);
    view.setUint32(36, MAX_RANGE_SECTORS, true);
    view.setUint32(40, MAX_RANGES, true);
    view.setUint32(44, 1, true);
    view.setUint32(48, MAX_RANGE_SECTORS, true);
    view.setUint32(52, MAX_RANGES, true);
    view.setUint8(56, 1);
    return new Uint8Array(view.buffer);
  }

  notify(index: number): void {
    const queue = this.transport.queues[index];
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const { status, written } = this.serve(chain);
      if (status !== S_OK) this.errors++;
      chain.write(chain.writableBytes - 1, Uint8Array.of(status));
      queue.push(chain, written + 1);
    }
    this.transport.usedBuffers(index);
  }

  private serve(chain: Chain): Outcome {
    if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < 1) {
      throw new RingError('a disk request has no room for its header or its status');
    }
    const header = new DataView(chain.read(0, HEADER_BYTES).buffer);
    const sector = header.getUint32(8, true) + header.getUint32(12, true) * 2 ** 32;
    try {
      switch (header.getUint32(0, true)) {
        case T_IN:
          return this.read(chain, sector);
        case T_OUT:
          return this.write(chain, sector);
        case T_FLUSH:
          this.store.flush();
          return { status: S_OK, written: 0 };
        case T_GET_ID: {
          const length = Math.min(ID_BYTES, chain.writableBytes - 1);
          const id = new Uint8Array(length);
          id.set(new TextEncoder().encode(this.serial).subarray(0, length));
          chain.write(0, id);
          return { status: S_OK, written: length };
        }
        case T_DISCARD:
          return this.zero(chain, F_DISCARD, 0);
        case T_WRITE_ZEROES:
          return this.zero(chain, F_WRITE_ZEROES, FLAG_UNMAP);
        default:
          return { status: S_UNSUPPORTED, written: 0 };
      }
    } catch (error) {
      if (error instanceof BlockError) return { status: S_IOERR, written: 0 };
      throw error;
    }
  }

  private inDisk(sector: number, bytes: number): boolean {
    return bytes % SECTOR_BYTES === 0 && sector + bytes / SECTOR_BYTES <= this.store.sectors;
  }

  private read(chain: Chain, sector: number): Outcome {
    const bytes = chain.writableBytes - 1;
    if (bytes > MAX_REQUEST_BYTES || !this.inDisk(sector, bytes)) return { status: S_IOERR, written: 0 };
    this.reads++;
    for (let done = 0; done < bytes; done += TRANSFER_BYTES) {
      const data = new Uint8Array(Math.min(TRANSFER_BYTES, bytes - done));
      this.store.read(sector + done / SECTOR_BYTES, data);
      chain.write(done, data);
    }
    return { status: S_OK, written: bytes };
  }

  private write(chain: Chain, sector: number): Outcome {
    const bytes = chain.readableBytes - HEADER_BYTES;
    if (this.store.readOnly || bytes > MAX_REQUEST_BYTES || !this.inDisk(sector, bytes))
      return { status: S_IOERR, written: 0 };
    this.writes++;
    for (let done = 0; done < bytes; done += TRANSFER_BYTES) {
      const data = chain.read(HEADER_BYTES + done, Math.min(TRANSFER_BYTES, bytes - done));
      this.store.write(sector + done / SECTOR_BYTES, data);
    }
    // A driver that cannot flush counts on each write being stable. @virtio 5.2.6.2
    if (!this.transport.has(F_FLUSH)) this.store.flush();
    return { status: S_OK, written: 0 };
  }

  /** Discards or zeroes ranges: a discarded one reads as zeros here too. */
  private zero(chain: Chain, feature: number, allowedFlags: number): Outcome {
    const length = chain.readableBytes - HEADER_BYTES;
    const count = length / RANGE_BYTES;
    if (!this.transport.has(feature)) return { status: S_UNSUPPORTED, written: 0 };
    if (this.store.readOnly || !Number.isInteger(count) || count === 0 || count > MAX_RANGES) {
      return { status: S_IOERR, written: 0 };
    }
    const view = new DataView(chain.read(HEADER_BYTES, length).buffer);
    for (let at = 0; at < length; at += RANGE_BYTES) {
      const sector = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      const sectors = view.getUint32(at + 8, true);
      if (view.getUint32(at + 12, true) & ~allowedFlags) return { status: S_UNSUPPORTED, written: 0 };
      if (sectors > MAX_RANGE_SECTORS || !this.inDisk(sector, sectors * SECTOR_BYTES)) {
        return { status: S_IOERR, written: 0 };
      }
      chain.memory.work += (sectors * SECTOR_BYTES) / ZERO_SHARE;
      this.store.writeZeroes(sector, sectors);
    }
    return { status: S_OK, written: 0 };
  }

  save(): VirtioBlkState {
    const { reads, writes, errors } = this;
    return { reads, writes, errors };
  }

  load({ reads, writes, errors }: VirtioBlkState): void {
    this.reads = reads;
    this.writes = writes;
    this.errors = errors;
  }

  override describe(): [string, string][] {
    const { sectors, readOnly } = this.store;
    return [
      ['disk', `${counted(sectors, 'sector')}${readOnly ? ' read-only' : ''}`],
      ['requests', `${counted(this.reads, 'read')} ${counted(this.writes, 'write')} ${counted(this.errors, 'error')}`],
    ];
  }
}
