import { DRIVE_BUSES, type DriveBus } from '../engine/devices/block.js';
import { floppyFor, floppyFormat } from '../engine/devices/floppy/medium.js';
import { readHead, regularFileBytes } from './files.js';
import { UsageError } from './options.js';

/** A drive of the command line. */
export interface DriveArgument {
  path: string;
  kind: 'disk' | 'cdrom' | 'floppy';
  format?: 'raw' | 'qcow2';
  /** Absent: what suits the way the guest boots. */
  bus?: DriveBus;
  readonly: boolean;
  snapshot: boolean;
  snapshotName?: string;
  /** What the guest reads as the drive's serial number; absent: one by its place. */
  serial?: string;
}

/** ATA's and NVMe's serial numbers have room for so many characters. */
const SERIAL = /^[\x21-\x7e]{1,20}$/;

const USE = `FILE[,format=raw|qcow2][,if=${DRIVE_BUSES.join('|')}][,media=cdrom][,readonly][,snapshot=on][,snapshot-name=NAME][,serial=TEXT]`;
/** Buses with CD-ROM drives. */
const CDROM_BUSES: readonly (DriveBus | undefined)[] = ['ide', 'sata'];

/** --disk's value; a comma in the file's name is doubled, as for QEMU. @throws UsageError */
export function parseDisk(text: string): DriveArgument {
  const [path, ...rest] = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  const fail = (why: string): never => {
    throw new UsageError(`--disk ${text}: ${why}; usage: ${USE}`);
  };
  if (!path) fail('no file');
  const drive: DriveArgument = { path, kind: 'disk', readonly: false, snapshot: false };
  for (const part of rest) {
    const [key, value] = part.split(/=(.*)/s, 2) as [string, string | undefined];
    switch (key) {
      case 'format':
        if (value !== 'raw' && value !== 'qcow2') return fail(`format ${value ?? ''} is not raw or qcow2`);
        drive.format = value;
        break;
      case 'if':
        drive.bus =
          busOf(value) ??
          fail(`if=${value ?? ''} is not ${DRIVE_BUSES.slice(0, -1).join(', ')} or ${DRIVE_BUSES.at(-1)}`);
        break;
      case 'media':
        if (value !== 'cdrom' && value !== 'disk') return fail(`media=${value ?? ''} is not cdrom or disk`);
        drive.kind = value;
        break;
      case 'readonly':
        drive.readonly = onOff(value) ?? fail(`readonly=${value} is not on or off`);
        break;
      case 'snapshot':
        drive.snapshot = onOff(value) ?? fail(`snapshot=${value} is not on or off`);
        break;
      case 'snapshot-name':
        if (!value) return fail('snapshot-name has no name');
        drive.snapshotName = value;
        break;
      case 'serial':
        if (!SERIAL.test(value ?? ''))
          return fail(`serial=${value ?? ''} is not 1 to 20 characters of ASCII without spaces`);
        drive.serial = value;
        break;
      default:
        fail(`${key} is not an option`);
    }
  }
  if (drive.bus === 'floppy') drive.kind = 'floppy';
  if (drive.kind !== 'cdrom') return drive;
  drive.bus ??= 'ide';
  if (!CDROM_BUSES.includes(drive.bus)) fail(`media=cdrom needs if=${CDROM_BUSES.join(' or if=')}`);
  return { ...drive, readonly: true };
}

/** `ahci` is what QEMU calls the card that SATA drives are on. */
function busOf(value: string | undefined): DriveBus | undefined {
  const word = value === 'ahci' ? 'sata' : value;
  return DRIVE_BUSES.find((bus) => bus === word);
}

function onOff(value: string | undefined): boolean | undefined {
  if (value === undefined || value === 'on') return true;
  return value === 'off' ? false : undefined;
}

export function floppy(path: string): DriveArgument {
  return { path, kind: 'floppy', bus: 'floppy', readonly: false, snapshot: false };
}

export function cdrom(path: string): DriveArgument {
  return { path, kind: 'cdrom', bus: 'ide', readonly: true, snapshot: false };
}

const QCOW = [0x51, 0x46, 0x49, 0xfb];
const ISO_SIGNATURE_AT = 0x8001;
const ISO_SIGNATURE = 'CD001';
const BOOT_SIGNATURE_AT = 510;
/** Of a partition table: four entries from here on, with a type each. */
const PARTITIONS_AT = 446;

/** Four entries as a partitioning program leaves them: no flag but "active", and one of them with a type. */
function isPartitioned(head: Buffer): boolean {
  const entries = [0, 1, 2, 3].map((n) => head.subarray(PARTITIONS_AT + n * 16, PARTITIONS_AT + n * 16 + 16));
  const fits = entries.every((entry) => (entry[0] & 0x7f) === 0);
  return fits && entries.some((entry) => entry[4] !== 0 && entry.readUInt32LE(12) !== 0);
}

/**
 * Tells an image that a BIOS boots from something that is loaded into memory, by the content: a boot sector is on a floppy
 * disk where it fits one, or on a hard disk.
 * @throws UsageError when the file cannot be read.
 */
export function mediumOf(path: string): 'disk' | 'cdrom' | 'floppy' | undefined {
  const head = readHead(path, ISO_SIGNATURE_AT + ISO_SIGNATURE.length);
  const size = regularFileBytes(path);
  if (QCOW.every((byte, i) => head[i] === byte)) return 'disk';
  if (head.toString('latin1', ISO_SIGNATURE_AT) === ISO_SIGNATURE) return 'cdrom';
  const isLinux = head.toString('latin1', 0x202, 0x206) === 'HdrS';
  const isMultiboot = head.subarray(0, 8192).includes(Buffer.of(0x02, 0xb0, 0xad, 0x1b));
  const boots = head[BOOT_SIGNATURE_AT] === 0x55 && head[BOOT_SIGNATURE_AT + 1] === 0xaa;
  if (!boots || isLinux || isMultiboot) return undefined;
  const sectors = Math.ceil(size / 512);
  if (floppyFormat(sectors)) return 'floppy';
  return floppyFor(sectors) && !isPartitioned(head) ? 'floppy' : 'disk';
}
