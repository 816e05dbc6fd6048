/** The text of printf in agent expressions: C's conversions of whole numbers, characters, pointers and strings. */

import { printableLines } from '../printable.js';

const CONVERSION = /%([-+ #0]*)(\d+)?(?:\.(\d+))?(hh|h|ll|l|z|j|t|q)?([diouxXcspeEfgGaA%])/g;
const BITS: Readonly<Record<string, number>> = { hh: 8, h: 16, l: 64, ll: 64, z: 64, j: 64, t: 64, q: 64 };
/** GDB sends the format as the user typed it. */
const ESCAPE = /\\([abefnrtv\\"]|[0-7]{1,3})/g;
const ESCAPED: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', e: '\x1b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', '"': '"' },
};
/** Columns that a conversion may be padded to. */
const MAX_WIDTH = 256;
const MAX_LENGTH = 16_384;

/** @param stringAt what stands at an address, up to its zero */
export function formatText(format: string, values: readonly bigint[], stringAt: (address: bigint) => string): string {
  let next = 0;
  const plain = format.replace(
    ESCAPE,
    (_, letter: string) => ESCAPED[letter] ?? String.fromCharCode(Number.parseInt(letter, 8) & 0xff),
  );
  const text = plain.replace(CONVERSION, (whole, flags: string, width, precision, size, kind: string) => {
    if (kind === '%') return '%';
    const value = values[next++];
    if (value === undefined) return whole;
    const digits = precision === undefined ? undefined : Math.min(Number(precision), MAX_WIDTH);
    const body = bodyOf(kind, value, BITS[size ?? ''] ?? 32, flags, digits, stringAt);
    return pad(body, Math.min(Number(width ?? 0), MAX_WIDTH), flags, /[diouxX]/.test(kind) && digits === undefined);
  });
  return text.slice(0, MAX_LENGTH);
}

function bodyOf(
  kind: string,
  value: bigint,
  bits: number,
  flags: string,
  digits: number | undefined,
  stringAt: (address: bigint) => string,
): string {
  const plain = BigInt.asUintN(bits, value);
  const long = (text: string): string => text.padStart(digits ?? 0, '0');
  switch (kind) {
    case 'd':
    case 'i': {
      const number = BigInt.asIntN(bits, value);
      const sign = number < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
      return sign + long((number < 0n ? -number : number).toString());
    }
    case 'u':
      return long(plain.toString());
    case 'o':
      return (flags.includes('#') && plain !== 0n ? '0' : '') + long(plain.toString(8));
    case 'x':
      return (flags.includes('#') && plain !== 0n ? '0x' : '') + long(plain.toString(16));
    case 'X':
      return (flags.includes('#') && plain !== 0n ? '0X' : '') + long(plain.toString(16).toUpperCase());
    case 'c':
      return printableLines(String.fromCharCode(Number(value & 0xffn)));
    case 'p':
      return `0x${value.toString(16)}`;
    case 's':
      return stringAt(value).slice(0, digits);
    default:
      // agent expressions have whole numbers only
      return `<%${kind}: 0x${value.toString(16)}>`;
  }
}

function pad(body: string, width: number, flags: string, mayZero: boolean): string {
  if (body.length >= width) return body;
  if (flags.includes('-')) return body.padEnd(width);
  if (!flags.includes('0') || !mayZero) return body.padStart(width);
  const prefix = /^[-+ ]?(?:0[xX])?/.exec(body)?.[0] ?? '';
  return prefix + body.slice(prefix.length).padStart(width - prefix.length, '0');
}
