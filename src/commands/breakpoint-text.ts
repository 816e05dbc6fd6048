/** Breakpoints as text. */
import type { SymbolTable } from '../disasm/index.js';
import { counted } from '../engine/counted.js';
import type { Breakpoint, BreakpointSpec, ExitCondition } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';
import { hex } from './numbers.js';

/** `at 40101d`, `on EPT_VIOLATION if gpa >= 0xfee00000`, `on write of gva 1000+4` */
export function specText(spec: BreakpointSpec): string {
  const text = plainText(spec);
  const when = spec.kind === 'exit' ? undefined : whenText(spec);
  return when === undefined ? text : `${text} if ${when}`;
}

function plainText(spec: BreakpointSpec): string {
  switch (spec.kind) {
    case 'execute':
      return `at ${hex(spec.gva)}`;
    case 'exit':
      return `on ${conditionText(spec.condition)}`;
    case 'watch':
      return `on ${spec.access} of ${spec.space} ${hex(spec.address)}+${spec.length}`;
  }
}

export function conditionText(condition: ExitCondition): string {
  const reasons = condition.reasons?.length ? condition.reasons.map(exitReasonName).join('|') : 'any';
  const where = exitWhenText(condition);
  return where ? `${reasons} if ${where}` : reasons;
}

export function exitWhenText({ test, where }: ExitCondition): string | undefined {
  const terms = where?.map(({ field, op, value }) => `${field} ${op} 0x${hex(value)}`).join(' and ');
  return test?.text ?? (terms || undefined);
}

/** Its condition as it was typed; gdb's has no text. */
export function whenText(spec: BreakpointSpec): string | undefined {
  const live = spec.kind === 'exit' ? spec.when : spec.condition;
  const own = live && (live.text ?? "a client's condition holds");
  const exits = spec.kind === 'exit' ? exitWhenText(spec.condition) : undefined;
  return exits !== undefined && own !== undefined ? `${exits} and ${own}` : (exits ?? own);
}

/** What it does instead of stopping. */
export function doesText(spec: BreakpointSpec): string | undefined {
  const action = spec.kind === 'watch' ? undefined : spec.action;
  if (action === undefined) return undefined;
  if (action.kind === 'collect') return `collects for tracepoint ${action.tracepoint}`;
  return action.text === undefined ? 'prints for a client' : `prints ${action.text}`;
}

export function kindName(spec: BreakpointSpec): string {
  if (spec.kind === 'watch') return { read: 'read watch', write: 'watchpoint', access: 'acc watch' }[spec.access];
  if (spec.action?.kind === 'print') return 'dprintf';
  if (spec.action) return 'tracepoint';
  return spec.kind === 'exit' ? 'vmexit' : 'breakpoint';
}

/** `0x40101d main+0x3`, `EPT_VIOLATION`, `gva 0x1000+4 counter` */
export function placeText(spec: BreakpointSpec, symbols: SymbolTable): string {
  const named = (address: bigint): string => [`0x${hex(address)}`, symbols.label(address)].filter(Boolean).join(' ');
  switch (spec.kind) {
    case 'execute':
      return named(spec.gva);
    case 'exit':
      return spec.condition.reasons?.length ? spec.condition.reasons.map(exitReasonName).join('|') : 'any exit';
    case 'watch': {
      const label = spec.space === 'gva' ? symbols.label(spec.address) : undefined;
      return `${spec.space} 0x${hex(spec.address)}+${spec.length}${label ? ` ${label}` : ''}`;
    }
  }
}

/** What a pane says of a breakpoint beside its place: `if rax == 5, prints "...", passes 3 more, temporary, 2 commands`. */
export function mannerText(breakpoint: Breakpoint): string {
  const { ignore, temporary, commands } = breakpoint;
  const when = breakpoint.kind === 'exit' && breakpoint.when === undefined ? undefined : whenText(breakpoint);
  return [
    ...(when === undefined ? [] : [`if ${when}`]),
    ...(doesText(breakpoint) === undefined ? [] : [doesText(breakpoint)!]),
    ...(ignore ? [`passes ${ignore} more`] : []),
    ...(temporary ? ['temporary'] : []),
    ...(commands?.length ? [commands.length === 1 ? `: ${commands[0]}` : counted(commands.length, 'command')] : []),
  ].join(', ');
}
