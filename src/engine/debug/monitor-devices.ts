/** The monitor's commands for devices, in QEMU's words: ports, keys, the NMI, PCI, the tree of devices. */
import type { PciFunction } from '../devices/pci/function.js';
import { keysOf } from '../devices/scancodes.js';
import type { Machine } from '../vmm/machine.js';
import { memoryMapText } from './monitor-memory-map.js';
import { mouseCommand } from './monitor-mouse.js';

const BYTES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4 };
/** QEMU's names of keys that are called otherwise here. */
const QEMU_KEYS: Readonly<Record<string, string>> = {
  ...{ ret: 'enter', spc: 'space', pgup: 'pageup', pgdn: 'pagedown', caps_lock: 'capslock', num_lock: 'numlock' },
  ...{ scroll_lock: 'scrolllock', minus: '-', equal: '=', comma: ',', dot: '.', slash: '/', semicolon: ';' },
  ...{ apostrophe: "'", backslash: '\\', bracket_left: '[', bracket_right: ']', grave_accent: '`' },
  ...{ kp_add: 'kp+', kp_subtract: 'kp-', kp_multiply: 'kp*', kp_divide: 'kp/', kp_enter: 'kpenter' },
};
const CLASSES: Readonly<Record<number, string>> = {
  ...{ 256: 'SCSI controller', 257: 'IDE controller', 262: 'SATA controller', 264: 'NVMe controller' },
  ...{ 512: 'Ethernet controller', 768: 'VGA controller', 1536: 'Host bridge', 1537: 'ISA bridge' },
  ...{ 1664: 'Bridge' },
};
const CLASS = 0x0a;
const VENDOR = 0x00;
const DEVICE = 0x02;
const SUBSYSTEM_VENDOR = 0x2c;
const SUBSYSTEM = 0x2e;
const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

function functionText(it: PciFunction): string {
  const word = (at: number): number => it.config[at] | (it.config[at + 1] << 8);
  const { device, function: fn } = it.place;
  const kind = CLASSES[word(CLASS)] ?? `Class ${hex(word(CLASS), 4)}`;
  const lines = [
    `  Bus  0, device ${String(device).padStart(3)}, function ${fn}:`,
    `    ${kind}: PCI device ${hex(word(VENDOR), 4)}:${hex(word(DEVICE), 4)}`,
    `      PCI subsystem ${hex(word(SUBSYSTEM_VENDOR), 4)}:${hex(word(SUBSYSTEM), 4)}`,
  ];
  const pin = it.config[INTERRUPT_PIN];
  if (pin > 0) lines.push(`      IRQ ${it.config[INTERRUPT_LINE]}, pin ${' ABCD'[pin] ?? '?'}`);
  for (const bar of it.bars) {
    const low = (word(0x10 + bar.index * 4) | (word(0x12 + bar.index * 4) << 16)) >>> 0;
    const what = bar.kind === 'io' ? 'I/O' : bar.kind === 'memory64' ? '64 bit memory' : '32 bit memory';
    const base = bar.kind === 'io' ? low & ~3 : low & ~0xf;
    const end = (base >>> 0) + bar.bytes - 1;
    lines.push(`      BAR${bar.index}: ${what} at 0x${hex(base, 8)} [0x${hex(end, 8)}].`);
  }
  lines.push(`      id "${it.name}"`);
  return lines.join('\n');
}

function treeText(machine: Machine): string {
  const devices = machine
    .devices()
    .flatMap(({ name, rows }) => [`  dev: ${name}`, ...rows.map(([property, value]) => `    ${property} = ${value}`)]);
  return ['bus: main-system-bus', '  type System', ...devices].join('\n');
}

/** `/b`, `/2xb`, or nothing: a word is a byte as in QEMU's `o`, four bytes as in its `i`. */
function sizeOf(format: string | undefined, otherwise: string): number {
  const letter = format === undefined ? otherwise : /^\/\d*[xduoc]?([bhw]?)$/.exec(format)?.[1];
  if (letter === undefined) throw new Error(`format ${format} is not b, h or w`);
  return BYTES[letter === '' ? otherwise : letter];
}

function portOf(value: bigint | undefined): number {
  if (value === undefined) throw new Error('a port is missing');
  if (value > 0xffffn) throw new Error(`port 0x${value.toString(16)} is above 0xffff`);
  return Number(value);
}

/**
 * Answers a device's command; undefined when the line is another one.
 * @param number value of an expression
 */
export function deviceCommand(machine: Machine, line: string, number: (text: string) => bigint): string | undefined {
  const words = line
    .trim()
    .replace(/^([io])\//, '$1 /')
    .split(/\s+/);
  const format = words[1]?.startsWith('/') ? words[1] : undefined;
  const args = words.slice(format === undefined ? 1 : 2);
  const { bus, pci } = machine.pc.pc;
  const name = words[0] === 'info' ? `info ${words[1]}` : words[0];
  switch (name) {
    case 'info pci':
      return pci.all.map(functionText).join('\n');
    case 'info qtree':
      return treeText(machine);
    case 'info mtree':
      if (words[2] !== undefined && words[2] !== '-f')
        throw new Error('usage: info mtree, or info mtree -f: both are flat');
      return memoryMapText(machine);
    case 'system_powerdown':
      machine.pc.pc.pm.pressPowerButton();
      return '';
    case 'nmi':
      machine.pc.pc.raiseNmi();
      return '';
    case 'i': {
      const bytes = sizeOf(format, 'w');
      const port = portOf(args.length === 0 ? undefined : number(args.join(' ')));
      return `port${'bwxl'[bytes - 1]}[0x${hex(port, 4)}] = 0x${hex(bus.portRead(port, bytes), bytes * 2)}`;
    }
    case 'o': {
      const bytes = sizeOf(format, 'b');
      if (args.length !== 2) throw new Error('usage: o /FMT PORT VALUE');
      const value = Number(BigInt.asUintN(bytes * 8, number(args[1])));
      bus.portWrite(portOf(number(args[0])), bytes, value);
      return '';
    }
    case 'sendkey': {
      if (args.length === 0) throw new Error('usage: sendkey KEYS, such as ctrl-alt-delete or ret');
      const keys = args[0]
        .split('-')
        .map((key) => QEMU_KEYS[key] ?? key)
        .join('-');
      if (keysOf(keys) === undefined) throw new Error(`${args[0]} is not a key`);
      // not as an input of its own: who keeps the run keeps the line
      machine.pc.pc.keyboard.press(keys);
      return '';
    }
    default:
      return mouseCommand(machine.pc.pc.keyboard, name, args);
  }
}
