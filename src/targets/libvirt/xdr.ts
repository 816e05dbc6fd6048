/**
 * XDR, the encoding of libvirt's messages: big-endian, everything in units of four bytes.
 * @see RFC 4506 "XDR: External Data Representation Standard"
 */

/** A peer's message does not hold what it should. */
export class XdrError extends Error {}

/** As libvirt's REMOTE_STRING_MAX: 4 MiB since 1.2, and the largest that any reply holds. */
export const MAX_STRING_BYTES = 4 * 2 ** 20;

export class XdrReader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.left) throw new XdrError(`message ends early: ${length} bytes wanted, ${this.left} left`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  int(): number {
    return this.bytes.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.bytes.readUInt32BE(this.#take(4));
  }

  hyper(): bigint {
    return this.bytes.readBigInt64BE(this.#take(8));
  }

  uhyper(): bigint {
    return this.bytes.readBigUInt64BE(this.#take(8));
  }

  double(): number {
    return this.bytes.readDoubleBE(this.#take(8));
  }

  opaque(length: number): Buffer {
    const at = this.#take((length + 3) & ~3);
    return this.bytes.subarray(at, at + length);
  }

  string(): string {
    const length = this.uint();
    if (length > MAX_STRING_BYTES) throw new XdrError(`a text of ${length} bytes`);
    return this.opaque(length).toString('utf8');
  }

  /** A pointer: absent, or what `read` finds. */
  optional<T>(read: (reader: XdrReader) => T): T | undefined {
    const present = this.uint();
    if (present > 1) throw new XdrError(`a flag of ${present}`);
    return present ? read(this) : undefined;
  }

  /**
   * @param most the protocol's limit
   * @param leastBytes the fewest bytes that an item takes: a count that cannot fit is refused before anything is built
   */
  array<T>(most: number, leastBytes: number, read: (reader: XdrReader) => T): T[] {
    const count = this.uint();
    if (count > most || count * leastBytes > this.left) throw new XdrError(`a list of ${count} items`);
    const items: T[] = [];
    for (let n = 0; n < count; n++) items.push(read(this));
    return items;
  }
}

export class XdrWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value | 0);
    this.#parts.push(part);
    return this;
  }

  uint(value: number): this {
    return this.int(value | 0);
  }

  uhyper(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(BigInt.asUintN(64, value));
    this.#parts.push(part);
    return this;
  }

  double(value: number): this {
    const part = Buffer.alloc(8);
    part.writeDoubleBE(value);
    this.#parts.push(part);
    return this;
  }

  opaque(bytes: Uint8Array): this {
    const part = Buffer.alloc((bytes.length + 3) & ~3);
    part.set(bytes);
    this.#parts.push(part);
    return this;
  }

  string(text: string): this {
    const bytes = Buffer.from(text, 'utf8');
    return this.uint(bytes.length).opaque(bytes);
  }

  optional<T>(value: T | undefined, write: (writer: XdrWriter, value: T) => void): this {
    this.uint(value === undefined ? 0 : 1);
    if (value !== undefined) write(this, value);
    return this;
  }

  array<T>(items: readonly T[], write: (writer: XdrWriter, item: T) => void): this {
    this.uint(items.length);
    for (const item of items) write(this, item);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
