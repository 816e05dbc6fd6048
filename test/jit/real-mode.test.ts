/** Real mode, 16-bit code and segments with a base or a limit: by handlers one by one, in blocks, and compiled. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { SLOTS } from '../../src/spec/uops/index.js';
import type { Machine } from '../core/harness.js';
import { Pair } from './pair.js';
import { RandomProgram } from './random-program.js';

const CS_BASE = 0x10000;

/** Segments of their own; bx, bp, si and di keep addresses. */
function segments(m: Machine): void {
  const access = (index: number): number => (m.get32(L.SEGMENTS + index * L.SEGMENT_BYTES + L.SEG_AR) & ~0xff) | 0x93;
  m.segment(L.SEG_CS, 0x1000, CS_BASE, 0xffff, (access(L.SEG_CS) & ~0xff) | 0x9b);
  m.segment(L.SEG_DS, 0x2000, 0x20000, 0xffff, access(L.SEG_DS));
  m.segment(L.SEG_ES, 0x2100, 0x21000, 0xffff, access(L.SEG_ES));
  m.segment(L.SEG_SS, 0x3000, 0x30000, 0xffff, access(L.SEG_SS));
  m.segment(L.SEG_FS, 0x4000, 0x40010, 0xffff, access(L.SEG_FS));
  m.segment(L.SEG_GS, 0x5000, 0x50020, 0xffff, access(L.SEG_GS));
  for (const [name, value] of Object.entries({ rbx: 0x1234, rbp: 0x2345, rsi: 0x3456, rdi: 0x4567, rsp: 0x8000 }))
    m.setReg(name, value);
  m.core.updateMode();
}

class Program16 {
  readonly #random: RandomProgram;
  constructor(
    seed: number,
    readonly mode: 'real' | 'protected16',
  ) {
    this.#random = new RandomProgram(seed);
  }

