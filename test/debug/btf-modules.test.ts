/** BTF of modules: types and strings whose numbers go on from the kernel's. */
import { expect, test } from 'vitest';
import { Btf } from '../../src/engine/debug/linux/btf.js';
import { BtfTypes } from '../../src/engine/debug/types/btf-types.js';
import { DebugInfo } from '../../src/engine/debug/types/debug-info.js';

const KIND = { int: 1, pointer: 2, struct: 4, enum: 6, typedef: 8, func: 12, proto: 13 };

/** @linux Documentation/bpf/btf.rst */
function blob(strings: string, types: number[][]): Uint8Array {
  const text = Buffer.from(strings, 'latin1');
  const words = types.flat();
  const bytes = Buffer.alloc(24 + words.length * 4 + text.length);
  bytes.writeUInt16LE(0xeb9f, 0);
  bytes[2] = 1;
  for (const [index, value] of [24, 0, words.length * 4, words.length * 4, text.length].entries())
    bytes.writeUInt32LE(value, 4 + index * 4);
  words.forEach((word, index) => {
    bytes.writeUInt32LE(word >>> 0, 24 + index * 4);
  });
  text.copy(bytes, 24 + words.length * 4);
  return bytes;
}
const info = (kind: number, count = 0): number => (kind << 24) | count;

// 1 int, 2 struct list { struct list *next }, 3 struct list *
const KERNEL = '\0int\0list\0next\0';
const kernel = new Btf(
  blob(KERNEL, [
    [1, info(KIND.int), 4, (1 << 24) | 32],
    ...[
      [5, info(KIND.struct, 1), 8, 10, 3, 0],
      [0, info(KIND.pointer), 2],
    ],
  ]),
);
const base = KERNEL.length;
// 4 typedef own int, 5 struct thing { own a; struct list *head }, 6 enum { OWN_A = 7 }, 7 int (own), 8 function
const OWN = 'own\0thing\0a\0head\0kinds\0OWN_A\0act\0';
const at = (word: string): number => base + OWN.indexOf(`${word}\0`);
const MODULE = blob(OWN, [
  [at('own'), info(KIND.typedef), 1],
  [at('thing'), info(KIND.struct, 2), 16, at('a'), 4, 0, at('head'), 3, 64],
  [at('kinds'), info(KIND.enum, 1), 4, at('OWN_A'), 7],
  [0, info(KIND.proto, 1), 1, 0, 4],
  [at('act'), info(KIND.func), 7],
]);

const infoOf = (modules: Record<string, Uint8Array>): DebugInfo => {
  const known = new Map(Object.entries(modules).map(([name, bytes]) => [name, new Btf(bytes, 8, kernel)]));
  return new DebugInfo(
    {
      dwarf: () => undefined,
      frames: () => undefined,
      place: async () => {},
      find: async () => true,
      btf: async () => kernel,
      typedModules: async () => ['empty', ...known.keys()],
      moduleBtf: async (module) => known.get(module),
      distance: () => 0n,
      frameRow: () => undefined,
      currentTask: async () => undefined,
      files: () => [],
      symbol: async (name, module) => (name === 'act' && module === 'mod' ? 0xffff_ffff_c000_0000n : undefined),
    },
    async () => {},
    () => 0,
  );
};

test('types of a module refer to its own, and to the kernel’s', async () => {
  const types = infoOf({ mod: MODULE });
  const thing = await types.named('struct', 'thing');
  expect(thing).toBe('b5@mod');
  expect(Object.fromEntries(await types.nodes([thing!]))).toEqual({
    'b5@mod': {
      kind: 'struct',
      name: 'thing',
      bytes: 16,
      members: [
        { name: 'a', type: 'b4@mod', offset: 0 },
        { name: 'head', type: 'b3', offset: 8 },
      ],
    },
    'b4@mod': { kind: 'typedef', name: 'own', to: 'b1' },
    b1: { kind: 'base', name: 'int', bytes: 4, encoding: 'signed' },
    b3: { kind: 'pointer', to: 'b2', bytes: 8 },
    b2: { kind: 'struct', name: 'list', bytes: 8, members: [], partial: true },
  });
  expect(await types.enumerator('OWN_A')).toEqual({ value: 7n, type: 'b6@mod' });
  expect(await types.variable('act')).toEqual({
    ...{ name: 'act', type: 'b7@mod', parameter: false },
    place: { kind: 'memory', address: { kind: 'number', value: 0xffff_ffff_c000_0000n, at: 0 } },
  });
  // the kernel's own go first, and have no module's name
  expect(await types.named('struct', 'list')).toBe('b2');
  expect(await types.named('name', 'own')).toBe('b4@mod');
  expect([await types.named('struct', 'nothing'), await types.enumerator('NOTHING')]).toEqual([undefined, undefined]);
});

test('what is damaged is left out, and takes no time', async () => {
  let rest = 7;
  const next = (below: number): number => {
    rest = (Math.imul(rest, 1664525) + 1013904223) >>> 0;
    return Math.floor((rest / 2 ** 32) * below);
  };
  let read = 0;
  for (let round = 0; round < 100; round++) {
    const bytes = Uint8Array.from(MODULE.subarray(0, round % 3 === 0 ? 24 + next(MODULE.length - 24) : MODULE.length));
    for (let n = 0; n < 1 + (round % 6); n++) bytes[4 + next(bytes.length - 4)] = next(256);
    let types: DebugInfo;
    try {
      types = infoOf({ mod: bytes });
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      continue;
    }
    const thing = await types.named('struct', 'thing');
    if (thing !== undefined) read += (await types.nodes([thing])).length;
    await types.nodes(['b4@mod', 'b99@mod', 'b5@other', 'b999999999@mod']);
    await types.enumerator('OWN_A');
    await types.variable('act');
  }
  expect(read).toBeGreaterThan(30);
  expect(new BtfTypes(kernel).type('b0')).toBe(undefined);
});
