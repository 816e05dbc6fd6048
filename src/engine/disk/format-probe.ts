/**
 * What a disk's first sector says about its format. The guest writes that sector of a raw disk, and some formats name
 * further files of the host: so who guessed "raw" must see to it that the next guess is "raw" too.
 */
import { BlockError, SECTOR_BYTES } from '../devices/block.js';

const text = new TextDecoder('latin1');

/** Formats that name other files of the host, by the start of the first sector. */
const SIGNATURES: readonly [format: string, bytes: string][] = [
  ['qcow', 'QFI\xfb'],
  ['QED', 'QED\0'],
  ['VMDK', 'KDMV'],
  ['VMDK', 'COWD'],
  ['VHD', 'conectix'],
  ['VHDX', 'vhdxfile'],
];
/** A VMDK descriptor: comments and empty lines, then its version. */
const VMDK_DESCRIPTOR = /^(?:(?:#[^\n]*| *\r?)\n)*version=/;

/** The format of the image that begins with `sector`, of those that name other files; undefined: raw. */
export function probedFormat(sector: Uint8Array): string | undefined {
  const start = text.decode(sector);
  const found = SIGNATURES.find(([, bytes]) => start.startsWith(bytes));
  return found?.[0] ?? (VMDK_DESCRIPTOR.test(start) ? 'VMDK' : undefined);
}

/**
 * The guest writes the start of a raw disk whose format was guessed.
 * @throws BlockError when the next start would take the disk for another format, and read the files that it names.
 */
export function refuseOtherFormat(file: string, start: Uint8Array): void {
  const format = probedFormat(start.subarray(0, SECTOR_BYTES));
  if (format === undefined) return;
  throw new BlockError(
    `${file}: the guest's write to sector 0 would make a ${format} image of this raw one and was refused; ` +
      'format=raw allows it',
    'write',
  );
}
