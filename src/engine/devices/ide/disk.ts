/** A hard disk on an ATA cable. @ata 7 "Command descriptions" */
import { counted } from '../../counted.js';
import { count, flag, int, record, type StateOf, u8 } from '../../state/schema.js';
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import { type Geometry, geometryOf } from '../geometry.js';
import { type Cable, IdeDrive } from './drive.js';
import { identifyDisk } from './identify.js';
import {
  COMMAND,
  COUNT,
  DEVICE,
  DEVICE_LBA,
  ERROR,
  ERROR_FEATURES,
  LBA_HIGH,
  LBA_LOW,
  LBA_MID,
  STATUS,
} from './registers.js';

const MAX_MULTIPLE = 16;
const POWER_ACTIVE = 0xff;
const PIO_MODE = 0x0c;

/** What a data command is: direction, 48-bit addresses, DMA, blocks of SET MULTIPLE MODE's size. */
interface DataCommand {
  write: boolean;
  ext?: boolean;
  dma?: boolean;
  multiple?: boolean;
  verify?: boolean;
}

const DATA_COMMANDS = new Map<number, DataCommand>([
  [COMMAND.readSectors, { write: false }],
  [COMMAND.readSectorsOnce, { write: false }],
  [COMMAND.readSectorsExt, { write: false, ext: true }],
  [COMMAND.readMultiple, { write: false, multiple: true }],
  [COMMAND.readMultipleExt, { write: false, multiple: true, ext: true }],
  [COMMAND.readDma, { write: false, dma: true }],
  [COMMAND.readDmaOnce, { write: false, dma: true }],
  [COMMAND.readDmaExt, { write: false, dma: true, ext: true }],
  [COMMAND.writeSectors, { write: true }],
  [COMMAND.writeSectorsOnce, { write: true }],
  [COMMAND.writeSectorsExt, { write: true, ext: true }],
  [COMMAND.writeMultiple, { write: true, multiple: true }],
  [COMMAND.writeMultipleExt, { write: true, multiple: true, ext: true }],
  [COMMAND.writeDma, { write: true, dma: true }],
  [COMMAND.writeDmaOnce, { write: true, dma: true }],
  [COMMAND.writeDmaExt, { write: true, dma: true, ext: true }],
  [COMMAND.verify, { write: false, verify: true }],
  [COMMAND.verifyOnce, { write: false, verify: true }],
  [COMMAND.verifyExt, { write: false, verify: true, ext: true }],
]);

export interface AtaDiskOptions {
  name: string;
  serial: string;
  store: BlockStore;
  cable: Cable;
  /** It is a SATA drive, with command queuing. */
  sata?: boolean;
}

const STATE = record({
  current: record({ cylinders: count, heads: count, sectors: count }),
  multiple: u8,
  mode: u8,
  writeCache: flag,
  sector: count,
  left: int(0, 0x10000),
});
type AtaDiskState = StateOf<typeof STATE>;

export class AtaDisk extends IdeDrive<AtaDiskState> {
  protected readonly ownShape = STATE;
  private readonly store: BlockStore;
  private readonly serial: string;
  private readonly sata: boolean;
  private readonly physical: Geometry;
  private current: Geometry;
  private multiple = MAX_MULTIPLE;
  private mode = PIO_MODE;
  private writeCache = true;
  /** Next sector of the command in progress, and how many are left. */
  private sector = 0;
  private left = 0;

  constructor({ name, serial, store, cable, sata = false }: AtaDiskOptions) {
    super(name, cable);
    this.sata = sata;
    this.store = store;
    this.serial = serial;
    this.physical = geometryOf(store.sectors);
    this.current = this.physical;
    this.reset();
  }

  get sectors(): number {
    return this.store.sectors;
  }

  override reset(): void {
    this.current = this.physical;
    this.multiple = MAX_MULTIPLE;
    this.mode = PIO_MODE;
    this.writeCache = true;
    super.reset();
  }

  protected signature(): { mid: number; high: number; status: number } {
    return { mid: 0, high: 0, status: STATUS.ready | STATUS.seekDone };
  }

  protected execute(command: number): void {
    const data = DATA_COMMANDS.get(command);
    if (data) this.executeData(data);
    else if ((command & 0xf0) === COMMAND.recalibrate || (command & 0xf0) === COMMAND.seek) this.busy();
    else this.executeOther(command);
  }

