/** The rows and columns of `vmscope top`: what is shown of each guest, and how rates come of two looks. */
import type { RunState } from '../engine/debugger.js';
import { exitsByReason, totalExits } from '../engine/exit-counts.js';
import { grouped, rate, size } from './screen/text.js';

/** One look at one guest. */
export interface GuestSample {
  name: string;
  pid: number;
  image: string;
  startedMs: number;
  vcpus: number;
  memoryBytes: number;
  state: RunState;
  /** Exits so far by reason. */
  counts: Record<string, number>;
  /** When it was looked at, Unix time. */
  ms: number;
  cpuSeconds?: number;
  residentBytes?: number;
}

export interface Fleet {
  look(): Promise<GuestSample[]>;
}

/** A guest's row: the newest sample and what changed since the one before. */
export interface GuestRow {
  sample: GuestSample;
  exitsPerSecond?: number;
  instructionsPerSecond?: number;
  cpuShare?: number;
  /** Most frequent reason since the last look, of all exits before there was one. */
  topReason: string;
}

export interface Column {
  title: string;
  width: number;
  /** Columns of a higher number go first on a narrow screen. */
  dispensable: number;
  text(row: GuestRow): string;
  /** Sorts by this, the largest first; a text by the alphabet. */
  key(row: GuestRow): number | string;
  left?: boolean;
}

const or = (value: number | undefined, text: (value: number) => string) => (value === undefined ? '-' : text(value));
const bytes = (value: number) => size(BigInt(Math.round(value / 2 ** 20) * 2 ** 20));

export const COLUMNS: readonly Column[] = [
  { title: 'NAME', width: 18, dispensable: 0, left: true, text: (r) => r.sample.name, key: (r) => r.sample.name },
  { title: 'S', width: 3, dispensable: 0, text: (r) => stateLetter(r), key: stateLetter },
  { title: 'vCPU', width: 6, dispensable: 5, text: (r) => String(r.sample.vcpus), key: (r) => r.sample.vcpus },
  {
    title: 'CPU%',
    width: 7,
    dispensable: 1,
    text: (r) => or(r.cpuShare, (share) => (100 * share).toFixed(1)),
    key: (r) => r.cpuShare ?? -1,
  },
  {
    title: 'MEM',
    width: 7,
    dispensable: 4,
    text: (r) => bytes(r.sample.memoryBytes),
    key: (r) => r.sample.memoryBytes,
  },
  {
    title: 'RSS',
    width: 8,
    dispensable: 6,
    text: (r) => or(r.sample.residentBytes, bytes),
    key: (r) => r.sample.residentBytes ?? -1,
  },
  {
    title: 'INSTR/s',
    width: 9,
    dispensable: 3,
    text: (r) => or(r.instructionsPerSecond, rate),
    key: (r) => r.instructionsPerSecond ?? -1,
  },
  {
    title: 'EXITS/s',
    width: 9,
    dispensable: 0,
    text: (r) => or(r.exitsPerSecond, rate),
    key: (r) => r.exitsPerSecond ?? -1,
  },
  {
    title: 'EXITS',
    width: 13,
    dispensable: 7,
    text: (r) => grouped(totalExits(r.sample.counts)),
    key: (r) => totalExits(r.sample.counts),
  },
  { title: 'TOP EXIT', width: 20, dispensable: 2, left: true, text: (r) => r.topReason, key: (r) => r.topReason },
  {
    title: 'UP',
    width: 8,
    dispensable: 8,
    text: (r) => uptime(r.sample),
    key: (r) => r.sample.ms - r.sample.startedMs,
  },
  { title: 'PID', width: 8, dispensable: 9, text: (r) => String(r.sample.pid), key: (r) => r.sample.pid },
];
export const SORT_KEYS: Record<string, string> = { P: 'CPU%', M: 'MEM', N: 'NAME', T: 'UP', E: 'EXITS/s' };

/** R running, H halted for good, P paused (at a breakpoint, by a debugger), E ended. */
export function stateLetter({ sample: { state } }: GuestRow): string {
  return state.running ? (state.standstill === undefined ? 'R' : 'H') : state.stop?.kind === 'ended' ? 'E' : 'P';
}

function uptime({ ms, startedMs }: GuestSample): string {
  const seconds = Math.max(0, Math.floor((ms - startedMs) / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ''}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Rows from two looks at the same guests. */
export function guestRows(before: readonly GuestSample[], now: readonly GuestSample[]): GuestRow[] {
  return now.map((sample) => {
    const old = before.find(({ name, pid }) => name === sample.name && pid === sample.pid);
    const seconds = old ? (sample.ms - old.ms) / 1000 : 0;
    const most = (counts: [string, number][]) => counts.sort((a, b) => b[1] - a[1])[0];
    if (!old || seconds <= 0) return { sample, topReason: most(exitsByReason(sample.counts))?.[0] ?? '-' };
    const deltas = exitsByReason(sample.counts).map(([name, n]): [string, number] => [
      name,
      n - (old.counts[name] ?? 0),
    ]);
    const top = most(deltas);
    const cpu = (sample.cpuSeconds ?? 0) - (old.cpuSeconds ?? 0);
    // A reset counts from zero again.
    return {
      sample,
      exitsPerSecond: Math.max(0, totalExits(sample.counts) - totalExits(old.counts)) / seconds,
      // KVM does not count instructions
      ...(sample.state.running && sample.state.icount === 0n
        ? {}
        : { instructionsPerSecond: Math.max(0, Number(sample.state.icount - old.state.icount)) / seconds }),
      ...(sample.cpuSeconds === undefined ? {} : { cpuShare: cpu / seconds }),
      topReason: top && top[1] > 0 ? top[0] : '-',
    };
  });
}

/** The columns that fit, the most wanted ones. */
export function fitting(width: number): Column[] {
  const shown = new Set(COLUMNS);
  const used = () => [...shown].reduce((sum, column) => sum + column.width + (column.left ? 1 : 0), 0);
  for (const column of [...COLUMNS].sort((a, b) => b.dispensable - a.dispensable))
    if (used() > width && column.dispensable) shown.delete(column);
  return COLUMNS.filter((column) => shown.has(column));
}

export const cell = (column: Column, text: string) =>
  column.left ? ` ${text.slice(0, column.width - 1).padEnd(column.width)}` : text.padStart(column.width);

/** The table as lines of text, for where there is no terminal. */
export function topTable(rows: readonly GuestRow[]): string[] {
  const line = (text: (column: Column) => string) =>
    COLUMNS.map((column) => cell(column, text(column)))
      .join('')
      .trimEnd();
  return [line(({ title }) => title), ...rows.map((row) => line((column) => column.text(row)))];
}
