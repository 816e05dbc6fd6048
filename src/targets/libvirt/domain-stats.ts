/** What libvirt's typed parameters say about a domain, as a sample of the fleet API. */
import type { DiskLook, ExitCounts, GuestSample, GuestState, NicLook, VcpuLook } from '../../engine/fleet.js';
import type { Parameters, ParameterValue } from './protocol.js';

/** By virDomainState. */
const STATES: readonly GuestState[] = [
  'unknown',
  'running',
  'blocked',
  'paused',
  'shutting down',
  'shut off',
  'crashed',
  'suspended',
];

/** By virDomainPausedReason, where it says more than "a user did it". */
const PAUSED: Record<number, string> = {
  2: 'migrating',
  3: 'saving',
  4: 'dumping',
  5: 'I/O error',
  6: 'watchdog',
  7: 'restored',
  8: 'shutting down',
  9: 'snapshot',
  10: 'crashed',
  11: 'starting',
  12: 'postcopy',
  13: 'postcopy failed',
  14: 'API error',
};

export const domainState = (state: ParameterValue | undefined): GuestState => STATES[Number(state ?? 0)] ?? 'unknown';

const KIB = 1024;
/** Of a group: `block.0.rd.reqs` is field `rd.reqs` of item 0. */
const ITEM = /^(vcpu|net|block)\.(\d{1,5})\.(.+)$/;
type Fields = Map<string, ParameterValue>;

function grouped(parameters: Parameters): Record<'vcpu' | 'net' | 'block', Map<number, Fields>> {
  const groups = { vcpu: new Map<number, Fields>(), net: new Map<number, Fields>(), block: new Map<number, Fields>() };
  for (const [field, value] of parameters) {
    const item = ITEM.exec(field);
    if (!item) continue;
    const group = groups[item[1] as 'vcpu' | 'net' | 'block'];
    const number = Number(item[2]);
    let fields = group.get(number);
    if (!fields) group.set(number, (fields = new Map()));
    fields.set(item[3]!, value);
  }
  return groups;
}

const count = (fields: Fields, name: string): number | undefined => {
  const value = fields.get(name);
  return value === undefined || typeof value === 'string' ? undefined : Number(value);
};
const ns = (fields: Fields, name: string): bigint | undefined => {
  const value = fields.get(name);
  return typeof value === 'bigint' ? value : typeof value === 'number' ? BigInt(Math.trunc(value)) : undefined;
};
const text = (fields: Fields, name: string): string | undefined => {
  const value = fields.get(name);
  return typeof value === 'string' ? value : undefined;
};

/** KVM's counter of all exits; the others in words of exit reasons. */
const EXITS: Record<string, string> = {
  'io_exits.sum': 'IO',
  'mmio_exits.sum': 'MMIO',
  'halt_exits.sum': 'HLT',
  'irq_exits.sum': 'EXTERNAL_INTERRUPT',
  'irq_window_exits.sum': 'INTERRUPT_WINDOW',
  'nmi_window_exits.sum': 'NMI_WINDOW',
  'signal_exits.sum': 'SIGNAL',
  'hypercalls.sum': 'HYPERCALL',
  'pf_taken.sum': 'PAGE_FAULT',
};

/** Of KVM's statistics, in libvirt's names; QEMU's are the same with `-` and without `.sum`. */
export function kvmExits(value: (name: string) => number | undefined): ExitCounts | undefined {
  const total = value('exits.sum');
  if (total === undefined) return undefined;
  const byReason: Record<string, number> = {};
  for (const [name, reason] of Object.entries(EXITS)) {
    const n = value(name);
    if (n !== undefined) byReason[reason] = n;
  }
  return { total, byReason };
}

export function addExits(all: readonly (ExitCounts | undefined)[]): ExitCounts | undefined {
  const known = all.filter((exits) => exits !== undefined);
  if (known.length === 0) return undefined;
  const sum: ExitCounts = { total: 0, byReason: {} };
  for (const { total, byReason } of known) {
    sum.total += total;
    for (const [reason, n] of Object.entries(byReason)) sum.byReason[reason] = (sum.byReason[reason] ?? 0) + n;
  }
  return sum;
}

