/** Breakpoints and watchpoints. */

import { parseExitCondition } from '../engine/debug/exit-condition.js';
import type { Breakpoint, BreakpointSpec } from '../engine/debugger.js';
import { specText } from './breakpoint-text.js';
import { type Command, command, firstValue, lacking, need, type Session, space, value, words } from './command.js';

/** A breakpoint that was set, or one that was there and is no more. */
type Toggled = { breakpoint: Breakpoint } | { removed: number };

async function add(session: Session, spec: BreakpointSpec): Promise<Toggled> {
  const breakpoint = await session.debug.addBreakpoint(spec);
  session.changed('values');
  return { breakpoint };
}

function toggledText(result: Toggled): string {
  if ('removed' in result) return `breakpoint ${result.removed} removed`;
  return `breakpoint ${result.breakpoint.id} ${specText(result.breakpoint)}`;
}

async function toggle(session: Session, text: string): Promise<Toggled> {
  const { debug } = session;
  const argument = need(text, 'an address, a symbol or "vmexit REASON"');
  const exit = /^(?:vmexit|exit)\b(.*)$/is.exec(argument);
  if (exit && !debug.exits) throw await lacking(session, 'exits');
  if (exit) return add(session, { kind: 'exit', condition: parseExitCondition(exit[1]!, await session.names()) });
  const gva = await value(session, argument);
  const there = (await debug.breakpoints()).find((b) => b.kind === 'execute' && b.gva === gva);
  if (!there) return add(session, { kind: 'execute', gva });
  await debug.removeBreakpoint(there.id);
  session.changed('values');
  return { removed: there.id };
}

const ACCESSES: Readonly<Record<string, 'read' | 'write' | 'access'>> = {
  ...{ r: 'read', read: 'read', w: 'write', write: 'write', rw: 'access', access: 'access' },
};

async function watch(session: Session, text: string): Promise<Toggled> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  if (where === 'hpa') throw new Error('a watchpoint is on gva or gpa');
  const { value: address, rest } = await firstValue(session, need(list.join(' '), 'an address'));
  const [, given, last = ''] = /^,?\s*(.*?)\s*((?<![\w$%])(?:r|w|rw|read|write|access))?$/i.exec(rest)!;
  const access = last === '' ? 'write' : ACCESSES[last.toLowerCase()]!;
  const length = given ? await value(session, given) : 4n;
  if (length < 1n || length > 4096n) throw new Error(`a length of ${length} is not 1 to 4096`);
  return add(session, { kind: 'watch', space: where, address, length: Number(length), access });
}

async function setEnabled(session: Session, text: string, enabled: boolean) {
  const id = Number(need(text, 'a breakpoint number'));
  if (!(await session.debug.enableBreakpoint(id, enabled))) throw new Error(`no breakpoint ${text}`);
  session.changed('values');
  return { id, enabled };
}

const enabledText = ({ id, enabled }: { id: number; enabled: boolean }): string =>
  `breakpoint ${id} ${enabled ? 'on' : 'off'}`;

async function remove(session: Session, text: string): Promise<{ removed: number[] }> {
  const { debug } = session;
  const argument = need(text, 'a breakpoint number, or "all",');
  const list = argument === 'all' ? (await debug.breakpoints()).map((b) => b.id) : [Number(argument)];
  for (const id of list) if (!(await debug.removeBreakpoint(id))) throw new Error(`no breakpoint ${argument}`);
  session.changed('values');
  return { removed: list };
}

export const BREAKPOINT_COMMANDS: readonly Command[] = [
  command({
    name: 'break',
    usage: 'ADDR | SYMBOL | vmexit REASON [if EXPRESSION]',
    help: 'breakpoint, or off again',
    key: 'b',
    effect: 'runs',
    words: ['vmexit'],
    kinds: ['address', 'exit-reason'],
    run: toggle,
    text: toggledText,
  }),
  command({
    name: 'watch',
    usage: '[gpa] ADDR [LENGTH] [r|w|rw]',
    help: 'stop after an access',
    key: 'w',
    effect: 'runs',
    words: ['gva', 'gpa', 'r', 'w', 'rw'],
    kinds: ['address'],
    run: watch,
    text: toggledText,
  }),
  command({
    name: 'delete',
    usage: 'N | all',
    help: 'remove a breakpoint',
    effect: 'runs',
    words: ['all'],
    kinds: ['breakpoint'],
    run: remove,
    text: ({ removed }) => `${removed.length} removed`,
  }),
  command({
    name: 'enable',
    usage: 'N',
    help: 'breakpoint on',
    effect: 'runs',
    kinds: ['breakpoint'],
    run: (session, text) => setEnabled(session, text, true),
    text: enabledText,
  }),
  command({
    name: 'disable',
    usage: 'N',
    help: 'breakpoint off',
    effect: 'runs',
    kinds: ['breakpoint'],
    run: (session, text) => setEnabled(session, text, false),
    text: enabledText,
  }),
];
