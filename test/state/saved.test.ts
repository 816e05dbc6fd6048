import { describe, expect, it } from 'vitest';
import { checkAll, loadAll, type Saved, type Stateful, saveAll } from '../../src/engine/state/saved.js';
import {
  bytes,
  count,
  flag,
  int,
  list,
  named,
  oneOf,
  optional,
  record,
  type Schema,
  StateError,
  type StateOf,
  text,
  time,
  tuple,
  u8,
  u16,
  u32,
  u64,
  word,
  words,
} from '../../src/engine/state/schema.js';

const refused = (schema: Schema<unknown>, value: unknown) => {
  try {
    schema.check(value, 'x');
  } catch (error) {
    expect(error).toBeInstanceOf(StateError);
    return (error as Error).message;
  }
  return undefined;
};

describe('a schema', () => {
  it.each<[string, Schema<unknown>, unknown[], unknown[]]>([
    ['u8', u8, [0, 255], [-1, 256, 1.5, Number.NaN, '1', null, undefined, 1n]],
    ['u16', u16, [0xffff], [0x10000]],
    ['u32', u32, [0xffff_ffff], [2 ** 32, -1]],
    ['word', word, [-0x8000_0000, 0xffff_ffff], [-0x8000_0001, 2 ** 32]],
    ['count', count, [0, Number.MAX_SAFE_INTEGER], [-1, 2 ** 53, Number.POSITIVE_INFINITY]],
    ['time', time, [0, -1, 1.5], [Number.NaN, Number.POSITIVE_INFINITY, '0']],
    ['int', int(-1, 2), [-1, 2], [-2, 3]],
    ['flag', flag, [true, false], [0, 1, 'true', undefined]],
    ['u64', u64, [0n, (1n << 64n) - 1n], [-1n, 1n << 64n, 1]],
    ['text', text, ['', 'a'], [1, null]],
    ['bytes', bytes(2), [new Uint8Array(2)], [new Uint8Array(3), [1, 2], 'ab']],
    ['bytes of any length', bytes(), [new Uint8Array(0)], [new Uint16Array(1)]],
    ['words', words(2), [new Uint32Array(2)], [new Uint32Array(1), new Int32Array(2), [1, 2]]],
    ['oneOf', oneOf<string | number>('a', 2), ['a', 2], ['b', 1, undefined]],
    ['optional', optional(u8), [undefined, 1], [null, 256]],
    ['list', list(u8, 2), [[1, 2]], [[1], [1, 256], { 0: 1, 1: 2, length: 2 }, 'ab']],
    ['list of at most', list(u8, { atMost: 2 }), [[], [1, 2]], [[1, 2, 3]]],
    ['tuple', tuple(u8, flag), [[1, true]], [[1], [true, 1], [1, true, 1]]],
    ['record', record({ a: u8 }), [{ a: 1 }], [{}, { a: 1, b: 2 }, { a: -1 }, null, [], new Uint8Array(1), 'a']],
    ['named', named(u8), [{}, { a: 1 }], [{ a: true }, null, []]],
  ])('%s takes what it names and nothing else', (_, schema, good, bad) => {
    for (const value of good) expect(refused(schema, value)).toBeUndefined();
    for (const value of bad) expect(refused(schema, value)).toMatch(/^x/);
  });

  it('names the place, what stands there and what should', () => {
    const schema = record({ chips: list(record({ irr: u8 }), 2) });
    expect(refused(schema, { chips: [{ irr: 1 }, { irr: 700 }] })).toBe(
      'x.chips[1].irr is 700, not a whole number from 0 to 255',
    );
    expect(refused(schema, { chips: [{ irr: 1 }, { irr: 1, more: 2 }] })).toBe('x.chips[1].more is not known');
  });

  it('is not led astray by names that every object has', () => {
    expect(refused(record({}), JSON.parse('{"__proto__": 1}'))).toBe('x.__proto__ is not known');
    expect(refused(record({ toString: u8 }), {})).toMatch(/^x.toString is/);
  });
});

describe('the state of several parts', () => {
  const SHAPE = record({ value: u8, data: bytes(2) });
  class Part implements Stateful<StateOf<typeof SHAPE>> {
    readonly format;
    s: StateOf<typeof SHAPE> = { value: 1, data: new Uint8Array(2) };
    constructor(
      readonly name: string,
      kind = 'part',
      version = 3,
    ) {
      this.format = { kind, version, shape: SHAPE };
    }
    save() {
      return this.s;
    }
    load(state: StateOf<typeof SHAPE>): void {
      this.s = state;
    }
  }

  it('is a copy, by name, with kind and version', () => {
    const part = new Part('a');
    const states = saveAll([part]);
    part.s.data[0] = 9;
    expect(states).toEqual({ a: { kind: 'part', version: 3, state: { value: 1, data: new Uint8Array(2) } } });
    loadAll([part], states);
    part.s.data[0] = 8;
    expect((states.a.state as typeof part.s).data[0]).toBe(0);
  });

  it.each<[string, Record<string, Saved>, string]>([
    ['a part missing', {}, 'the state has no a, which this machine has'],
    [
      'a part too many',
      { ...saveAll([new Part('a')]), ...saveAll([new Part('b')]) },
      'the state has b, which this machine lacks',
    ],
    ['another kind', saveAll([new Part('a', 'other')]), 'a is a other in the state, a part in this machine'],
    ['another version', saveAll([new Part('a', 'part', 2)]), 'a: state has version 2, this program reads version 3'],
    ['another shape', { a: { kind: 'part', version: 3, state: { value: 1 } } }, 'a.data is undefined, not 2 bytes'],
  ])('refuses %s', (_, states, message) => {
    expect(() => checkAll([new Part('a')], states)).toThrow(new StateError(message));
  });

  it('refuses two parts of one name', () => {
    expect(() => saveAll([new Part('a'), new Part('a')])).toThrow('two parts of the machine are called a');
  });
});
