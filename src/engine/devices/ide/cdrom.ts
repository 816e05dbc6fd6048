/** A CD-ROM drive on an ATA cable: packet commands. @mmc 6 "Commands", @ata 9.8 "PACKET command protocol" */

import { bytes, count, flag, oneOf, record, type StateOf, u8, u16 } from '../../state/schema.js';
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import { MEDIUM, type MediumBay, type MediumDrive } from '../medium-bay.js';
import { type Cable, type DriveState, IdeDrive } from './drive.js';
import { CDROM_MODEL, FIRMWARE_REVISION, identifyCdrom } from './identify.js';
import {
  COMMAND,
  COUNT,
  DEVICE,
  DEVICE_SECOND,
  ERROR,
  ERROR_FEATURES,
  LBA_HIGH,
  LBA_MID,
  REASON,
} from './registers.js';

const BLOCK_BYTES = 2048;
const BLOCK_SECTORS = BLOCK_BYTES / SECTOR_BYTES;
const PACKET_BYTES = 12;
const SIGNATURE_MID = 0x14;
const SIGNATURE_HIGH = 0xeb;
const FEATURE_DMA = 1;
/** Longest transfer by DMA: no host asks for more in one command, and all of it is held in memory. */
const MAX_DMA_BYTES = 64 * 1024 * 1024;
const PIO_MODE = 0x0c;

const SENSE = { none: 0, notReady: 2, mediumError: 3, illegalRequest: 5, unitAttention: 6 } as const;
const ASC = {
  none: 0,
  unrecoveredRead: 0x11,
  invalidOpcode: 0x20,
  outOfRange: 0x21,
  invalidField: 0x24,
  mediumChanged: 0x28,
  noMedium: 0x3a,
  removalPrevented: 0x53,
} as const;

const PACKET = {
  testUnitReady: 0x00,
  requestSense: 0x03,
  inquiry: 0x12,
  modeSense6: 0x1a,
  startStop: 0x1b,
  preventRemoval: 0x1e,
  readCapacity: 0x25,
  read10: 0x28,
  seek10: 0x2b,
  readToc: 0x43,
  getConfiguration: 0x46,
  getEventStatus: 0x4a,
  readDiscInformation: 0x51,
  modeSense10: 0x5a,
  read12: 0xa8,
  mechanismStatus: 0xbd,
  readCd: 0xbe,
} as const;

/** Packets that answer whether or not there is a disc. */
const WITHOUT_DISC: readonly number[] = [
  PACKET.requestSense,
  PACKET.inquiry,
  PACKET.modeSense6,
  PACKET.modeSense10,
  PACKET.startStop,
  PACKET.preventRemoval,
  PACKET.getConfiguration,
  PACKET.getEventStatus,
  PACKET.mechanismStatus,
];

/** Packets that are carried out though the drive has something to tell first. */
const BEFORE_ATTENTION: readonly number[] = [
  PACKET.requestSense,
  PACKET.inquiry,
  PACKET.getConfiguration,
  PACKET.getEventStatus,
];

/** Events of the medium. @mmc "GET EVENT STATUS NOTIFICATION" */
const EVENT = { none: 0, ejectRequest: 1, newMedium: 2, removal: 3 } as const;

/** A packet that ends with CHECK CONDITION. */
class CheckCondition extends Error {
  constructor(
    readonly key: number,
    readonly code: number,
  ) {
    super(`sense ${key}, ${code}`);
  }
}

export interface CdromOptions {
  name: string;
  serial: string;
  bay: MediumBay;
  cable: Cable;
  /** It is a SATA drive. */
  sata?: boolean;
}

const STATE = record({
  mode: u8,
  sense: record({ key: u8, code: u8 }),
  locked: flag,
  medium: MEDIUM,
  /** The tray is out: what lies in it is not to be read. */
  trayOpen: flag,
  /** What software is still to hear of a change: that there was no medium, then that there is another. */
  attention: oneOf('none', 'removed', 'changed'),
  event: u8,
  /** What is left of a data transfer: bytes in memory, then blocks of the disc. */
  pending: bytes(),
  block: count,
  blocksLeft: count,
  /** The packet is being received, or carried out. */
  stage: oneOf('none', 'packet', 'data'),
  dma: flag,
  /** The host's limit of bytes for a piece. */
  limit: u16,
});
type CdromState = StateOf<typeof STATE>;

