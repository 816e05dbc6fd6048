/** The columns of the table of guests and of the views of their devices: title, text, order, alarm limits. */
import type { JobLook } from '../../engine/fleet.js';
import { grouped, rate, size } from '../screen/text.js';
import type { DeviceRow, GuestRow } from './rows.js';

/** What the cells depend on beside the row. */
export interface CellOptions {
  /** Bytes instead of requests for disks. */
  blockInBytes: boolean;
  /** 100 % is one CPU of the host instead of all. */
  oneCpu: boolean;
}

export type Alarm = 'warn' | 'crit' | undefined;

export interface Column<Row> {
  title: string | ((options: CellOptions) => string);
  /** As `-o`, `:sort` and settings name it. */
  id: string;
  width: number;
  /** Columns of a higher number go first on a narrow screen. */
  dispensable: number;
  /** Undefined: nothing is known. */
  text(row: Row, options: CellOptions): string | undefined;
  /** Sorts by this, the largest first; a text by the alphabet. */
  key(row: Row, options: CellOptions): number | string;
  left?: boolean;
  alarm?(row: Row): Alarm;
  /** The limits in words. */
  limits?: string;
}

const bytes = (value: number): string => size(BigInt(Math.round(value / 2 ** 20) * 2 ** 20));
const or = <T>(value: T | undefined, text: (value: T) => string): string | undefined =>
  value === undefined ? undefined : text(value);
const above = (value: number | undefined, warn: number, crit: number): Alarm =>
  value === undefined || value <= warn ? undefined : value > crit ? 'crit' : 'warn';

/** `9999`, then K, M, G of 1024: four places, as virt-top prints sums of an interval. */
export function fourWide(value: number): string {
  let number = Math.floor(value);
  for (const unit of ['', 'K', 'M', 'G']) {
    if (number <= 9999) return unit ? `${number}${unit}` : String(number);
    number = Math.floor(number / 1024);
  }
  return `${number}T`;
}

/** ` 0.0`, ` 9.9`, `99.9`, `100 `: four places, as virt-top's. */
export function percent(value: number): string {
  if (value < 0) return '-ve ';
  if (value < 100) return (Math.floor(value * 10) / 10).toFixed(1).padStart(4);
  if (value < 1000) return `${Math.floor(value)} `;
  return String(Math.floor(value)).padStart(4);
}