  private executeOther(command: number): void {
    const r = this.s.registers;
    switch (command) {
      case COMMAND.identify:
      case COMMAND.flush:
      case COMMAND.flushExt:
      case COMMAND.standbyImmediate:
      case COMMAND.idleImmediate:
      case COMMAND.standby:
      case COMMAND.idle:
      case COMMAND.sleep:
        this.busy();
        break;
      case COMMAND.diagnostic:
        this.softReset();
        this.setInterrupt(true);
        break;
      case COMMAND.initializeParameters:
        this.setGeometry();
        break;
      case COMMAND.setMultiple:
        this.setMultiple(r[COUNT]);
        break;
      case COMMAND.checkPower:
        r[COUNT] = POWER_ACTIVE;
        this.done();
        break;
      case COMMAND.setFeatures:
        this.setFeatures(r[ERROR_FEATURES]);
        break;
      case COMMAND.readNativeMax:
        this.showSector(this.sectors - 1, false);
        this.done();
        break;
      case COMMAND.readNativeMaxExt:
        this.showSector(this.sectors - 1, true);
        this.done();
        break;
      default:
        this.fail(ERROR.aborted);
    }
  }

  private setGeometry(): void {
    const r = this.s.registers;
    const heads = (r[DEVICE] & 15) + 1;
    const sectors = r[COUNT];
    if (sectors === 0) {
      this.fail(ERROR.aborted);
      return;
    }
    const cylinders = Math.min(Math.floor(this.sectors / (heads * sectors)), 65535);
    this.current = { cylinders, heads, sectors };
    this.done();
  }

