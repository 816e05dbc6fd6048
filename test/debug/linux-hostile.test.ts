/**
 * The views of Linux over memory that a hostile guest has written: whatever it holds, each ends, and soon. What is
 * bounded is counted in looks at memory, and in what is made of it; a view that never ends would hang this file.
 */
import { describe, expect, test } from 'vitest';
import { Btf } from '../../src/engine/debug/linux/btf.js';
import type { PhysicalMemory } from '../../src/engine/debug/linux/physical.js';
import { LinuxView } from '../../src/engine/debug/linux/view.js';
import { finish, linuxImage, linuxImage32, startModule, TEXT } from './linux-image.js';

/** Looks at memory that one view may take: the largest that a kernel's own limits allow, many times over. */
const MAX_LOOKS = 3_000_000;

class Looks {
  count = 0;
  constructor(readonly bytes: Uint8Array) {}

  get memory(): PhysicalMemory {
    return {
      bytes: this.bytes.length,
      view: (gpa, length) => {
        if (++this.count > MAX_LOOKS) throw new Error(`more than ${MAX_LOOKS} looks at memory`);
        if (!(gpa >= 0 && length >= 0 && gpa + length <= this.bytes.length))
          throw new Error(`a look outside: ${gpa}+${length}`);
        return this.bytes.subarray(gpa, gpa + length);
      },
    };
  }
}

/** Every view; those that cannot be had say so by an Error. */
function lookAtAll(view: LinuxView): string[] {
  const problems: string[] = [];
  const attempt = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  attempt(() => view.info());
  attempt(() => finish(view.searchVmcoreinfo()));
  attempt(() => view.symbols());
  attempt(() => view.log());
  attempt(() => view.tasks());
  attempt(() => view.modules());
  attempt(() => view.current(0));
  attempt(() => view.unwind());
  attempt(() => view.frameRow(TEXT + 0x18_0005n));
  attempt(() => view.stack(2, 4));
  attempt(() => view.mappings());
  attempt(() => view.stackPages(TEXT + 0x1_7000n));
  return problems;
}

const bad = (problems: string[]): string[] =>
  problems.filter((text) => /looks at memory|a look outside|call stack|allocation|Invalid typed array/.test(text));

/** A kernel that is found, and then changed under the view. */
function found(make: () => { bytes: Uint8Array }): { view: LinuxView; data: DataView; looks: Looks } {
  const { bytes } = make();
  const looks = new Looks(bytes);
  let now = 0;
  const view = new LinuxView(looks.memory, () => now++);
  finish(view.search());
  expect(view.kernel()).toBeDefined();
  looks.count = 0;
  return { view, data: new DataView(bytes.buffer, bytes.byteOffset), looks };
}

const gpa = (offset: number): number => 0x60_0000 + offset;

/** Numbers that break sums, sizes and loops. */
const WILD = [0n, 1n, 2n ** 64n - 1n, 2n ** 63n, 0xffff_ffffn, 0x8000_0000n, 0x7fff_ffff_ffff_ffffn, TEXT, TEXT + 1n];

