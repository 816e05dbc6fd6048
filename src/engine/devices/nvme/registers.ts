/** Registers of an NVMe controller, opcodes and status codes. @nvme 3.1 "NVM Express Controller Registers" */

export const CAP = 0x00;
export const VS = 0x08;
export const INTMS = 0x0c;
export const INTMC = 0x10;
export const CC = 0x14;
export const CSTS = 0x1c;
export const AQA = 0x24;
export const ASQ = 0x28;
export const ACQ = 0x30;
export const DOORBELLS = 0x1000;

/** Entries of a queue at most, and of the admin queues. */
export const MAX_ENTRIES = 2048;
export const ADMIN_ENTRIES = 4096;
/** Queues without the admin pair; as many interrupt vectors, and one for the admin queue. */
export const IO_QUEUES = 16;
/** Contiguous queues required, ready within 7.5 s; the NVM command set, pages of 4 KiB to 64 KiB. */
export const CAP_LOW = (MAX_ENTRIES - 1) | (1 << 16) | (15 << 24);
export const CAP_HIGH = (1 << 5) | (4 << 20);
/** 1.4 */
export const VERSION = 0x0001_0400;

export const CC_ENABLE = 1;
export const CC_SHUTDOWN = 0xc000;
export const CSTS_READY = 1;
export const CSTS_FATAL = 2;
export const CSTS_SHUTDOWN_DONE = 8;

export const ADMIN = {
  deleteSq: 0x00,
  createSq: 0x01,
  getLogPage: 0x02,
  deleteCq: 0x04,
  createCq: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEvent: 0x0c,
} as const;

export const IO = { flush: 0x00, write: 0x01, read: 0x02, writeZeroes: 0x08, datasetManagement: 0x09 } as const;

/** Status field without the phase: type in bits 10:8, code in 7:0. @nvme 4.6.1 "Status Field Definition" */
export const STATUS = {
  success: 0x000,
  invalidOpcode: 0x001,
  invalidField: 0x002,
  transferError: 0x004,
  internal: 0x006,
  aborted: 0x007,
  invalidNamespace: 0x00b,
  invalidPrp: 0x013,
  lbaRange: 0x080,
  capacityExceeded: 0x081,
  invalidCq: 0x100,
  invalidQueueId: 0x101,
  invalidQueueSize: 0x102,
  asyncLimit: 0x105,
  invalidVector: 0x108,
  invalidLogPage: 0x109,
  invalidDeletion: 0x10c,
  writeFault: 0x280,
  readError: 0x281,
  readOnly: 0x182,
} as const;
export const DO_NOT_RETRY = 0x4000;
