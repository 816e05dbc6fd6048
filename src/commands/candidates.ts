/** What may stand where a command's argument is being typed. */
import type { SymbolTable } from '../disasm/index.js';
import { EXIT_FIELDS } from '../engine/debug/exit-condition.js';
import { EXIT_FACT_NAMES } from '../engine/debug/exit-facts.js';
import { MONITOR_ROWS } from '../engine/debug/monitor-rows.js';
import { REGISTER_NAMES } from '../engine/registers-view.js';
import { EXIT_REASONS } from '../spec/vmx/exit-reasons.js';
import { VMCS_FIELDS } from '../spec/vmx/vmcs-fields.js';
import type { ArgumentKind } from './command.js';

/** Symbols that are looked through. */
const MAX_SYMBOLS = 50;

/** The names of a kind that are always the same. */
const NAMES: Partial<Record<ArgumentKind, readonly string[]>> = {
  'exit-reason': EXIT_REASONS.map(({ name }) => name),
  register: REGISTER_NAMES,
  'vmcs-field': VMCS_FIELDS.map(({ name }) => name),
  'exit-field': [...EXIT_FACT_NAMES, ...EXIT_FIELDS],
  monitor: MONITOR_ROWS.map(({ name }) => name),
};

interface Argued {
  readonly words?: readonly string[];
  readonly kinds?: readonly ArgumentKind[];
}

/** Names that the guest and the host have now. */
export interface Offers {
  readonly breakpoints?: readonly { id: number }[];
  readonly bookmarks?: readonly { name: string }[];
  /** Branches of the run, without the trunk. */
  readonly branches?: readonly { name: string }[];
  /** What savevm has kept, by name. */
  readonly snapshots?: readonly string[];
  /** How many there are, numbered from 0. */
  readonly vcpus?: number;
  readonly frames?: number;
  /** Numbers of the exits of the trace, the newest last. */
  readonly exits?: readonly number[];
  readonly processes?: readonly { pid: number; name: string }[];
  /** Numbers of watched expressions. */
  readonly watches?: readonly number[];
  readonly layouts?: readonly string[];
  readonly drives?: readonly string[];
  readonly commands?: readonly string[];
  /** Files and folders whose path begins so. */
  files?(typed: string): readonly string[];
}

/** Exits that are offered: more are looked for in the trace. */
const MAX_EXITS = 50;
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));

const OFFERED: Partial<Record<ArgumentKind, (offers: Offers, typed: string) => readonly string[]>> = {
  breakpoint: ({ breakpoints = [] }) => breakpoints.map(({ id }) => String(id)),
  bookmark: ({ bookmarks = [] }) => bookmarks.map(({ name }) => name),
  branch: ({ branches = [] }) => branches.map(({ name }) => name),
  place: ({ bookmarks = [], branches = [] }) => [
    ...bookmarks.map(({ name }) => `@${name}`),
    ...branches.map(({ name }) => `${name}:`),
  ],
  snapshot: ({ snapshots = [] }) => snapshots,
  vcpu: ({ vcpus = 0 }) => numbers(vcpus),
  frame: ({ frames = 0 }) => numbers(frames),
  exit: ({ exits = [] }) =>
    exits
      .slice(-MAX_EXITS)
      .reverse()
      .map((sequence) => `#${sequence}`),
  process: ({ processes = [] }, typed) => [
    ...new Set(processes.map(({ pid, name }) => (/^\d/.test(typed) || !/^[\w.-]+$/.test(name) ? String(pid) : name))),
  ],
  watch: ({ watches = [] }) => watches.map(String),
  layout: ({ layouts = [] }) => layouts,
  drive: ({ drives = [] }) => drives,
  command: ({ commands = [] }) => commands,
  file: ({ files }, typed) => files?.(typed) ?? [],
};

/** The kinds whose names are written as they are, whatever signs they have. */
const NAMED_KINDS: readonly ArgumentKind[] = [
  ...(['file', 'place', 'bookmark', 'branch', 'snapshot', 'layout'] as const),
  ...(['exit', 'process', 'drive', 'command', 'monitor'] as const),
];

/** The beginning of an argument that a line ends in. */
export const wordAt = ({ kinds = [] }: Argued, line: string): string =>
  (kinds.some((kind) => NAMED_KINDS.includes(kind)) ? /\S*$/ : /[\w.$@-]*$/).exec(line)?.[0] ?? '';

/** What may stand at a line's end, by the words before it. @param line the command's name and what is typed behind it */
export function arguedAt(
  command: Argued & { behind?: Readonly<Record<string, readonly ArgumentKind[]>> },
  line: string,
): Argued {
  const [, first, ...more] = line.trimStart().split(/\s+/);
  const { behind = {} } = command;
  const last = more.at(-2) ?? first;
  const of = (word: string | undefined) =>
    word !== undefined && Object.hasOwn(behind, word) ? behind[word] : undefined;
  const kinds = more.length > 0 ? (of(last) ?? of(first)) : undefined;
  return kinds ? { kinds } : command;
}

/** Words and names that begin with what is typed, whatever its case; the command's own words first, symbols last. */
export function candidates(
  { words = [], kinds = [] }: Argued,
  typed: string,
  symbols: SymbolTable,
  offers: Offers = {},
): string[] {
  const beginning = typed.toLowerCase();
  const fixed = [...words, ...kinds.flatMap((kind) => NAMES[kind] ?? OFFERED[kind]?.(offers, typed) ?? [])];
  const found = fixed.filter((name) => name.toLowerCase().startsWith(beginning));
  if (!kinds.includes('address') || typed === '') return found;
  const named = symbols.find(typed, MAX_SYMBOLS).filter(({ name }) => name.startsWith(typed));
  return [...found, ...named.map(({ name }) => name)];
}

/** What all of them begin with, as far as that is more than what is typed; else the first. */
export function completed(found: readonly string[], typed: string): string | undefined {
  const [first] = found;
  if (first === undefined) return undefined;
  let end = first.length;
  for (const name of found) while (!name.toLowerCase().startsWith(first.slice(0, end).toLowerCase())) end--;
  return end > typed.length ? first.slice(0, end) : first;
}
