/** A disk in cylinders, heads and sectors, for drivers and partition tables that still count so. */

export interface Geometry {
  cylinders: number;
  heads: number;
  sectors: number;
}

/** What ATA drives tell: more cylinders than these mean a disk that is addressed by blocks. @ata 7.12.7 "IDENTIFY DEVICE data" */
const MAX_CYLINDERS = 16383;
const HEADS = 16;
const SECTORS = 63;

/** The geometry of a disk of so many sectors. */
export function geometryOf(sectors: number): Geometry {
  const cylinders = Math.floor(sectors / (HEADS * SECTORS));
  return { cylinders: Math.max(1, Math.min(cylinders, MAX_CYLINDERS)), heads: HEADS, sectors: SECTORS };
}
