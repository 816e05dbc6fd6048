/** The command line: every action by name. */
import { writeFile } from 'node:fs/promises';
import type { AddressSpace, BreakpointSpec, VmcsFieldValue } from '../engine/debugger.js';
import type { Dashboard } from './dashboard.js';
import { parseExitCondition } from './exit-condition.js';
import { evaluate, parseBytes, wholeRegister } from './expression.js';
import { VIEWS, type View } from './layout.js';
import { reason } from './model.js';
import { conditionText } from './panes/breakpoints.js';
import { bitsOf } from './panes/vmcs.js';
import { grouped, hex } from './screen/text.js';
import { stepOut, stepOver } from './stepping.js';
import { traceCsv } from './trace-csv.js';

export interface Command {
  name: string;
  /** Arguments as the help shows them. */
  usage: string;
  help: string;
  /** The key that does the same. */
  key?: string;
  /** Runs the guest and is over when it stands: typed ahead, it waits for its turn. */
  moves?: boolean;
  /** @returns a message for the foot of the screen. @throws Error whose message is shown. */
  run(dashboard: Dashboard, argument: string): Promise<string | undefined> | string | undefined;
}

const value = (d: Dashboard, text: string) => evaluate(text, d.names());

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

function need(text: string, what: string): string {
  if (!text.trim()) throw new Error(`${what} is missing`);
  return text.trim();
}

function space(list: string[]): AddressSpace {
  const first = list[0]?.toLowerCase();
  if (first === 'gva' || first === 'gpa' || first === 'hpa') {
    list.shift();
    return first;
  }
  return 'gva';
}

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

async function untilCommand(d: Dashboard, text: string): Promise<undefined> {
  const argument = need(text, 'an address, "icount N" or "vmexit REASON"');
  d.mustBeAlive();
  const icount = /^icount\s+(.+)$/i.exec(argument);
  const exit = /^(?:vmexit|exit)\b(.*)$/is.exec(argument);
  if (icount) {
    const wanted = value(d, icount[1]!);
    if (wanted <= d.model.state.icount)
      throw new Error(`icount ${grouped(wanted)} is past: the guest stands at ${grouped(d.model.state.icount)}`);
    await d.debug.runUntil({ icount: wanted });
  } else if (exit) await d.debug.runUntil({ exit: parseExitCondition(exit[1]!, (term) => value(d, term)) });
  else await d.debug.runUntil({ gva: value(d, argument) });
  return undefined;
}

async function setRegister(d: Dashboard, text: string): Promise<string> {
  const match = /^(\w+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a register'));
  if (!match) throw new Error('it is REGISTER VALUE');
  const typed = match[1]!.toLowerCase();
  const name = wholeRegister(typed) ?? typed;
  const number = value(d, match[2]!);
  if (name !== typed && BigInt.asUintN(32, number) !== number)
    throw new Error(`${hex(number)} does not fit in ${typed}`);
  // as the CPU writes a 32-bit register: the upper half becomes 0
  await d.debug.writeRegister(d.model.vcpu, name, number);
  d.model.invalidate();
  return `${name} = ${hex(number)}`;
}

async function setVmcs(d: Dashboard, text: string): Promise<string> {
  const { vmcs } = d.debug;
  if (!vmcs) throw new Error(d.model.unavailable('vmcs'));
  const match = /^([^\s=]+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a field'));
  if (!match) throw new Error('it is FIELD VALUE, FIELD +BIT or FIELD -BIT');
  const fields = await vmcs.read(d.model.vcpu);
  const name = match[1]!.toUpperCase();
  const field = fields.find((f) => f.name.toUpperCase() === name || `0X${hex(f.encoding).toUpperCase()}` === name);
  if (!field) throw new Error(`the VMCS has no field "${match[1]}"`);
  const number = bitChange(field, match[2]!) ?? value(d, match[2]!);
  await vmcs.write(d.model.vcpu, field.encoding, number);
  d.model.invalidate();
  return `${field.name} = ${hex(number)} (was ${hex(field.value)})`;
}

/** `+HLT exiting` and `-HLT exiting` set and clear a bit by its name, or the beginning of it. */
function bitChange(field: VmcsFieldValue, text: string): bigint | undefined {
  const match = /^([+-])\s*(.*\D.*)$/.exec(text.trim());
  const bits = bitsOf(field);
  if (!match || bits.length === 0) return undefined;
  const name = match[2]!.toLowerCase();
  const found =
    bits.find((b) => b.name.toLowerCase() === name) ?? bits.find((b) => b.name.toLowerCase().startsWith(name));
  if (!found) throw new Error(`${field.name} has no bit "${match[2]}"`);
  const mask = 1n << BigInt(found.bit);
  return match[1] === '+' ? field.value | mask : field.value & ~mask;
}

async function writeCommand(d: Dashboard, text: string): Promise<string> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  const address = value(d, need(list.shift() ?? '', 'an address'));
  const bytes = parseBytes(list.join(' '));
  const written = await d.debug.writeMemory(where, address, bytes, d.model.vcpu);
  d.model.invalidate();
  if (written < bytes.length)
    throw new Error(`${written} of ${bytes.length} bytes written: memory ends or is not mapped`);
  return `${written} byte${written === 1 ? '' : 's'} at ${where} ${hex(address)}`;
}

async function exportCommand(d: Dashboard, text: string): Promise<string> {
  const match = /^csv\s+(.+)$/i.exec(need(text, '"csv FILE"'));
  if (!match) throw new Error('it is csv FILE');
  if (!d.debug.exits) throw new Error(d.model.unavailable('exits'));
  const records = await d.debug.exits.records(-1, 1_000_000);
  await writeFile(match[1]!, traceCsv(records, d.model.symbols)).catch((error: unknown) => {
    throw new Error(`${match[1]}: ${causeOf(error)}`);
  });
  return `${records.length} exits written to ${match[1]}`;
}

/** Node puts a code before the cause and the call behind it. */
function causeOf(error: unknown): string {
  return reason(error).replace(/^[A-Z0-9]+: (.*?), \w+(?: '.*')?$/, '$1');
}

async function monitorCommand(d: Dashboard, line: string): Promise<undefined> {
  const answer = await d.debug.monitor(line);
  if (answer === undefined) throw new Error(`no monitor command "${line}"; :monitor help lists them`);
  d.showText(line, answer || 'done');
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === text.trim().toLowerCase());
  if (!found) throw new Error(`"${text.trim()}" is none of ${allowed.join(', ')}`);
  return found;
}

