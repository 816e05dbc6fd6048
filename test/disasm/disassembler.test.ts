import { beforeAll, describe, expect, it } from 'vitest';
import { type CodeBits, Disassembler, disassembleBackward, type Instruction } from '../../src/disasm/index.js';

let disassembler: Disassembler;
beforeAll(async () => {
  disassembler = await Disassembler.load();
});

const hex = (text: string) => Uint8Array.from(text.replace(/ /g, '').match(/../g) ?? [], (pair) => parseInt(pair, 16));
const one = (text: string, bits: CodeBits, address = 0x1000n, segmentBase = 0n): Instruction =>
  disassembler.disassemble(hex(text), address, { bits, segmentBase })[0]!;

describe('Disassembler', () => {
  it('reads the same bytes by mode', () => {
    expect(one('b8 34 12 00 00', 64).text).toBe('mov eax, 0x1234');
    expect(one('b8 34 12 00 00', 32).bytes.length).toBe(5);
    expect(one('b8 34 12 00 00', 16).text).toBe('mov ax, 0x1234');
    expect(one('48 89 e5', 64).text).toBe('mov rbp, rsp');
    expect(one('48 89 e5', 32).text).toBe('dec eax');
  });

  it('prints Intel and AT&T syntax in turn on one handle', () => {
    const bytes = hex('48 89 e5');
    for (const [syntax, text] of [
      ['att', 'movq %rsp, %rbp'],
      ['intel', 'mov rbp, rsp'],
      ['att', 'movq %rsp, %rbp'],
    ] as const) {
      expect(disassembler.disassemble(bytes, 0n, { bits: 64, syntax })[0]!.text).toBe(text);
    }
  });

  it.each([0xffffffff81000000n, 0x8000000000000001n, 0xffdffffffffffffdn, (1n << 53n) + 1n, (1n << 63n) - 1n])(
    'keeps the address 0x%s exact',
    (address) => {
      const list = disassembler.disassemble(hex('90 48 89 e5 c3'), address, { bits: 64 });
      expect(list.map((i) => i.address)).toEqual([address, address + 1n, address + 4n]);
    },
  );

  it('gives data as .byte lines and goes on', () => {
    const list = disassembler.disassemble(hex('06 90 06 06 c3'), 0n, { bits: 64 });
    expect(list.map((i) => i.text)).toEqual(['.byte 0x06', 'nop', '.byte 0x06', '.byte 0x06', 'ret']);
    expect(disassembler.disassemble(new Uint8Array(), 0n, { bits: 64 })).toEqual([]);
  });

  it('survives input far above its cap', () => {
    const list = disassembler.disassemble(new Uint8Array(100_000).fill(0x90), 0n, { bits: 64 });
    expect(list.length).toBe(4096);
    expect(one('c3', 64).text).toBe('ret');
  });

  it('stops at count', () => {
    expect(disassembler.disassemble(hex('90 90 90 90'), 0n, { bits: 64, count: 3 }).length).toBe(3);
  });

  it('resolves branch targets and rip-relative operands', () => {
    expect(one('e8 fb 0f 00 00', 64, 0xffffffff81000000n).target).toBe(0xffffffff81001000n);
    expect(one('74 fe', 64, 0x8000n).target).toBe(0x8000n);
    expect(one('eb fe', 64, 2n).target).toBe(2n);
    expect(one('ff e0', 64).target).toBeUndefined();
    expect(one('48 8d 05 10 00 00 00', 64, 0x1000n).ripRelative).toBe(0x1017n);
    expect(one('48 8b 05 f0 ff ff ff', 64, 0x1000n).ripRelative).toBe(0xff7n);
    const att = disassembler.disassemble(hex('48 8b 05 f0 ff ff ff'), 0x1000n, { bits: 64, syntax: 'att' })[0]!;
    expect(att.ripRelative).toBe(0xff7n);
  });

  it('wraps 16-bit targets in the segment and keeps them linear', () => {
    const wrapped = one('eb 10', 16, 0xfff1n);
    expect(wrapped.text).toBe('jmp 0x3');
    expect(wrapped.target).toBe(3n);
    // jmp at F000:FFF0 to F000:0003.
    const bios = one('eb 11', 16, 0xffff0n, 0xf0000n);
    expect(bios.target).toBe(0xf0003n);
    expect(one('66 e9 00 00 01 00', 16, 0xfff0n).target).toBe(0x1fff6n);
    expect(one('66 e9 00 00', 32, 0x12fff0n).target).toBe(0xfff4n);
    expect(one('ea 5b e0 00 f0', 16).text).toMatch(/ljmp.*0xf000:0xe05b/);
  });
});

describe('disassembleBackward', () => {
  const code = hex('55 48 89 e5 48 83 ec 10 89 7d fc 8b 45 fc 01 c0 48 8d 15 00 10 00 00 e8 10 00 00 00 c9 c3');
  const forward = () => disassembler.disassemble(code, 0x4000n, { bits: 64 });

  it('finds the same stream from every boundary but the first few', () => {
    const list = forward();
    for (let i = 4; i <= list.length; i++) {
      const end = i === list.length ? 0x4000n + BigInt(code.length) : list[i]!.address;
      const before = code.subarray(0, Number(end - 0x4000n));
      const back = disassembleBackward(disassembler, before, end, 2, { bits: 64 });
      expect(back.map((x) => x.text)).toEqual(list.slice(i - 2, i).map((x) => x.text));
    }
  });

  it('takes a known boundary first', () => {
    // b8 90 90 90 90 c3 read from its second byte is four nops.
    const bytes = hex('b8 90 90 90 90 c3');
    const back = disassembleBackward(disassembler, bytes, 6n, 4, { bits: 64 }, 0n);
    expect(back.map((x) => x.text)).toEqual(['mov eax, 0x90909090', 'ret']);
  });

  it('ends at the address asked for, whatever the bytes', () => {
    let seed = 7;
    const noise = Uint8Array.from({ length: 200 }, () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8);
    for (let n = 1; n < 200; n += 7) {
      const back = disassembleBackward(disassembler, noise.subarray(0, n), BigInt(n), 5, { bits: 64 });
      for (let i = 0; i < back.length; i++) {
        const next = back[i + 1]?.address ?? BigInt(n);
        expect(back[i]!.address + BigInt(back[i]!.bytes.length)).toBe(next);
      }
      expect(back.length).toBeGreaterThan(0);
    }
  });
});
