/** Breakpoints and watchpoints. */

import { counted } from '../engine/counted.js';
import { exitFieldNamed } from '../engine/debug/exit-condition.js';
import { compileExpression, compilePrint } from '../engine/debug/expression/compile.js';
import { firstExpression, parseExpression } from '../engine/debug/expression/syntax.js';
import type { Breakpoint, BreakpointAction, BreakpointSpec, Condition } from '../engine/debugger.js';
import { specText } from './breakpoint-text.js';
import { type Command, command, firstValue, lacking, need, type Session, space, value, words } from './command.js';
import { exitCondition } from './exit-conditions.js';
import { lineStop } from './line-place.js';
import { processTest } from './process-test.js';
import { behindPrologue } from './prologue.js';
import { numberNow, objectNow, type Place, placeAnywhere, placeAt, resolvedAt } from './typed-values.js';

/** A breakpoint that was set, or one that was there and is no more. */
type Toggled = { breakpoint: Breakpoint } | { removed: number };

async function add(session: Session, spec: BreakpointSpec): Promise<Toggled> {
  const breakpoint = await session.debug.addBreakpoint(spec);
  session.changed('values');
  return { breakpoint };
}

function toggledText(result: Toggled): string {
  if ('removed' in result) return `breakpoint ${result.removed} removed`;
  const { breakpoint } = result;
  return `${breakpoint.temporary ? 'temporary ' : ''}breakpoint ${breakpoint.id} ${specText(breakpoint)}`;
}

/** `if EXPRESSION` as what the engine evaluates there; undefined where there is none. @throws Error for anything else */
async function conditionOf(session: Session, text: string, at?: bigint): Promise<Condition | undefined> {
  if (text === '') return undefined;
  const condition = /^if\b(.*)$/is.exec(text)?.[1]?.trim();
  if (condition === undefined) throw new Error(`unexpected "${text}": after the place comes "if EXPRESSION"`);
  return compiled(session, need(condition, 'a condition after "if"'), at);
}

/** Where it is evaluated later: without the names that tell of this instant, as `icount` does. */
async function placeLater(session: Session, at: bigint | undefined): Promise<Place> {
  const place = at === undefined ? await placeAnywhere(session) : await placeAt(session, at);
  return { ...place, names: { ...place.names, facts: {} } };
}

/** @param at where the guest will stand: the variables there have names */
async function compiled(session: Session, text: string, at: bigint | undefined): Promise<Condition> {
  const place = await placeLater(session, at);
  const node = await resolvedAt(session, parseExpression(text), place);
  return { ...compileExpression(node, place.names), text };
}

/** Names of files have dots; those of symbols with colons have two. */
const LINE = /^([^\s:]+):(\d+)(?!\S)\s*(.*)$/s;

/** An address, a symbol or `FILE:LINE` at the beginning of a text, and the rest of it. */
async function placeOf(session: Session, given: string): Promise<{ gva: bigint; rest: string }> {
  // gdb's users write an address as *0x1000
  const text = given.replace(/^\*\s*/, '');
  const [, file, line, rest = ''] = LINE.exec(text) ?? [];
  if (file === undefined) {
    const { value: gva, rest } = await firstValue(session, text);
    const named = text.slice(0, text.length - rest.length).trim();
    // a function's name means where its variables are there
    const isName = text === given && /^[a-z_][\w.]*$/i.test(named);
    return { gva: isName ? await behindPrologue(session, gva) : gva, rest };
  }
  return { gva: await lineStop(session, file, Number(line)), rest };
}

const EXIT = /^(?:vmexit|exit)\b(.*)$/is;

/** `process NAME|PID` behind a place, and what stands behind it. */
const PROCESS = /^process\s+("[^"]*"|\S+)\s*(.*)$/is;

/** The guest runs on at hits of all other processes: these have other page tables, or another name. */
async function ofProcess(session: Session, wanted: string, condition: string): Promise<string> {
  const test = await processTest(session, wanted.replace(/^"(.*)"$/, '$1'));
  return condition === '' ? `if ${test}` : `if (${test}) and (${condition.replace(/^if\b/i, '').trim()})`;
}

