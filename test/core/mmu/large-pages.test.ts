import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';

const MIB = 1 << 20;
const PD = 0x72000;
const PDPT = 0x71000;
const LARGE = 0x83n; // present, writable, a large page
/** In each 4-KByte page: which 4 MiB of memory it lies in. */
const MARK = 0x800;

/** Memory of 12 MiB whose pages know where they are. */
function machine(mode: 'long' | 'protected32'): Machine {
  const m = new Machine(12 * MIB);
  m.mode(mode);
  for (let page = 0; page < 12 * MIB; page += 0x1000) m.set32(L.RAM_BASE + page + MARK, Math.floor(page / (4 * MIB)));
  return m;
}

/** Where the linear page leads, as a read finds it; `before` is hexadecimal code that runs before the read. */
function leadsTo(m: Machine, linear: number, before = ''): number {
  m.setReg('rbx', linear + MARK);
  m.exec(`${before} 8b03 90`, before === '' ? 2 : 3); // mov eax,[rbx]; nop
  return Number(m.reg('rax'));
}

const INVLPG = '0f013b'; // invlpg [rbx]
/** Pages of a chunk: first and last, and the ends of what is looked through together. */
const PIECES = [0, 1, 31, 32, 33, 255, 480, 511].map((page) => page * 0x1000);

describe('INVLPG on large pages', () => {
  it('drops all pieces of a page of 2 MBytes, by any address in it, and leaves its neighbours', () => {
    const m = machine('long');
    const [chunk, neighbour] = [8 * MIB, 10 * MIB];
    const all = (at: number): number[] => PIECES.map((piece) => leadsTo(m, at + piece));
    expect(new Set([...all(chunk), ...all(neighbour)])).toEqual(new Set([2]));
    m.set(L.RAM_BASE + PD + 4 * 8, (4n << 20n) | LARGE);
    m.set(L.RAM_BASE + PD + 5 * 8, (4n << 20n) | LARGE);
    // what is cached may be used until it is invalidated
    expect(new Set(all(chunk))).toEqual(new Set([2]));
    expect(leadsTo(m, chunk + 77 * 0x1000, INVLPG)).toBe(1);
    expect(new Set(all(chunk))).toEqual(new Set([1]));
    expect(new Set(all(neighbour))).toEqual(new Set([2]));
    expect(leadsTo(m, neighbour, INVLPG)).toBe(1);
    expect(new Set(all(neighbour))).toEqual(new Set([1]));
    // and once more, with what was forgotten in between
    m.set(L.RAM_BASE + PD + 4 * 8, (8n << 20n) | LARGE);
    expect(leadsTo(m, chunk + 0x1000, INVLPG)).toBe(2);
    expect(new Set(all(chunk))).toEqual(new Set([2]));
  });

  it('tells pages apart that are kept at one place', () => {
    const m = machine('long');
    const far = 256 * 2 * MIB;
    m.set(L.RAM_BASE + PD + 260 * 8, (8n << 20n) | LARGE);
    // pages of the two lie at other entries of the TLB
    const [one, other] = [8 * MIB + 0x1000, 8 * MIB + far + 0x2000];
    expect([leadsTo(m, one), leadsTo(m, other)]).toEqual([2, 2]);
    m.set(L.RAM_BASE + PD + 4 * 8, (4n << 20n) | LARGE);
    m.set(L.RAM_BASE + PD + 260 * 8, LARGE);
    expect(leadsTo(m, 8 * MIB + far, INVLPG)).toBe(0);
    expect([leadsTo(m, one), leadsTo(m, other)]).toEqual([2, 0]);
    expect(leadsTo(m, 8 * MIB, INVLPG)).toBe(1);
    expect([leadsTo(m, one), leadsTo(m, other)]).toEqual([1, 0]);
  });

  it('drops all pieces of a page of 1 GByte', () => {
    const m = machine('long');
    m.set(L.RAM_BASE + PDPT + 8, LARGE);
    const gib = 1 << 30;
    const places = [0x1000, 3 * MIB, 5 * MIB, 11 * MIB].map((at) => gib + at);
    expect(places.map((place) => leadsTo(m, place))).toEqual([0, 0, 1, 2]);
    // by a table of large pages now, each of which leads 4 MiB farther
    m.set(L.RAM_BASE + PDPT + 8, 0x73007n);
    for (let n = 0; n < 6; n++) m.set(L.RAM_BASE + 0x73000 + n * 8, (BigInt((n * 2 + 4) % 12) << 20n) | LARGE);
    expect(leadsTo(m, gib + 9 * MIB, INVLPG)).toBe(0);
    expect(places.map((place) => leadsTo(m, place))).toEqual([1, 1, 2, 0]);
  });

  it('drops both halves of a page of 4 MBytes', () => {
    const m = machine('protected32');
    for (let n = 0; n < 3; n++) m.set32(L.RAM_BASE + 0x70000 + n * 4, (n * 4 * MIB) | 0x83);
    m.set(L.CR4, 0x10);
    m.set(L.CR0, 0x80000031);
    m.core.updateMode();
    m.core.flushAllVcpus();
    const [low, high] = [8 * MIB + 0x1000, 10 * MIB + 0x2000];
    for (const by of [low, high]) {
      expect([leadsTo(m, low), leadsTo(m, high)]).toEqual([2, 2]);
      m.set32(L.RAM_BASE + 0x70008, (4 * MIB) | 0x83);
      expect([leadsTo(m, low), leadsTo(m, high)]).toEqual([2, 2]);
      expect(leadsTo(m, by, INVLPG)).toBe(1);
      expect([leadsTo(m, low), leadsTo(m, high)]).toEqual([1, 1]);
      m.set32(L.RAM_BASE + 0x70008, (8 * MIB) | 0x83);
      m.core.flushAllVcpus();
    }
  });
});