export class CdromDrive extends IdeDrive<CdromState> implements MediumDrive {
  protected readonly ownShape = STATE;
  readonly bay: MediumBay;
  private readonly serial: string;
  private readonly sata: boolean;
  private mode = PIO_MODE;
  private sense: { key: number; code: number } = { key: SENSE.none, code: ASC.none };
  locked = false;
  private trayOpen = false;
  private attention: 'none' | 'removed' | 'changed' = 'none';
  private event: number = EVENT.none;
  /** What is left of a data transfer: bytes in memory, then blocks of the disc. */
  private pending: Uint8Array = new Uint8Array(0);
  private block = 0;
  private blocksLeft = 0;
  /** The packet is being received, or carried out. */
  private stage: 'none' | 'packet' | 'data' = 'none';
  private dma = false;

  constructor({ name, serial, bay, cable, sata = false }: CdromOptions) {
    super(name, cable);
    this.sata = sata;
    this.bay = bay;
    this.serial = serial;
    this.reset();
  }

  /** What can be read: nothing while the tray is out. */
  private get disc(): BlockStore | undefined {
    return this.trayOpen ? undefined : this.bay.medium?.store;
  }

  change(file: string | undefined): void {
    this.bay.put(file);
    // an empty drive is left open, as by its button
    this.trayOpen = file === undefined;
    this.attention = 'removed';
    this.event = file === undefined ? EVENT.removal : EVENT.newMedium;
  }

  askForEjection(): void {
    this.event = EVENT.ejectRequest;
  }

  private get blocks(): number {
    return this.disc === undefined ? 0 : Math.floor(this.disc.sectors / BLOCK_SECTORS);
  }

  protected signature(): { mid: number; high: number; status: number } {
    this.stage = 'none';
    return { mid: SIGNATURE_MID, high: SIGNATURE_HIGH, status: 0 };
  }

  protected execute(command: number): void {
    const r = this.s.registers;
    switch (command) {
      case COMMAND.packet:
        this.dma = (r[ERROR_FEATURES] & FEATURE_DMA) !== 0;
        this.stage = 'packet';
        r[COUNT] = REASON.command;
        this.ask(PACKET_BYTES, false);
        break;
      case COMMAND.identifyPacket:
      case COMMAND.flush:
      case COMMAND.standbyImmediate:
      case COMMAND.idleImmediate:
      case COMMAND.sleep:
        this.busy();
        break;
      case COMMAND.checkPower:
        r[COUNT] = 0xff;
        this.done();
        break;
      case COMMAND.setFeatures:
        if (r[ERROR_FEATURES] === 0x03) this.mode = r[COUNT];
        this.done();
        break;
      case COMMAND.deviceReset: {
        const selected = r[DEVICE] & DEVICE_SECOND;
        this.softReset();
        r[DEVICE] = selected;
        break;
      }
      case COMMAND.diagnostic:
        this.softReset();
        this.setInterrupt(true);
        break;
      case COMMAND.identify:
      case COMMAND.readSectors:
        // by this a host that knows disks only sees what it has before it
        r[LBA_MID] = SIGNATURE_MID;
        r[LBA_HIGH] = SIGNATURE_HIGH;
        this.fail(ERROR.aborted);
        break;
      default:
        this.fail(ERROR.aborted);
    }
  }

  protected busyEnds(): void {
    if (this.s.command === COMMAND.identifyPacket) this.offer(identifyCdrom(this.serial, this.mode, this.sata));
    else if (this.stage === 'packet') this.runPacket();
    else if (this.stage === 'data') this.sendByDma();
    else this.done();
  }

  protected bufferWritten(): void {
    this.busy();
  }

  protected bufferRead(): void {
    if (this.stage === 'data') this.sendMore();
    else this.done(false);
  }

  protected startDma(): void {
    this.busy(this.blocksLeft * 4);
  }

  // ---- packets ----

  private runPacket(): void {
    const packet = new DataView(this.s.buffer.slice().buffer);
    try {
      const opcode = packet.getUint8(0);
      if (!BEFORE_ATTENTION.includes(opcode)) this.tellChange();
      if (!this.disc && !WITHOUT_DISC.includes(opcode)) throw new CheckCondition(SENSE.notReady, ASC.noMedium);
      const data = this.packet(opcode, packet);
      if (opcode !== PACKET.requestSense) this.sense = { key: SENSE.none, code: ASC.none };
      this.pending = data;
      if (data.length === 0 && this.blocksLeft === 0) {
        this.endPacket();
        return;
      }
      this.stage = 'data';
      if (this.dma) {
        this.s.registers[COUNT] = REASON.toHost;
        this.awaitDma();
      } else this.sendMore();
    } catch (error) {
      this.check(error);
    }
  }

