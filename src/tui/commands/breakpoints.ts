/** Breakpoints and watchpoints. */

import { parseExitCondition } from '../../engine/debug/exit-condition.js';
import type { BreakpointSpec } from '../../engine/debugger.js';
import type { Dashboard } from '../dashboard.js';
import { conditionText } from '../panes/breakpoints.js';
import { hex } from '../screen/text.js';
import { type Command, need, space, value, words } from './command.js';

async function addBreakpoint(d: Dashboard, spec: BreakpointSpec): Promise<string> {
  const breakpoint = await d.debug.addBreakpoint(spec);
  d.model.invalidate();
  const what =
    spec.kind === 'execute'
      ? `at ${hex(spec.gva)}`
      : spec.kind === 'exit'
        ? `on ${conditionText(spec.condition)}`
        : `on ${spec.access} of ${spec.space} ${hex(spec.address)}+${spec.length}`;
  return `breakpoint ${breakpoint.id} ${what}`;
}

async function breakCommand(d: Dashboard, text: string): Promise<string> {
  const argument = need(text, 'an address, a symbol or "vmexit REASON"');
  const exit = /^(?:vmexit|exit)\b(.*)$/is.exec(argument);
  if (exit) {
    if (!d.debug.exits) throw new Error(d.model.unavailable('exits'));
    return addBreakpoint(d, { kind: 'exit', condition: parseExitCondition(exit[1]!, (term) => value(d, term)) });
  }
  const gva = value(d, argument);
  const list = await d.debug.breakpoints();
  const there = list.find((b) => b.kind === 'execute' && b.gva === gva);
  if (!there) return addBreakpoint(d, { kind: 'execute', gva });
  await d.debug.removeBreakpoint(there.id);
  d.model.invalidate();
  return `breakpoint ${there.id} removed`;
}

async function watchCommand(d: Dashboard, text: string): Promise<string> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  if (where === 'hpa') throw new Error('a watchpoint is on gva or gpa');
  const accesses: Record<string, 'read' | 'write' | 'access'> = {
    r: 'read',
    read: 'read',
    w: 'write',
    write: 'write',
    rw: 'access',
    access: 'access',
  };
  const last = list.at(-1)!.toLowerCase();
  const access = accesses[last] ?? 'write';
  if (accesses[last] && list.length > 1) list.pop();
  const [address, length = '4'] = list.join(' ').split(/\s*,\s*|\s+(?=\S+$)/);
  const bytes = Number(value(d, length));
  if (bytes < 1 || bytes > 4096) throw new Error(`a length of ${bytes} is not 1 to 4096`);
  return addBreakpoint(d, {
    kind: 'watch',
    space: where,
    address: value(d, need(address!, 'an address')),
    length: bytes,
    access,
  });
}

async function setEnabled(d: Dashboard, text: string, enabled: boolean): Promise<string> {
  const id = Number(need(text, 'a breakpoint number'));
  if (!(await d.debug.enableBreakpoint(id, enabled))) throw new Error(`no breakpoint ${text}`);
  d.model.invalidate();
  return `breakpoint ${id} ${enabled ? 'on' : 'off'}`;
}

async function deleteCommand(d: Dashboard, text: string): Promise<string> {
  const argument = need(text, 'a breakpoint number, or "all",');
  const list = argument === 'all' ? (await d.debug.breakpoints()).map((b) => b.id) : [Number(argument)];
  for (const id of list) if (!(await d.debug.removeBreakpoint(id))) throw new Error(`no breakpoint ${argument}`);
  d.model.invalidate();
  return `${list.length} removed`;
}

export const BREAKPOINT_COMMANDS: readonly Command[] = [
  {
    name: 'break',
    usage: 'ADDR | SYMBOL | vmexit REASON [if FIELD OP VALUE]',
    help: 'breakpoint, or off again',
    key: 'b',
    run: breakCommand,
  },
  { name: 'watch', usage: '[gpa] ADDR [LENGTH] [r|w|rw]', help: 'stop after an access', key: 'w', run: watchCommand },
  { name: 'delete', usage: 'N | all', help: 'remove a breakpoint', run: deleteCommand },
  { name: 'enable', usage: 'N', help: 'breakpoint on', run: (d, text) => setEnabled(d, text, true) },
  { name: 'disable', usage: 'N', help: 'breakpoint off', run: (d, text) => setEnabled(d, text, false) },
];
