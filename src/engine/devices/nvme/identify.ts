/** What the controller and its namespace tell of themselves. @nvme 5.15 "Identify command", 5.14 "Get Log Page command" */
import type { BlockStore } from '../block.js';

const PAGE_BYTES = 4096;
/** Largest transfer in pages of 4 KiB, as a power of two: 2 MiB. */
export const MAX_TRANSFER_PAGES = 9;
export const VENDOR = 0x1b36;
const SUBSYSTEM_VENDOR = 0x1af4;
const FIRMWARE = '1.0';
/** QEMU's: an image set up there finds its disk by that and the serial number. */
const MODEL = 'QEMU NVMe Ctrl';
const KELVIN = 273;

function text(page: Uint8Array, at: number, bytes: number, value: string): void {
  for (let i = 0; i < bytes; i++) page[at + i] = i < value.length ? value.charCodeAt(i) & 0x7f : 0x20;
}

/** A name in 64 bits for a drive's serial number: a local organization's, then a sum. */
function eui64(serial: string): number[] {
  let hash = 0x811c9dc5;
  for (const letter of serial) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return [0x52, 0x54, 0, 1, hash >>> 24, (hash >>> 16) & 255, (hash >>> 8) & 255, hash & 255];
}

export function identifyController(serial: string): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  view.setUint16(0, VENDOR, true);
  view.setUint16(2, SUBSYSTEM_VENDOR, true);
  text(page, 4, 20, serial);
  text(page, 24, 40, MODEL);
  text(page, 64, 8, FIRMWARE);
  // arbitration burst; the organization's number
  page.set([6, 0x00, 0x54, 0x52], 72);
  page[77] = MAX_TRANSFER_PAGES;
  view.setUint32(80, 0x0001_0400, true);
  // four aborts and four asynchronous events at a time
  page.set([3, 3], 258);
  // one firmware slot, read-only; log pages may be read in part
  page[260] = 0x03;
  page[261] = 0x04;
  view.setUint16(266, KELVIN + 70, true);
  view.setUint16(268, KELVIN + 100, true);
  // sizes of entries; commands outstanding: no limit
  page.set([0x66, 0x44], 512);
  view.setUint32(516, 1, true);
  // dataset management, write zeroes; a volatile write cache
  view.setUint16(520, 0x000c, true);
  page[525] = 1;
  page.set(new TextEncoder().encode(`nqn.2026-01.org.vmscope:nvme:${serial}`), 768);
  // 25 W, in hundredths
  view.setUint16(2048, 2500, true);
  return page;
}

export function identifyNamespace(store: BlockStore, serial: string): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  for (const at of [0, 8, 16]) view.setBigUint64(at, BigInt(store.sectors), true);
  if (store.readOnly) page[99] = 1;
  page.set(eui64(serial), 120);
  // one format: blocks of 512 bytes without metadata
  view.setUint32(128, 9 << 16, true);
  return page;
}

export function activeNamespaces(after: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  if (after < 1) page[0] = 1;
  return page;
}

export function namespaceDescriptors(serial: string): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  page.set([1, 8, 0, 0, ...eui64(serial)]);
  return page;
}

export interface Work {
  reads: number;
  writes: number;
  readSectors: number;
  writtenSectors: number;
  errors: number;
}

/** A log page; undefined: there is none of that number. */
export function logPage(page: number, work: Work): Uint8Array | undefined {
  switch (page) {
    case 1:
      return new Uint8Array(64);
    case 2:
      return smart(work);
    case 3: {
      const log = new Uint8Array(512);
      log[0] = 1;
      text(log, 8, 8, FIRMWARE);
      return log;
    }
    default:
      return undefined;
  }
}

/** SMART / health: units are a thousand sectors. @nvme 5.14.1.2 */
function smart(work: Work): Uint8Array {
  const log = new Uint8Array(512);
  const view = new DataView(log.buffer);
  const set = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint16(1, KELVIN + 30, true);
  // spare blocks: all, and when to worry
  log.set([100, 10], 3);
  set(32, Math.ceil(work.readSectors / 1000));
  set(48, Math.ceil(work.writtenSectors / 1000));
  set(64, work.reads);
  set(80, work.writes);
  set(112, 1);
  set(160, work.errors);
  return log;
}
