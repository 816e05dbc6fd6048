/** The commands of the machine's monitor: what each is called, takes and does to the guest. Their help is made from this. */

import { WRITTEN } from './written-what.js';

/** `looks`: nothing; `runs`: it may stop or resume the guest; `changes`: it may change what the guest is or has. */
export type MonitorEffect = 'looks' | 'runs' | 'changes';

export interface MonitorRow {
  /** One word, or `info` and another. */
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly effect: MonitorEffect;
  /** What may follow: `file`s of the host are read or written, not the guest's. */
  readonly kinds?: readonly ('address' | 'file' | 'place' | 'vcpu' | 'exit' | 'exit-reason' | 'drive')[];
  readonly words?: readonly string[];
  /** Another name of it. */
  readonly alias?: string;
}

const row = (
  effect: MonitorEffect,
  name: string,
  usage: string,
  help: string,
  more: Pick<MonitorRow, 'kinds' | 'words' | 'alias'> = {},
): MonitorRow => ({ effect, name, usage, help, ...more });

const ADDRESS = { kinds: ['address'] } as const;
const FILE = { kinds: ['file'] } as const;

export const MONITOR_ROWS: readonly MonitorRow[] = [
  row('looks', 'help', '[COMMAND]', 'this list', { alias: '?' }),
  row('looks', 'info registers', '[-a]', "registers in QEMU's layout, of all vCPUs"),
  row('looks', 'cpu', 'N', 'the vCPU of later commands, until the next stop', { kinds: ['vcpu'] }),
  row('looks', 'info mem', '', "guest's linear mappings"),
  row('looks', 'info tlb', '', "guest's linear to physical mappings, a line each"),
  row('looks', 'info vmcs', '', 'every VMCS field'),
  row('looks', 'info exits', '', 'VM exits by reason'),
  row('looks', 'info ept', '', 'EPT mappings'),
  row('looks', 'info jit', '', 'the compiler of guest code: share of instructions, why it is left'),
  row('looks', 'info status', '', 'running or paused'),
  row('looks', 'info clock', '', 'which clock the guest follows, and how fast it runs'),
  row('looks', 'info version', '', 'of this program'),
  row('looks', 'info cpus', '', 'vCPUs'),
  row('looks', 'why', '[EXIT]', 'what the last VM exit, or #N, was about, and what made it exit', { kinds: ['exit'] }),
  row('looks', 'doctor', '', 'whether the next VM entry passes its checks; those that would fail'),
  row('looks', 'where', '', 'the instant of the run: instruction, exit, how far the history reaches'),
  row(
    'runs',
    'goto',
    'PLACE',
    'go to an instruction (N, +N, -N), exit (#N), share (N%), begin, end, fault N of those that ended the guest, @BOOKMARK',
    { kinds: ['place'] },
  ),
  row('runs', 'reverse-step', '[N]', 'back by instructions'),
  row('runs', 'reverse-continue', '', 'back to what would have stopped the guest'),
  row('runs', 'reverse-exit', '[REASON]', 'back to a VM exit', { kinds: ['exit-reason'] }),
  row('runs', 'wrote', 'WHAT', `back to the last write, and who made it; again: the one before. ${WRITTEN}`, ADDRESS),
  row(
    'runs',
    'became',
    'WHAT [OP VALUE]',
    'back to the write that gave it its value, or made a comparison true (== != < <= > >= has)',
    ADDRESS,
  ),
  row(
    'runs',
    'reads',
    'WHAT',
    'forward to the next read, and who reads: ADDR [LENGTH], phys ADDR [LENGTH], pte ADDR, idt N, gdt N, DISK sector N',
    ADDRESS,
  ),
  row('runs', 'bookmark', '[NAME]', 'name this instant; without NAME those that have one'),
  row('looks', 'info pic', '', 'I/O APIC and 8259 pair'),
  row('looks', 'info lapic', '[CPU]', 'local APIC'),
  row('looks', 'info irq', '', 'interrupts so far by pin and vector'),
  row('looks', 'info block', '', 'disks and CD-ROM drives'),
  row('looks', 'info blockstats', '', 'what was read from their images and written to them'),
  row('runs', 'run_to_kernel', '', 'run to the first code of an unpacked Linux kernel'),
  row('looks', 'info os', '', 'the operating system in guest memory'),
  row('looks', 'info dmesg', '', "Linux: the kernel's log"),
  row('looks', 'info ps', '', 'Linux: processes'),
  row('looks', 'info current', '', 'Linux: the task of each CPU'),
  row('looks', 'info stack', 'PID', 'Linux: where a process or thread waits in the kernel'),
  row('looks', 'info modules', '', 'Linux: loaded modules'),
  row('looks', 'info balloon', '', 'memory that the guest has (needs --device virtio-balloon)'),
  row('changes', 'balloon', 'MIB', 'memory that the guest keeps'),
  row('looks', 'info pci', '', 'PCI functions'),
  row('looks', 'info qtree', '', 'all devices'),
  row('looks', 'info mtree', '[-f]', 'RAM, ROM, device memory and ports, flat'),
  row('changes', 'i', '/FMT PORT', 'read a port, as the guest would'),
  row('changes', 'o', '/FMT PORT VALUE', 'write a port (b, h or w)'),
  row('changes', 'sendkey', 'KEYS', 'keys held together: ctrl-alt-delete, ret, f1', {
    words: ['ctrl-alt-delete', 'ret', 'esc', 'tab', 'spc', 'up', 'down', 'left', 'right', 'f1'],
  }),
  row('changes', 'mouse_move', 'DX DY [DZ]', 'move the mouse, to the right and down; DZ turns its wheel'),
  row('changes', 'mouse_button', 'STATE', 'buttons held from now on: 1 left, 2 middle, 4 right, or their sum', {
    words: ['0', '1', '2', '4'],
  }),
  row('looks', 'info mice', '', 'the mouse'),
  row('changes', 'system_powerdown', '', 'press the power button: the guest shuts down where it obeys ACPI'),
  row('changes', 'nmi', '', 'a non-maskable interrupt to every vCPU'),
  row('looks', 'xp', '/FMT ADDR', 'physical memory', ADDRESS),
  row('looks', 'x', '/FMT ADDR', 'linear memory; /5i code', ADDRESS),
  row('looks', 'walk', 'ADDR', "a linear address through the guest's tables and the EPT", ADDRESS),
  row('looks', 'memsave', 'ADDR SIZE FILE', 'write linear memory to a file', FILE),
  row('looks', 'pmemsave', 'ADDR SIZE FILE', 'write physical memory to a file', FILE),
  row('looks', 'gva2gpa', 'ADDR', 'translate', ADDRESS),
  row('looks', 'gpa2hva', 'ADDR', 'translate', ADDRESS),
  row(
    'looks',
    'print',
    'EXPR',
    'registers, symbols, memory [ADDR]:u32, numbers, + - * / % << >> & | ^ ~ ( ), comparisons',
    { alias: 'p' },
  ),
  row('runs', 'savevm', '[NAME]', 'save the machine and its disks in a qcow2 disk or a file'),
  row('changes', 'loadvm', 'NAME', 'load what savevm saved'),
  row('changes', 'delvm', 'NAME', 'delete what savevm saved'),
  row('looks', 'info snapshots', '', "what savevm kept, and others inside the disks' images"),
  row(
    'changes',
    'migrate',
    '[-d] URI',
    'move the guest to a vmscope started with --incoming URI; -d: in the background',
  ),
  row('changes', 'migrate_cancel', '', 'cancel the migration: the guest stays here'),
  row('looks', 'info migrate', '', 'how far the migration is'),
  row('runs', 'dump-guest-memory', 'FILE', 'write memory and CPUs as an ELF core for drgn, crash and gdb', FILE),
  row(
    'looks',
    'screendump',
    'FILE [-f png|ppm]',
    'write the screen as a picture: png, or ppm where FILE ends so',
    FILE,
  ),
  row('changes', 'system_reset', '', 'reset the machine'),
  row('runs', 'stop', '', 'stop the guest'),
  row('runs', 'cont', '', 'let it run', { alias: 'c' }),
  row('looks', 'info vnc', '', 'the VNC server and its clients'),
  row('changes', 'set_password', 'vnc WORD', 'the password of VNC clients that come from now on', { words: ['vnc'] }),
  row('changes', 'change', 'DEV FILE', 'another disc or floppy disk; or vnc password WORD', {
    words: ['vnc'],
    kinds: ['drive', 'file'],
  }),
  row('changes', 'eject', '[-f] DEV', 'take out the disc or floppy disk; -f: even where the guest has locked it', {
    words: ['-f'],
    kinds: ['drive'],
  }),
  row('changes', 'gdbserver', '[ADDRESS | none]', 'a GDB stub: [HOST:]PORT, unix:PATH', { words: ['none', 'unix:'] }),
];

