/**
 * The QMP commands about the machine's parts, from what its monitor prints of them: one source of each fact.
 * @see "QEMU QMP Reference Manual": query-pci, query-block, query-balloon, query-chardev
 */
import type { Debugger } from '../engine/debugger.js';
import { CommandError } from './command-error.js';

const MIB = 2 ** 20;
const MAX_MIB = 2 ** 32;

async function text(target: Debugger, line: string): Promise<string> {
  const answer = await target.monitor(line);
  if (answer === undefined) throw new CommandError(`this guest's monitor has no ${line}`);
  return answer.replaceAll('\r', '');
}

async function balloonText(target: Debugger, line: string): Promise<string> {
  const answer = await text(target, line);
  if (/has no balloon/.test(answer)) throw new CommandError('No balloon device has been activated', 'DeviceNotActive');
  return answer;
}

export async function queryBalloon(target: Debugger): Promise<{ actual: number }> {
  const actual = /actual=(\d{1,12})/.exec(await balloonText(target, 'info balloon'))?.[1];
  if (actual === undefined) throw new CommandError('the balloon does not say its size');
  return { actual: Number(actual) * MIB };
}

/** @param bytes that the guest is to keep */
export async function setBalloon(target: Debugger, bytes: number): Promise<object> {
  const mib = Math.floor(bytes / MIB);
  if (mib < 1 || mib > MAX_MIB) throw new CommandError("Parameter 'value' expects a size of a MiB at least");
  const answer = (await balloonText(target, `balloon ${mib}`)).trim();
  if (answer) throw new CommandError(answer.split('\n')[0]!);
  return {};
}

interface Region {
  bar: number;
  type: 'io' | 'memory';
  address: number;
  size: number;
  mem_type_64?: boolean;
}

interface PciDevice {
  bus: number;
  slot: number;
  function: number;
  class_info: { desc: string; class: number };
  id: { vendor: number; device: number; 'subsystem-vendor'?: number; subsystem?: number };
  irq?: number;
  irq_pin: number;
  qdev_id: string;
  regions: Region[];
}

/** PCI class codes of what the monitor calls by a name. @see "PCI Code and ID Assignment Specification" */
const CLASSES: Record<string, number> = {
  ...{ 'SCSI controller': 0x100, 'IDE controller': 0x101, 'SATA controller': 0x106, 'NVMe controller': 0x108 },
  ...{
    'Ethernet controller': 0x200,
    'VGA controller': 0x300,
    'Host bridge': 0x600,
    'ISA bridge': 0x601,
    Bridge: 0x680,
  },
};

export async function queryPci(target: Debugger): Promise<object[]> {
  const devices: PciDevice[] = [];
  for (const line of (await text(target, 'info pci')).split('\n')) {
    const place = /^ +Bus +(\d+), device +(\d+), function (\d+):/.exec(line);
    if (place) {
      const [bus, slot, fn] = place.slice(1).map(Number) as [number, number, number];
      const empty = { class_info: { desc: '', class: 0 }, id: { vendor: 0, device: 0 }, irq_pin: 0, qdev_id: '' };
      devices.push({ bus, slot, function: fn, ...empty, regions: [] });
      continue;
    }
    const device = devices.at(-1);
    if (device) pciLine(device, line);
  }
  return [{ bus: 0, devices }];
}

function pciLine(device: PciDevice, line: string): void {
  const kind = /^ +(.+): PCI device ([0-9a-f]{4}):([0-9a-f]{4})$/.exec(line);
  const subsystem = /PCI subsystem ([0-9a-f]{4}):([0-9a-f]{4})$/.exec(line);
  const irq = /IRQ (\d+), pin ([A-D?])$/.exec(line);
  const bar = /BAR(\d): (?:(I\/O) at|(\d\d) bit .*memory at) 0x([0-9a-f]+) \[0x([0-9a-f]+)\]/.exec(line);
  const id = /id "(.*)"$/.exec(line);
  const hex = (digits: string | undefined): number => Number.parseInt(digits ?? '0', 16);
  if (kind) {
    const desc = kind[1]!;
    device.class_info = { desc, class: CLASSES[desc] ?? hex(/^Class ([0-9a-f]+)$/.exec(desc)?.[1]) };
    device.id = { vendor: hex(kind[2]), device: hex(kind[3]) };
  } else if (subsystem)
    Object.assign(device.id, { 'subsystem-vendor': hex(subsystem[1]), subsystem: hex(subsystem[2]) });
  else if (irq) {
    device.irq = Number(irq[1]);
    device.irq_pin = ' ABCD'.indexOf(irq[2]!);
  } else if (bar) {
    const [address, last] = [hex(bar[4]), hex(bar[5])];
    device.regions.push({
      ...{ bar: Number(bar[1]), type: bar[2] ? 'io' : 'memory', address, size: last - address + 1 },
      ...(bar[2] ? {} : { mem_type_64: bar[3] === '64' }),
    });
  } else if (id) device.qdev_id = id[1]!;
}

const SECTOR = 512;

export async function queryBlock(target: Debugger): Promise<object[]> {
  const parts = (await text(target, 'info block')).split('\n\n');
  return parts.flatMap((part) => {
    const drive = /^([^\n:]+): (?:\[not inserted\]|(.+) \((\w+)\))\n +Attached to: ([^\n,]+), ([^\n,]+)/.exec(part);
    if (!drive) return [];
    const [, device, file, format, , kind] = drive;
    const sectors = Number(/, (\d{1,15}) sectors/.exec(part)?.[1] ?? 0);
    const size = sectors * SECTOR;
    const inserted = { file, ro: /, read-only/.test(part), drv: format, encrypted: false };
    return [
      {
        ...{ device, qdev: device, type: 'unknown', removable: /cd/i.test(kind!), locked: false },
        ...(file === undefined
          ? {}
          : { inserted: { ...inserted, image: { filename: file, format, 'virtual-size': size } }, 'io-status': 'ok' }),
      },
    ];
  });
}

/** Of each drive, in QEMU's names. */
export async function queryBlockstats(target: Debugger): Promise<object[]> {
  return blockTraffic(await text(target, 'info blockstats')).map(({ device, stats }) => ({
    device,
    qdev: device,
    stats,
  }));
}

/** What `info blockstats` prints, by drive. */
export function blockTraffic(lines: string): { device: string; stats: Record<string, number> }[] {
  return lines.split('\n').flatMap((line) => {
    const drive = /^([\w-]{1,64}): (.*)$/.exec(line.trim());
    const stats = [...(drive?.[2] ?? '').matchAll(/\b(\w+)=(\d{1,15})\b/g)].map(([, name, n]) => [name!, Number(n)]);
    return drive && stats.length
      ? [{ device: drive[1]!, stats: Object.fromEntries(stats) as Record<string, number> }]
      : [];
  });
}

/** The first serial port is what a guest of vmscope's has of them. */
export async function queryChardev(target: Debugger): Promise<object[]> {
  return target.console ? [{ label: 'serial0', filename: 'vmscope', 'frontend-open': true }] : [];
}

/** What such a machine does not have: the reason, in the class that scripts look at. */
export const absent = (what: string) => async (): Promise<never> => {
  throw new CommandError(what);
};