describe('a hostile guest', () => {
  test.each([
    ['the end of the log', 0xa000 + 16 + 24, 0x3fff_ffff_ffff_fff0n],
    ['the bits of its descriptors', 0xa000 + 16, 0xffff_ffffn],
    ['the bits of its text', 0xa000 + 16 + 48, 0xffff_ffffn],
    ['the size of a symbol table', 0x1_2000 + 0x408, 0xffff_ffff_ffff_ffffn],
    ['the rows of a module', 0x1_2000 + 64 + 224, 0xffff_ffffn],
    ['the list of modules', 0x1_2000 + 64 + 8, TEXT + 0x1_2000n + 64n + 8n],
    ['the list of tasks', 0xe000 + 256 + 16, TEXT + 0xe000n + 256n + 16n],
    ['the list of threads', 0xe000 + 256 + 120, TEXT + 0xe000n + 256n + 120n],
    ['the page tables', 0x4000 + 511 * 8, 0x000f_ffff_ffff_f063n],
  ])('writes %s', (_what, offset, value) => {
    const { view, data } = found(() => linuxImage('before 6.5'));
    data.setBigUint64(gpa(offset), value, true);
    expect(bad(lookAtAll(view))).toEqual([]);
  });

  test('whose types go round in a circle', () => {
    const record = (words: number[]): Uint8Array => {
      const strings = Buffer.from('\0loop\0inner\0');
      const out = new Uint8Array(24 + words.length * 4 + strings.length);
      const data = new DataView(out.buffer);
      data.setUint16(0, 0xeb9f, true);
      out[2] = 1;
      [24, 0, words.length * 4, words.length * 4, strings.length].forEach((word, index) => {
        data.setUint32(4 + index * 4, word, true);
      });
      words.forEach((word, index) => {
        data.setUint32(24 + index * 4, word >>> 0, true);
      });
      out.set(strings, 24 + words.length * 4);
      return out;
    };
    const struct = (members: number[][]): number[] => [1, (4 << 24) | members.length, 8, ...members.flat()];
    // a typedef of itself; a structure in itself; one whose unnamed members are all itself; an array of itself
    const circles = [
      [...struct([[6, 2, 0]]), 0, 8 << 24, 2],
      struct([[0, 1, 0]]),
      struct(Array.from({ length: 40 }, () => [0, 1, 0])),
      [...struct([[6, 2, 0]]), 0, 3 << 24, 0, 2, 2, 7],
    ];
    for (const words of circles) {
      const btf = new Btf(record(words));
      for (const path of ['inner', 'none', 'inner.inner'])
        try {
          btf.find('loop', path);
        } catch (error) {
          expect((error as Error).message).toMatch(/damaged/);
        }
    }
  });

  test('whose memory is full of what the search looks for', () => {
    const digits = Buffer.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));
    const texts: Record<string, Buffer> = {
      'token tables': digits,
      VMCOREINFO: Buffer.from('OSRELEASE=6.1.0\nPAGESIZE=4096\n'),
      banners: Buffer.from('Linux version '),
      ones: Buffer.from([1]),
      markers: Buffer.from([0, 0, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0]),
    };
    for (const [what, text] of Object.entries(texts)) {
      const bytes = new Uint8Array(8 << 20);
      for (let at = 0; at + text.length <= bytes.length; at += text.length) bytes.set(text, at);
      const looks = new Looks(bytes);
      const view = new LinuxView(looks.memory, () => 0);
      expect(finish(view.search()), what).toBeUndefined();
      expect(looks.count, what).toBeLessThan(200_000);
    }
  });

  test('whose structures hold random and wild numbers', () => {
    let seed = Number(process.env.VMSCOPE_FUZZ_SEED ?? 1);
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const rounds = Number(process.env.VMSCOPE_FUZZ_CASES ?? 32);
    const kinds = [
      () => linuxImage('before 6.5'),
      () => linuxImage('since 7.0'),
      () => linuxImage('before 6.5', 'records'),
      () => linuxImage32(),
    ];
    for (let round = 0; round < rounds; round++) {
      const { view, data } = found(kinds[round % kinds.length]);
      if (round % 8 < 4) startModule({ bytes: new Uint8Array(data.buffer) });
      const changes = 1 + random(24);
      for (let change = 0; change < changes; change++) {
        // structures, types, or anywhere in the image
        const [from, size] = [
          [0x4000, 0x1_5000],
          [0x4000, 0x1_5000],
          [0x2_0000, 0x2000],
          [0, 0x20_0000],
        ][random(4)];
        const at = gpa(from + random(size / 8) * 8);
        const value = random(3) === 0 ? BigInt(random(2 ** 32)) * BigInt(random(2 ** 32)) : WILD[random(WILD.length)];
        if (random(2) === 0) data.setBigUint64(at, BigInt.asUintN(64, value), true);
        else data.setUint32(at + 4 * random(2), Number(value & 0xffff_ffffn), true);
      }
      const problems = bad(lookAtAll(view));
      expect(problems, `round ${round}`).toEqual([]);
      // a search of the same memory, whose symbol table may be broken
      const anew = new LinuxView(new Looks(new Uint8Array(data.buffer)).memory, () => 0);
      finish(anew.search());
      expect(bad(lookAtAll(anew)), `round ${round}, found anew`).toEqual([]);
    }
  }, 120_000);
});