const BY_NAME = new Map(
  MONITOR_ROWS.flatMap((it) => [it.name, it.alias ?? it.name].map((name) => [name, it] as const)),
);

/** The row of a line, undefined where the monitor has no such command. */
export function monitorRow(line: string): MonitorRow | undefined {
  const [first = '', second = ''] = line
    .trim()
    .replace(/^(xp?|[io])\//, '$1 /')
    .split(/\s+/);
  return BY_NAME.get(`${first} ${second}`) ?? BY_NAME.get(first);
}

/** What a line does to the guest, for clients that may do less than all. One that is not known counts as a change. */
export function monitorEffect(line: string): MonitorEffect {
  if (/^\s*info\b/.test(line)) return 'looks';
  return monitorRow(line)?.effect ?? 'changes';
}

/** Columns of a name and its arguments. */
const NAME_COLUMNS = 24;

/** A line for each row: `info mem                 guest's linear mappings`. */
export function rowsText(rows: readonly Pick<MonitorRow, 'name' | 'usage' | 'help' | 'alias'>[]): string {
  return rows
    .map(({ name, usage, help, alias }) => {
      const names = alias === undefined ? name : `${name} | ${alias}`;
      return `${`${names} ${usage}`.trim().padEnd(NAME_COLUMNS)} ${help}`;
    })
    .join('\n');
}
