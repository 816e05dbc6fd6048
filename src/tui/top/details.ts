/** The pane below the table: all that is known of the guest under the cursor, with its history. */

import { counted } from '../../engine/counted.js';
import type { GuestDetails } from '../../engine/fleet.js';
import type { Segment } from '../screen/cell-pane.js';
import { grouped, rate, size, sparkline } from '../screen/text.js';
import type { Theme } from '../screen/theme.js';
import { cpuTime, percent } from './columns.js';
import type { DeviceRow, GuestRow } from './rows.js';

/** Values of the last looks, oldest first. */
export interface History {
  cpu: number[];
  exits: number[];
  disk: number[];
  net: number[];
}

export const newHistory = (): History => ({ cpu: [], exits: [], disk: [], net: [] });
const HISTORY = 240;

export function remember(history: History, row: GuestRow): void {
  if (row.seconds === undefined) return;
  const add = (list: number[], value: number | undefined) => {
    list.push(value ?? 0);
    if (list.length > HISTORY) list.shift();
  };
  add(history.cpu, row.oneCpuPercent);
  add(history.exits, row.exitsPerSecond);
  add(history.disk, ((row.readBytes ?? 0) + (row.writeBytes ?? 0)) / row.seconds);
  add(history.net, ((row.rxBytes ?? 0) + (row.txBytes ?? 0)) / row.seconds);
}

const mib = (bytes: number): string => size(BigInt(Math.round(bytes / 2 ** 20) * 2 ** 20));
const perSecond = (value: number | undefined, row: { seconds?: number }): string =>
  value === undefined || !row.seconds ? '-' : `${rate(value / row.seconds)}/s`;

const wasted = (ns: bigint | undefined): string =>
  ns === undefined ? '' : `, ${(Number(ns) / 1e6).toFixed(1)} ms for nothing`;

export function detailLines(
  row: GuestRow,
  disks: readonly DeviceRow[],
  nics: readonly DeviceRow[],
  history: History | undefined,
  more: GuestDetails | string | undefined,
  theme: Theme,
  width: number,
): Segment[][] {
  const { sample } = row;
  const lines: Segment[][] = [];
  const field = (name: string, value: string): Segment[] => [[` ${name.padEnd(15)}`, theme.label], [value]];
  const heading = (text: string): void => void lines.push([[` ${text}`, theme.title]]);
  lines.push([
    ...field('state', `${sample.state}${sample.stateText ? `: ${sample.stateText}` : ''}`),
    [`   by ${sample.source}`, theme.dim],
    ...(sample.uuid ? ([[`   ${sample.uuid}`, theme.dim]] as Segment[]) : []),
  ]);
  if (history && history.cpu.length > 0) {
    const room = Math.max(10, Math.min(HISTORY, width - 36));
    const graph = (name: string, values: number[], text: (value: number) => string): void =>
      void lines.push([
        [` ${name.padEnd(15)}`, theme.label],
        [sparkline(values, room), theme.number],
        [`  ${text(values.at(-1) ?? 0)}, most ${text(Math.max(...values))}`, theme.dim],
      ]);
    graph('CPU', history.cpu, (value) => `${percent(value).trim()} %`);
    if (sample.exits) graph('exits/s', history.exits, rate);
    if (sample.disks) graph('disk B/s', history.disk, rate);
    if (sample.nics) graph('net B/s', history.net, rate);
  }
  const { memory, process } = sample;
  const parts: [string, number | undefined][] = [
    ['has', memory.currentBytes],
    ['of', memory.maximumBytes],
    ['used', row.usedBytes],
    ['cache', memory.diskCacheBytes],
    ['resident on the host', memory.residentBytes ?? process?.residentBytes],
    ['swapped in', memory.swapInBytes],
  ];
  const known = parts.filter(([, value]) => value !== undefined).map(([name, value]) => `${name} ${mib(value!)}`);
  const by = memory.readFromGuest ? "  (by its kernel's counters)" : '';
  if (known.length) lines.push(field('memory', known.join('  ') + by));
  if (process) {
    const io =
      process.readBytes === undefined
        ? ''
        : `  storage read ${mib(process.readBytes)} (${perSecond(row.processReadBytes, row)}) written ${mib(process.writeBytes ?? 0)} (${perSecond(row.processWriteBytes, row)})`;
    const faults =
      process.majorFaults === undefined
        ? ''
        : `  faults ${grouped(process.majorFaults)} major ${grouped(process.minorFaults ?? 0)} minor`;
    lines.push(field('process', `pid ${process.pid}  ${counted(process.threads ?? '?', 'thread')}${faults}${io}`));
  }
  if (sample.exits) {
    const reasons = Object.entries(sample.exits.byReason)
      .filter(([, n]) => n > 0)
      .sort((a, b) => b[1] - a[1])
      .map(([name, n]) => `${name} ${grouped(n)}`);
    lines.push(field('exits', `${grouped(sample.exits.total)}  ${reasons.join('  ')}`));
  }
  for (const job of sample.jobs ?? []) {
    const share = job.totalBytes ? ` ${Math.floor((100 * (job.doneBytes ?? 0)) / job.totalBytes)} %` : '';
    const dirty = job.dirtyBytesPerSecond === undefined ? '' : `  dirty ${rate(job.dirtyBytesPerSecond)}B/s`;
    const down = job.downtimeMs === undefined ? '' : `  downtime ${job.downtimeMs} ms`;
    const name = job.device === undefined ? job.kind : `${job.kind} ${job.device}`;
    lines.push(field(name, `${mib(job.doneBytes ?? 0)} of ${mib(job.totalBytes ?? 0)}${share}${dirty}${down}`));
  }
  for (const vcpu of sample.vcpu ?? []) {
    const polls = vcpu.haltPolls
      ? `  halt polls ${grouped(vcpu.haltPolls.successful)} of ${grouped(vcpu.haltPolls.attempted)} in time${wasted(vcpu.haltPolls.wastedNs)}`
      : '';
    const exits = vcpu.exits ? `  exits ${grouped(vcpu.exits.total)}` : '';
    const time = vcpu.timeNs === undefined ? '' : cpuTime(vcpu.timeNs).trim();
    const wait = vcpu.waitNs === undefined ? '' : `  waited for a CPU ${cpuTime(vcpu.waitNs).trim()}`;
    lines.push(field(`vCPU ${vcpu.number}`, `${time}${wait}${exits}${polls}`));
  }
  for (const disk of disks) {
    const ms =
      disk.readMs === undefined && disk.writeMs === undefined
        ? ''
        : `  ${(disk.readMs ?? 0).toFixed(1)} / ${(disk.writeMs ?? 0).toFixed(1)} ms`;
    const figures = `read ${perSecond(disk.readBytes, row)} write ${perSecond(disk.writeBytes, row)}${ms}`;
    lines.push(field(disk.device, `${figures}  ${disk.path ?? ''}`));
  }
  for (const nic of nics)
    lines.push(field(nic.device, `rx ${perSecond(nic.rxBytes, row)} tx ${perSecond(nic.txBytes, row)}`));
  for (const [group, why] of Object.entries(sample.missing ?? {})) lines.push(field(`no ${group}`, why));
  if (typeof more === 'string') lines.push([[` ${more}`, theme.crit]]);
  else
    for (const [title, rows] of more ?? []) {
      heading(title);
      for (const [name, value] of rows) lines.push(field(name, value));
    }
  return lines;
}
