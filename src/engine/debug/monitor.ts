import { CR0, EFER } from '../../spec/masks.js';
import { counted } from '../counted.js';
import type { Debugger, DumpResult, PageWalk, TargetSymbol } from '../debugger.js';
import type { Drive } from '../devices/block.js';
import type { MachineView } from '../machine-view.js';
import { REGISTER_NAMES } from '../registers-view.js';
import { evaluate } from './expression/evaluate.js';
import type { Names } from './expression/names.js';
import { linearPc } from './guest-mode.js';
import { CLOCK_COMMANDS } from './monitor-clock.js';
import { codeText, walkText } from './monitor-code.js';
import { COMPILER_COMMANDS } from './monitor-compiler.js';
import { DOCTOR_COMMANDS } from './monitor-doctor.js';
import { DRIVE_COMMANDS } from './monitor-drives.js';
import { HISTORY_COMMANDS } from './monitor-history.js';
import { IRQ_COMMANDS, type IrqDevices } from './monitor-irq.js';
import { LINUX_COMMANDS } from './monitor-linux.js';
import { MONITOR_ROWS, rowsText } from './monitor-rows.js';
import { screendump } from './monitor-screen.js';
import { WHY_COMMANDS } from './monitor-why.js';

type Command = (context: {
  target: Debugger;
  view: MachineView;
  vcpu: number;
  args: string[];
  drives: readonly Drive[];
  irq: IrqDevices;
  address(text: string): bigint;
  /** The vCPU of later commands. */
  chooseVcpu(index: number): void;
}) => Promise<string> | string;

const hex = (value: bigint, digits = 16): string => value.toString(16).padStart(digits, '0');

const COMMANDS: Record<string, Command> = {
  help: ({ args }) => helpText(args.join(' ')),
  ...LINUX_COMMANDS,
  ...DRIVE_COMMANDS,
  ...IRQ_COMMANDS,
  ...WHY_COMMANDS,
  ...DOCTOR_COMMANDS,
  ...HISTORY_COMMANDS,
  ...COMPILER_COMMANDS,
  ...CLOCK_COMMANDS,
  'info registers': ({ view, vcpu, args }) => registersOf(view, vcpu, args),
  cpu: ({ view, args, chooseVcpu }) => {
    const index = /^\d+$/.test(args[0] ?? '') ? Number(args[0]) : Number.NaN;
    if (args.length !== 1 || !(index < view.vcpus)) throw new Error(`usage: cpu N, with N from 0 to ${view.vcpus - 1}`);
    chooseVcpu(index);
    return '';
  },
  'info status': async ({ target }) => `VM status: ${(await target.state()).running ? 'running' : 'paused'}`,
  'info version': () => 'vmscope',
  'info cpus': ({ view, vcpu }) =>
    Array.from({ length: view.vcpus }, (_, i) => `${i === vcpu ? '*' : ' '} CPU #${i}: thread_id=${i + 1}`).join('\n'),
  'info mem': ({ view, vcpu }) => infoMem(view, vcpu),
  'info tlb': ({ view, vcpu }) => infoTlb(view, vcpu),
  'info exits': async ({ target }) =>
    Object.entries((await target.exits?.counts()) ?? {})
      .map(([name, count]) => `${name.padEnd(28)} ${count}`)
      .join('\n'),
  'info ept': async ({ target }) =>
    ((await target.ept?.ranges()) ?? [])
      .map((r) => {
        const rights = `${r.read ? 'r' : '-'}${r.write ? 'w' : '-'}${r.execute ? 'x' : '-'}`;
        return `${hex(r.gpa)}-${hex(r.gpa + r.bytes - 1n)} -> ${hex(r.hpa)} ${rights} ${r.memoryType} ${r.pageBytes / 1024}K ${r.label}`;
      })
      .join('\n'),
  'info vmcs': async ({ target, vcpu }) =>
    ((await target.vmcs?.read(vcpu)) ?? [])
      .map(
        (field) =>
          `${hex(BigInt(field.encoding), 4)} ${field.name.padEnd(32)} ${hex(field.value, field.widthBits / 4)} ${field.decoded.join(' ')}`,
      )
      .join('\n'),
  xp: ({ view, vcpu, args, address }) => examine(view, vcpu, 'gpa', args, address),
  x: ({ view, vcpu, args, address }) => examine(view, vcpu, 'gva', args, address),
  walk: ({ target, view, vcpu, args, address }) => walkText(target, view, vcpu, address(args.join(' '))),
  gva2gpa: ({ view, vcpu, args, address }) => {
    const gpa = view.walk(vcpu, address(args.join(' '))).output;
    return gpa === undefined ? 'Unmapped' : `gpa: 0x${gpa.toString(16)}`;
  },
  gpa2hva: ({ view, args, address }) => {
    const gpa = address(args.join(' '));
    if (gpa >= BigInt(view.memoryBytes)) return `No memory is mapped at address 0x${gpa.toString(16)}`;
    return `Host virtual address for 0x${gpa.toString(16)} (ram) is 0x${gpa.toString(16)}`;
  },
  print: ({ args, address }) => `0x${address(args.join(' ')).toString(16)}`,
  p: ({ args, address }) => `0x${address(args.join(' ')).toString(16)}`,
  system_reset: async ({ target }) => {
    await target.reset();
    return '';
  },
  'dump-guest-memory': async ({ target, args }) => dumpText(await target.dumpMemory(dumpFile(args))),
  screendump: ({ target, args }) => screendump(target, args),
  stop: async ({ target }) => {
    await target.pause();
    return '';
  },
  cont: async ({ target }) => {
    await target.resume();
    return '';
  },
};
COMMANDS.c = COMMANDS.cont;
COMMANDS['?'] = COMMANDS.help;
/** Those whose arguments are expressions. */
const EXPRESSIONS: ReadonlySet<string> = new Set([...['xp', 'x', 'walk', 'gva2gpa', 'gpa2hva', 'print', 'p', 'wrote']]);

