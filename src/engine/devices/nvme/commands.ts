/** Commands of the NVM set: what moves data. @nvme 6 "NVM Command Set" */
import { count, record, type StateOf } from '../../state/schema.js';
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import type { BusMaster } from '../pci/bus-master.js';
import { MAX_TRANSFER_PAGES } from './identify.js';
import { CommandError, gather, pieces, scatter } from './prp.js';
import { IO, STATUS } from './registers.js';

const NAMESPACE = 1;
const ALL_NAMESPACES = 0xffff_ffff;
const MAX_TRANSFER_BYTES = 4096 << MAX_TRANSFER_PAGES;
const FORCE_UNIT_ACCESS = 0x4000_0000;
const DEALLOCATE = 4;
const RANGE_BYTES = 16;
/** A hint for more at once is not followed. */
const MAX_RANGE_SECTORS = 1 << 22;
/** Zeroing takes a part of the time that moving as many bytes does. */
const ZERO_SHARE = 16;

const WORK = record({ reads: count, writes: count, readSectors: count, writtenSectors: count, errors: count });

export interface NvmOptions {
  store: BlockStore;
  bus: BusMaster;
  pageBytes(): number;
}

/** Pointers of a command to its data. */
export function dataPointers(command: DataView): { prp1: number; prp2: number } {
  const at = (offset: number) => command.getUint32(offset, true) + command.getUint32(offset + 4, true) * 2 ** 32;
  return { prp1: at(24), prp2: at(32) };
}

export class NvmCommands {
  readonly shape = WORK;
  work: StateOf<typeof WORK> = { reads: 0, writes: 0, readSectors: 0, writtenSectors: 0, errors: 0 };

  constructor(private readonly options: NvmOptions) {}

  /** @returns the status */
  run(command: DataView): number {
    try {
      this.execute(command);
      return STATUS.success;
    } catch (error) {
      this.work.errors++;
      if (error instanceof CommandError) return error.status;
      if (error instanceof BlockError) return statusOf(error);
      throw error;
    }
  }

  private execute(command: DataView): void {
    const { store } = this.options;
    const opcode = command.getUint8(0);
    const namespace = command.getUint32(4, true);
    // scatter gather lists are not offered
    if (command.getUint8(1) & 0xc3) throw new CommandError(STATUS.invalidField);
    if (namespace !== NAMESPACE && !(opcode === IO.flush && namespace === ALL_NAMESPACES)) {
      throw new CommandError(STATUS.invalidNamespace);
    }
    switch (opcode) {
      case IO.flush:
        store.flush();
        return;
      case IO.read:
        this.read(command);
        return;
      case IO.write:
        this.write(command);
        return;
      case IO.writeZeroes: {
        const { lba, sectors } = this.range(command, true);
        this.zero(lba, sectors);
        return;
      }
      case IO.datasetManagement:
        this.manage(command);
        return;
      default:
        throw new CommandError(STATUS.invalidOpcode);
    }
  }

  /** The blocks that a command names. */
  private range(command: DataView, writes: boolean): { lba: number; sectors: number } {
    const { store } = this.options;
    const lba = command.getUint32(40, true) + command.getUint32(44, true) * 2 ** 32;
    const sectors = (command.getUint32(48, true) & 0xffff) + 1;
    if (lba + sectors > store.sectors) throw new CommandError(STATUS.lbaRange);
    if (writes && store.readOnly) throw new CommandError(STATUS.readOnly);
    return { lba, sectors };
  }

  private memory(command: DataView, bytes: number) {
    if (bytes > MAX_TRANSFER_BYTES) throw new CommandError(STATUS.invalidField);
    const { prp1, prp2 } = dataPointers(command);
    return pieces(this.options.bus, this.options.pageBytes(), prp1, prp2, bytes);
  }

  private read(command: DataView): void {
    const { store, bus } = this.options;
    const { lba, sectors } = this.range(command, false);
    const to = this.memory(command, sectors * SECTOR_BYTES);
    const data = new Uint8Array(sectors * SECTOR_BYTES);
    store.read(lba, data);
    scatter(bus, to, data);
    this.work.reads++;
    this.work.readSectors += sectors;
  }

  private write(command: DataView): void {
    const { store, bus } = this.options;
    const { lba, sectors } = this.range(command, true);
    const from = this.memory(command, sectors * SECTOR_BYTES);
    store.write(lba, gather(bus, from));
    if (command.getUint32(48, true) & FORCE_UNIT_ACCESS) store.flush();
    this.work.writes++;
    this.work.writtenSectors += sectors;
  }

  private zero(lba: number, sectors: number): void {
    const { store, bus } = this.options;
    bus.spend((sectors * SECTOR_BYTES) / ZERO_SHARE);
    store.writeZeroes(lba, sectors);
  }

  /** Ranges that the host needs no more: they read as zeros. */
  private manage(command: DataView): void {
    const { store, bus, pageBytes } = this.options;
    const count = (command.getUint32(40, true) & 0xff) + 1;
    const { prp1, prp2 } = dataPointers(command);
    const list = gather(bus, pieces(bus, pageBytes(), prp1, prp2, count * RANGE_BYTES));
    if ((command.getUint32(44, true) & DEALLOCATE) === 0) return;
    if (store.readOnly) throw new CommandError(STATUS.readOnly);
    const view = new DataView(list.buffer);
    for (let at = 0; at < list.length; at += RANGE_BYTES) {
      const sectors = view.getUint32(at + 4, true);
      const lba = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 2 ** 32;
      if (lba + sectors > store.sectors) throw new CommandError(STATUS.lbaRange);
      if (sectors > 0 && sectors <= MAX_RANGE_SECTORS && !bus.tired) this.zero(lba, sectors);
    }
  }
}

function statusOf(error: BlockError): number {
  switch (error.kind) {
    case 'read':
      return STATUS.readError;
    case 'write':
      return STATUS.writeFault;
    case 'no-space':
      return STATUS.capacityExceeded;
    case 'read-only':
      return STATUS.readOnly;
    case 'range':
      return STATUS.lbaRange;
  }
}
