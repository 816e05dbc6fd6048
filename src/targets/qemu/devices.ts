/** The devices of a guest as its monitor lists them. */
import type { Monitor } from './qmp.js';

type Rows = { name: string; rows: [string, string][] }[];
type Json = Record<string, unknown>;
const list = (value: unknown): Json[] =>
  Array.isArray(value)
    ? (value as unknown[]).filter((item): item is Json => typeof item === 'object' && item !== null)
    : [];
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const hex = (value: unknown, digits: number): string => Number(value).toString(16).padStart(digits, '0');

/** Interrupt controllers and timers, in the monitor's own words. */
const TEXTS: [string, string][] = [
  ['interrupt controllers', 'info pic'],
  ['local APIC', 'info lapic'],
  ['network', 'info network'],
];
const MAX_LINES = 40;

export async function deviceRows(monitor: Monitor): Promise<Rows> {
  const ask = (command: string): Promise<unknown> => monitor.execute(command).catch(() => undefined);
  const [buses, blocks, chardevs, ...texts] = await Promise.all([
    ask('query-pci'),
    ask('query-block'),
    ask('query-chardev'),
    ...TEXTS.map(([, line]) => monitor.human(line).catch(() => '')),
  ]);
  const devices: Rows = [];
  for (const bus of list(buses)) {
    const rows = list(bus.devices).map((device): [string, string] => {
      const id = object(device.id);
      const what = object(device.class_info);
      const regions = list(device.regions).map(
        (region) => `${region.type === 'io' ? 'io' : 'mem'} ${hex(region.address, 4)}+${hex(region.size, 1)}`,
      );
      const text = [what.desc ?? '', `${hex(id.vendor, 4)}:${hex(id.device, 4)}`, device.qdev_id || '', ...regions];
      return [`${hex(bus.bus, 2)}:${hex(device.slot, 2)}.${device.function}`, text.filter(Boolean).join('  ')];
    });
    devices.push({ name: `PCI bus ${bus.bus}`, rows });
  }
  const disks = list(blocks).map((block): [string, string] => {
    const inserted = object(block.inserted);
    const text = [
      inserted.file ?? '(empty)',
      inserted.drv ?? '',
      inserted.ro ? 'read-only' : '',
      block['io-status'] ?? '',
    ];
    return [String(block.device || block.qdev || '?'), text.filter(Boolean).join('  ')];
  });
  if (disks.length) devices.push({ name: 'disks', rows: disks });
  const lines = list(chardevs).map((device): [string, string] => [String(device.label), String(device.filename)]);
  if (lines.length) devices.push({ name: 'character devices', rows: lines });
  texts.forEach((text, n) => {
    const rows = String(text)
      .split('\n')
      .filter((line) => line.trim())
      .slice(0, MAX_LINES)
      .map((line): [string, string] => {
        const [, name, value] = /^\s*([^:=]{1,24})[:=]\s*(.*)$/.exec(line) ?? [];
        return name ? [name, value!] : ['', line.trim()];
      });
    if (rows.length) devices.push({ name: TEXTS[n]![0], rows });
  });
  return devices;
}