  /** A host that looks away meanwhile still hears that the disc was out, and that it is another. @qemu hw/ide/atapi.c */
  private tellChange(): void {
    if (this.attention === 'none' || !this.disc) return;
    const first = this.attention === 'removed';
    this.attention = first ? 'changed' : 'none';
    if (first) throw new CheckCondition(SENSE.notReady, ASC.noMedium);
    throw new CheckCondition(SENSE.unitAttention, ASC.mediumChanged);
  }

  /** START STOP UNIT: with LoEj the tray moves. What lies in it stays. */
  private moveTray(bits: number): void {
    if ((bits & 2) === 0) return;
    const out = (bits & 1) === 0;
    if (out && !this.trayOpen && this.locked)
      throw new CheckCondition(this.disc ? SENSE.illegalRequest : SENSE.notReady, ASC.removalPrevented);
    if (out !== this.trayOpen) this.event = out ? EVENT.removal : this.bay.medium ? EVENT.newMedium : EVENT.none;
    if (!out && this.trayOpen && this.bay.medium) this.attention = 'changed';
    this.trayOpen = out;
  }

  /** Only media events exist; each is told once. */
  private mediaEvent(classes: number): Uint8Array<ArrayBuffer> {
    const media = 0x10;
    if ((classes & media) === 0) return Uint8Array.of(0, 2, 0x80, media);
    const { event } = this;
    this.event = EVENT.none;
    return Uint8Array.of(0, 6, 4, media, event, (this.trayOpen ? 1 : 0) | (this.bay.medium ? 2 : 0), 0, 0);
  }

