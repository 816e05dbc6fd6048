/** Registers of an AHCI controller, and bits. @ahci 3 "HBA Memory Registers" */

export const PORTS = 6;
export const COMMAND_SLOTS = 32;

export const CAP = 0x00;
export const GHC = 0x04;
export const IS = 0x08;
export const PI = 0x0c;
export const VS = 0x10;
export const PORT_BASE = 0x100;
export const PORT_BYTES = 0x80;

/** Six ports, 32 slots, generation 1, AHCI only, NCQ, 64-bit addresses. */
export const CAPABILITIES = (PORTS - 1) | ((COMMAND_SLOTS - 1) << 8) | (1 << 18) | (1 << 20) | (1 << 30) | (1 << 31);
export const VERSION = 0x0001_0000;
export const GHC_RESET = 0x1;
export const GHC_INTERRUPTS = 0x2;
export const GHC_AHCI = 0x8000_0000;

export const PX = {
  clb: 0x00,
  clbu: 0x04,
  fb: 0x08,
  fbu: 0x0c,
  is: 0x10,
  ie: 0x14,
  cmd: 0x18,
  tfd: 0x20,
  sig: 0x24,
  ssts: 0x28,
  sctl: 0x2c,
  serr: 0x30,
  sact: 0x34,
  ci: 0x38,
} as const;

export const CMD = {
  start: 0x0001,
  spinUp: 0x0002,
  powerOn: 0x0004,
  override: 0x0008,
  receive: 0x0010,
  slot: 0x1f00,
  receiving: 0x4000,
  running: 0x8000,
  atapi: 0x0100_0000,
} as const;
/** What software writes. */
export const CMD_WRITABLE = CMD.start | CMD.spinUp | CMD.powerOn | CMD.receive | 0xf700_0000;

/** Causes in PxIS. */
export const CAUSE = {
  registers: 0x0000_0001,
  pioSetup: 0x0000_0002,
  deviceBits: 0x0000_0008,
  connected: 0x0000_0040,
  hostData: 0x1000_0000,
  taskFile: 0x4000_0000,
} as const;
export const CAUSE_NAMES = ['DHRS', 'PSS', 'DSS', 'SDBS', 'UFS', 'DPS', 'PCS'] as const;

/** A device is there and talks, at the speed of generation 1; interface active. */
export const CONNECTED = 0x113;
/** COMINIT was seen. */
export const ERROR_EXCHANGED = 0x0400_0000;
/** PxTFD and PxSIG before a device has told anything. */
export const NO_STATUS = 0x7f;
export const NO_SIGNATURE = 0xffff_ffff;
