/** What `wrote`, `became` and `reads` are asked about, as people type it. */
import { msrByName } from '../../spec/msrs.js';
import { vmcsField } from '../../spec/vmx/vmcs-fields.js';
import type { Became, Written } from '../debugger.js';
import { REGISTER_NAMES } from '../registers-view.js';
import { registerPart } from './expression/names.js';

export const WRITTEN =
  'ADDR [LENGTH], phys ADDR [LENGTH], $REGISTER, msr NAME, vmcs FIELD, pte ADDR [LEVEL], ept ADDR [LEVEL], idt N, gdt N, ldt N, selector N or DISK sector N';
const MAX_WRITTEN = 4096n;
const LEVELS = ['PML5', 'PML4', 'PDPT', 'PD', 'PT'];

type Value = (text: string) => Promise<bigint>;

/** @param value of an expression @throws Error naming what is not understood */
export async function wroteTarget(text: string, value: Value): Promise<Written> {
  const [word, ...rest] = text.trim().split(/\s+/);
  const register = /^\$(\w+)$/.exec(text.trim());
  if (register) return { kind: 'register', name: register[1].toLowerCase() };
  const argument = rest.join(' ');
  switch (word.toLowerCase()) {
    case 'msr':
      return { kind: 'msr', number: await msrNumber(needed(argument, 'msr NAME or NUMBER'), value) };
    case 'pte':
    case 'ept':
      return entry(word.toLowerCase() as 'pte' | 'ept', rest, value);
    case 'idt':
    case 'gdt':
    case 'ldt': {
      const index = await value(needed(argument, `${word} N`));
      if (index > 0xffffn) throw new Error(`${argument}: no table has so many entries`);
      return { kind: word.toLowerCase() as 'idt' | 'gdt' | 'ldt', index: Number(index) };
    }
    case 'selector': {
      const selector = await value(needed(argument, 'selector N'));
      if (selector > 0xffffn) throw new Error(`${argument}: a selector has 16 bits`);
      return { kind: (selector & 4n) === 0n ? 'gdt' : 'ldt', index: Number(selector >> 3n) };
    }
    case 'vmcs': {
      const field = vmcsField(argument);
      if (!field) throw new Error(`${argument}: no VMCS field`);
      return { kind: 'vmcs', encoding: field.encoding };
    }
  }
  if (rest[0]?.toLowerCase() === 'sector') {
    const sector = await value(needed(rest.slice(1).join(' '), `${word} sector N`));
    if (sector >= 1n << 48n) throw new Error(`${rest[1]}: no disk has so many sectors`);
    return { kind: 'sector', disk: word, sector: Number(sector) };
  }
  const physical = word.toLowerCase() === 'phys';
  const [address, length = '8', ...more] = physical ? rest : [word, ...rest];
  if (address === undefined || address === '' || more.length > 0) throw new Error(`usage: ${WRITTEN}`);
  const named = physical || more.length > 0 ? undefined : otherName(address);
  const at = await value(address).catch((error: Error) => {
    throw named === undefined ? error : new Error(`${error.message}; ${named}`);
  });
  const bytes = await value(length);
  if (bytes < 1n || bytes > MAX_WRITTEN) throw new Error(`${length}: a length is 1 to ${MAX_WRITTEN} bytes`);
  return { kind: 'memory', space: physical ? 'gpa' : 'gva', address: at, length: Number(bytes) };
}

/** What else than an address a name is. */
function otherName(name: string): string | undefined {
  const field = vmcsField(name);
  if (field) return `vmcs ${field.name} is the VMCS field`;
  const msr = msrByName(name);
  return msr && `msr ${msr.name} is the MSR`;
}

/** A register's name without `$` is an address, the one that it holds: people who type it may mean the register. */
export function registerHint(text: string): string | undefined {
  const [, name = ''] = /^\s*(\w+)(?:\s+\w+)?\s*(?:(?:[=!<>]|\bhas\b).*)?$/.exec(text) ?? [];
  const register = name.toLowerCase();
  if (!REGISTER_NAMES.includes(register) && registerPart(register) === undefined) return undefined;
  return `this was about the memory that ${name} points to; $${name} is the register itself`;
}

function needed(text: string, usage: string): string {
  if (text === '') throw new Error(`usage: ${usage}`);
  return text;
}

async function msrNumber(text: string, value: Value): Promise<number> {
  const row = msrByName(text);
  if (row) return row.number;
  if (!/^\s*(?:0x[0-9a-f]+|\d+)\s*$/i.test(text)) throw new Error(`${text}: no MSR; a number, or a name as IA32_LSTAR`);
  const number = await value(text);
  if (number > 0xffff_ffffn) throw new Error(`${text}: the number of an MSR has 32 bits`);
  return Number(number);
}

async function entry(kind: 'pte' | 'ept', rest: readonly string[], value: Value): Promise<Written> {
  const last = rest.at(-1)?.toUpperCase();
  const level = rest.length > 1 && last !== undefined && LEVELS.includes(last) ? last : undefined;
  const address = await value(
    needed(rest.slice(0, level === undefined ? undefined : -1).join(' '), `${kind} ADDR [LEVEL]`),
  );
  const named = level === undefined ? {} : { level };
  return kind === 'pte' ? { kind, gva: address, ...named } : { kind, gpa: address, ...named };
}

/**
 * `$rax == 5`, `phys 0x1000 4 >= 3`, `vmcs GUEST_CR0 has 0x80000000`; without a condition: what it is now.
 * @throws Error naming what is not understood
 */
export async function becameTarget(text: string, value: Value): Promise<{ what: Written; became: Became }> {
  const condition = /^(.*?)(?:\s*(==?|!=|<=|>=|<|>)\s*|\s+(has)\s+)(.+)$/.exec(text.trim());
  if (!condition) return { what: await wroteTarget(text, value), became: 'now' };
  const [, what, operator, has, wanted] = condition;
  const op = has ? '&' : operator === '=' ? '==' : (operator as '==');
  return { what: await wroteTarget(what, value), became: { op, value: BigInt.asUintN(64, await value(wanted)) } };
}
