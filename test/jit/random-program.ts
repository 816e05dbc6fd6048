/** Random straight code with short branches, for comparing two ways of running it. Numbers come from a seed. */
export class RandomProgram {
  #seed: number;
  /** Registers that code may write: rbx, rbp, rsi and rsp keep addresses, r9 and r15 count. */
  static readonly FREE = [0, 1, 2, 7, 8, 10, 11, 12];
  /** Byte registers without a REX prefix that it may write: AL, CL, DL, AH, CH and DH. */
  static readonly BYTES = [0, 1, 2, 4, 5, 6];

  /** @param repeats with repeated string instructions, whose iterations count one by one */
  constructor(
    seed: number,
    readonly repeats = true,
  ) {
    this.#seed = seed >>> 0;
  }

  below(n: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 2 ** 32) * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** Code of a loop that runs for ever, at most 4 KiB. */
  loop(instructions: number): number[] {
    const pieces: number[][] = [];
    for (let n = 0; n < instructions; n++) {
      const one = this.#instruction();
      // a branch over the next one or two
      if (this.below(4) === 0) {
        const over = [this.#instruction(), ...(this.below(2) ? [this.#instruction()] : [])].flat();
        pieces.push(one, [0x70 + this.below(16), over.length], over);
      } else pieces.push(one);
    }
    const body = pieces.flat();
    // mov r15d,n; L: body; dec r15d; jnz L; inc r9; and r9d,15; jmp start
    const inner = [...body, 0x41, 0xff, 0xcf];
    const back = -(inner.length + 6);
    const code = [0x41, 0xbf, 1 + this.below(20), 0, 0, 0, ...inner, 0x0f, 0x85, ...int32(back)];
    code.push(0x49, 0xff, 0xc1, 0x41, 0x83, 0xe1, 15);
    return [...code, 0xe9, ...int32(-(code.length + 5))];
  }

  #instruction(): number[] {
    const size = this.below(4);
    const reg = this.pick(RandomProgram.FREE);
    const wide = size === 3 ? 8 : 0;
    const prefix = size === 1 ? [0x66] : [];
    /** The operand in memory or a register; `r` is another register, or a part of the opcode. */
    const modrm = (opcode: number[], r: number, memory: boolean): number[] => {
      const target = memory ? 0 : this.pick(RandomProgram.FREE);
      const [operand, x, b] = memory ? this.#memory(r) : [[0xc0 | ((r & 7) << 3) | (target & 7)], 0, target >> 3];
      const rex = 0x40 | wide | ((r >> 3) << 2) | (x << 1) | b;
      return [...prefix, rex, ...opcode, ...operand];
    };
    /** The same of bytes, AH, CH and DH among them, which have no REX prefix beside them. BH is a part of an address. */
    const bytes = (opcode: number[], r: number | undefined, memory: boolean): number[] => {
      const field = r ?? this.pick(RandomProgram.BYTES);
      const target = memory ? this.pick([0x43, 0x03]) : 0xc0 | this.pick(RandomProgram.BYTES);
      return [...opcode, target | (field << 3), ...(target === 0x43 ? [this.below(100)] : [])];
    };
    /** `group`: a part of the opcode; undefined: a register. */
    const either = (opcode: number[], group: number | undefined, memory: boolean): number[] =>
      high ? bytes(opcode, group, memory) : modrm(opcode, group ?? reg, memory);
    const memory = this.below(3) === 0;
    const low = size === 0 ? 0 : 1;
    const high = size === 0 && this.below(2) === 0;
    const imm = (bytes: number): number[] => Array.from({ length: bytes }, () => this.below(256));
    switch (this.below(22)) {
      case 0:
      case 1:
      case 2:
        return either([this.below(8) * 8 + low + this.pick([0, 2])], undefined, memory);
      case 3:
      case 4:
        return [...either([0x80 + low], this.below(8), memory), ...imm(size === 0 ? 1 : size === 1 ? 2 : 4)];
      case 5:
        return either([0x84 + low], undefined, memory);
      case 6:
        return either([0xfe + low], this.below(2), memory);
      case 7:
        return [
          ...either([0xc0 + low], this.pick([0, 1, 2, 3, 4, 5, 7]), memory && this.below(2) === 0),
          this.below(66),
        ];
      case 8:
        return either([0xd2 + low], this.pick([0, 1, 4, 5, 7]), memory && this.below(2) === 0);
      case 9:
        return modrm([0x0f, 0x40 + this.below(16)], reg, memory).filter((_, n) => n > 0 || size !== 1);
      case 10:
        return [0x40 | ((reg >> 3) & 1), 0x0f, 0x90 + this.below(16), 0xc0 | (reg & 7)];
      case 11:
        return modrm([0x0f, this.pick([0xb6, 0xb7, 0xbe, 0xbf])], reg, memory);
      case 12:
        return modrm([0x0f, 0xaf], reg, memory);
      case 13:
        return either([0xf6 + low], this.pick([2, 3, 4, 5]), memory && this.below(2) === 0);
      case 14:
        return either([0x88 + low + this.pick([0, 2])], undefined, memory);
      case 15: {
        const other = this.pick(RandomProgram.FREE);
        return [...(reg > 7 ? [0x41] : []), 0x50 + (reg & 7), ...(other > 7 ? [0x41] : []), 0x58 + (other & 7)];
      }
      case 17:
        return this.#rarer(reg & 7);
      case 20:
        return this.#called(reg & 7);
      case 21:
        return this.#vector();
      case 16:
        return this.pick([
          [0x48 | (reg >> 3), 0x0f, 0xc8 + (reg & 7)],
          [0x48, 0x98],
          [0x98],
          [0x99],
          [0x48, 0x99],
          modrm([0x86 + low], reg, memory),
          modrm([0x0f, this.pick([0xbc, 0xbd])], reg, memory),
          [0xf3, ...modrm([0x0f, this.pick([0xb8, 0xbc, 0xbd])], reg, false).filter((_, n) => size !== 1 || n > 0)],
          modrm([0x0f, 0xa3 + 8 * this.below(4)], reg, false),
          modrm([0x0f, 0xc0 + low], reg, memory),
          modrm([0x0f, 0xb0 + low], reg, memory),
          [...modrm([0x0f, this.pick([0xa4, 0xac])], reg, memory), this.below(40)],
          modrm([0x0f, this.pick([0xa5, 0xad])], reg, false),
        ]);
      default: {
        const [operand, x, b] = this.#memory(reg);
        return [0x48 | ((reg >> 3) << 2) | (x << 1) | b, 0x8d, ...operand];
      }
    }
  }