/** All commands, or those whose name begins so. @throws Error when none does */
function helpText(name: string): string {
  const rows = MONITOR_ROWS.filter((row) => row.name.startsWith(name) || row.alias === name);
  if (rows.length === 0) throw new Error(`no monitor command "${name}"`);
  return rowsText(rows);
}

/** Runs a monitor command in QEMU's wording; undefined when there is none of that name. */
export async function monitorCommand(
  target: Debugger,
  view: MachineView,
  vcpu: number,
  line: string,
  drives: readonly Drive[],
  irq: IrqDevices,
  chooseVcpu: (index: number) => void,
): Promise<string | undefined> {
  const words = line
    .trim()
    .replace(/^(xp?)\//, '$1 /')
    .split(/\s+/);
  // Alone it lists its subjects, as QEMU's does: clients complete by that list.
  if (words.length === 1 && words[0] === 'info')
    return rowsText(MONITOR_ROWS.filter((row) => row.name.startsWith('info ')));
  const two = words.slice(0, 2).join(' ');
  const name = two in COMMANDS ? two : words[0];
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) return undefined;
  try {
    const args = words.slice(name.split(' ').length);
    const symbols = EXPRESSIONS.has(name) ? await symbolsOf(target, args.join(' ')) : undefined;
    return await command({
      ...{ target, view, vcpu, drives, irq, chooseVcpu, args },
      address: (text) => number(view, vcpu, text, symbols),
    });
  } catch (error) {
    return `${shownCommand(line)}: ${(error as Error).message}`;
  }
}

/** @throws Error naming what is not understood: QEMU's other forms are not written here. */
function dumpFile(args: readonly string[]): string {
  const [file, ...rest] = args;
  if (file === undefined) throw new Error('the name of a file is missing');
  const other = [file, ...rest.slice(0, 1)].find((word) => word.startsWith('-') || word !== file);
  if (other !== undefined) throw new Error(`${other}: only dump-guest-memory FILE is known, an ELF core of all memory`);
  return file;
}

