/** Looking for things in a guest's memory, and what its words point at. */
import { describe, expect, it } from 'vitest';
import { perform } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

const MIB = 0x10_0000n;

function open() {
  const { machine } = flatGuest('f4', { at: 0x100000 });
  const debug = new Guest(machine, { paced: false, waitForInput: true });
  const session = openSession(debug, { waits: true });
  const hits = async (line: string) => {
    const { result } = await perform(session, line);
    return (result as { hits: { address: bigint }[] }).hits.map(({ address }) => address);
  };
  const put = (address: bigint, bytes: Uint8Array | string) =>
    debug.writeMemory('gpa', address, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  return { debug, session, hits, put, text: async (line: string) => (await perform(session, line)).text() };
}

describe('search', () => {
  it('finds bytes, text and numbers in all memory, over the borders of what is read at once', async () => {
    const { hits, put, text } = open();
    const needle = Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4);
    for (const at of [0x5000n, 2n * MIB - 3n, 3n * MIB]) await put(at, needle);
    expect(await hits('search de ad be ef 01 02 03 04')).toEqual([0x5000n, 2n * MIB - 3n, 3n * MIB]);
    expect(await hits('search deadbeef')).toEqual([0x5000n, 2n * MIB - 3n, 3n * MIB]);
    expect(await hits('search u32 0xefbeadde in gpa 0x5001 0x1fb000')).toEqual([2n * MIB - 3n]);
    expect(await hits('search u64 0x04030201efbeadde in 0x5000 8')).toEqual([0x5000n]);
    expect(await hits('search u64 0x04030201efbeadde in 0x5000 7')).toEqual([]);
    await put(0x7000n, 'a "quoted" text');
    expect(await hits('search "\\"quoted\\" t"')).toEqual([0x7002n]);
    expect(await text('search deadbeef in gpa 0x5000 16')).toBe(
      'gpa 0000000000005000  de ad be ef 01 02 03 04 00 00 00 00 00 00 00 00  ................\n1 found',
    );
    expect(await text('search "nowhere to be found"')).toBe('not found');
  });

  it('finds pointers to a range at their own alignment', async () => {
    const { hits, put } = open();
    const word = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);
    await put(0x6000n, word(0x00123450));
    await put(0x6009n, word(0x00123450));
    await put(0x6010n, word(0x0012345f));
    await put(0x6020n, word(0x00123460));
    expect(await hits('search pointer 0x123450 in gpa 0x6000 0x100')).toEqual([0x6000n]);
    expect(await hits('search pointer 0x123450 16')).toEqual([0x6000n, 0x6010n]);
  });

  it('ends at a full list and where its user does not wait, and says so', async () => {
    const { session, text } = open();
    expect(await text('search 00 in gpa 0x20000 0x10000')).toMatch(/\n1000 found; the rest was not looked at$/);
    session.work = () => ({ cancelled: true, share: () => {}, done: () => {} });
    expect(await text('search "nowhere to be found"')).toBe('not found; the rest was not looked at');
  });

  it.each([
    ['search', 'the text, bytes or number to search for is missing'],
    ['search xyz', 'usage: search "TEXT"'],
    ['search ""', 'the text is empty'],
    ['search u8 256', '0x100 does not fit in u8'],
    ['search 00 in 0x1000', 'the length of the range is missing'],
    ['search 00 in 0x1000 0', '0x1000 and 0x0 bytes are not a range'],
    ['search 00 in 0x1000 1 2', 'unexpected "2"; usage: in'],
    ['search pointer 5 0', 'a length of 0'],
    ['vmmap', 'paging is off'],
    ['telescope 0xfff00000', 'nothing is mapped at 0xfff00000'],
    ['telescope 0 9999', '9999 words: 1 to 1024'],
  ])('%s is refused in one line', async (line, message) => {
    const { text } = open();
    await expect(text(line)).rejects.toThrow(message);
  });
});

it('telescope follows pointers, and names the registers that point there', async () => {
  const { debug, put, text } = open();
  const words = new Uint32Array([0x8000, 0x9000, 5, 0x8008]);
  await put(0x8000n, new Uint8Array(words.buffer));
  await put(0x9000n, 'some text\0');
  await debug.writeRegister(0, 'rsp', 0x8000n);
  await debug.writeRegister(0, 'rdi', 0x8004n);
  expect((await text('telescope rsp 4')).split('\n')).toEqual([
    '00008000  00008000  ← rsp',
    '00008004  00009000  → "some text" ← rdi',
    '00008008  00000005',
    '0000800c  00008008',
  ]);
});
