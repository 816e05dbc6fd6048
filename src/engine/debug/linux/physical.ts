/** Guest-physical memory as the Linux views read it: without side effects, in this thread. */
export interface PhysicalMemory {
  readonly bytes: number;
  /** A view, not a copy; the whole range must lie inside. */
  view(gpa: number, length: number): Uint8Array;
}

/** A reader of little-endian numbers over bytes that stay put. */
export function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
}
