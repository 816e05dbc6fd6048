/** Names of C's types, as they are written in casts and asked for by `ptype`. */
import type { TypeWord } from '../../../disasm/type-node.js';

/** A type as it is written: `struct foo *`, `unsigned long`, `u32[4]`. */
export interface TypeName {
  readonly word: TypeWord;
  readonly name: string;
  readonly stars: number;
  /** Of an array, the outermost first. */
  readonly counts: readonly number[];
}

const WORDS = /\s*([a-z_]\w*)/iy;
const STARS = /\s*\*(?:\s*(?:const|volatile|restrict)\b)*/iy;
const COUNT = /\s*\[\s*(\d{1,9})\s*\]/y;
const QUALIFIERS: ReadonlySet<string> = new Set(['const', 'volatile', 'restrict', '__restrict', '_Atomic']);
const BASE: ReadonlySet<string> = new Set([
  ...['void', 'char', 'short', 'int', 'long', 'signed', 'unsigned', 'float', 'double', '_Bool', 'bool'],
]);
/** Names that are types everywhere. */
const TYPES = /^(?:(?:__)?[us](?:8|16|32|64)|u?int(?:8|16|32|64)_t|u?intptr_t|s?size_t)$/;
const MAX_STARS = 16;

/** As GCC writes it. */
function baseName(words: readonly string[]): string {
  const has = (word: string): boolean => words.includes(word);
  if (has('bool')) return '_Bool';
  const plain = ['void', 'float', '_Bool'].find(has);
  if (plain) return plain;
  const longs = words.filter((word) => word === 'long').length;
  if (has('double')) return longs > 0 ? 'long double' : 'double';
  const unsigned = has('unsigned') ? ['unsigned'] : [];
  if (has('char')) return [...(has('signed') ? ['signed'] : unsigned), 'char'].join(' ');
  const size = has('short') ? ['short'] : Array.from({ length: Math.min(2, longs) }, () => 'long');
  return [...size, ...unsigned, 'int'].join(' ');
}

/**
 * The type that stands at a place of a text, and where it ends; undefined where there is none.
 * `sure`: it cannot be anything else.
 */
export function takeType(text: string, from: number): { name: TypeName; end: number; sure: boolean } | undefined {
  let at = from;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match ?? undefined;
  };
  const base: string[] = [];
  let word: TypeWord = 'name';
  let name: string | undefined;
  let sure = false;
  for (let before = at; ; before = at) {
    const found = take(WORDS)?.[1];
    if (found === undefined) break;
    if (QUALIFIERS.has(found)) sure = true;
    else if (name === undefined && base.length === 0 && (found === 'struct' || found === 'union' || found === 'enum')) {
      word = found;
      name = take(WORDS)?.[1];
      if (name === undefined) return undefined;
      sure = true;
    } else if (name === undefined && BASE.has(found)) base.push(found);
    else if (name === undefined && base.length === 0) {
      name = found;
      sure ||= TYPES.test(found);
    } else {
      at = before;
      break;
    }
  }
  if (base.length > 0) [name, sure] = [baseName(base), true];
  if (name === undefined) return undefined;
  let stars = 0;
  while (stars < MAX_STARS && take(STARS)) stars++;
  const counts: number[] = [];
  for (let count = take(COUNT); count && counts.length < MAX_STARS; count = take(COUNT)) counts.push(Number(count[1]));
  return { name: { word, name, stars, counts }, end: at, sure };
}

/** A whole text that names a type; undefined for another one. */
export function typeNameOf(text: string): { name: TypeName; sure: boolean } | undefined {
  const found = takeType(text, 0);
  return found && text.slice(found.end).trim() === '' ? found : undefined;
}

export function typeNameText({ word, name, stars, counts }: TypeName): string {
  const head = word === 'name' ? name : `${word} ${name}`;
  return `${head}${stars > 0 ? ` ${'*'.repeat(stars)}` : ''}${counts.map((count) => `[${count}]`).join('')}`;
}