  private setMultiple(count: number): void {
    if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) {
      this.fail(ERROR.aborted);
      return;
    }
    this.multiple = count;
    this.done();
  }

  /** @ata 7.37 "SET FEATURES" */
  private setFeatures(feature: number): void {
    switch (feature) {
      case 0x02:
      case 0x82:
        this.writeCache = feature === 0x02;
        // what is in the cache is written before it goes
        if (feature === 0x82) this.busy();
        else this.done();
        break;
      case 0x03:
        this.mode = this.s.registers[COUNT];
        this.done();
        break;
      case 0xaa:
      case 0x55:
      case 0x05:
      case 0x85:
      case 0x66:
      case 0xcc:
      case 0x67:
      case 0x42:
      case 0xc2:
        this.done();
        break;
      default:
        this.fail(ERROR.aborted);
    }
  }

  // ---- sectors ----

  private executeData(data: DataCommand): void {
    if (data.multiple && this.multiple === 0) {
      this.fail(ERROR.aborted);
      return;
    }
    const { registers: r, previous: p } = this.s;
    const count = data.ext ? (p[COUNT] << 8) | r[COUNT] : r[COUNT];
    this.left = count === 0 ? (data.ext ? 65536 : 256) : count;
    const sector = this.addressed(data.ext === true);
    if (sector === undefined || sector + this.left > this.sectors) {
      this.fail(ERROR.idNotFound);
      return;
    }
    this.sector = sector;
    if (data.write && this.store.readOnly) this.fail(ERROR.aborted);
    else if (data.dma) this.awaitDma();
    else if (data.write) this.ask(this.blockSectors(data) * SECTOR_BYTES, false);
    else this.busy(this.blockSectors(data));
  }

  private addressed(ext: boolean): number | undefined {
    const { registers: r, previous: p } = this.s;
    const low = r[LBA_LOW] + r[LBA_MID] * 256 + r[LBA_HIGH] * 65536;
    if (ext) return low + (p[LBA_LOW] + p[LBA_MID] * 256 + p[LBA_HIGH] * 65536) * 2 ** 24;
    if ((r[DEVICE] & DEVICE_LBA) !== 0) return low + (r[DEVICE] & 15) * 2 ** 24;
    const { heads, sectors } = this.current;
    const head = r[DEVICE] & 15;
    if (r[LBA_LOW] === 0 || r[LBA_LOW] > sectors || head >= heads) return undefined;
    return ((r[LBA_MID] + r[LBA_HIGH] * 256) * heads + head) * sectors + r[LBA_LOW] - 1;
  }

  /** Leaves an address in the task file, as a command does that ends or fails. */
  private showSector(sector: number, ext: boolean): void {
    const { registers: r, previous: p } = this.s;
    if (!ext && (r[DEVICE] & DEVICE_LBA) === 0) {
      const { heads, sectors } = this.current;
      const cylinder = Math.floor(sector / (heads * sectors));
      r[LBA_LOW] = (sector % sectors) + 1;
      r[LBA_MID] = cylinder & 0xff;
      r[LBA_HIGH] = (cylinder >> 8) & 0xff;
      r[DEVICE] = (r[DEVICE] & 0xf0) | (Math.floor(sector / sectors) % heads);
      return;
    }
    r[LBA_LOW] = sector & 0xff;
    r[LBA_MID] = (sector >>> 8) & 0xff;
    r[LBA_HIGH] = (sector >>> 16) & 0xff;
    const high = Math.floor(sector / 2 ** 24);
    if (ext)
      for (const [i, register] of [LBA_LOW, LBA_MID, LBA_HIGH].entries()) p[register] = (high / 2 ** (8 * i)) & 0xff;
    else r[DEVICE] = (r[DEVICE] & 0xf0) | (high & 15);
  }

  private blockSectors(data: DataCommand): number {
    if (data.verify || data.dma) return this.left;
    return data.multiple ? Math.min(this.multiple, this.left) : 1;
  }

  protected busyEnds(): void {
    const data = DATA_COMMANDS.get(this.s.command);
    if (!data) this.finishOther();
    else if (data.write) this.storeBlock(data);
    else this.fetch(data);
  }

  private finishOther(): void {
    switch (this.s.command) {
      case COMMAND.identify:
        this.offer(identifyDisk({ ...this.identity(), sectors: this.sectors, maxMultiple: MAX_MULTIPLE }));
        break;
      case COMMAND.flush:
      case COMMAND.flushExt:
      case COMMAND.setFeatures:
        if (this.attempt(() => this.store.flush())) this.done();
        else this.fail(ERROR.aborted);
        break;
      default:
        this.done();
    }
  }

  private identity() {
    const { serial, physical, current, multiple, mode, writeCache, sata } = this;
    return { serial, physical, current, multiple, mode, writeCache, sata };
  }

  private fetch(data: DataCommand): void {
    const count = this.blockSectors(data);
    const bytes = new Uint8Array(data.verify ? 0 : count * SECTOR_BYTES);
    if (!this.attempt(() => this.store.read(this.sector, bytes))) {
      this.showSector(this.sector, data.ext === true);
      this.fail(ERROR.uncorrectable);
      return;
    }
    if (data.dma && !this.cable.transfer(bytes, true)) {
      this.fail(ERROR.aborted);
      return;
    }
    this.advance(count);
    if (data.dma || data.verify) this.endData(data);
    else this.offer(bytes);
  }

  protected bufferRead(): void {
    const data = DATA_COMMANDS.get(this.s.command);
    if (data && this.left > 0) this.fetch(data);
    else {
      if (data) this.showEnd(data);
      this.done(false);
    }
  }

  protected bufferWritten(): void {
    this.busy(this.s.buffer.length / SECTOR_BYTES);
  }

  private storeBlock(data: DataCommand): void {
    let bytes = this.s.buffer;
    if (data.dma) {
      bytes = new Uint8Array(this.left * SECTOR_BYTES);
      if (!this.cable.transfer(bytes, false)) {
        this.fail(ERROR.aborted);
        return;
      }
    }
    const written = this.attempt(() => {
      this.store.write(this.sector, bytes);
      if (!this.writeCache) this.store.flush();
    });
    if (!written) {
      this.showSector(this.sector, data.ext === true);
      this.fail(ERROR.aborted);
      return;
    }
    this.advance(bytes.length / SECTOR_BYTES);
    if (this.left > 0) this.ask(this.blockSectors(data) * SECTOR_BYTES, true);
    else this.endData(data);
  }

  private advance(sectors: number): void {
    this.sector += sectors;
    this.left -= sectors;
  }

  private endData(data: DataCommand): void {
    this.showEnd(data);
    this.done();
  }

  private showEnd(data: DataCommand): void {
    this.s.registers[COUNT] = 0;
    this.showSector(this.sector - 1, data.ext === true);
  }

  protected startDma(): void {
    this.busy(this.left);
  }

  /** False when the storage failed. */
  private attempt(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof BlockError) return false;
      throw error;
    }
  }

  protected saveOwn(): AtaDiskState {
    const { current, multiple, mode, writeCache, sector, left } = this;
    return { current, multiple, mode, writeCache, sector, left };
  }

  protected loadOwn(state: AtaDiskState): void {
    Object.assign(this, state);
  }

  describe(): string {
    return `disk of ${counted(this.sectors, 'sector')}${this.store.readOnly ? ', read-only' : ''}`;
  }
}