async function spec(session: Session, argument: string): Promise<BreakpointSpec> {
  const exit = EXIT.exec(argument);
  if (exit) {
    if (!session.debug.exits) throw await lacking(session, 'exits');
    return { kind: 'exit', condition: await exitCondition(session, exit[1]!) };
  }
  const { gva, rest } = await placeOf(session, argument);
  const [, process, behind = ''] = PROCESS.exec(rest) ?? [];
  const when = process === undefined ? rest : await ofProcess(session, process, behind);
  const condition = await conditionOf(session, when, gva);
  return { kind: 'execute', gva, ...(condition ? { condition } : {}) };
}

const WHERE = 'an address, a symbol, FILE:LINE or "vmexit REASON"';

async function toggle(session: Session, text: string): Promise<Toggled> {
  const { debug } = session;
  const wanted = await spec(session, need(text, WHERE));
  const there =
    wanted.kind === 'execute' && wanted.condition === undefined
      ? (await debug.breakpoints()).find((b) => b.kind === 'execute' && b.gva === wanted.gva)
      : undefined;
  if (!there) return add(session, wanted);
  await debug.removeBreakpoint(there.id);
  session.changed('values');
  return { removed: there.id };
}

/** `PLACE,"format",VALUE,...` as gdb's. Commas between brackets and quotes part nothing. */
async function printAt(session: Session, text: string): Promise<Toggled> {
  const usage = 'usage: dprintf PLACE,"FORMAT",VALUE,...: dprintf main,"rax %lx\\n",rax';
  const [, place, format, rest = ''] = /^(.*?)\s*,\s*("(?:[^"\\]|\\.)*")\s*((?:,.*)?)$/s.exec(text.trim()) ?? [];
  if (place === undefined || format === undefined || place.trim() === '') throw new Error(usage);
  const values = rest === '' ? [] : rest.slice(1).split(',');
  const wanted = await spec(session, place.trim());
  if (wanted.kind === 'watch') throw new Error(usage);
  const there = await placeLater(session, wanted.kind === 'execute' ? wanted.gva : undefined);
  // what an exit was about has a name where it stops at one
  const later = wanted.kind === 'exit' ? { ...there, names: { ...there.names, later: exitFieldNamed } } : there;
  const nodes = await Promise.all(values.map((text) => resolvedAt(session, parseExpression(text), later)));
  const compiledPrint = compilePrint(format.slice(1, -1), nodes, later.names);
  const action: BreakpointAction = { kind: 'print', ...compiledPrint, text: `${format}${rest}` };
  return add(session, { ...wanted, action });
}

/** Bytes that one watchpoint may be on. */
const MAX_WATCHED = 4096;

/** An address, or a variable, member or element, which is watched where it lies, as long as it is. */
async function watched(
  session: Session,
  text: string,
  where: 'gva' | 'gpa',
): Promise<{ address: bigint; bytes?: number; rest: string }> {
  const { expression, rest } = firstExpression(text);
  if (where === 'gva' && session.debug.types && expression.kind !== 'number') {
    const found = await objectNow(session, expression);
    if (found && found.bytes > 0) return { ...found, bytes: Math.min(found.bytes, MAX_WATCHED), rest };
  }
  return { address: await numberNow(session, expression, true), rest };
}

const ACCESSES: Readonly<Record<string, 'read' | 'write' | 'access'>> = {
  ...{ r: 'read', read: 'read', w: 'write', write: 'write', rw: 'access', access: 'access' },
};

async function watch(session: Session, text: string): Promise<Toggled> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  if (where === 'hpa') throw new Error('a watchpoint is on gva or gpa');
  const { address, bytes, rest } = await watched(session, need(list.join(' '), 'an address'), where);
  const [, range = '', when = ''] = /^(.*?)\s*(\bif\b.*)?$/is.exec(rest)!;
  const [, given, last = ''] = /^,?\s*(.*?)\s*((?<![\w$%])(?:r|w|rw|read|write|access))?$/i.exec(range)!;
  const access = last === '' ? 'write' : ACCESSES[last.toLowerCase()]!;
  const length = given ? await value(session, given) : BigInt(bytes ?? 4);
  if (length < 1n || length > 4096n) throw new Error(`a length of ${length} is not 1 to 4096`);
  const condition = await conditionOf(session, when);
  const spec = { kind: 'watch', space: where, address, length: Number(length), access } as const;
  return add(session, { ...spec, ...(condition ? { condition } : {}) });
}

