/** What the names of an expression mean. */
import type { SymbolTable } from '../../../disasm/index.js';
import type { RegisterFile } from '../../debugger.js';
import { type Expression, ExpressionError } from './syntax.js';

/** Neither a symbol, a register nor a number. */
export class UnknownName extends ExpressionError {}

export interface Names {
  symbols?: Pick<SymbolTable, 'byName'>;
  registers?: RegisterFile;
  /** Numbers that are no register's: `icount`. */
  facts?: Readonly<Record<string, bigint>>;
  /** What a name means that nothing else has: `CPUID` is an exit reason. */
  constant?(name: string): bigint | undefined;
  /** What is known where an expression will be evaluated, not now: an exit's fields. They win over all other names. */
  later?(name: string): Later | undefined;
  /** @returns the error for a name that nothing has */
  unknown?(name: string): Error;
}

/** A value by the name under which the engine knows it. `has`: the one that tells whether it has one there. */
export interface Later {
  readonly live: string;
  readonly has?: string;
}

/** A part of a register. */
export interface Part {
  readonly name: string;
  readonly shift: number;
  readonly bits: number;
}

export type Meaning =
  | { readonly kind: 'constant'; readonly value: bigint }
  | ({ readonly kind: 'register' } & Part)
  | ({ readonly kind: 'later' } & Later);

const LOW_BYTES: Readonly<Record<string, string>> = { sil: 'rsi', dil: 'rdi', bpl: 'rbp', spl: 'rsp' };

/** `eax`, `ax`, `al`, `ah`, `r8d`, `r8w`, `r8b`, `sil`: which part of which register; undefined for other names. */
export function registerPart(name: string): Part | undefined {
  const low = (whole: string, bits: number, shift = 0): Part => ({ name: whole, shift, bits });
  if (/^e(?:[abcd]x|[sd]i|[sb]p|ip|flags)$/.test(name)) return low(`r${name.slice(1)}`, 32);
  if (/^(?:[abcd]x|[sd]i|[sb]p)$/.test(name)) return low(`r${name}`, 16);
  const byte = /^([abcd])([lh])$/.exec(name);
  if (byte) return low(`r${byte[1]}x`, 8, byte[2] === 'h' ? 8 : 0);
  const high = /^(r(?:[89]|1[0-5]))([dwb])$/.exec(name);
  if (high) return low(high[1]!, { d: 32, w: 16, b: 8 }[high[2] as 'd' | 'w' | 'b']);
  return Object.hasOwn(LOW_BYTES, name) ? low(LOW_BYTES[name]!, 8) : undefined;
}

/** `rax` for `eax`, `r8` for `r8d`: the register whose low 32 bits a name means; undefined for other names. */
export function wholeRegister(name: string): string | undefined {
  const part = registerPart(name);
  return part?.bits === 32 ? part.name : undefined;
}

/** What stands at a name. @throws UnknownName */
export function meaningOf(node: Expression & { kind: 'name' }, names: Names): Meaning {
  const { name, sign } = node;
  const later = sign === undefined ? names.later?.(name) : undefined;
  if (later) return { kind: 'later', ...later };
  const symbol = names.symbols?.byName(name);
  if (symbol && sign === undefined) return { kind: 'constant', value: symbol.address };
  const register = registerNamed(name.toLowerCase(), names.registers);
  if (register) return register;
  if (symbol) return { kind: 'constant', value: symbol.address };
  if (names.facts && Object.hasOwn(names.facts, name)) return { kind: 'constant', value: names.facts[name]! };
  const constant = names.constant?.(name) ?? node.or;
  if (constant !== undefined) return { kind: 'constant', value: constant };
  if (sign !== undefined) throw new UnknownName(`no register ${sign}`);
  throw names.unknown?.(name) ?? new UnknownName(`no symbol, register or number "${name}"`);
}

function registerNamed(
  name: string,
  registers: RegisterFile | undefined,
): (Meaning & { kind: 'register' }) | undefined {
  if (registers === undefined) return undefined;
  if (Object.hasOwn(registers, name)) return { kind: 'register', name, shift: 0, bits: 64 };
  const part = registerPart(name);
  return part && Object.hasOwn(registers, part.name) ? { kind: 'register', ...part } : undefined;
}