  #below(n: number): number {
    return this.#random.below(n);
  }

  /** Registers that code may write: ax, cx, dx, and their bytes. */
  #free(byte: boolean): number {
    return byte ? [0, 1, 2, 4, 5, 6][this.#below(6)] : this.#below(3);
  }

  #bytes(n: number): number[] {
    return Array.from({ length: n }, () => this.#below(256));
  }

  #modrm(reg: number, memory: boolean, byte: boolean): number[] {
    if (!memory) return [0xc0 | (reg << 3) | this.#free(byte)];
    if (this.#below(5) === 0) return [(reg << 3) | 6, ...this.#bytes(2).map((b, n) => (n ? b & 0x7f : b))];
    return this.#below(2)
      ? [0x40 | (reg << 3) | this.#below(8), this.#below(256)]
      : [0x80 | (reg << 3) | this.#below(8), this.#below(256), this.#below(64)];
  }

  #instruction(): number[] {
    const prefix = [
      ...(this.#below(4) === 0
        ? [[0x26, this.mode === 'real' ? 0x2e : 0x26, 0x36, 0x3e, 0x64, 0x65][this.#below(6)]]
        : []),
      ...(this.#below(5) === 0 ? [0x66] : []),
    ];
    const wide = prefix.includes(0x66) ? 4 : 2;
    const w = this.#below(2);
    const byte = w === 0;
    const memory = this.#below(2) === 0;
    const reg = this.#free(byte);
    const simple = prefix.filter((one) => one === 0x66);
    switch (this.#below(24)) {
      case 0:
      case 1:
      case 2:
        return [...prefix, this.#below(8) * 8 + w + 2 * this.#below(2), ...this.#modrm(reg, memory, byte)];
      case 3:
        return [...prefix, 0x80 + w, ...this.#modrm(this.#below(8), memory, byte), ...this.#bytes(byte ? 1 : wide)];
      case 4:
      case 5:
        return [...prefix, 0x88 + w + 2 * this.#below(2), ...this.#modrm(reg, memory, byte)];
      case 6:
        return [...prefix, 0xa0 + this.#below(4), this.#below(256), this.#below(128)];
      case 7:
        return [...simple, [0x40, 0x48][this.#below(2)] + this.#below(3)];
      case 8:
        return [...simple, 0x50 + this.#below(8), ...simple, 0x58 + this.#below(3)];
      case 9:
        return this.#below(2)
          ? [0x6a, this.#below(256), 0x5a]
          : [...simple, 0x68, ...this.#bytes(wide), ...simple, 0x58];
      case 10:
        return [...simple, 0x8d, ...this.#modrm(this.#below(3), true, false)];
      case 11:
        return [...prefix, 0xc0 + w, ...this.#modrm([4, 5, 7][this.#below(3)], memory, byte), 1 + this.#below(7)];
      case 12:
        return [...prefix, 0xf6 + w, ...this.#modrm([2, 3][this.#below(2)], memory, byte)];
      case 13:
        return [
          ...prefix,
          0x0f,
          [0xaf, 0xb6, 0xb7, 0xbe][this.#below(4)],
          ...this.#modrm(this.#below(3), memory, this.#below(2) === 0),
        ];
      case 14:
        // loop over a nop, with a counter of 16 or 32 bits
        return [...(this.#below(2) ? [0x67] : []), 0xe2, 1, 0x90];
      case 15:
      case 16:
      case 17:
        return this.#string([...prefix, [0xa4, 0xaa, 0xac][this.#below(3)] + w]);
      case 18:
        // mul, with an operand that may be memory
        return [...prefix, 0xf6 + w, ...this.#modrm(4, memory, byte)];
      case 19:
        // what it divides is less than its divisor can bear; by cl, cx or ecx
        if (byte) return [0xb4, this.#below(64), 0xb1, 64 + this.#below(190), 0xf6, 0xf1];
        return wide === 4
          ? [0x66, 0x31, 0xd2, 0x80, 0xc9, 1, 0x66, 0xf7, 0xf1]
          : [0xba, this.#below(256), this.#below(128), 0x80, 0xcd, 0x80, 0xf7, 0xf1];
      case 20:
        // mov from a segment register, to a register or memory
        return [...prefix, 0x8c, ...this.#modrm(this.#below(6), memory, false)];
      case 21:
      case 22:
        if (this.mode === 'real') return this.#loadSegment();
        return [...simple, 0x90];
      default:
        return [...prefix, 0x84 + w + 2 * this.#below(2), ...this.#modrm(reg, memory, byte)];
    }
  }

  /** LODS, STOS or MOVS at places of its own, in either direction. */
  #string(code: number[]): number[] {
    const at = (): number[] => [this.#below(256), 4 + this.#below(120)];
    return [[0xfc, 0xfd][this.#below(2)], 0xbe, ...at(), 0xbf, ...at(), ...code];
  }

  /** MOV to ES, DS, FS or GS of a segment behind the code, by DX. */
  #loadSegment(): number[] {
    const segment = [0, 3, 4, 5][this.#below(4)];
    const load = (selector: number): number[] => [
      ...[0xba, selector & 255, selector >> 8],
      ...[0x8e, 0xc2 | (segment << 3)],
    ];
    return [...load(0x2000 + this.#below(0x400)), ...(this.#below(3) ? [] : load(0x2345))];
  }

  /** A loop that runs for ever, with calls of two routines before it, at an offset. */
  code(at: number, instructions: number): { code: number[]; start: number } {
    // inc ax; ret    and    add dx, [bp]; ret 2
    const routines = [0x40, 0xc3, 0x03, 0x56, 0, 0xc2, 2, 0];
    const start = at + routines.length;
    const code = [...routines];
    const word = (value: number): number[] => [value & 255, (value >> 8) & 255];
    for (let n = 0; n < instructions; n++) {
      const one = this.#instruction();
      const here = (): number => at + code.length;
      switch (this.#below(9)) {
        case 0:
          code.push(0x70 + this.#below(16), one.length);
          break;
        case 1:
          code.push(0xe8, ...word(at - here() - 3));
          break;
        case 2:
          code.push(0x50, 0xe8, ...word(at + 2 - here() - 4));
          break;
        case 3:
          code.push(0xb8, ...word(here() + 5), 0xff, 0xe0);
          break;
        case 4:
          // call ax
          code.push(0xb8, ...word(at), 0xff, 0xd0);
          break;
      }
      code.push(...one);
    }
    return { code: [...code, 0xe9, ...word(start - (at + code.length) - 3)], start };
  }
}

describe('outside flat modes', () => {
  it.each(['real', 'protected16'] as const)('random programs, %s', { timeout: 600_000 }, (mode) => {
    let compiled = 0;
    let instructions = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const program = new Program16(seed * 7919, mode);
      // some at the end of the segment's first page, some near its limit
      const at = [0x400, 0xf80, 0xfa00][seed % 3];
      const { code, start } = program.code(at, 10 + seed * 3);
      const pair = new Pair(mode, (m) => {
        for (const [n, name] of ['rax', 'rcx', 'rdx'].entries()) m.setReg(name, 0x1234567 * (n + seed));
        segments(m);
        m.load(CS_BASE + at, code);
        m.set(L.RIP, start);
      });
      const counts = new RandomProgram(seed);
      for (let n = 0; n < 60; n++) {
        const count = 1 + counts.below(n < 25 ? 80 : 2500);
        instructions += count;
        expect(pair.run(count, n < 25)).toBe(L.RUN_LIMIT);
      }
      compiled += pair.inRegions;
    }
    expect(compiled).toBeGreaterThan(instructions / 2);
  });

  it('32-bit code with a limit of its data, and FS and GS in a flat mode', () => {
    for (const limit of [0xfffff, 0xffffffff]) {
      const pair = new Pair('protected32', (m) => {
        m.segment(L.SEG_DS, 0x10, 0, limit, 0xc093);
        m.segment(L.SEG_FS, 0x20, 0x3000, 0xfff, 0x4093);
        m.segment(L.SEG_GS, 0x28, 0x5000, 0xffff, 0x4093);
        m.core.updateMode();
        // L: mov eax,[esi]; add fs:[0x10],eax; mov gs:[ecx],eax; add ecx,4; and ecx,0xfff; cmp dword [esi+4],ecx; push ecx; call F; pop ecx; jmp L; F: inc dword [esi]; ret
        m.load(0x1000, '8b06 64010510000000 658901 83c104 81e1ff0f0000 394e04 51 e803000000 59 ebdf ff06 c3');
        m.set(L.RIP, 0x1000);
        m.setReg('rsi', 0x20000);
        m.setReg('rsp', 0x80000);
        m.setReg('rcx', 0);
      });
      for (let n = 0; n < 60; n++) expect(pair.run(n < 20 ? 37 : 3001, n < 20)).toBe(L.RUN_LIMIT);
      expect(pair.inRegions).toBeGreaterThan(80_000);
    }
  });

  it('leaves what a segment forbids to the fault', () => {
    // mov byte [0xffff],al; mov ax,[0xffff]: over the limit; the second faults, and nobody handles it
    const pair = new Pair('real', (m) => {
      segments(m);
      m.load(CS_BASE + 0x400, 'a2ffff a1ffff ebf8');
      m.set(L.RIP, 0x400);
    });
    pair.run(1);
    expect(pair.plain.rip).toBe(0x403n);
    for (const m of [pair.plain, pair.compiled]) {
      expect(m.run(1)).not.toBe(L.RUN_LIMIT);
      expect(m.get32(L.FAULT_VECTOR)).toBeGreaterThan(0);
    }
  });

  it('the rows and the map of the state agree on places', () => {
    const place = (address: number): number => (address - L.GPR) / 8;
    expect(SLOTS.linear).toBe(place(L.SEGMENT_LINEAR));
    expect(SLOTS.csLimit).toBe(place(L.SEGMENTS + L.SEG_CS * L.SEGMENT_BYTES + L.SEG_LIMIT));
    expect(SLOTS.ssBase).toBe(place(L.SEGMENTS + L.SEG_SS * L.SEGMENT_BYTES + L.SEG_BASE));
    expect(SLOTS.ssReadRoom).toBe(place(L.READ_ROOMS) + L.SEG_SS);
    expect(SLOTS.ssWriteRoom).toBe(place(L.WRITE_ROOMS) + L.SEG_SS);
  });
});
