/** Frames between host and device, as they lie in memory. @sata 10.5 "FIS types" */
import type { TaskFile } from '../ide/drive.js';
import { COUNT, DEVICE, LBA_HIGH, LBA_LOW, LBA_MID } from '../ide/registers.js';

const TO_DEVICE = 0x27;
const TO_HOST = 0x34;
const PIO_SETUP = 0x5f;
const DEVICE_BITS = 0xa1;
const INTERRUPT = 0x40;
const FROM_DEVICE = 0x20;

/** Places in the received FIS structure. @ahci 4.2.1 "Received FIS Structure" */
export const RECEIVED = { pioSetup: 0x20, registers: 0x40, deviceBits: 0x58 } as const;

/** A command from the host: task file with both halves of each register. */
export interface HostCommand {
  /** A command, and not the device control register. */
  isCommand: boolean;
  command: number;
  control: number;
  device: number;
  features: number;
  count: number;
  /** 48 bits. */
  lba: number;
}

/** Undefined: it is no FIS from a host to a device. */
export function hostCommand(fis: DataView): HostCommand | undefined {
  if (fis.getUint8(0) !== TO_DEVICE) return undefined;
  const byte = (at: number) => fis.getUint8(at);
  return {
    isCommand: (byte(1) & 0x80) !== 0,
    command: byte(2),
    control: byte(15),
    device: byte(7),
    features: byte(3) | (byte(11) << 8),
    count: byte(12) | (byte(13) << 8),
    lba: byte(4) + byte(5) * 2 ** 8 + byte(6) * 2 ** 16 + byte(8) * 2 ** 24 + byte(9) * 2 ** 32 + byte(10) * 2 ** 40,
  };
}

function withTaskFile(type: number, flags: number, { status, error, registers: r, previous: p }: TaskFile): Uint8Array {
  const fis = new Uint8Array(20);
  fis.set([type, flags, status, error, r[LBA_LOW], r[LBA_MID], r[LBA_HIGH], r[DEVICE]]);
  fis.set([p[LBA_LOW], p[LBA_MID], p[LBA_HIGH], 0, r[COUNT], p[COUNT]], 8);
  return fis;
}

export function registersFis(file: TaskFile, interrupt: boolean): Uint8Array {
  return withTaskFile(TO_HOST, interrupt ? INTERRUPT : 0, file);
}

/** Before data by the data port: its length, and the status after it. */
export function pioSetupFis(file: TaskFile, toHost: boolean, bytes: number, endStatus: number): Uint8Array {
  const fis = withTaskFile(PIO_SETUP, INTERRUPT | (toHost ? FROM_DEVICE : 0), file);
  fis[15] = endStatus;
  fis[16] = bytes & 0xff;
  fis[17] = (bytes >> 8) & 0xff;
  return fis;
}

/** Queued commands have ended. */
export function deviceBitsFis(status: number, error: number, tags: number): Uint8Array {
  const fis = new Uint8Array(8);
  fis.set([DEVICE_BITS, INTERRUPT, status & 0x77, error]);
  new DataView(fis.buffer).setUint32(4, tags, true);
  return fis;
}