  /** Data that the packet answers; the blocks of a read are left in `block` and `blocksLeft`. */
  private packet(opcode: number, packet: DataView): Uint8Array<ArrayBuffer> {
    this.blocksLeft = 0;
    switch (opcode) {
      case PACKET.testUnitReady:
      case PACKET.preventRemoval:
      case PACKET.seek10:
      case PACKET.startStop:
        if (opcode === PACKET.preventRemoval) this.locked = (packet.getUint8(4) & 1) !== 0;
        if (opcode === PACKET.startStop) this.moveTray(packet.getUint8(4));
        return new Uint8Array(0);
      case PACKET.requestSense:
        return this.answer(this.senseData(), packet.getUint8(4));
      case PACKET.inquiry:
        return this.answer(inquiry(), packet.getUint16(3));
      case PACKET.readCapacity: {
        const view = new DataView(new ArrayBuffer(8));
        view.setUint32(0, this.blocks - 1);
        view.setUint32(4, BLOCK_BYTES);
        return new Uint8Array(view.buffer);
      }
      case PACKET.read10:
        return this.readBlocks(packet.getUint32(2), packet.getUint16(7));
      case PACKET.read12:
        return this.readBlocks(packet.getUint32(2), packet.getUint32(6));
      case PACKET.readCd:
        return this.readCd(packet);
      case PACKET.readToc:
        return this.answer(this.toc(packet), packet.getUint16(7));
      case PACKET.modeSense6:
        return this.answer(modePages(packet.getUint8(2), 4, this.locked), packet.getUint8(4));
      case PACKET.modeSense10:
        return this.answer(modePages(packet.getUint8(2), 8, this.locked), packet.getUint16(7));
      case PACKET.getConfiguration:
        return this.answer(configuration(this.disc !== undefined), packet.getUint16(7));
      case PACKET.getEventStatus:
        return this.answer(this.mediaEvent(packet.getUint8(4)), packet.getUint16(7));
      case PACKET.readDiscInformation:
        return this.answer(discInformation(), packet.getUint16(7));
      case PACKET.mechanismStatus:
        return this.answer(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0), packet.getUint16(8));
      default:
        throw new CheckCondition(SENSE.illegalRequest, ASC.invalidOpcode);
    }
  }

  /** At most as much as the host has room for. */
  private answer(data: Uint8Array<ArrayBuffer>, room: number): Uint8Array<ArrayBuffer> {
    return data.slice(0, room);
  }

  private senseData(): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(18);
    data[0] = 0x70;
    data[2] = this.sense.key;
    data[7] = 10;
    data[12] = this.sense.code;
    return data;
  }

  private readBlocks(block: number, count: number): Uint8Array<ArrayBuffer> {
    if (block + count > this.blocks) throw new CheckCondition(SENSE.illegalRequest, ASC.outOfRange);
    if (this.dma && count * BLOCK_BYTES > MAX_DMA_BYTES) {
      throw new CheckCondition(SENSE.illegalRequest, ASC.invalidField);
    }
    this.block = block;
    this.blocksLeft = count;
    return new Uint8Array(0);
  }

  /** READ CD of user data only: what players of audio ask for beyond that is not on a data disc. */
  private readCd(packet: DataView): Uint8Array<ArrayBuffer> {
    const count = packet.getUint32(5) & 0xffffff;
    const parts = packet.getUint8(9) & 0xf8;
    if (count === 0 || parts === 0) return new Uint8Array(0);
    if (parts !== 0x10) throw new CheckCondition(SENSE.illegalRequest, ASC.invalidField);
    return this.readBlocks(packet.getUint32(2), count);
  }

  /** One data track and the lead-out. @mmc "READ TOC/PMA/ATIP" */
  private toc(packet: DataView): Uint8Array<ArrayBuffer> {
    const minutes = (packet.getUint8(1) & 2) !== 0;
    const format = packet.getUint8(2) & 15 || packet.getUint8(9) >> 6;
    const first = packet.getUint8(6);
    const leadOut = 0xaa;
    if (format === 1) return Uint8Array.of(0, 10, 1, 1, 0, 0x14, 1, 0, ...place(0, minutes));
    if (format === 2) return fullToc(this.blocks);
    if (format !== 0 || (first > 1 && first !== leadOut)) {
      throw new CheckCondition(SENSE.illegalRequest, ASC.invalidField);
    }
    const tracks = first <= 1 ? [[0, 0x14, 1, 0, ...place(0, minutes)]] : [];
    const entries = [...tracks, [0, 0x14, leadOut, 0, ...place(this.blocks, minutes)]].flat();
    return Uint8Array.of(0, entries.length + 2, 1, 1, ...entries);
  }

  // ---- data to the host ----

  /** The next piece through the data port, no longer than the host's byte count limit. */
  private sendMore(): void {
    const r = this.s.registers;
    try {
      if (this.pending.length === 0 && this.blocksLeft > 0) this.pending = this.nextBlocks(1);
    } catch (error) {
      this.check(error);
      return;
    }
    if (this.pending.length === 0) {
      this.endPacket();
      return;
    }
    // the limit was the host's only for the first piece: the drive writes what follows into the same registers
    if (this.s.phase === 'busy') this.limit = r[LBA_MID] | (r[LBA_HIGH] << 8);
    const room = this.limit === 0 || this.limit === 0xffff ? 0xfffe : this.limit;
    const length = Math.min(this.pending.length, room > 1 ? room & ~1 : room);
    const piece = this.pending.slice(0, length);
    this.pending = this.pending.slice(length);
    r[COUNT] = REASON.toHost;
    r[LBA_MID] = length & 0xff;
    r[LBA_HIGH] = length >> 8;
    this.offer(piece);
  }

  private limit = 0;

  private nextBlocks(count: number): Uint8Array<ArrayBuffer> {
    const { disc } = this;
    // it may have been taken out meanwhile
    if (!disc) throw new CheckCondition(SENSE.notReady, ASC.noMedium);
    const data = new Uint8Array(count * BLOCK_BYTES);
    try {
      disc.read(this.block * BLOCK_SECTORS, data);
    } catch (error) {
      if (error instanceof BlockError) throw new CheckCondition(SENSE.mediumError, ASC.unrecoveredRead);
      throw error;
    }
    this.block += count;
    this.blocksLeft -= count;
    return data;
  }

  private sendByDma(): void {
    try {
      const data = this.blocksLeft > 0 ? this.nextBlocks(this.blocksLeft) : this.pending;
      this.pending = new Uint8Array(0);
      if (this.cable.transfer(data, true)) this.endPacket();
      else throw new CheckCondition(SENSE.illegalRequest, ASC.invalidField);
    } catch (error) {
      this.check(error);
    }
  }

  private endPacket(): void {
    this.stage = 'none';
    this.s.registers[COUNT] = REASON.command | REASON.toHost;
    this.done();
  }

  private check(error: unknown): void {
    if (!(error instanceof CheckCondition)) throw error;
    this.sense = { key: error.key, code: error.code };
    this.pending = new Uint8Array(0);
    this.blocksLeft = 0;
    this.stage = 'none';
    this.s.registers[COUNT] = REASON.command | REASON.toHost;
    this.fail((error.key << 4) | (error.key === SENSE.illegalRequest ? ERROR.aborted : 0));
  }

  protected saveOwn(): CdromState {
    const { mode, sense, locked, pending, block, blocksLeft, stage, dma, limit, trayOpen, attention, event } = this;
    const medium = this.bay.file;
    const door = { locked, medium, trayOpen, attention, event };
    return { mode, sense, ...door, pending, block, blocksLeft, stage, dma, limit };
  }

  protected loadOwn({ medium, ...state }: CdromState): void {
    this.bay.put(medium);
    Object.assign(this, state);
  }

  /** Who begins anew finds in the drive what is in it. */
  override keepMedium(powerOn: DriveState<CdromState>): DriveState<CdromState> {
    return { ...powerOn, own: { ...powerOn.own, medium: this.bay.file, trayOpen: this.trayOpen } };
  }

  describe(): string {
    return this.disc === undefined
      ? `CD-ROM drive, ${this.trayOpen ? 'open' : 'empty'}`
      : `CD-ROM of ${this.blocks} blocks`;
  }
}