/** One line on a dump that was written. */
export function dumpText({ file, memoryBytes, vcpus, release }: DumpResult): string {
  const what = `${memoryBytes / 2 ** 20} MiB and ${counted(vcpus, 'vCPU')} written to ${file}`;
  return release === undefined ? `${what}; no kernel's VMCOREINFO was found` : `${what}, with VMCOREINFO of ${release}`;
}

/** Value of an expression. @throws Error that names what cannot be read */
export function number(view: MachineView, vcpu: number, text: string | undefined, symbols?: Names['symbols']): bigint {
  if (text === undefined || text.trim() === '') throw new Error('an address is missing');
  const registers = /[a-z]/i.test(text) ? view.readRegisters(vcpu) : undefined;
  // QEMU's monitor has these names too. @see qemu target/i386/monitor.c
  const also = registers && { pc: linearPc(registers), sp: registers.rsp!, fp: registers.rbp! };
  return evaluate(
    text,
    { ...(registers && { registers: { ...registers, ...also } }), ...(symbols && { symbols }) },
    (load) => view.readMemory(vcpu, load.space, load.address, load.bytes),
  );
}

/** Words that may be symbols. */
const WORD = /[a-z_.][\w.$@]*/gi;

/** The guest's symbols of the names in a line: there may be many thousands of others. */
async function symbolsOf(target: Debugger, line: string): Promise<Names['symbols']> {
  const wanted = new Set((line.match(WORD) ?? []).filter((word) => !REGISTER_NAMES.includes(word)));
  if (wanted.size === 0) return undefined;
  const found = new Map<string, TargetSymbol>();
  for (const symbol of await target.symbols())
    if (wanted.has(symbol.name) && !found.has(symbol.name)) found.set(symbol.name, symbol);
  return { byName: (name) => found.get(name) };
}

/** QEMU's x and xp: /COUNT FORMAT SIZE, formats x d u o c, and i for code. */
function examine(
  view: MachineView,
  vcpu: number,
  space: 'gva' | 'gpa',
  args: string[],
  value: (text: string) => bigint,
): Promise<string> | string {
  const format = args[0]?.startsWith('/') ? args.shift()!.slice(1) : '1xw';
  const code = /^(\d*)i$/.exec(format);
  if (code) return codeText(view, vcpu, space, value(args.join(' ')), Number(code[1] || 1));
  const match = /^(\d*)([xduoc]?)([bhwg]?)$/.exec(format) ?? /^(\d*)()([bhwg]?)[xduoc]?$/.exec(format);
  if (!match) throw new Error(`format /${format} is not count, x d u o c i, b h w g`);
  const count = Math.min(Number(match[1] || 1), 4096);
  const size = { b: 1, h: 2, w: 4, g: 8 }[match[3] || 'w'] as number;
  const start = value(args.join(' '));
  const bytes = view.readMemory(vcpu, space, start, count * size);
  const perLine = Math.max(1, Math.floor((size === 1 ? 8 : 16) / size));
  const lines: string[] = [];
  for (let i = 0; i < count; i += perLine) {
    const address = start + BigInt(i * size);
    const values: string[] = [];
    for (let j = i; j < Math.min(count, i + perLine); j++) {
      if ((j + 1) * size > bytes.length) return [...lines, `Cannot access memory`].join('\n');
      let value = 0n;
      for (let k = size - 1; k >= 0; k--) value = (value << 8n) | BigInt(bytes[j * size + k]);
      values.push(formatValue(value, match[2] || 'x', size));
    }
    lines.push(`${hex(address)}: ${values.join(' ')}`);
  }
  return lines.join('\n');
}

