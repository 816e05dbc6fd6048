import { RandomProgram } from './random-program.js';

const [RAX, RCX, RDX, RBX, RSI, RDI, R8, R9, R12, R13, R14] = [0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14];
const NO_INDEX = 4;

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];

/**
 * Loops that walk through memory, between 40000h and 50000h: pointers and indices that move by constants or by a register, in any place of
 * the turn, accesses of all sizes that they make up, ways over them and out in the middle. rbp counts turns, rdx passes.
 */
export class RandomLoop {
  readonly #random: RandomProgram;

  /** @param long 64-bit code; else 32-bit code, with the first eight registers alone */
  constructor(
    seed: number,
    readonly long: boolean,
  ) {
    this.#random = new RandomProgram(seed);
  }

  below(n: number): number {
    return this.#random.below(n);
  }

  #pick<T>(list: readonly T[]): T {
    return this.#random.pick(list);
  }

  /** Code that runs for ever; `between` stands before each pass of its loop. */
  code(between: readonly number[]): number[] {
    const start: number[][] = [[...between]];
    // a pointer each, near the end of a page as often as not: mov r,imm32
    for (const [register, page] of [
      [RSI, 0x41000],
      [RDI, 0x44000],
      [RBX, 0x47000],
    ]) {
      const at = page + this.#pick([0, 16, 0xf80, 0xff0, 0xffd, 0xfff, this.below(4096)]);
      start.push(this.#moveImmediate(register, at));
      // another place in each pass: add r,rdx
      if (this.below(2)) start.push(this.#two(0x01, register, RDX, true));
    }
    start.push(this.#moveImmediate(RCX, this.#pick([0, 1, 3, this.below(300), -1, -this.below(300)])));
    if (this.long) start.push(this.#moveImmediate(R14, this.#pick([0, 1, 2, 8, 24, -1, -8, 100, 5000])));
    start.push(this.#moveImmediate(5, this.#pick([1, 2, 3, 5, 8, 30, 200, 700])));
    const body: number[][] = [];
    const pieces = 2 + this.below(7);
    for (let n = 0; n < pieces; n++) {
      const one = this.#piece();
      // over the next piece, by the flags or by a bit of the pass
      if (this.below(6) === 0) {
        const over = this.#piece();
        body.push(this.below(2) ? [0xf6, 0xc2, 1 << this.below(4)] : [], [0x70 + this.below(16), over.length], over);
      }
      body.push(one);
      if (this.below(3) === 0) body.push(this.#move());
    }
    // not all loops move at all
    if (this.below(8)) body.splice(this.below(body.length + 1), 0, this.#move());
    // out in the middle: cmp al,imm8; jz
    const out = this.below(3) === 0;
    if (out) body.push([0x3c, this.below(256)], [0x0f, 0x84, 0, 0, 0, 0]);
    const exit = body.flat().length;
    // sub ebp,1 or dec ebp; jnz L
    body.push(this.below(2) || this.long ? [0x83, 0xed, 1] : [0x4d]);
    const loop = body.flat();
    loop.push(0x0f, 0x85, ...int32(-(loop.length + 6)));
    if (out) loop.splice(exit - 4, 4, ...int32(loop.length - exit));
    const code = [...start.flat(), ...loop];
    // add edx,13; and edx,0ffh; xor eax,edx; jmp
    code.push(0x83, 0xc2, 13, 0x81, 0xe2, 0xff, 0, 0, 0, 0x31, 0xd0);
    return [...code, 0xe9, ...int32(-(code.length + 5))];
  }

  #moveImmediate(register: number, value: number): number[] {
    if (!this.long) return [0xb8 + register, ...int32(value)];
    // with its sign: mov r64,imm32; or with zeros
    if (value >= 0 || this.below(2)) return [...(register > 7 ? [0x41] : []), 0xb8 + (register & 7), ...int32(value)];
    return [0x48 | (register >> 3), 0xc7, 0xc0 | (register & 7), ...int32(value)];
  }

  /** op rm,r */
  #two(opcode: number, rm: number, r: number, wide: boolean): number[] {
    const rex = this.long ? [0x40 | (wide ? 8 : 0) | ((r >> 3) << 2) | (rm >> 3)] : [];
    return [...rex, opcode, 0xc0 | ((r & 7) << 3) | (rm & 7)];
  }

  get #data(): number {
    return this.#pick(this.long ? [RAX, R8, R9, R12, R13] : [RAX]);
  }

  /** An access, or what makes an index of one. */
  #piece(): number[] {
    switch (this.below(12)) {
      case 0:
        // push and pop keep the stack
        return this.#pick([
          [0x50 + RAX, 0x58 + RCX],
          [0x50 + RAX, 0x50 + RCX, 0x58 + RCX, 0x58 + RAX],
        ]);
      case 1:
        return this.#two(this.#pick([0x01, 0x29, 0x31, 0x11]), this.#data, this.#pick([RCX, RSI, RAX]), true);
      case 2:
        // lods, stos, movs
        return [...(this.long && this.below(2) ? [0x48] : []), this.#pick([0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad])];
      default:
        return this.#access();
    }
  }

  #access(): number[] {
    if (this.below(4) === 0) return this.#vector();
    const size = this.below(this.long ? 4 : 3);
    const low = size === 0 ? 0 : 1;
    const before: number[] = [];
    let [base, index, scale] = [this.#pick([RSI, RDI, RBX]), NO_INDEX, 0];
    if (this.below(3) === 0) {
      index = RCX;
      scale = this.below(4);
      // mov r8d,ecx; movsxd r8,ecx; lea r8d,[rcx+imm8]
      if (this.long && this.below(2)) {
        index = R9;
        before.push(
          ...this.#pick([
            [0x41, 0x89, 0xc9],
            [0x4c, 0x63, 0xc9],
            [0x44, 0x8d, 0x49, this.below(256)],
          ]),
        );
      }
    }
    const data = this.#data;
    const alu = [0x01, 0x29, 0x31, 0x09, 0x21, 0x11, 0x39];
    const opcode = this.#pick([
      [0x88 + low],
      [0x88 + low],
      [0x8a + low],
      [0x8a + low],
      [(this.#pick(alu) & 0xfe) + low],
      [(this.#pick(alu) & 0xfe) + 2 + low],
      [0x0f, this.#pick([0xb6, 0xb7, 0xbe, 0xbf])],
      [0xfe + low],
    ]);
    const r = opcode[0] >= 0xfe ? this.below(2) : data;
    const displacement = this.#pick([0, 0, 1, 8, 16, -8, -1, 200, 4095]);
    // an address of its own: [disp32]
    const fixed = this.below(8) === 0;
    if (fixed) [base, index] = [5, NO_INDEX];
    const rex =
      0x40 | (size === 3 ? 8 : 0) | ((r >> 3) << 2) | (index === NO_INDEX ? 0 : (index >> 3) << 1) | (base >> 3);
    const sib = ((scale & 3) << 6) | ((index & 7) << 3) | (base & 7);
    const modrm = (fixed ? 0 : 0x80) | ((r & 7) << 3) | 4;
    const at = fixed ? 0x4a000 + this.#pick([0, 0xffc, this.below(4096)]) : displacement;
    const prefix = size === 1 ? [0x66] : [];
    return [...before, ...prefix, ...(this.long ? [rex] : []), ...opcode, modrm, sib, ...int32(at)];
  }

  /** SSE moves and arithmetic with an operand in memory; those that want it aligned may fault. */
  #vector(): number[] {
    const [base, xmm] = [this.#pick([RSI, RDI, RBX]), this.below(4)];
    const opcode = this.#pick([
      [0x0f, 0x10],
      [0x0f, 0x11],
      [0xf3, 0x0f, 0x6f],
      [0xf3, 0x0f, 0x7f],
      [0xf2, 0x0f, 0x10],
      [0xf2, 0x0f, 0x11],
      [0xf3, 0x0f, 0x58],
      [0xf2, 0x0f, 0x59],
      [0xf2, 0x0f, 0x5c],
      [0x66, 0x0f, 0x6e],
      [0x66, 0x0f, 0x7e],
      [0x66, 0x0f, 0xd6],
      [0xf3, 0x0f, 0x7e],
    ]);
    const registers = this.#pick([[], [], [0x66, 0x0f, 0xfe, 0xc0 | xmm], [0xf2, 0x0f, 0x58, 0xc0 | (xmm << 3)]]);
    const at = int32(this.#pick([0, 0, 8, 16, -16, 200]));
    // an operand that must be aligned, at a fixed place: paddd, addps, movaps
    const aligned = this.#pick([
      [0x66, 0x0f, 0xfe],
      [0x0f, 0x58],
      [0x0f, 0x28],
      [0x0f, 0x29],
    ]);
    const fixed = [...aligned, 4 | (xmm << 3), 0x25, ...int32(0x4b000 + this.below(300) * 16)];
    return this.below(4) ? [...opcode, 0x80 | (xmm << 3) | base, ...at, ...registers] : fixed;
  }

  /** What moves a pointer or an index. */
  #move(): number[] {
    const register = this.#pick([RSI, RDI, RBX, RCX]);
    const by = this.#pick([1, 1, 2, 4, 8, 8, 16, -1, -4, -8, 3, -13, 100, 120]);
    const rex = this.long ? [0x48] : [];
    switch (this.below(5)) {
      case 0:
        // lea r,[r+by]
        return [...rex, 0x8d, 0x40 | (register << 3) | register, by & 255];
      case 1:
        return [...rex, 0x83, 0xe8 | register, by & 255];
      case 2:
        // inc or dec ecx
        return this.long ? [0xff, this.#pick([0xc1, 0xc9])] : [this.#pick([0x41, 0x49])];
      case 3:
        // add r,r14, which stays
        if (this.long) return this.#two(0x01, register, R14, this.below(4) > 0);
        return [0x83, 0xc0 | register, by & 255];
      default:
        return [...rex, 0x83, 0xc0 | register, by & 255];
    }
  }
}