/** Numbers of breakpoints that there are: `1 3`, `2-4`, `all`. @throws Error naming one that there is not */
async function chosen(session: Session, text: string): Promise<number[]> {
  const ids = (await session.debug.breakpoints()).map(({ id }) => id);
  const argument = need(text, 'a breakpoint number, or "all",');
  if (argument.toLowerCase() === 'all') return ids;
  return argument.split(/[\s,]+/).flatMap((word) => {
    const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(word) ?? [];
    if (first === undefined) throw new Error(`"${word}" is not the number of a breakpoint`);
    const found = ids.filter((id) => id >= Number(first) && id <= Number(last));
    if (found.length === 0) throw new Error(`no breakpoint ${word}`);
    return found;
  });
}

async function setEnabled(session: Session, text: string, enabled: boolean) {
  const ids = await chosen(session, text);
  for (const id of ids) await session.debug.enableBreakpoint(id, enabled);
  session.changed('values');
  return { id: ids.length === 1 ? ids[0]! : ids, enabled };
}

const enabledText = ({ id, enabled }: { id: number | number[]; enabled: boolean }): string => {
  const what = typeof id === 'number' ? `breakpoint ${id}` : `breakpoints ${id.join(', ') || '(none)'}`;
  return `${what} ${enabled ? 'on' : 'off'}`;
};

async function remove(session: Session, text: string): Promise<{ removed: number[] }> {
  const list = await chosen(session, text);
  for (const id of list) await session.debug.removeBreakpoint(id);
  session.changed('values');
  return { removed: list };
}

/** A breakpoint's number at the beginning of a text, and the rest. */
async function numbered(session: Session, text: string): Promise<{ breakpoint: Breakpoint; rest: string }> {
  const [, id = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(need(text, 'a breakpoint number')) ?? [];
  if (!/^\d+$/.test(id)) throw new Error(`"${id}" is not the number of a breakpoint`);
  const [only] = await chosen(session, id);
  const breakpoint = (await session.debug.breakpoints()).find((one) => one.id === only)!;
  return { breakpoint, rest: rest.trim() };
}

interface Changed {
  id: number;
  told: string;
}

const gvaOf = (breakpoint: Breakpoint): bigint | undefined =>
  breakpoint.kind === 'execute' ? breakpoint.gva : undefined;

async function setCondition(session: Session, text: string): Promise<Changed> {
  const { breakpoint, rest } = await numbered(session, text);
  const { id } = breakpoint;
  if (breakpoint.kind === 'exit') {
    const { reasons } = breakpoint.condition;
    const when = rest === '' ? {} : await exitCondition(session, `any if ${rest}`);
    await session.debug.changeBreakpoint(id, { exits: { ...(reasons ? { reasons } : {}), ...when } });
  } else
    await session.debug.changeBreakpoint(id, {
      condition: rest === '' ? null : await compiled(session, rest, gvaOf(breakpoint)),
    });
  session.changed('values');
  return { id, told: rest === '' ? 'has no condition' : `if ${rest}` };
}

async function setIgnore(session: Session, text: string): Promise<Changed> {
  const { breakpoint, rest } = await numbered(session, text);
  const count = await value(session, need(rest, 'the number of hits to pass'));
  if (count > 0xffff_ffffn) throw new Error(`${count}: more hits than can be counted`);
  await session.debug.changeBreakpoint(breakpoint.id, { ignore: Number(count) });
  session.changed('values');
  return { id: breakpoint.id, told: count === 0n ? 'stops at its next hit' : `passes ${counted(count, 'hit')}` };
}

const MAX_COMMANDS = 100;

async function setCommands(session: Session, text: string): Promise<Changed> {
  const { breakpoint, rest } = await numbered(session, text);
  const lines = partsOf(rest);
  if (lines.length > MAX_COMMANDS) throw new Error(`more than ${MAX_COMMANDS} commands`);
  await session.debug.changeBreakpoint(breakpoint.id, { commands: lines.length === 0 ? null : lines });
  session.changed('values');
  return { id: breakpoint.id, told: lines.length === 0 ? 'has no commands' : `: ${lines.join('; ')}` };
}

/** The lines between semicolons; one between quotes parts nothing. */
function partsOf(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|'[^']'|[^;])+/g) ?? [];
  return parts.map((part) => part.trim()).filter(Boolean);
}

