/**
 * Shapes of saved state. A schema is the one place that says what a state holds: the type is inferred from it, and
 * what comes from a file or a peer is checked against it before anything takes it over.
 */
import { counted } from '../counted.js';

/** A state that is not of this program, version or machine. The message is one line that names the place. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

export interface Schema<T> {
  /** The value itself. @throws StateError naming `path` when it has another shape. */
  check(value: unknown, path: string): T;
}

/** The type of the values that a schema takes. */
export type StateOf<S> = S extends Schema<infer T> ? T : never;

function schema<T>(what: string, holds: (value: unknown) => boolean): Schema<T> {
  return {
    check(value, path) {
      if (!holds(value)) throw new StateError(`${path} is ${shown(value)}, not ${what}`);
      return value as T;
    },
  };
}

function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
    return String(value);
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return counted(value.length, 'byte');
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

/** A whole number in a range, both ends included. */
export function int(least: number, greatest: number): Schema<number> {
  return schema(
    `a whole number from ${least} to ${greatest}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= greatest,
  );
}

export const u8 = int(0, 0xff);
export const u16 = int(0, 0xffff);
export const u32 = int(0, 0xffff_ffff);
/** What JavaScript's bit operations leave: the 32 bits are right, the sign is not. */
export const word = int(-0x8000_0000, 0xffff_ffff);
/** A count, or an address below 2^53. */
export const count = int(0, Number.MAX_SAFE_INTEGER);
/** An address that a guest gave a device: of 64 bits, and not exact beyond 2^53, where no memory is. */
export const address = schema<number>(
  'an address of 64 bits',
  (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 2 ** 64,
);
/** Virtual time or an oscillator's tick: not always whole, and before power-on where a count began earlier. */
export const time = schema<number>('a time', (value) => Number.isFinite(value));
export const flag = schema<boolean>('true or false', (value) => typeof value === 'boolean');
export const u64 = schema<bigint>(
  'a 64-bit number',
  (value) => typeof value === 'bigint' && value >= 0n && value < 1n << 64n,
);
export const text = schema<string>('a text', (value) => typeof value === 'string');

/** Bytes, of this length where one is given. */
export function bytes(length?: number): Schema<Uint8Array> {
  return schema(
    length === undefined ? 'bytes' : counted(length, 'byte'),
    (value) => value instanceof Uint8Array && (length === undefined || value.length === length),
  );
}

export function oneOf<const T extends string | number>(...values: readonly T[]): Schema<T> {
  return schema(`one of ${values.join(', ')}`, (value) => values.includes(value as T));
}

export function optional<T>(of: Schema<T>): Schema<T | undefined> {
  return {
    check(value, path) {
      return value === undefined ? undefined : of.check(value, path);
    },
  };
}

/** A list; `length` is what it must have, or at most have. */
export function list<T>(of: Schema<T>, length: number | { atMost: number }): Schema<T[]> {
  return {
    check(value, path) {
      const fits =
        Array.isArray(value) && (typeof length === 'number' ? value.length === length : value.length <= length.atMost);
      const wanted = typeof length === 'number' ? `a list of ${length}` : `a list of at most ${length.atMost}`;
      if (!fits) throw new StateError(`${path} is ${shown(value)}, not ${wanted}`);
      for (const [i, item] of (value as unknown[]).entries()) of.check(item, `${path}[${i}]`);
      return value as T[];
    },
  };
}

/** A schema for each place of a list. */
export function tuple<const T extends readonly unknown[]>(...of: { [K in keyof T]: Schema<T[K]> }): Schema<[...T]> {
  return {
    check(value, path) {
      if (!Array.isArray(value) || value.length !== of.length)
        throw new StateError(`${path} is ${shown(value)}, not a list of ${of.length}`);
      for (const [i, item] of value.entries()) of[i].check(item, `${path}[${i}]`);
      return value as unknown as [...T];
    },
  };
}

type Fields = Record<string, Schema<unknown>>;
type RecordOf<F extends Fields> = { -readonly [K in keyof F]: StateOf<F[K]> };

/** An object with these fields and no others. */
export function record<F extends Fields>(fields: F): Schema<RecordOf<F>> {
  return {
    check(value, path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
        throw new StateError(`${path} is ${shown(value)}, not a record`);
      for (const name of Object.keys(value)) {
        if (!Object.hasOwn(fields, name)) throw new StateError(`${path}.${name} is not known`);
      }
      for (const [name, field] of Object.entries(fields)) {
        field.check((value as Record<string, unknown>)[name], `${path}.${name}`);
      }
      return value as RecordOf<F>;
    },
  };
}

/** A map by name, each value of one shape. */
export function named<T>(of: Schema<T>): Schema<Record<string, T>> {
  return {
    check(value, path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
        throw new StateError(`${path} is ${shown(value)}, not a record`);
      for (const [name, item] of Object.entries(value)) of.check(item, `${path}.${name}`);
      return value as Record<string, T>;
    },
  };
}

/** 32-bit words, so many. */
export function words(length: number): Schema<Uint32Array> {
  return schema(counted(length, 'word'), (value) => value instanceof Uint32Array && value.length === length);
}