function formatValue(value: bigint, format: string, size: number): string {
  switch (format) {
    case 'd':
      return BigInt.asIntN(size * 8, value).toString();
    case 'u':
      return value.toString();
    case 'o':
      return `0${value.toString(8)}`;
    case 'c':
      return `'${value >= 32n && value < 127n ? String.fromCharCode(Number(value)) : `\\x${hex(value, 2)}`}'`;
    default:
      return `0x${hex(value, size * 2)}`;
  }
}

/** `info registers [-a]`: with -a of every vCPU, as QEMU heads them. */
function registersOf(view: MachineView, vcpu: number, args: readonly string[]): string {
  if (args.length === 0) return infoRegisters(view, vcpu);
  if (args.length > 1 || args[0] !== '-a') throw new Error('usage: info registers, or info registers -a');
  return Array.from({ length: view.vcpus }, (_, index) => `\nCPU#${index}\n${infoRegisters(view, index)}`).join('\n');
}

function infoRegisters(view: MachineView, vcpu: number): string {
  const r = view.readRegisters(vcpu);
  const long = (r.efer & EFER.LMA) !== 0n;
  const width = long ? 16 : 8;
  const h = (name: string) => hex(r[name] & (long ? (1n << 64n) - 1n : 0xffffffffn), width);
  const prefix = long ? 'R' : 'E';
  const lines: string[] = [];
  const row = (...names: [string, string][]) =>
    lines.push(names.map(([label, name]) => `${label}=${h(name)}`).join(' '));
  row([`${prefix}AX`, 'rax'], [`${prefix}BX`, 'rbx'], [`${prefix}CX`, 'rcx'], [`${prefix}DX`, 'rdx']);
  row([`${prefix}SI`, 'rsi'], [`${prefix}DI`, 'rdi'], [`${prefix}BP`, 'rbp'], [`${prefix}SP`, 'rsp']);
  if (long) {
    row(['R8 ', 'r8'], ['R9 ', 'r9'], ['R10', 'r10'], ['R11', 'r11']);
    row(['R12', 'r12'], ['R13', 'r13'], ['R14', 'r14'], ['R15', 'r15']);
  }
  const flags = [...'DOSZAPC']
    .map((letter, i) => ((r.rflags >> [10n, 11n, 7n, 6n, 4n, 2n, 0n][i]) & 1n ? letter : '-'))
    .join('');
  const halted = view.halted(vcpu) ? 1 : 0;
  lines.push(
    `${prefix}IP=${h('rip')} ${prefix}FL=${hex(r.rflags, 8)} [${flags}] CPL=${(r.ss_ar >> 5n) & 3n} II=${r.interruptibility & 1n} A20=1 SMM=0 HLT=${halted}`,
  );
  for (const name of ['es', 'cs', 'ss', 'ds', 'fs', 'gs']) {
    lines.push(
      `${name.toUpperCase()} =${hex(r[name], 4)} ${h(`${name}_base`)} ${hex(r[`${name}_limit`], 8)} ${hex(descriptorBits(r[`${name}_ar`]), 8)}`,
    );
  }
  lines.push(`LDT=${hex(r.ldtr, 4)} ${h('ldtr_base')} ${hex(r.ldtr_limit, 8)} ${hex(descriptorBits(r.ldtr_ar), 8)}`);
  lines.push(`TR =${hex(r.tr, 4)} ${h('tr_base')} ${hex(r.tr_limit, 8)} ${hex(descriptorBits(r.tr_ar), 8)}`);
  lines.push(`GDT=     ${h('gdtr_base')} ${hex(r.gdtr_limit, 8)}`);
  lines.push(`IDT=     ${h('idtr_base')} ${hex(r.idtr_limit, 8)}`);
  lines.push(`CR0=${hex(r.cr0, 8)} CR2=${h('cr2')} CR3=${h('cr3')} CR4=${hex(r.cr4, 8)}`);
  lines.push(`DR0=${h('dr0')} DR1=${h('dr1')} DR2=${h('dr2')} DR3=${h('dr3')}`);
  lines.push(`DR6=${h('dr6')} DR7=${h('dr7')}`);
  lines.push(`EFER=${hex(r.efer)}`);
  return lines.join('\n');
}