function vcpuLook(number: number, fields: Fields): VcpuLook {
  const attempted = count(fields, 'halt_attempted_poll.sum');
  return {
    number,
    timeNs: ns(fields, 'time'),
    waitNs: ns(fields, 'delay'),
    exits: kvmExits((name) => count(fields, name)),
    ...(attempted === undefined
      ? {}
      : {
          haltPolls: {
            attempted,
            successful: count(fields, 'halt_successful_poll.sum') ?? 0,
            wastedNs: ns(fields, 'halt_poll_fail_ns.sum'),
          },
        }),
  };
}

function diskLook(fields: Fields): DiskLook {
  return {
    device: text(fields, 'name') ?? '?',
    path: text(fields, 'path'),
    readRequests: count(fields, 'rd.reqs'),
    readBytes: count(fields, 'rd.bytes'),
    readNs: ns(fields, 'rd.times'),
    writeRequests: count(fields, 'wr.reqs'),
    writeBytes: count(fields, 'wr.bytes'),
    writeNs: ns(fields, 'wr.times'),
    flushRequests: count(fields, 'fl.reqs'),
    capacityBytes: count(fields, 'capacity'),
    allocationBytes: count(fields, 'allocation'),
  };
}

function nicLook(fields: Fields): NicLook {
  const of = (name: string) => count(fields, name);
  return {
    device: text(fields, 'name') ?? '?',
    rxBytes: of('rx.bytes'),
    rxPackets: of('rx.pkts'),
    rxErrors: of('rx.errs'),
    rxDrops: of('rx.drop'),
    txBytes: of('tx.bytes'),
    txPackets: of('tx.pkts'),
    txErrors: of('tx.errs'),
    txDrops: of('tx.drop'),
  };
}

/** What the parameters tell; the caller knows who the guest is. */
export type DomainCounters = Pick<
  GuestSample,
  'state' | 'stateText' | 'vcpus' | 'cpuNs' | 'vcpu' | 'memory' | 'disks' | 'nics' | 'exits' | 'missing'
>;

export function domainCounters(parameters: Parameters): DomainCounters {
  const groups = grouped(parameters);
  const items = <T>(group: Map<number, Fields>, look: (number: number, fields: Fields) => T): T[] =>
    [...group].sort(([a], [b]) => a - b).map(([number, fields]) => look(number, fields));
  const kib = (name: string): number | undefined => {
    const value = count(parameters, name);
    return value === undefined ? undefined : value * KIB;
  };
  const state = domainState(parameters.get('state.state'));
  const reason = count(parameters, 'state.reason');
  const vcpu = items(groups.vcpu, vcpuLook);
  const nics = items(groups.net, (_, fields) => nicLook(fields));
  const netCount = count(parameters, 'net.count') ?? 0;
  const counted = nics.some(({ rxBytes }) => rxBytes !== undefined);
  const exits = addExits(vcpu.map((one) => one.exits));
  return {
    state,
    ...(state === 'paused' && PAUSED[reason ?? 0] ? { stateText: PAUSED[reason!] } : {}),
    vcpus: count(parameters, 'vcpu.current') ?? vcpu.length,
    cpuNs: ns(parameters, 'cpu.time'),
    ...(vcpu.length ? { vcpu } : {}),
    memory: {
      currentBytes: kib('balloon.current'),
      maximumBytes: kib('balloon.maximum'),
      availableBytes: kib('balloon.available'),
      unusedBytes: kib('balloon.unused'),
      usableBytes: kib('balloon.usable'),
      diskCacheBytes: kib('balloon.disk_caches'),
      swapInBytes: kib('balloon.swap_in'),
      swapOutBytes: kib('balloon.swap_out'),
      majorFaults: count(parameters, 'balloon.major_fault'),
      minorFaults: count(parameters, 'balloon.minor_fault'),
      residentBytes: kib('balloon.rss'),
    },
    ...(groups.block.size ? { disks: items(groups.block, (_, fields) => diskLook(fields)) } : {}),
    ...(counted ? { nics } : {}),
    exits,
    missing: {
      ...(netCount > 0 && !counted ? { nics: 'user network: libvirt has no counters' } : {}),
      ...(netCount === 0 && parameters.has('net.count') ? { nics: 'no network interface' } : {}),
      ...(parameters.has('block.count') && groups.block.size === 0 ? { disks: 'no disk' } : {}),
      ...(parameters.has('balloon.current') && !parameters.has('balloon.available')
        ? { 'used memory': 'no balloon driver with a statistics period in the guest' }
        : {}),
      ...(vcpu.length && !exits ? { exits: 'no KVM counters: a TCG guest, or libvirt before 8.9' } : {}),
    },
  };
}
