/** The view of the host's CPUs: how busy each is, and which guests ran there, as virt-top's view 1. */
import type { FleetLook } from '../../engine/fleet.js';
import { type Column, percent } from './columns.js';
import { cpuShares, type GuestRow } from './rows.js';

export interface CpuRow {
  number: number;
  busy?: number;
  /** Percent in which the host's own host had it. */
  steal?: number;
  /** Guests that ran there in the interval, those that ran most first: percent of the CPU, and of this by its vCPUs. */
  guests: { name: string; total: number; guest: number | undefined }[];
  /** Why none is told. */
  why?: string;
}

export function cpuRows(
  before: FleetLook | undefined,
  now: FleetLook | undefined,
  guests: readonly GuestRow[],
): CpuRow[] {
  const olds = new Map((before?.guests ?? []).map((sample) => [sample.key, sample]));
  const why = guests.map(({ sample }) => sample.missing?.['host CPUs']).find((text) => text !== undefined);
  return cpuShares(before?.hosts[0], now?.hosts[0]).map(({ busy, steal }, number) => {
    const ran = guests.flatMap(({ sample }) => {
      const [old, time] = [olds.get(sample.key), sample.pcpu?.[number]];
      const last = old?.pcpu?.[number];
      const ns = (sample.ms - (old?.ms ?? sample.ms)) * 1e6;
      if (!time || !last || ns <= 0) return [];
      const share = (a: bigint, b: bigint): number => (100 * Number(a > b ? a - b : 0n)) / ns;
      const total = share(time.cpuNs, last.cpuNs);
      if (total < 0.05) return [];
      const both = time.guestNs !== undefined && last.guestNs !== undefined;
      return [{ name: sample.name, total, guest: both ? share(time.guestNs!, last.guestNs!) : undefined }];
    });
    ran.sort((a, b) => b.total - a.total);
    return { number, busy, steal, guests: ran, ...(why === undefined ? {} : { why }) };
  });
}

/** `web 12.3=11.0 db 3.1`: all of it, and behind the sign what the guest itself had. */
function guestsText({ guests, why }: CpuRow): string | undefined {
  if (guests.length === 0) return why;
  const share = (value: number): string => percent(value).trim();
  return guests
    .map(({ name, total, guest }) => `${name} ${share(total)}${guest === undefined ? '' : `=${share(guest)}`}`)
    .join('  ');
}

export const CPU_COLUMNS: readonly Column<CpuRow>[] = [
  { id: 'cpu', title: 'CPU', width: 6, dispensable: 0, text: (r) => String(r.number), key: (r) => -r.number },
  {
    id: 'busy',
    title: '%BUSY',
    width: 8,
    dispensable: 0,
    text: (r) => (r.busy === undefined ? undefined : percent(r.busy)),
    key: (r) => r.busy ?? -1,
    alarm: (r) => (r.busy === undefined || r.busy < 80 ? undefined : r.busy < 95 ? 'warn' : 'crit'),
  },
  {
    ...{ id: 'steal', title: '%STEAL', width: 8, dispensable: 1 },
    text: (r) => (r.steal === undefined ? undefined : percent(r.steal)),
    key: (r) => r.steal ?? -1,
    alarm: (r) => (r.steal === undefined || r.steal < 5 ? undefined : r.steal < 10 ? 'warn' : 'crit'),
  },
  {
    ...{ id: 'bar', title: '', width: 22, dispensable: 1, left: true },
    text: (r) => '█'.repeat(Math.round((r.busy ?? 0) / 5)),
    key: (r) => r.busy ?? -1,
  },
  {
    ...{ id: 'guests', title: 'GUESTS: % OF THIS CPU=BY ITS vCPUs', width: 66, dispensable: 1, left: true },
    text: guestsText,
    key: (r) => r.guests[0]?.total ?? -1,
  },
];