  /** Single flags, divisions, string operations, BMI, FS and GS: with what keeps them from faulting. */
  #rarer(reg: number): number[] {
    const low = [0, 1, 2, 7];
    const vex = (map: number, pp: number, opcode: number, register: number): number[] => {
      const wide = this.below(2) << 7;
      const second = (~this.pick(low) & 15) << 3;
      return [0xc4, 0xe0 | map, wide | second | pp, opcode, 0xc0 | (register << 3) | this.pick(low)];
    };
    const place = (register: number): number[] => [0xb8 + register, 0, 0x18, 4, 0];
    const divisor = [0x41, 0xb8, 1 + this.below(255), this.below(256), this.below(3), 0];
    const wide = this.below(2) ? [0x48] : [];
    return this.pick([
      [0x9f],
      [0x9e],
      [0xf5],
      [0xf8],
      [0xf9],
      [...divisor, 0x31, 0xd2, 0x41 | (wide[0] ?? 0), 0xf7, 0xf0],
      [...divisor, ...wide, 0x99, 0x41 | (wide[0] ?? 0), 0xf7, 0xf8],
      [this.pick([0xfc, 0xfd]), ...place(6), ...wide, this.pick([0xac, 0xad])],
      [this.pick([0xfc, 0xfd]), ...place(7), ...wide, this.pick([0xaa, 0xab])],
      [this.pick([0xfc, 0xfd]), ...place(6), ...place(7), ...wide, this.pick([0xa4, 0xa5])],
      vex(2, 0, 0xf2, this.pick(low)),
      vex(2, 0, 0xf3, 1 + this.below(3)),
      vex(2, this.pick([1, 2, 3]), 0xf7, this.pick(low)),
      vex(2, 3, 0xf6, this.pick(low)),
      [0xc4, 0xe3, 0x7b | (this.below(2) << 7), 0xf0, 0xc0 | (this.pick(low) << 3) | this.pick(low), this.below(64)],
      [0x64, 0x48, this.pick([0x03, 0x8b, 0x31]), 0x04 | (((reg & 3) % 3) << 3), 0x25, 0, 1, 4, 0],
      [0x65, 0x48, this.pick([0x2b, 0x8b, 0x89]), 0x43 | (((reg & 3) % 3) << 3), this.below(120)],
      [...wide, 0xd1, 0xd0 | (this.below(2) << 3) | this.pick(low)],
      [0x0f, 0x90 + this.below(16), 0x43, this.below(100)],
      [0x0f, 0xae, 0xf0],
    ]);
  }

  /** Instructions that have no row: LOCKed and repeated ones, x87, what asks for flags and registers as a whole. */
  #called(reg: number): number[] {
    const low = [0, 1, 2, 7];
    const place = (register: number): number[] => [0xb8 + register, 0, 0x18, 4, 0];
    const size = this.below(2) ? [0x48] : [];
    const disp = this.below(100);
    const count = [0xb9, this.below(20), 0, 0, 0];
    const repeated = [
      [0xfc, ...place(6), ...place(7), ...count, 0xf3, ...size, this.pick([0xa4, 0xa5])],
      [0xfc, ...place(7), ...count, 0xf3, ...size, this.pick([0xaa, 0xab])],
      [0xfc, ...place(7), ...count, this.pick([0xf2, 0xf3]), ...size, this.pick([0xae, 0xaf])],
      [0xfc, ...place(6), ...place(7), ...count, this.pick([0xf2, 0xf3]), this.pick([0xa6, 0xa7])],
    ];
    if (this.repeats && this.below(4) === 0) return this.pick(repeated);
    return this.pick([
      [0xf0, ...size, this.pick([0x01, 0x09, 0x11, 0x29, 0x31]), 0x43 | ((reg & 3) << 3), disp],
      [0xf0, ...size, 0x0f, this.pick([0xb1, 0xc1]), 0x43 | (((reg & 3) % 3) << 3), disp],
      [0xf0, ...size, 0xff, 0x43 | (this.below(2) << 3), disp],
      [...size, 0x0f, this.pick([0xa3, 0xab, 0xb3, 0xbb]), 0xc0 | (this.pick(low) << 3) | this.pick(low)],
      [...size, 0x87, 0x43 | (((reg & 3) % 3) << 3), disp],
      [...size, this.pick([0xd1, 0xd3]), 0xc0 | (this.pick([2, 3]) << 3) | this.pick(low)],
      [0x9c, 0x8f, 0x43, disp & 0x78],
      [0x9c, 0x9d],
      [0xd9, 0xe8, 0xd8, 0x43, disp, 0xd9, 0x5b, disp],
      [0xdb, 0x43, disp, 0xd9, 0xe1, 0xdd, 0x5b, disp],
      [0x8c, 0xd8 | this.pick(low)],
      [0x0f, 0x20, 0xc0 | this.pick(low)],
      [0x0f, 0x01, 0xe0 | this.pick(low)],
      [0xd7],
      [0xfa],
    ]);
  }

  /** SSE of both kinds, between registers, general ones and memory. */
  #vector(): number[] {
    const rm = (r: number): number[] =>
      this.below(2) ? [0x43 | (r << 3), this.below(7) * 16] : [0xc0 | (r << 3) | this.below(8)];
    const xmm = this.below(8);
    const wide = this.below(2) ? [0x48] : [];
    const low = this.pick([0, 1, 2, 7]);
    return this.pick([
      [
        0x66,
        0x0f,
        this.pick([0xef, 0xeb, 0xdb, 0xdf, 0xfe, 0xd4, 0xfa, 0xfb, 0x74, 0x66, 0xda, 0xf4, 0x62, 0x6c]),
        ...rm(xmm),
      ],
      [0x66, 0x0f, 0x70, ...rm(xmm), this.below(256)],
      [this.pick([0xf2, 0xf3]), 0x0f, this.pick([0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f, 0x10]), ...rm(xmm)],
      [0x66, 0x0f, this.pick([0x2e, 0x2f]), ...rm(xmm)],
      [0x66, ...wide, 0x0f, this.pick([0x6e, 0x7e]), 0xc0 | (xmm << 3) | low],
      [0xf2, ...wide, 0x0f, this.pick([0x2a]), 0xc0 | (xmm << 3) | low],
      [0xf2, ...wide, 0x0f, this.pick([0x2c, 0x2d]), 0xc0 | (low << 3) | xmm],
      [0x66, 0x0f, 0xd7, 0xc0 | (low << 3) | xmm],
      [0x66, 0x0f, 0x73, 0xc0 | (this.pick([2, 3, 6, 7]) << 3) | xmm, this.below(70)],
      [0xf3, 0x0f, 0x7e, ...rm(xmm)],
      [0x0f, this.pick([0x10, 0x11, 0x28]), 0x43 | (xmm << 3), this.below(7) * 16],
      [0x66, 0x0f, 0xd6, 0x43 | (xmm << 3), this.below(100)],
      [0xf2, 0x0f, 0x11, 0x43 | (xmm << 3), this.below(100)],
      [0x0f, 0xae, 0x5b, this.below(25) * 4],
      [...(this.below(2) ? [0x66] : []), 0x0f, this.pick([0x58, 0x59, 0x5c, 0x5e, 0x14, 0x15, 0x54, 0x57]), ...rm(xmm)],
      [...(this.below(2) ? [0x66] : []), 0x0f, 0xc6, ...rm(xmm), this.below(256)],
      [
        0x66,
        0x0f,
        this.pick([0x60, 0x61, 0x69, 0x6d, 0x63, 0x67, 0x6b, 0xd5, 0xf5, 0xdc, 0xe0, 0xea, 0xdd]),
        ...rm(xmm),
      ],
      [0x66, 0x0f, this.pick([0x71, 0x72]), 0xc0 | (this.pick([2, 4, 6]) << 3) | xmm, this.below(40)],
      [this.pick([0xf2, 0xf3]), 0x0f, 0x70, ...rm(xmm), this.below(256)],
      [0x0f, this.pick([0x12, 0x13, 0x16, 0x17]), 0x43 | (xmm << 3), this.below(100)],
      [this.pick([0xf2, 0xf3]), 0x0f, 0x5a, ...rm(xmm)],
      [this.pick([0xf2, 0xf3]), 0x0f, 0xe6 - 0xd6, 0xc0 | (xmm << 3) | this.below(8)],
      // small numbers: exact results, zeros, equal ones
      [0x83, 0xe0 | low, 7, 0xf2, 0x0f, 0x2a, 0xc0 | (xmm << 3) | low],
      [0x83, 0xe0 | low, 7, 0xf3, 0x0f, 0x2a, 0xc0 | (xmm << 3) | low],
      [0x66, ...wide, 0x0f, this.pick([0x6e, 0x7e]), 0x43 | (xmm << 3), this.below(100)],
      // all exceptions masked, with and without PE: mov eax,...; mov [rbx],eax; ldmxcsr [rbx]
      [0xb8, this.pick([0x80, 0xa0]), this.pick([0x1f, 0x1f, 0x3f, 0x9f]), 0, 0, 0x89, 0x03, 0x0f, 0xae, 0x13],
    ]);
  }

  /** ModRM and what follows, REX.X and REX.B: [rbx+disp8], [rsi+disp32], [rbx+r9*scale+disp8], [rip+disp] into data. */
  #memory(r: number): [number[], number, number] {
    const reg = (r & 7) << 3;
    switch (this.below(4)) {
      case 0:
        return [[0x80 | reg | 6, ...int32(this.below(6000) - 3000)], 0, 0];
      case 1:
        return [[0x44 | reg, 0x0b | (this.below(4) << 6), this.below(100)], 1, 0];
      default:
        return [[0x43 | reg, this.below(256)], 0, 0];
    }
  }
}

const int32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
