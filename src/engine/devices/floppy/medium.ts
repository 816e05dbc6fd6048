/** Floppy disks: how many tracks, heads and sectors a disk of a size has, and the drive that it needs. */

import type { Drive } from '../block.js';

export interface FloppyFormat {
  readonly cylinders: number;
  readonly heads: number;
  /** Sectors a track. */
  readonly sectors: number;
  /** Drive type as CMOS byte 10h has it: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M. */
  readonly drive: number;
}

const format = (cylinders: number, heads: number, sectors: number, drive: number): FloppyFormat => ({
  cylinders,
  heads,
  sectors,
  drive,
});

/** A drive without a disk is a 1.44M one. */
const USUAL_DRIVE = 4;

/** From small to large: 160K, 180K, 320K, 360K, 720K, 1.2M, 1.44M, 1.6M, 1.68M, 1.72M, 2.88M. */
const FORMATS: readonly FloppyFormat[] = [
  format(40, 1, 8, 1),
  format(40, 1, 9, 1),
  format(40, 2, 8, 1),
  format(40, 2, 9, 1),
  format(80, 2, 9, 4),
  format(80, 2, 15, 2),
  format(80, 2, 18, 4),
  format(80, 2, 20, 4),
  format(80, 2, 21, 4),
  format(82, 2, 21, 4),
  format(80, 2, 36, 5),
];
const USUAL = FORMATS[6];

const sectorsOf = ({ cylinders, heads, sectors }: FloppyFormat) => cylinders * heads * sectors;

/** The format of an image with just so many sectors; undefined where no disk has that size. */
export function floppyFormat(sectors: number): FloppyFormat | undefined {
  return FORMATS.find((row) => sectorsOf(row) === sectors);
}

/**
 * The disk that an image of so many sectors is on: its own format, or the smallest usual one (1.44M, then 2.88M) that holds it;
 * undefined for what is too large.
 */
export function floppyFor(sectors: number): FloppyFormat | undefined {
  return floppyFormat(sectors) ?? [USUAL, FORMATS[FORMATS.length - 1]].find((row) => sectorsOf(row) >= sectors);
}

/** Type of the drive that a disk of this storage is in. */
export function floppyType({ store }: Pick<Drive, 'store'>): number {
  return (store && floppyFor(store.sectors)?.drive) ?? USUAL_DRIVE;
}
