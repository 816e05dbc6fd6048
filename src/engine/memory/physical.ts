// Guest-physical memory for whoever looks at it without being the guest: the debugger, its page walks, the OS view.
// What the guest would find at an address is found here too: RAM, ROM where the chipset shows it, registers of devices.

const PAGE_BYTES = 4096n;
const REGISTER_BYTES = 4n;

export interface PhysicalMemory {
  /** From an address to the end of its page of 4 KiB, in place; undefined where there is neither RAM nor ROM. */
  page(gpa: bigint): Uint8Array | undefined;
  /** Something is about to be written into that page, and has been. */
  changing(gpa: bigint): void;
  changed(gpa: bigint): void;
  /**
   * A device's register of 4 aligned bytes, without the effects that a read of the guest's would have; undefined where
   * no device answers or this one cannot tell without them.
   */
  peek(gpa: bigint): bigint | undefined;
}

/** Reads; short where memory ends. */
export function readPhysical(memory: PhysicalMemory, gpa: bigint, length: number): Uint8Array {
  const result = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = gpa + BigInt(done);
    const page = memory.page(at);
    const piece = page ? page.subarray(0, length - done) : peekBytes(memory, at, length - done);
    if (!piece) break;
    result.set(piece, done);
    done += piece.length;
  }
  return done === length ? result : result.slice(0, done);
}

/** The rest of the register at an address. */
function peekBytes(memory: PhysicalMemory, gpa: bigint, length: number): Uint8Array | undefined {
  const within = Number(gpa % REGISTER_BYTES);
  const value = memory.peek(gpa - BigInt(within));
  if (value === undefined) return undefined;
  const bytes = Uint8Array.from({ length: 4 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  return bytes.subarray(within, within + length);
}

/** Writes into RAM and ROM only; answers how many bytes were written. */
export function writePhysical(memory: PhysicalMemory, gpa: bigint, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const at = gpa + BigInt(done);
    const piece = memory.page(at)?.subarray(0, bytes.length - done);
    if (!piece) break;
    memory.changing(at);
    piece.set(bytes.subarray(done, done + piece.length));
    memory.changed(at);
    done += piece.length;
  }
  return done;
}

/** Pieces of [gva, gva + length) that lie in one page each: offset in the range, guest-physical address, bytes. */
function* linearPieces(
  translate: (gva: bigint) => bigint | undefined,
  gva: bigint,
  length: number,
): Generator<[number, bigint, number]> {
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, gva + BigInt(done));
    const bytes = Math.min(length - done, Number(PAGE_BYTES - (at % PAGE_BYTES)));
    const gpa = translate(at);
    if (gpa === undefined) return;
    yield [done, gpa, bytes];
    done += bytes;
  }
}

/** Reads by linear address; short where memory ends or is not mapped. */
export function readLinear(
  memory: PhysicalMemory,
  translate: (gva: bigint) => bigint | undefined,
  gva: bigint,
  length: number,
): Uint8Array {
  const result = new Uint8Array(length);
  let valid = 0;
  for (const [offset, gpa, bytes] of linearPieces(translate, gva, length)) {
    const piece = readPhysical(memory, gpa, bytes);
    result.set(piece, offset);
    valid = offset + piece.length;
    if (piece.length < bytes) break;
  }
  return valid === length ? result : result.slice(0, valid);
}

/** As writePhysical, by linear address. */
export function writeLinear(
  memory: PhysicalMemory,
  translate: (gva: bigint) => bigint | undefined,
  gva: bigint,
  data: Uint8Array,
): number {
  let written = 0;
  for (const [offset, gpa, bytes] of linearPieces(translate, gva, data.length)) {
    const done = writePhysical(memory, gpa, data.subarray(offset, offset + bytes));
    written += done;
    if (done < bytes) break;
  }
  return written;
}

/** Reads 4 or 8 aligned bytes of memory, for page walks; undefined where there is neither RAM nor ROM. */
export function readEntry(memory: PhysicalMemory, gpa: bigint, bytes: 4 | 8): bigint | undefined {
  const page = memory.page(gpa);
  if (!page || page.length < bytes) return undefined;
  const view = new DataView(page.buffer, page.byteOffset, bytes);
  return bytes === 8 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
}