/** Access rights of the VMCS as the second word of a descriptor, which is how QEMU prints them. */
const descriptorBits = (ar: bigint): bigint => ((ar & 0x10000n) !== 0n ? 0n : (ar & 0xf0ffn) << 8n);

interface Mapping {
  gva: bigint;
  gpa: bigint;
  bytes: bigint;
  flags: string;
}

/** A line as an answer repeats it. */
export function shownCommand(line: string): string {
  const text = line.trim();
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}...`;
}

/** So many entries are walked to: tables that lead to each other have more than anybody waits for. */
const MAX_WALKS = 1 << 16;
const MAX_SHOWN = 200;
const CUT = '(the rest is left out)';

/** Present leaf mappings of the guest's page tables, ascending; undefined last where not all were looked at. */
function* mappings(view: MachineView, vcpu: number): Generator<Mapping | undefined> {
  const long = (view.readRegisters(vcpu).efer & EFER.LMA) !== 0n;
  const end = long ? 1n << 48n : 1n << 32n;
  let walks = 0;
  for (let at = 0n; at < end; ) {
    if (walks++ === MAX_WALKS) {
      yield undefined;
      return;
    }
    const gva = long ? BigInt.asUintN(64, BigInt.asIntN(48, at)) : at;
    const walk = view.walk(vcpu, gva);
    if (walk.output === undefined) {
      at += skipBytes(walk, long) - (at % skipBytes(walk, long));
      continue;
    }
    const bytes = BigInt(walk.pageBytes ?? 4096);
    yield { gva, gpa: walk.output, bytes, flags: leafFlags(walk) };
    at += bytes;
  }
}

/** How much linear space the entry at which a walk failed covers. */
function skipBytes(walk: PageWalk, long: boolean): bigint {
  const last = walk.levels.at(-1);
  const shifts: Record<string, bigint> =
    long || walk.mode === 'PAE' ? { PML5: 48n, PML4: 39n, PDPT: 30n, PD: 21n, PT: 12n } : { PD: 22n, PT: 12n };
  return 1n << (last ? shifts[last.table] : 39n);
}

/** Rights that hold at every level: user and write need all of them. */
function leafFlags(walk: PageWalk): string {
  const every = (flag: string) =>
    walk.levels
      .filter((level) => !(walk.mode === 'PAE' && level.table === 'PDPT'))
      .every((level) => level.flags.includes(flag));
  return `${every('U') ? 'u' : '-'}r${every('W') ? 'w' : '-'}`;
}

function infoMem(view: MachineView, vcpu: number): string {
  if ((view.readRegisters(vcpu).cr0 & CR0.PG) === 0n) return 'PG disabled';
  const lines: string[] = [];
  let run: Mapping | undefined;
  const flush = () => {
    if (run)
      lines.push(`${hex(run.gva)}-${hex(BigInt.asUintN(64, run.gva + run.bytes))} ${hex(run.bytes)} ${run.flags}`);
  };
  for (const mapping of mappings(view, vcpu)) {
    if (mapping === undefined) {
      flush();
      return [...lines, CUT].join('\n');
    }
    if (run && run.gva + run.bytes === mapping.gva && run.flags === mapping.flags) run.bytes += mapping.bytes;
    else {
      flush();
      run = { ...mapping };
    }
  }
  flush();
  return lines.join('\n');
}

function infoTlb(view: MachineView, vcpu: number): string {
  if ((view.readRegisters(vcpu).cr0 & CR0.PG) === 0n) return 'PG disabled';
  return Array.from(mappings(view, vcpu), (m) => (m ? `${hex(m.gva)}: ${hex(m.gpa)} ${m.flags}` : CUT)).join('\n');
}