/** A place on the disc as a block number, or as minute, second and frame. */
function place(block: number, minutes: boolean): number[] {
  if (!minutes) return [(block >>> 24) & 255, (block >>> 16) & 255, (block >>> 8) & 255, block & 255];
  const frames = block + 150;
  return [0, Math.floor(frames / 75 / 60), Math.floor(frames / 75) % 60, frames % 75];
}

function fullToc(blocks: number): Uint8Array<ArrayBuffer> {
  const entry = (point: number, [, m, s, f]: number[]) => [1, 0x14, 0, point, 0, 0, 0, 0, m, s, f];
  const entries = [
    ...entry(0xa0, [0, 1, 0, 0]),
    ...entry(0xa1, [0, 1, 0, 0]),
    ...entry(0xa2, place(blocks, true)),
    ...entry(1, place(0, true)),
  ];
  return Uint8Array.of(0, entries.length + 2, 1, 1, ...entries);
}

function inquiry(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(36);
  // CD-ROM, removable, ATAPI version 2, response format 1
  data.set([0x05, 0x80, 0x00, 0x21, 31]);
  const text = (at: number, length: number, value: string) =>
    data.set(
      Array.from(value.padEnd(length), (c) => c.charCodeAt(0)),
      at,
    );
  text(8, 8, CDROM_MODEL.split(' ')[0]);
  text(16, 16, CDROM_MODEL);
  text(32, 4, FIRMWARE_REVISION);
  return data;
}

/** Mode pages 01h (error recovery), 0eh (audio) and 2ah (capabilities) behind a header of 4 or 8 bytes. */
function modePages(control: number, headerBytes: number, locked: boolean): Uint8Array<ArrayBuffer> {
  // saved values do not exist
  if (control >> 6 === 3) throw new CheckCondition(SENSE.illegalRequest, 0x39);
  const pages: [number, number[]][] = [
    [0x01, [0x01, 6, 0, 5, 0, 0, 0, 0]],
    [0x0e, [0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0]],
    [0x2a, [0x2a, 18, 0x3b, 0, 0x71, 0x60, 0x29 | (locked ? 2 : 0), 0, 2, 0xc2, 0, 2, 2, 0, 2, 0xc2, 0, 0, 0, 0]],
  ];
  const wanted = control & 0x3f;
  const chosen = pages.filter(([page]) => wanted === 0x3f || wanted === page).flatMap(([, bytes]) => bytes);
  if (chosen.length === 0) throw new CheckCondition(SENSE.illegalRequest, ASC.invalidField);
  const data = new Uint8Array(headerBytes + chosen.length);
  if (headerBytes === 4) data[0] = data.length - 1;
  else new DataView(data.buffer).setUint16(0, data.length - 2);
  data.set(chosen, headerBytes);
  return data;
}

/** The profile CD-ROM, current with a disc in, and the core feature. */
function configuration(disc: boolean): Uint8Array<ArrayBuffer> {
  const profile = [0, 0, 3, 4, 0, 8, disc ? 1 : 0, 0];
  const core = [0, 1, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0];
  const length = 4 + profile.length + core.length;
  return Uint8Array.of(0, 0, 0, length, 0, 0, 0, disc ? 8 : 0, ...profile, ...core);
}

function discInformation(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(34);
  // finished disc with a finished last session; one session, track 1 to 1
  data.set([0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
  return data;
}
