/** Addresses and values as people type them. */
import type { SymbolTable } from '../disasm/index.js';
import type { RegisterFile } from '../engine/debugger.js';

/** Neither a symbol, a register nor a number. */
export class UnknownName extends Error {}

export interface Names {
  symbols?: SymbolTable;
  registers?: RegisterFile;
  /** Numbers that are no register's: `icount`. */
  facts?: Readonly<Record<string, bigint>>;
  /** What a name means that nothing else has: `CPUID` is an exit reason. */
  constant?(name: string): bigint | undefined;
}

const MAX = (1n << 64n) - 1n;
const MAX_32 = 0xffff_ffffn;
/** Symbols may hold dots, colons and the like; the signs of arithmetic end them. */
const TOKEN = /\s*([-+*()]|[^-+*()\s]+)/y;

/**
 * `0x1f`, `42`, `fee00000` (hexadecimal if it has a letter), a symbol, a register (`eax` is the low half of `rax`),
 * and `+ - *` with parentheses: `main+0x10`. Names win over hexadecimal: `add` is a symbol if there is one.
 * Sums are modulo 2^64; numbers and products beyond 64 bits are refused.
 * @throws Error that names the part that cannot be read.
 */
export function evaluate(text: string, names: Names): bigint {
  const tokens = tokensOf(text);
  if (tokens.length === 0) throw new Error('an address or value is missing');
  const unread = () => new Error(`"${text.trim()}" is not an address or value`);

  const sum = (): bigint => {
    let value = product();
    while (tokens[0] === '+' || tokens[0] === '-') value += tokens.shift() === '+' ? product() : -product();
    return BigInt.asUintN(64, value);
  };
  const product = (): bigint => {
    let value = factor();
    while (tokens[0] === '*') {
      tokens.shift();
      value *= factor();
    }
    if (value > MAX || value < -MAX) throw new Error(`"${text.trim()}" does not fit in 64 bits`);
    return value;
  };
  const factor = (): bigint => {
    const token = tokens.shift();
    if (token === undefined) throw new Error(`"${text.trim()}" ends in an operator`);
    if (token === '-') return -factor();
    if (token === '+') return factor();
    if (token !== '(') return term(token, names);
    const value = sum();
    if (tokens.shift() !== ')') throw new Error(`"${text.trim()}" lacks a ")"`);
    return value;
  };
  const value = sum();
  if (tokens.length > 0) throw unread();
  return value;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) tokens.push(match[1]!);
  return tokens;
}

function term(text: string, names: Names): bigint {
  if (/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) return number(text, BigInt(text));
  const name = text.replace(/^[$%]/, '');
  const symbol = names.symbols?.byName(name);
  if (symbol) return symbol.address;
  const value = register(name.toLowerCase(), names.registers);
  if (value !== undefined) return value;
  if (names.facts && Object.hasOwn(names.facts, name)) return names.facts[name];
  const constant = names.constant?.(name);
  if (constant !== undefined) return constant;
  if (/^[0-9a-f]+$/i.test(text)) return number(text, BigInt(`0x${text}`));
  throw new UnknownName(`no symbol, register or number "${text}"`);
}

function number(text: string, value: bigint): bigint {
  if (value > MAX) throw new Error(`${text} does not fit in 64 bits`);
  return value;
}

function register(name: string, registers: RegisterFile | undefined): bigint | undefined {
  const value = registers?.[name];
  if (value !== undefined) return value;
  const whole = wholeRegister(name);
  return whole === undefined || registers?.[whole] === undefined ? undefined : registers[whole] & MAX_32;
}

/** `rax` for `eax`, `r8` for `r8d`: the register whose low 32 bits a name means; undefined for other names. */
export function wholeRegister(name: string): string | undefined {
  if (/^e(?:[abcd]x|[sd]i|[sb]p|ip|flags)$/.test(name)) return `r${name.slice(1)}`;
  return /^r(?:[89]|1[0-5])d$/.test(name) ? name.slice(0, -1) : undefined;
}

/** `48 89 e5` or `4889e5` as bytes; `"text"` as its characters. */
export function parseBytes(text: string): Uint8Array {
  const quoted = /^"(.*)"$/.exec(text.trim());
  if (quoted) return new TextEncoder().encode(quoted[1]);
  const digits = text.replace(/\s+|0x/gi, '');
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new Error(`"${text.trim()}" is not a list of bytes such as 48 89 e5`);
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}