const changedText = ({ id, told }: Changed): string => `breakpoint ${id} ${told}`;

const WHERE_AND_WHEN = {
  words: ['vmexit', 'process', 'if'],
  kinds: ['address', 'exit-reason', 'register'],
  behind: { vmexit: ['exit-reason'], process: ['process'], if: ['exit-field', 'register', 'address'] },
} as const satisfies Partial<Command>;

export const BREAKPOINT_COMMANDS: readonly Command[] = [
  command({
    name: 'break',
    usage: 'ADDR | SYMBOL | FILE:LINE | vmexit REASON [process NAME|PID] [if EXPRESSION]',
    help: 'set a breakpoint, or remove it again',
    key: 'b',
    effect: 'runs',
    ...WHERE_AND_WHEN,
    run: toggle,
    text: toggledText,
  }),
  command({
    name: 'tbreak',
    usage: 'PLACE [process NAME|PID] [if EXPRESSION]',
    help: 'breakpoint that stops once; arguments as for break',
    effect: 'runs',
    ...WHERE_AND_WHEN,
    run: async (session, text) => add(session, { ...(await spec(session, need(text, WHERE))), temporary: true }),
    text: toggledText,
  }),
  command({
    name: 'watch',
    usage: '[gpa] ADDR [LENGTH] [r|w|rw] [if EXPRESSION]',
    help: 'stop after an access',
    key: 'w',
    effect: 'runs',
    words: ['gva', 'gpa', 'r', 'w', 'rw', 'if'],
    kinds: ['address', 'register'],
    run: watch,
    text: toggledText,
  }),
  command({
    name: 'dprintf',
    usage: 'PLACE,"FORMAT"[,VALUE...]',
    help: 'print a line there instead of stopping: dprintf main,"rax %lx\\n",rax',
    effect: 'runs',
    words: ['vmexit'],
    kinds: ['address', 'exit-reason', 'register'],
    behind: { vmexit: ['exit-reason'] },
    run: printAt,
    text: toggledText,
  }),
  command({
    name: 'condition',
    usage: 'N [EXPRESSION]',
    help: 'condition for a breakpoint to stop; none: it always stops',
    effect: 'runs',
    kinds: ['breakpoint', 'address', 'register'],
    run: setCondition,
    text: changedText,
  }),
  command({
    name: 'ignore',
    usage: 'N COUNT',
    help: 'how many hits of a breakpoint pass before it stops',
    effect: 'runs',
    kinds: ['breakpoint'],
    run: setIgnore,
    text: changedText,
  }),
  command({
    name: 'commands',
    usage: 'N [COMMAND; COMMAND...]',
    help: 'commands for each stop of a breakpoint; none: no commands',
    // they may be any
    effect: 'changes',
    kinds: ['breakpoint', 'command'],
    run: setCommands,
    text: changedText,
  }),
  command({
    name: 'delete',
    usage: 'N... | all',
    help: 'remove breakpoints',
    effect: 'runs',
    words: ['all'],
    kinds: ['breakpoint'],
    run: remove,
    text: ({ removed }) => `${removed.length} removed`,
  }),
  command({
    name: 'enable',
    usage: 'N... | all',
    help: 'breakpoints on',
    effect: 'runs',
    words: ['all'],
    kinds: ['breakpoint'],
    run: (session, text) => setEnabled(session, text, true),
    text: enabledText,
  }),
  command({
    name: 'disable',
    usage: 'N... | all',
    help: 'breakpoints off',
    effect: 'runs',
    words: ['all'],
    kinds: ['breakpoint'],
    run: (session, text) => setEnabled(session, text, false),
    text: enabledText,
  }),
];
