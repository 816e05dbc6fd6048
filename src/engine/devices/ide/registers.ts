/** Names of ATA registers, bits and commands. @ata 6 "I/O register descriptions", 7 "Command descriptions" */

/** Task file, as offsets from the command block. */
export const DATA = 0;
export const ERROR_FEATURES = 1;
export const COUNT = 2;
export const LBA_LOW = 3;
export const LBA_MID = 4;
export const LBA_HIGH = 5;
export const DEVICE = 6;
export const STATUS_COMMAND = 7;

export const STATUS = { busy: 0x80, ready: 0x40, fault: 0x20, seekDone: 0x10, dataRequest: 0x08, error: 0x01 } as const;
export const ERROR = { aborted: 0x04, idNotFound: 0x10, uncorrectable: 0x40 } as const;

export const DEVICE_LBA = 0x40;
export const DEVICE_SECOND = 0x10;

export const CONTROL = { noInterrupt: 0x02, reset: 0x04, highOrder: 0x80 } as const;

/** Interrupt reason of packet devices, in the count register. */
export const REASON = { command: 1, toHost: 2 } as const;

export const COMMAND = {
  deviceReset: 0x08,
  recalibrate: 0x10,
  readSectors: 0x20,
  readSectorsOnce: 0x21,
  readSectorsExt: 0x24,
  readDmaExt: 0x25,
  readNativeMaxExt: 0x27,
  readMultipleExt: 0x29,
  writeSectors: 0x30,
  writeSectorsOnce: 0x31,
  writeSectorsExt: 0x34,
  writeDmaExt: 0x35,
  writeMultipleExt: 0x39,
  verify: 0x40,
  verifyOnce: 0x41,
  verifyExt: 0x42,
  seek: 0x70,
  diagnostic: 0x90,
  initializeParameters: 0x91,
  packet: 0xa0,
  identifyPacket: 0xa1,
  readMultiple: 0xc4,
  writeMultiple: 0xc5,
  setMultiple: 0xc6,
  readDma: 0xc8,
  readDmaOnce: 0xc9,
  writeDma: 0xca,
  writeDmaOnce: 0xcb,
  standbyImmediate: 0xe0,
  idleImmediate: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  checkPower: 0xe5,
  sleep: 0xe6,
  flush: 0xe7,
  flushExt: 0xea,
  identify: 0xec,
  setFeatures: 0xef,
  readNativeMax: 0xf8,
} as const;
