/**
 * What is shown of each guest: the newest look and what changed since the one before. Formulae are virt-top's where it
 * has the column: sums over an interval, not per second.
 */
import type { FleetLook, GuestSample, HostLook } from '../../engine/fleet.js';

/** Reads and writes of disks, receive and transmit of network interfaces; undefined where a source does not count. */
export interface Traffic {
  readRequests?: number;
  writeRequests?: number;
  readBytes?: number;
  writeBytes?: number;
  rxBytes?: number;
  txBytes?: number;
  rxPackets?: number;
  txPackets?: number;
}

export interface GuestRow extends Traffic {
  sample: GuestSample;
  /** Length of the interval; absent: there was no look before. */
  seconds?: number;
  /** CPU time of the interval, ns. */
  cpuNs?: number;
  /** 100: all CPUs of the host, as virt-top has it. */
  cpuPercent?: number;
  /** 100: one CPU of the host. */
  oneCpuPercent?: number;
  /** Part of the host's memory that the guest has. */
  memoryPercent?: number;
  /** Runnable without a CPU, percent of the interval, mean of the vCPUs. */
  readyPercent?: number;
  /** Really used in the guest. */
  usedBytes?: number;
  /** Mean time of a request of the interval, ms. */
  readMs?: number;
  writeMs?: number;
  exitsPerSecond?: number;
  instructionsPerSecond?: number;
  /** Most frequent reason in the interval, of all exits before there was one. */
  topReason?: string;
  haltPollWastedPercent?: number;
  majorFaultsPerSecond?: number;
  minorFaultsPerSecond?: number;
  /** Of the guest's process, from and to the host's storage: beside what the guest asked for. */
  processReadBytes?: number;
  processWriteBytes?: number;
}

/** A disk or a network interface with its guest, for the views of devices. */
export interface DeviceRow extends Traffic {
  guest: GuestRow;
  device: string;
  path?: string;
  readMs?: number;
  writeMs?: number;
  drops?: number;
}

/** Counters start again at a reset. */
const delta = (now: number | undefined, before: number | undefined): number | undefined =>
  now === undefined || before === undefined ? undefined : Math.max(0, now - before);
const deltaNs = (now: bigint | undefined, before: bigint | undefined): number | undefined =>
  now === undefined || before === undefined ? undefined : Number(now > before ? now - before : 0n);

/** Sum over items of what changed; undefined where none is counted. */
function changed<T extends { device: string }>(
  now: readonly T[] | undefined,
  before: readonly T[] | undefined,
  of: (item: T) => number | undefined,
): number | undefined {
  const sum = (items: readonly T[]): number | undefined =>
    items.reduce<number | undefined>((all, item) => (of(item) === undefined ? all : (all ?? 0) + of(item)!), undefined);
  return now && before ? delta(sum(now), sum(before)) : undefined;
}

const latency = (timeNs: number | undefined, requests: number | undefined): number | undefined =>
  timeNs === undefined || !requests ? undefined : timeNs / requests / 1e6;

/** Rows from two looks. @param previous rows of the look before: they stay for guests of which nothing newer is known */
export function guestRows(
  before: readonly GuestSample[],
  now: readonly GuestSample[],
  host: HostLook | undefined,
  previous: readonly GuestRow[] = [],
): GuestRow[] {
  const olds = new Map(before.map((sample) => [sample.key, sample]));
  const rows = new Map(previous.map((row) => [row.sample.key, row]));
  return now.map((sample) => {
    const old = olds.get(sample.key);
    const same = old !== undefined && old.process?.pid === sample.process?.pid && old.id === sample.id;
    if (sample === old && rows.has(sample.key)) return rows.get(sample.key)!;
    if (same && sample.ms === old.ms) return { ...(rows.get(sample.key) ?? firstRow(sample, host)), sample };
    return same && sample.ms > old.ms ? nextRow(old, sample, host) : firstRow(sample, host);
  });
}

function firstRow(sample: GuestSample, host: HostLook | undefined): GuestRow {
  return { sample, ...memory(sample, host), topReason: mostFrequent(sample.exits?.byReason ?? {}) };
}

function memory(sample: GuestSample, host: HostLook | undefined): Partial<GuestRow> {
  const { currentBytes, availableBytes, usableBytes, unusedBytes } = sample.memory;
  const free = usableBytes ?? unusedBytes;
  return {
    ...(currentBytes === undefined || !host ? {} : { memoryPercent: (100 * currentBytes) / host.memoryBytes }),
    ...(availableBytes === undefined || free === undefined ? {} : { usedBytes: Math.max(0, availableBytes - free) }),
  };
}

function mostFrequent(counts: Record<string, number>): string | undefined {
  let most: string | undefined;
  for (const [reason, n] of Object.entries(counts))
    if (n > 0 && (most === undefined || n > counts[most]!)) most = reason;
  return most;
}

