/** Native command queuing: reads and writes that carry a tag and end in any order. @ata 4.15 "Native Command Queuing" */

import { counted } from '../../counted.js';
import { count, flag, int, optional, record, type StateOf, u8, u32 } from '../../state/schema.js';
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import type { HostCommand } from './fis.js';

const READ_FPDMA = 0x60;
const WRITE_FPDMA = 0x61;
export const READ_LOG_EXT = 0x2f;
const LOG_DIRECTORY = 0x00;
const LOG_QUEUE_ERROR = 0x10;
const FORCE_UNIT_ACCESS = 0x80;
const MAX_SECTORS = 65536;
const STATUS_FAILED = 0x41;
const ABORTED = 0x04;

export function isQueued(command: number): boolean {
  return command === READ_FPDMA || command === WRITE_FPDMA;
}

const STATE = record({
  /** Tags that ended and of which the host has not been told. */
  done: u32,
  failed: flag,
  error: optional(record({ tag: u8, lba: int(0, 2 ** 48) })),
  reads: count,
  writes: count,
});
type QueuedState = StateOf<typeof STATE>;

export class QueuedCommands {
  readonly shape = STATE;
  private s = powerOn();

  constructor(private readonly store: BlockStore) {}

  reset(): void {
    const { reads, writes } = this.s;
    this.s = { ...powerOn(), reads, writes };
  }

  /**
   * Carries a command out; the host is told by `finish`.
   * @param move moves data between the command's memory and the drive; false where memory ends before
   */
  run(command: HostCommand, move: (data: Uint8Array, toMemory: boolean) => boolean): boolean {
    const tag = (command.count >> 3) & 31;
    const sectors = command.features || MAX_SECTORS;
    const writes = command.command === WRITE_FPDMA;
    const ok = this.attempt(command, sectors, writes, move);
    if (ok) {
      this.s.done = (this.s.done | (1 << tag)) >>> 0;
      this.s[writes ? 'writes' : 'reads']++;
    } else {
      this.s.failed = true;
      this.s.error = { tag, lba: command.lba };
    }
    return ok;
  }

  private attempt(
    { lba, device }: HostCommand,
    sectors: number,
    writes: boolean,
    move: (data: Uint8Array, toMemory: boolean) => boolean,
  ): boolean {
    if (lba + sectors > this.store.sectors || (writes && this.store.readOnly)) return false;
    const data = new Uint8Array(sectors * SECTOR_BYTES);
    try {
      if (!writes) {
        this.store.read(lba, data);
        return move(data, true);
      }
      if (!move(data, false)) return false;
      this.store.write(lba, data);
      if (device & FORCE_UNIT_ACCESS) this.store.flush();
      return true;
    } catch (error) {
      if (error instanceof BlockError) return false;
      throw error;
    }
  }

  /** Tells of what has ended since. */
  finish(tell: (tags: number, failed: boolean) => void): void {
    const { done, failed } = this.s;
    if (done === 0 && !failed) return;
    this.s.done = 0;
    this.s.failed = false;
    tell(done, failed);
  }

  /** A page of READ LOG EXT; undefined: there is no such log. @ata "NCQ Command Error log" */
  log(page: number): Uint8Array | undefined {
    const log = new Uint8Array(SECTOR_BYTES);
    if (page === LOG_DIRECTORY) {
      log[0] = 1;
      log[2 * LOG_QUEUE_ERROR] = 1;
      return log;
    }
    if (page !== LOG_QUEUE_ERROR) return undefined;
    const { error } = this.s;
    if (!error) log[0] = 0x80;
    else {
      const lba = [0, 8, 16, 24, 32, 40].map((shift) => Math.floor(error.lba / 2 ** shift) & 0xff);
      log.set([error.tag, 0, STATUS_FAILED, ABORTED, lba[0], lba[1], lba[2], 0x40, lba[3], lba[4], lba[5]]);
    }
    log[511] = -log.reduce((sum, byte) => sum + byte, 0) & 0xff;
    this.s.error = undefined;
    return log;
  }

  save(): QueuedState {
    return this.s;
  }

  load(state: QueuedState): void {
    this.s = state;
  }

  describe(): string {
    return `queued ${counted(this.s.reads, 'read')} ${counted(this.s.writes, 'write')}`;
  }
}

function powerOn(): QueuedState {
  return { done: 0, failed: false, error: undefined, reads: 0, writes: 0 };
}
