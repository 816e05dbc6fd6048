/** Machine code of a random guest, byte by byte: only what the generators need. */
export class Code {
  readonly bytes: number[] = [];

  get length(): number {
    return this.bytes.length;
  }

  emit(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  imm(value: number, bytes = 4): this {
    for (let i = 0; i < bytes; i++) this.bytes.push(Math.floor(value / 2 ** (8 * i)) & 0xff);
    return this;
  }

  /** MOV r32, imm32; clears the upper half in 64-bit mode. */
  mov(register: number, value: number): this {
    return this.emit(0xb8 + register).imm(value);
  }

  /** MOV r64, imm64 in 64-bit mode. */
  mov64(register: number, value: bigint): this {
    this.emit(0x48, 0xb8 + register);
    for (let i = 0n; i < 8n; i++) this.bytes.push(Number((value >> (8n * i)) & 0xffn));
    return this;
  }

  /** REP MOVSB of `count` bytes. */
  copy(to: number, from: number, count: number): this {
    return this.mov(ESI, from).mov(EDI, to).mov(ECX, count).emit(0xfc, 0xf3, 0xa4);
  }

  out8(port: number, value: number): this {
    return this.emit(0xb0, value, 0x66, 0xba).imm(port, 2).emit(0xee);
  }
}

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const ESI = 6;
export const EDI = 7;
