/** What `vmscope top` writes beside its screen: virt-top's CSV and stream to the letter, and JSON. */
import type { FleetLook, GuestSample, HostLook } from '../engine/fleet.js';
import { cpuTime, fourWide, percent, stateLetter } from '../tui/top/columns.js';
import type { GuestRow, Interval } from '../tui/top/rows.js';
import { printable } from './tell.js';

/** Groups of a guest's CSV columns that are wanted. */
export interface CsvGroups {
  cpu: boolean;
  mem: boolean;
  block: boolean;
  net: boolean;
}

const SUMMARY = [
  ...['Hostname', 'Time', 'Arch', 'Physical CPUs', 'Count', 'Running', 'Blocked', 'Paused', 'Shutdown'],
  ...['Shutoff', 'Crashed', 'Active', 'Inactive', '%CPU', 'Total hardware memory (KB)', 'Total memory (KB)'],
  ...['Total guest memory (KB)', 'Total CPU time (ns)'],
];

/** The header names one guest's columns; rows repeat them for each. */
export function csvHeader(groups: CsvGroups, blockInBytes: boolean): string {
  return csvLine([
    ...SUMMARY,
    ...['Domain ID', 'Domain name'],
    ...(groups.cpu ? ['CPU (ns)', '%CPU'] : []),
    ...(groups.mem ? ['Mem (bytes)', '%Mem'] : []),
    ...(groups.block ? (blockInBytes ? ['Block RDBY', 'Block WRBY'] : ['Block RDRQ', 'Block WRRQ']) : []),
    ...(groups.net ? ['Net RXBY', 'Net TXBY'] : []),
  ]);
}

function csvLine(fields: readonly string[]): string {
  return fields.map((field) => (/[",\n\r]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

/** A double as OCaml prints it: twelve significant digits, and a point in any case. */
export function ocamlFloat(value: number): string {
  const digits = value === 0 ? '0' : shortest(value);
  return /^-?\d+$/.test(digits) ? `${digits}.` : digits;
}

/** C's `%.12g`. */
function shortest(value: number): string {
  const [mantissa, exponent] = value.toExponential(11).split('e') as [string, string];
  const power = Number(exponent);
  const trimmed = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (power < -4 || power >= 12) {
    const sign = power < 0 ? '-' : '+';
    return `${trimmed(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return trimmed(value.toFixed(Math.max(0, 11 - power)));
}

const isActive = ({ state }: GuestSample): boolean => state !== 'shut off';
const kib = (bytes: number | undefined): number => Math.floor((bytes ?? 0) / 1024);
const clock = (now: Date): string =>
  [now.getHours(), now.getMinutes(), now.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
const byId = (a: GuestRow, b: GuestRow): number =>
  (a.sample.id ?? 1e9) - (b.sample.id ?? 1e9) || (a.sample.name < b.sample.name ? -1 : 1);
const active = (rows: readonly GuestRow[]): GuestRow[] => rows.filter((row) => isActive(row.sample)).sort(byId);
const hostOf = (look: FleetLook): HostLook => look.hosts[0]!;

/** @param seconds length of the interval; 0 for the first look */
export function csvRow(
  { now, rows }: Interval,
  seconds: number,
  groups: CsvGroups,
  blockInBytes: boolean,
  time: Date,
): string {
  const host = hostOf(now);
  const guests = active(rows);
  const count = (...states: GuestSample['state'][]): string =>
    String(guests.filter(({ sample }) => states.includes(sample.state)).length);
  const cpuNs = guests.reduce((sum, row) => sum + (row.cpuNs ?? 0), 0);
  const memory = guests.reduce((sum, row) => sum + kib(row.sample.memory.currentBytes), 0);
  const share = seconds > 0 ? (100 * cpuNs) / (host.cpus * seconds * 1e9) : 0;
  const known = (value: number | undefined): string => (value === undefined ? '' : String(value));
  const fields = [
    ...[host.hostname, clock(time), host.arch, String(host.cpus), String(rows.length), count('running', 'halted')],
    // virt-top knows no suspended guests: they are paused.
    ...[count('blocked'), count('paused', 'suspended'), count('shutting down'), '0', count('crashed')],
    ...[String(guests.length), String(rows.length - guests.length), share.toFixed(1)],
    ...[kib(host.memoryBytes), memory, memory, Math.trunc(cpuNs)].map(String),
  ];
  for (const row of guests) {
    // As virt-top has it: bytes by name, KiB by value, and nothing before there was a second look.
    const mem = row.seconds === undefined ? 0 : kib(row.sample.memory.currentBytes);
    fields.push(
      ...[known(row.sample.id), row.sample.name],
      ...(groups.cpu ? [ocamlFloat(row.cpuNs ?? 0), ocamlFloat(row.cpuPercent ?? 0)] : []),
      ...(groups.mem ? [String(mem), String(Math.floor((100 * mem) / kib(host.memoryBytes)))] : []),
      ...(groups.block
        ? blockInBytes
          ? [known(row.readBytes), known(row.writeBytes)]
          : [known(row.readRequests), known(row.writeRequests)]
        : []),
      ...(groups.net ? [known(row.rxBytes), known(row.txBytes)] : []),
    );
  }
  return csvLine(fields);
}

/** One look of `--stream`. */
export function streamLines({ now, rows }: Interval, blockInBytes: boolean, time: Date): string[] {
  const host = hostOf(now);
  const four = (value: number | undefined): string => (value === undefined ? '   0' : fourWide(value).padStart(4));
  const block = blockInBytes ? 'RDBY WRBY' : 'RDRQ WRRQ';
  const memory = Math.floor(host.memoryBytes / 2 ** 20);
  return [
    `virt-top time  ${clock(time)} Host ${host.hostname} ${host.arch} ${host.cpus}/${host.cpus}CPU ${host.mhz}MHz ${memory}MB `,
    `   ID S ${block} RXBY TXBY %CPU %MEM   TIME    NAME`,
    ...active(rows).map((row) => {
      const { sample } = row;
      const mem = row.seconds === undefined ? 0 : Math.floor(row.memoryPercent ?? 0);
      const letter = { suspended: 'P', halted: 'R' }[sample.state as string] ?? stateLetter(row);
      const [rd, wr] = blockInBytes ? [row.readBytes, row.writeBytes] : [row.readRequests, row.writeRequests];
      return [
        ...[String(sample.id ?? '-').padStart(5), letter, four(rd), four(wr), four(row.rxBytes), four(row.txBytes)],
        ...[percent(row.cpuPercent ?? 0), percent(mem), cpuTime(sample.cpuNs ?? 0n), printable(sample.name)],
      ].join(' ');
    }),
  ];
}

/** One look as a JSON object: counters as they are, rates beside them; numbers above 2^53 as text. */
export function jsonLine({ now, rows }: Interval, seconds: number, time: Date): string {
  const guests = rows.map(({ sample, ...rates }) => ({ ...sample, interval: rates }));
  return JSON.stringify(
    { time: time.toISOString(), seconds, hosts: now.hosts, failures: now.failures, guests },
    (_key, value) =>
      typeof value !== 'bigint' ? value : value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value),
  );
}
