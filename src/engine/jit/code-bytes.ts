// Bytes of WebAssembly code as they are written. A function has tens of thousands, and most are written before V8 optimizes
// what writes them: so they lie in memory that is not traced, and each is put by one plain call.

const FIRST_ROOM = 2048;

export class CodeBytes {
  size = 0;
  room = new Uint8Array(FIRST_ROOM);

  put(byte: number): void {
    if (this.size === this.room.length) {
      const more = new Uint8Array(this.size * 2);
      more.set(this.room);
      this.room = more;
    }
    this.room[this.size++] = byte;
  }

  putAll(bytes: ArrayLike<number>): void {
    for (let n = 0; n < bytes.length; n++) this.put(bytes[n]);
  }

  /** Unsigned LEB128 of at most 32 bits. */
  unsigned(value: number): void {
    let rest = value;
    for (; rest > 127; rest >>>= 7) this.put((rest & 127) | 128);
    this.put(rest);
  }

  /** Signed LEB128 of 32 bits. */
  signed32(value: number): void {
    let rest = value;
    for (; rest < -64 || rest > 63; rest >>= 7) this.put((rest & 127) | 128);
    this.put(rest & 127);
  }

  signed64(value: bigint): void {
    let rest = value;
    for (;;) {
      const byte = Number(rest & 127n);
      rest >>= 7n;
      if ((rest === 0n && byte < 64) || (rest === -1n && byte >= 64)) {
        this.put(byte);
        return;
      }
      this.put(byte | 128);
    }
  }

  get written(): Uint8Array {
    return this.room.subarray(0, this.size);
  }
}
