/** Reads through a section; past its end it throws RangeError. */
export class Reader {
  readonly #data: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    /** Size of offsets: 8 in 64-bit DWARF. */
    public offsetBytes = 4,
  ) {
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#data.getUint8(this.at++);
  }

  i8(): number {
    return this.#data.getInt8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.#data.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.at += 4;
    return this.#data.getUint32(this.at - 4, true);
  }

  u64(): bigint {
    this.at += 8;
    return this.#data.getBigUint64(this.at - 8, true);
  }

  /** Length of a unit, which tells whether its offsets have 4 or 8 bytes. @dwarf 7.4 "32-Bit and 64-Bit DWARF Formats" */
  initialLength(): number {
    const length = this.u32();
    if (length !== 0xffffffff) return length;
    this.offsetBytes = 8;
    return Number(this.u64());
  }

  offset(): number {
    return this.offsetBytes === 8 ? Number(this.u64()) : this.u32();
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale * 128;
    }
  }

  /** A signed or unsigned number of up to 64 bits; what is beyond is cut off. */
  leb(signed: boolean): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      return signed && (byte & 0x40) !== 0 && shift < 64n ? value - (1n << (shift + 7n)) : value;
    }
  }

  u24(): number {
    const low = this.u16();
    return low | (this.u8() << 16);
  }

  /** @throws RangeError where so much is not there */
  block(length: number): Uint8Array {
    const end = this.at + length;
    if (!(length >= 0 && end <= this.bytes.length)) throw new RangeError('a block that goes over its end');
    const block = this.bytes.subarray(this.at, end);
    this.at = end;
    return block;
  }

  skip(length: number): void {
    if (!(length >= 0 && this.at + length <= this.bytes.length)) throw new RangeError('a block that goes over its end');
    this.at += length;
  }

  string(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new RangeError('a string without an end');
    const text = Buffer.from(this.bytes.subarray(this.at, end)).toString('utf8');
    this.at = end + 1;
    return text;
  }
}