export const COMMANDS: readonly Command[] = [
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
  {
    name: 'goto',
    usage: 'ADDR | SYMBOL',
    help: 'show code there',
    run: (d, text) => {
      d.gotoCode(value(d, need(text, 'an address')));
      return undefined;
    },
  },
  {
    name: 'memory',
    usage: '[gva|gpa|hpa] ADDR',
    help: 'show memory and its walk there',
    run: (d, text) => {
      const list = words(need(text, 'an address'));
      const where = space(list);
      d.gotoMemory(value(d, list.join(' ')), where);
      return undefined;
    },
  },
  {
    name: 'run',
    usage: '',
    help: 'let the guest run',
    key: 'c',
    run: async (d) => {
      d.mustBeAlive();
      await d.debug.resume();
      return undefined;
    },
  },
  {
    name: 'pause',
    usage: '',
    help: 'stop the guest',
    key: 'c',
    run: async (d) => {
      await d.debug.pause();
      return undefined;
    },
  },
  {
    name: 'step',
    moves: true,
    usage: '[N]',
    help: 'N instructions',
    key: 's',
    run: async (d, text) => {
      const count = text.trim() ? Number(text) : 1;
      if (!Number.isSafeInteger(count) || count < 1)
        throw new Error(`"${text.trim()}" is not a number of instructions`);
      d.mustBeAlive();
      const before = d.model.state.icount;
      const after = await d.debug.step(d.model.vcpu, count);
      if (after.stop?.kind !== 'step' || after.icount !== before) return undefined;
      throw new Error('no instruction ran: the vCPU is halted and waits for an interrupt');
    },
  },
  {
    name: 'over',
    moves: true,
    usage: '',
    help: 'one instruction, calls as one',
    key: 'n',
    run: async (d) => {
      d.mustBeAlive();
      await stepOver(d.debug, d.disassembler, d.model.vcpu);
      return undefined;
    },
  },
  {
    name: 'out',
    moves: true,
    usage: '',
    help: 'until the function returns',
    key: 'f',
    run: async (d) => {
      d.mustBeAlive();
      await stepOut(d.debug, d.disassembler, d.model.vcpu, d.model.symbols);
      return undefined;
    },
  },
  {
    name: 'until',
    moves: true,
    usage: 'ADDR | SYMBOL | icount N | vmexit REASON [if ...]',
    help: 'run until then',
    key: 'u',
    run: untilCommand,
  },
  {
    name: 'next-exit',
    moves: true,
    usage: '[REASON [if FIELD OP VALUE]]',
    help: 'run to the next VM exit',
    key: 'e',
    run: async (d, text) => {
      if (!d.debug.exits) throw new Error(d.model.unavailable('exits'));
      d.mustBeAlive();
      await d.debug.stepToExit(text.trim() ? parseExitCondition(text, (term) => value(d, term)) : undefined);
      return undefined;
    },
  },
  { name: 'set', usage: 'REGISTER VALUE', help: 'change a register', run: setRegister },
  { name: 'vmcs', usage: 'FIELD VALUE | +BIT | -BIT', help: 'change a VMCS field, or a bit by its name', run: setVmcs },
  { name: 'write', usage: '[gva|gpa|hpa] ADDR BYTES | "TEXT"', help: 'change memory', run: writeCommand },
  { name: 'export', usage: 'csv FILE', help: 'write the exit trace', run: exportCommand },
  {
    name: 'print',
    usage: 'EXPRESSION',
    help: 'value of a symbol, register or sum',
    run: (d, text) => {
      const number = value(d, need(text, 'an expression'));
      const label = d.model.symbols.label(number);
      return `0x${hex(number)} = ${number}${label ? ` ${label}` : ''}`;
    },
  },
  {
    name: 'syntax',
    usage: 'intel | att',
    help: 'of the disassembly',
    run: (d, text) => {
      d.syntax = oneOf(text, ['intel', 'att']);
      return undefined;
    },
  },
  {
    name: 'arch',
    usage: 'auto | 16 | 32 | 64',
    help: 'width in which code is read',
    run: (d, text) => {
      const choice = oneOf(text, ['auto', '16', '32', '64']);
      d.model.forcedBits = choice === 'auto' ? undefined : (Number(choice) as 16 | 32 | 64);
      d.followCode();
      return undefined;
    },
  },
  {
    name: 'vcpu',
    usage: 'N',
    help: 'look at another vCPU',
    run: (d, text) => {
      const count = d.model.info?.vcpus ?? 1;
      const n = Number(need(text, 'a number'));
      if (!Number.isInteger(n) || n < 0 || n >= count) throw new Error(`vCPUs are 0 to ${count - 1}`);
      d.model.vcpu = n;
      d.model.invalidate();
      return undefined;
    },
  },
  {
    name: 'view',
    usage: VIEWS.join(' | '),
    help: 'change the view',
    run: (d, text) => {
      d.show(oneOf<View>(text, VIEWS));
      return undefined;
    },
  },
  {
    name: 'filter',
    usage: '[REGEX]',
    help: 'rows of the pane in focus',
    key: '/',
    run: (d, text) => {
      d.filter(d.focus, text);
      return undefined;
    },
  },
  {
    name: 'monitor',
    usage: 'LINE',
    help: "a monitor command in QEMU's wording",
    run: (d, text) => monitorCommand(d, need(text, 'a monitor command')),
  },
  {
    name: 'info',
    usage: 'ps | dmesg | modules | mem | block ...',
    help: "monitor's info: processes, kernel log, ...",
    run: (d, text) => monitorCommand(d, `info ${need(text, 'what is wanted (:monitor help lists it)')}`),
  },
  {
    name: 'messages',
    usage: '',
    help: 'what the guest and the engine reported',
    run: (d) => {
      d.showText('Messages', d.model.messages.join('\n') || 'none');
      return undefined;
    },
  },
  {
    name: 'reset',
    usage: '',
    help: 'the machine as it was at its start',
    run: async (d) => {
      await d.debug.reset();
      d.model.reset();
      return 'reset';
    },
  },
  {
    name: 'help',
    usage: '',
    help: 'keys',
    key: '?',
    run: (d) => {
      d.help();
      return undefined;
    },
  },
  {
    name: 'quit',
    usage: '',
    help: 'end',
    key: 'q',
    run: (d) => {
      d.askQuit();
      return undefined;
    },
  },
];

/** Commands whose name holds the typed letters in order; those that start with them first. */
export function completions(text: string): Command[] {
  const word = text.trimStart().split(/\s/)[0]!.toLowerCase();
  if (text.trimStart().includes(' ')) return COMMANDS.filter((command) => command.name === word);
  const starts = COMMANDS.filter((command) => command.name.startsWith(word));
  const fuzzy = COMMANDS.filter((command) => !command.name.startsWith(word) && subsequence(word, command.name));
  return [...starts, ...fuzzy];
}

function subsequence(letters: string, text: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** The command of a line: its whole name, or a beginning that only one has. @throws Error when there is none. */
export function findCommand(line: string): { command: Command; argument: string } {
  const [, word = '', argument = ''] = /^\s*(\S*)\s*(.*)$/s.exec(line) ?? [];
  const name = word.toLowerCase();
  const exact = COMMANDS.find((command) => command.name === name);
  if (exact) return { command: exact, argument };
  const starts = COMMANDS.filter((command) => command.name.startsWith(name));
  if (starts.length === 1) return { command: starts[0]!, argument };
  if (starts.length > 1) throw new Error(`"${word}" may be ${starts.map((command) => command.name).join(', ')}`);
  throw new Error(`no command "${word}"; : lists them`);
}