function nextRow(old: GuestSample, sample: GuestSample, host: HostLook | undefined): GuestRow {
  const seconds = (sample.ms - old.ms) / 1000;
  const cpuNs = deltaNs(sample.cpuNs, old.cpuNs);
  const disks = (of: (disk: NonNullable<GuestSample['disks']>[number]) => number | undefined) =>
    changed(sample.disks, old.disks, of);
  const nics = (of: (nic: NonNullable<GuestSample['nics']>[number]) => number | undefined) =>
    changed(sample.nics, old.nics, of);
  const readRequests = disks((disk) => disk.readRequests);
  const writeRequests = disks((disk) => disk.writeRequests);
  const waits = (sample.vcpu ?? []).map((vcpu) =>
    deltaNs(vcpu.waitNs, old.vcpu?.find(({ number }) => number === vcpu.number)?.waitNs),
  );
  const wasted = (sample.vcpu ?? []).map((vcpu) =>
    deltaNs(vcpu.haltPolls?.wastedNs, old.vcpu?.find(({ number }) => number === vcpu.number)?.haltPolls?.wastedNs),
  );
  const share = (all: (number | undefined)[]): number | undefined => {
    const known = all.filter((n) => n !== undefined);
    return known.length ? (100 * known.reduce((sum, n) => sum + n, 0)) / known.length / (seconds * 1e9) : undefined;
  };
  const reasons = Object.fromEntries(
    Object.entries(sample.exits?.byReason ?? {}).map(([name, n]) => [name, n - (old.exits?.byReason[name] ?? 0)]),
  );
  const exits = delta(sample.exits?.total, old.exits?.total);
  const instructions = deltaNs(sample.instructions, old.instructions);
  const ofProcess = (name: 'majorFaults' | 'minorFaults' | 'readBytes' | 'writeBytes') =>
    delta(sample.process?.[name], old.process?.[name]);
  const each = (value: number | undefined) => (value === undefined ? undefined : value / seconds);
  const oneCpuPercent = cpuNs === undefined ? undefined : (100 * cpuNs) / (seconds * 1e9);
  return {
    sample,
    seconds,
    cpuNs,
    oneCpuPercent,
    cpuPercent: oneCpuPercent === undefined ? undefined : oneCpuPercent / (host?.cpus ?? 1),
    ...memory(sample, host),
    readyPercent: share(waits),
    haltPollWastedPercent: share(wasted),
    readRequests,
    writeRequests,
    readBytes: disks((disk) => disk.readBytes),
    writeBytes: disks((disk) => disk.writeBytes),
    readMs: latency(
      disks((disk) => ms(disk.readNs)),
      readRequests,
    ),
    writeMs: latency(
      disks((disk) => ms(disk.writeNs)),
      writeRequests,
    ),
    rxBytes: nics((nic) => nic.rxBytes),
    txBytes: nics((nic) => nic.txBytes),
    rxPackets: nics((nic) => nic.rxPackets),
    txPackets: nics((nic) => nic.txPackets),
    exitsPerSecond: exits === undefined ? undefined : exits / seconds,
    instructionsPerSecond: instructions === undefined ? undefined : instructions / seconds,
    topReason: mostFrequent(reasons),
    majorFaultsPerSecond: each(ofProcess('majorFaults')),
    minorFaultsPerSecond: each(ofProcess('minorFaults')),
    processReadBytes: ofProcess('readBytes'),
    processWriteBytes: ofProcess('writeBytes'),
  };
}

const ms = (ns: bigint | undefined): number | undefined => (ns === undefined ? undefined : Number(ns));

/** A row a disk. */
export function diskRows(before: readonly GuestSample[], rows: readonly GuestRow[]): DeviceRow[] {
  const olds = new Map(before.map((sample) => [sample.key, sample]));
  return rows.flatMap((guest) =>
    (guest.sample.disks ?? []).map((disk) => {
      const old = olds.get(guest.sample.key)?.disks?.find(({ device }) => device === disk.device);
      const readRequests = delta(disk.readRequests, old?.readRequests);
      const writeRequests = delta(disk.writeRequests, old?.writeRequests);
      return {
        guest,
        device: disk.device,
        path: disk.path,
        readRequests,
        writeRequests,
        readBytes: delta(disk.readBytes, old?.readBytes),
        writeBytes: delta(disk.writeBytes, old?.writeBytes),
        readMs: latency(deltaNs(disk.readNs, old?.readNs), readRequests),
        writeMs: latency(deltaNs(disk.writeNs, old?.writeNs), writeRequests),
      };
    }),
  );
}

/** A row a network interface. */
export function nicRows(before: readonly GuestSample[], rows: readonly GuestRow[]): DeviceRow[] {
  const olds = new Map(before.map((sample) => [sample.key, sample]));
  return rows.flatMap((guest) =>
    (guest.sample.nics ?? []).map((nic) => {
      const old = olds.get(guest.sample.key)?.nics?.find(({ device }) => device === nic.device);
      const drops = (of: typeof nic | undefined) =>
        of?.rxDrops === undefined && of?.txDrops === undefined ? undefined : (of.rxDrops ?? 0) + (of.txDrops ?? 0);
      return {
        guest,
        device: nic.device,
        rxBytes: delta(nic.rxBytes, old?.rxBytes),
        txBytes: delta(nic.txBytes, old?.txBytes),
        rxPackets: delta(nic.rxPackets, old?.rxPackets),
        txPackets: delta(nic.txPackets, old?.txPackets),
        drops: delta(drops(nic), drops(old)),
      };
    }),
  );
}

/** How much each CPU of the host did, and how much of it the host's own host took away, percent. */
export function cpuShares(
  before: HostLook | undefined,
  now: HostLook | undefined,
): { busy: number | undefined; steal: number | undefined }[] {
  return (now?.cpu ?? []).map((cpu, n) => {
    const old = before?.cpu?.[n];
    const all = deltaNs(cpu.allNs, old?.allNs);
    const share = (part: number | undefined) => (all && part !== undefined ? (100 * part) / all : undefined);
    return { busy: share(deltaNs(cpu.busyNs, old?.busyNs)), steal: share(deltaNs(cpu.stealNs, old?.stealNs)) };
  });
}

/** Two looks that follow each other, and their rows. */
export interface Interval {
  before: FleetLook | undefined;
  now: FleetLook;
  rows: GuestRow[];
}

export function nextInterval(last: Interval | undefined, now: FleetLook): Interval {
  const before = last?.now;
  return { before, now, rows: guestRows(before?.guests ?? [], now.guests, now.hosts[0], last?.rows) };
}