/** CPU time as virt-top's TIME: minutes:seconds.hundredths, from 12 h on hours:minutes:seconds, then days. */
export function cpuTime(ns: bigint): string {
  const hundredths = Number(ns / 10_000_000n);
  const seconds = Math.floor(hundredths / 100);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (seconds < 12 * 3600) return `${String(minutes).padStart(3)}:${two(seconds % 60)}.${two(hundredths % 100)}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24 * 3) return `${String(hours).padStart(3)}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${String(Math.floor(hours / 24)).padStart(3)}d${two(hours % 24)}:${two(minutes % 60)}`;
}

/** R running, H halted for good, S blocked, P paused, D shutting down, O shut off, X crashed, M suspended, ? not known: as virt-top. */
export function stateLetter({ sample }: GuestRow): string {
  const letters = {
    running: 'R',
    halted: 'H',
    blocked: 'S',
    paused: 'P',
    'shutting down': 'D',
    'shut off': 'O',
    crashed: 'X',
    suspended: 'M',
    unknown: '?',
  };
  return letters[sample.state];
}

export const upMs = ({ sample }: GuestRow): number | undefined =>
  sample.startedMs === undefined ? undefined : Date.now() - sample.startedMs;

export function uptime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  if (hours >= 72) return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
  return `${hours ? `${hours}:` : ''}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

const diskColumn = (way: 'read' | 'write', id: string): Column<GuestRow> => {
  const of = (row: GuestRow, { blockInBytes }: CellOptions) => row[`${way}${blockInBytes ? 'Bytes' : 'Requests'}`];
  const start = way === 'read' ? 'RD' : 'WR';
  return {
    id,
    title: ({ blockInBytes }) => `${start}${blockInBytes ? 'BY' : 'RQ'}`,
    width: 6,
    dispensable: 3,
    text: (row, options) => or(of(row, options), fourWide),
    key: (row, options) => of(row, options) ?? -1,
  };
};

/** `migration 42 %` */
export function jobText({ kind, doneBytes, totalBytes }: JobLook): string {
  return totalBytes ? `${kind} ${Math.floor((100 * (doneBytes ?? 0)) / totalBytes)} %` : kind;
}

const worseMs = (row: { readMs?: number; writeMs?: number }): number | undefined =>
  row.readMs === undefined ? row.writeMs : Math.max(row.readMs, row.writeMs ?? 0);

export const COLUMNS: readonly Column<GuestRow>[] = [
  {
    id: 'name',
    title: 'NAME',
    width: 18,
    dispensable: 0,
    left: true,
    text: (r) => r.sample.name,
    key: (r) => r.sample.name,
  },
  {
    id: 'state',
    title: 'S',
    width: 3,
    dispensable: 0,
    text: stateLetter,
    key: stateLetter,
  },
  {
    id: 'id',
    title: 'ID',
    width: 5,
    dispensable: 13,
    text: (r) => or(r.sample.id, String),
    key: (r) => -(r.sample.id ?? 1e9),
  },
  {
    id: 'vcpus',
    title: 'vCPU',
    width: 6,
    dispensable: 8,
    text: (r) => (r.sample.vcpus ? String(r.sample.vcpus) : undefined),
    key: (r) => r.sample.vcpus,
  },
  {
    id: 'cpu',
    title: ({ oneCpu }) => (oneCpu ? '%1CPU' : '%CPU'),
    width: 7,
    dispensable: 0,
    text: (r, { oneCpu }) => or(oneCpu ? r.oneCpuPercent : r.cpuPercent, percent),
    key: (r) => r.cpuPercent ?? -1,
  },
  {
    id: 'ready',
    title: '%RDY',
    width: 6,
    dispensable: 5,
    text: (r) => or(r.readyPercent, percent),
    key: (r) => r.readyPercent ?? -1,
    alarm: (r) => above(r.readyPercent, 5, 10),
    limits: 'warns above 5 %, alarms above 10 % of the time runnable without a CPU',
  },
  {
    id: 'mem',
    title: '%MEM',
    width: 6,
    dispensable: 6,
    text: (r) => or(r.memoryPercent, percent),
    key: (r) => r.memoryPercent ?? -1,
  },
  {
    id: 'memory',
    title: 'MEM',
    width: 7,
    dispensable: 7,
    text: (r) => or(r.sample.memory.currentBytes, bytes),
    key: (r) => r.sample.memory.currentBytes ?? -1,
  },
  {
    id: 'used',
    title: 'USED',
    width: 7,
    dispensable: 7,
    text: (r) => or(r.usedBytes, bytes),
    key: (r) => r.usedBytes ?? -1,
    alarm: (r) =>
      above(r.usedBytes === undefined ? undefined : r.usedBytes / (r.sample.memory.availableBytes || 1), 0.9, 0.97),
    limits: 'warns above 90 %, alarms above 97 % of what the guest has',
  },
  {
    id: 'rss',
    title: 'RSS',
    width: 7,
    dispensable: 9,
    text: (r) => or(r.sample.memory.residentBytes, bytes),
    key: (r) => r.sample.memory.residentBytes ?? -1,
  },
  diskColumn('read', 'blockrdrq'),
  diskColumn('write', 'blockwrrq'),
  {
    id: 'netrx',
    title: 'RXBY',
    width: 6,
    dispensable: 4,
    text: (r) => or(r.rxBytes, fourWide),
    key: (r) => r.rxBytes ?? -1,
  },
  {
    id: 'nettx',
    title: 'TXBY',
    width: 6,
    dispensable: 4,
    text: (r) => or(r.txBytes, fourWide),
    key: (r) => r.txBytes ?? -1,
  },
  {
    id: 'latency',
    title: 'DISKms',
    width: 7,
    dispensable: 10,
    text: (r) => or(worseMs(r), (ms) => ms.toFixed(1)),
    key: (r) => worseMs(r) ?? -1,
    alarm: (r) => above(worseMs(r), 10, 25),
    limits: 'warns above 10 ms, alarms above 25 ms a request',
  },
  {
    id: 'exits',
    title: 'EXITS/s',
    width: 9,
    dispensable: 2,
    text: (r) => or(r.exitsPerSecond, rate),
    key: (r) => r.exitsPerSecond ?? -1,
  },
  {
    id: 'reason',
    title: 'TOP EXIT',
    width: 20,
    dispensable: 3,
    left: true,
    text: (r) => r.topReason,
    key: (r) => r.topReason ?? '~',
  },
  {
    id: 'instructions',
    title: 'INSTR/s',
    width: 9,
    dispensable: 11,
    text: (r) => or(r.instructionsPerSecond, rate),
    key: (r) => r.instructionsPerSecond ?? -1,
  },
  {
    id: 'allexits',
    title: 'EXITS',
    width: 13,
    dispensable: 14,
    text: (r) => or(r.sample.exits?.total, grouped),
    key: (r) => r.sample.exits?.total ?? -1,
  },
  {
    id: 'polls',
    title: '%POLL',
    width: 7,
    dispensable: 15,
    text: (r) => or(r.haltPollWastedPercent, percent),
    key: (r) => r.haltPollWastedPercent ?? -1,
    alarm: (r) => above(r.haltPollWastedPercent, 10, 30),
    limits: 'warns above 10 %, alarms above 30 % of the time spent in polls for nothing before a halt',
  },
  {
    id: 'faults',
    title: 'FLT/s',
    width: 7,
    dispensable: 16,
    text: (r) => or(r.majorFaultsPerSecond, rate),
    key: (r) => r.majorFaultsPerSecond ?? -1,
    alarm: (r) => above(r.majorFaultsPerSecond, 1, 100),
    limits: 'warns above 1, alarms above 100 major faults of the process a second',
  },
  {
    ...{ id: 'minorfaults', title: 'MINFLT/s', width: 9, dispensable: 17 },
    text: (r) => or(r.minorFaultsPerSecond, rate),
    key: (r) => r.minorFaultsPerSecond ?? -1,
  },
  {
    ...{ id: 'processread', title: 'PRDBY', width: 7, dispensable: 17 },
    text: (r) => or(r.processReadBytes, fourWide),
    key: (r) => r.processReadBytes ?? -1,
  },
  {
    ...{ id: 'processwrite', title: 'PWRBY', width: 7, dispensable: 17 },
    text: (r) => or(r.processWriteBytes, fourWide),
    key: (r) => r.processWriteBytes ?? -1,
  },
  {
    ...{ id: 'job', title: 'JOB', width: 15, dispensable: 9, left: true },
    text: (r) => or(r.sample.jobs?.[0], jobText),
    key: (r) => (r.sample.jobs?.length ? jobText(r.sample.jobs[0]!) : '~'),
  },
  {
    id: 'time',
    title: 'TIME',
    width: 11,
    dispensable: 5,
    text: (r) => or(r.sample.cpuNs, cpuTime),
    key: (r) => (r.sample.cpuNs === undefined ? -1 : Number(r.sample.cpuNs)),
  },
  { id: 'up', title: 'UP', width: 9, dispensable: 12, text: (r) => or(upMs(r), uptime), key: (r) => upMs(r) ?? -1 },
  {
    id: 'pid',
    title: 'PID',
    width: 8,
    dispensable: 15,
    text: (r) => or(r.sample.process?.pid, String),
    key: (r) => r.sample.process?.pid ?? -1,
  },
  {
    id: 'source',
    title: 'SOURCE',
    width: 18,
    dispensable: 12,
    left: true,
    text: (r) => r.sample.source,
    key: (r) => r.sample.source,
  },
];

const guestOf: Column<DeviceRow> = {
  id: 'name',
  title: 'NAME',
  width: 18,
  dispensable: 0,
  left: true,
  text: (r) => r.guest.sample.name,
  key: (r) => r.guest.sample.name,
};
const deviceOf: Column<DeviceRow> = {
  id: 'device',
  title: 'DEVICE',
  width: 14,
  dispensable: 0,
  left: true,
  text: (r) => r.device,
  key: (r) => r.device,
};
const stateOf: Column<DeviceRow> = {
  id: 'state',
  title: 'S',
  width: 3,
  dispensable: 0,
  text: (r) => stateLetter(r.guest),
  key: (r) => stateLetter(r.guest),
};
const counted = (
  id: string,
  title: string,
  of: (row: DeviceRow) => number | undefined,
  text: (value: number) => string = fourWide,
  alarm?: (row: DeviceRow) => Alarm,
): Column<DeviceRow> => ({
  id,
  title,
  width: 8,
  dispensable: 1,
  text: (row) => or(of(row), text),
  key: (row) => of(row) ?? -1,
  alarm,
});

export const NIC_COLUMNS: readonly Column<DeviceRow>[] = [
  guestOf,
  stateOf,
  deviceOf,
  counted('netrx', 'RXBY', (r) => r.rxBytes),
  counted('nettx', 'TXBY', (r) => r.txBytes),
  counted('rxpackets', 'RXPK', (r) => r.rxPackets),
  counted('txpackets', 'TXPK', (r) => r.txPackets),
  counted(
    'drops',
    'DROPS',
    (r) => r.drops,
    fourWide,
    (r) => above(r.drops, 0, 100),
  ),
];

const msText = (ms: number): string => ms.toFixed(2);
export const DISK_COLUMNS: readonly Column<DeviceRow>[] = [
  guestOf,
  stateOf,
  deviceOf,
  counted('readbytes', 'RDBY', (r) => r.readBytes),
  counted('writebytes', 'WRBY', (r) => r.writeBytes),
  counted('blockrdrq', 'RDRQ', (r) => r.readRequests),
  counted('blockwrrq', 'WRRQ', (r) => r.writeRequests),
  counted(
    'readms',
    'RDms',
    (r) => r.readMs,
    msText,
    (r) => above(r.readMs, 10, 25),
  ),
  counted(
    'writems',
    'WRms',
    (r) => r.writeMs,
    msText,
    (r) => above(r.writeMs, 10, 25),
  ),
  { id: 'path', title: 'PATH', width: 40, dispensable: 2, left: true, text: (r) => r.path, key: (r) => r.path ?? '~' },
];

export const titleOf = <Row>(column: Column<Row>, options: CellOptions): string =>
  typeof column.title === 'string' ? column.title : column.title(options);

/**
 * The columns that fit, the most wanted ones, before them those in which no row has anything; `always` stays, since
 * rows are sorted by it.
 */
export function fitting<Row>(
  all: readonly Column<Row>[],
  width: number,
  always?: string,
  empty: ReadonlySet<Column<Row>> = new Set(),
): Column<Row>[] {
  const shown = new Set(all);
  let used = all.reduce((sum, column) => sum + column.width, 0);
  const weight = (column: Column<Row>) => column.dispensable + (column.dispensable && empty.has(column) ? 100 : 0);
  const order = [...all].sort((a, b) => weight(b) - weight(a));
  for (const column of order) {
    if (used <= width) break;
    if (column.id === always && column.dispensable > 0) continue;
    if (column.dispensable === 0) break;
    shown.delete(column);
    used -= column.width;
  }
  return all.filter((column) => shown.has(column));
}

/**
 * The columns that the user has chosen of a table, in the order in which they were named; all, where none was. The first
 * one, which names the row, is always there.
 */
export function chosenColumns<Row>(
  all: readonly Column<Row>[],
  ids: readonly string[] | undefined,
): readonly Column<Row>[] {
  if (ids === undefined) return all;
  const named = ids.flatMap((id) => all.filter((column) => column.id === id));
  return [...new Set([all[0]!, ...named])];
}

export const cell = <Row>(column: Column<Row>, text: string): string =>
  column.left
    ? ` ${text.slice(0, column.width - 1).padEnd(column.width - 1)}`
    : text.slice(0, column.width).padStart(column.width);

/** Rows in a column's order; equal ones by their names, so that they stand still. */
export function sorted<Row>(
  rows: readonly Row[],
  column: Column<Row>,
  reversed: boolean,
  options: CellOptions,
  name: (row: Row) => string,
): Row[] {
  const keyed = rows.map((row) => ({ row, key: column.key(row, options), name: name(row) }));
  keyed.sort((a, b) => {
    const [x, y] = [a.key, b.key];
    const order = typeof x === 'number' && typeof y === 'number' ? y - x : x === y ? 0 : String(x) < String(y) ? -1 : 1;
    return (reversed ? -order : order) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  });
  return keyed.map(({ row }) => row);
}

/** A table as lines of text, for where there is no terminal. */
export function textTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: CellOptions): string[] {
  const line = (text: (column: Column<Row>) => string) =>
    columns
      .map((column) => cell(column, text(column)))
      .join('')
      .trimEnd();
  return [
    line((column) => titleOf(column, options)),
    ...rows.map((row) => line((column) => column.text(row, options) ?? '-')),
  ];
}
