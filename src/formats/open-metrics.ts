/**
 * What a fleet's look says, in the text that Prometheus scrapes: OpenMetrics 1.0, or the classic format 0.0.4. Names and
 * labels are those that dashboards for libvirt's exporters know, for guests of every kind; vmscope's own are vmscope_*.
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec
 */
import type { FleetLook, GuestSample } from '../engine/fleet.js';

export type Dialect = 'openmetrics' | 'classic';

/** Content type of each dialect. */
export const CONTENT_TYPES: Record<Dialect, string> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  classic: 'text/plain; version=0.0.4; charset=utf-8',
};

/** By the Accept header. */
export const dialectOf = (accept: string | undefined): Dialect =>
  /application\/openmetrics-text/.test(accept ?? '') ? 'openmetrics' : 'classic';

type Labels = Record<string, string>;
type Value = number | bigint | undefined;

class Family {
  private readonly lines: string[] = [];

  constructor(
    /** Without `_total`. */
    private readonly name: string,
    private readonly type: 'gauge' | 'counter',
    private readonly help: string,
    private readonly unit: string | undefined,
    private readonly dialect: Dialect,
  ) {}

  add(labels: Labels, value: Value, divisor = 1): void {
    if (value === undefined) return;
    const suffix = this.type === 'counter' ? '_total' : '';
    const text = Object.entries(labels).map(([name, label]) => `${name}="${escaped(label)}"`);
    this.lines.push(`${this.name}${suffix}${text.length ? `{${text.join(',')}}` : ''} ${decimal(value, divisor)}`);
  }

  text(): string[] {
    if (this.lines.length === 0) return [];
    // The classic format counts `_total` to the family's name.
    const name = this.dialect === 'classic' && this.type === 'counter' ? `${this.name}_total` : this.name;
    const unit = this.dialect === 'openmetrics' && this.unit ? [`# UNIT ${name} ${this.unit}`] : [];
    return [`# HELP ${name} ${escaped(this.help)}`, `# TYPE ${name} ${this.type}`, ...unit, ...this.lines];
  }
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** Whole nanoseconds as seconds without a rounding; others as they are. */
function decimal(value: number | bigint, divisor: number): string {
  if (divisor === 1) return String(value);
  const ns = BigInt(typeof value === 'bigint' ? value : Math.trunc(value));
  const [whole, rest] = [ns / BigInt(divisor), ns % BigInt(divisor)];
  const digits = String(divisor).length - 1;
  return rest === 0n ? String(whole) : `${whole}.${String(rest).padStart(digits, '0').replace(/0+$/, '')}`;
}

const NS = 1_000_000_000;
/** virDomainState, as the exporters number it. */
const STATES: Record<GuestSample['state'], number> = {
  ...{
    unknown: 0,
    running: 1,
    halted: 1,
    blocked: 2,
    paused: 3,
    'shutting down': 4,
    'shut off': 5,
    crashed: 6,
    suspended: 7,
  },
};

export function metricsText(look: FleetLook, dialect: Dialect): string {
  const families: Family[] = [];
  const family = (name: string, type: 'gauge' | 'counter', help: string, unit?: string): Family => {
    const made = new Family(name, type, help, unit, dialect);
    families.push(made);
    return made;
  };
  const up = family('libvirt_up', 'gauge', 'Whether all sources of guests answered.');
  up.add({}, look.failures.length === 0 ? 1 : 0);
  const failing = family('vmscope_source_failures', 'gauge', 'Sources that did not answer.');
  failing.add({}, look.failures.length);

  const all = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    unit: string | undefined,
    of: (guest: GuestSample) => Value,
    divisor = 1,
  ): void => {
    const made = family(name, type, help, unit);
    for (const guest of look.guests) made.add(labelsOf(guest), of(guest), divisor);
  };
  all('libvirt_domain_info_cpu_time_seconds', 'counter', 'CPU time of the guest.', 'seconds', (g) => g.cpuNs, NS);
  all(
    'libvirt_domain_info_memory_usage_bytes',
    'gauge',
    'Memory that the guest has.',
    'bytes',
    (g) => g.memory.currentBytes,
  );
  all(
    'libvirt_domain_info_maximum_memory_bytes',
    'gauge',
    'Memory that it may have.',
    'bytes',
    (g) => g.memory.maximumBytes,
  );
  all('libvirt_domain_info_virtual_cpus', 'gauge', 'vCPUs.', undefined, (g) => g.vcpus);
  all('libvirt_domain_info_vstate', 'gauge', 'virDomainState.', undefined, (g) => STATES[g.state]);
  const memory: [string, string, Exclude<keyof GuestSample['memory'], 'readFromGuest'>][] = [
    ['unused', 'Not used by the guest.', 'unusedBytes'],
    ['available', 'What the guest calls its memory.', 'availableBytes'],
    ['usable', 'Free, or freed without swapping.', 'usableBytes'],
    ['rss', 'Resident on the host.', 'residentBytes'],
    ['disk_cache', 'Cache of the guest.', 'diskCacheBytes'],
    ['actual_balloon', 'Size by the balloon.', 'currentBytes'],
  ];
  for (const [name, help, field] of memory)
    all(`libvirt_domain_memory_stats_${name}_bytes`, 'gauge', help, 'bytes', (g) => g.memory[field]);

  const vcpu = (
    name: string,
    help: string,
    unit: string | undefined,
    of: (one: NonNullable<GuestSample['vcpu']>[number]) => Value,
    divisor = 1,
  ): void => {
    const made = family(name, 'counter', help, unit);
    for (const guest of look.guests)
      for (const one of guest.vcpu ?? []) made.add({ ...labelsOf(guest), vcpu: String(one.number) }, of(one), divisor);
  };
  vcpu('libvirt_domain_vcpu_time_seconds', 'Time on a CPU.', 'seconds', (one) => one.timeNs, NS);
  vcpu('libvirt_domain_vcpu_delay_seconds', 'Time runnable without a CPU.', 'seconds', (one) => one.waitNs, NS);
  vcpu('kvm_vcpu_exits', 'VM exits.', undefined, (one) => one.exits?.total);
  const reasons = { io: 'IO', mmio: 'MMIO', halt: 'HLT', irq: 'EXTERNAL_INTERRUPT' };
  for (const [name, reason] of Object.entries(reasons))
    vcpu(`kvm_vcpu_${name}_exits`, `VM exits: ${reason}.`, undefined, (one) => one.exits?.byReason[reason]);

  const disk = (
    name: string,
    help: string,
    unit: string | undefined,
    of: (one: NonNullable<GuestSample['disks']>[number]) => Value,
    divisor = 1,
  ): void => {
    const made = family(`libvirt_domain_block_stats_${name}`, 'counter', help, unit);
    for (const guest of look.guests)
      for (const one of unique(guest.disks))
        made.add({ ...labelsOf(guest), target_device: one.device }, of(one), divisor);
  };
  disk('read_bytes', 'Read.', 'bytes', (one) => one.readBytes);
  disk('write_bytes', 'Written.', 'bytes', (one) => one.writeBytes);
  disk('read_requests', 'Reads.', undefined, (one) => one.readRequests);
  disk('write_requests', 'Writes.', undefined, (one) => one.writeRequests);
  disk('read_time_seconds', 'Time of reads.', 'seconds', (one) => one.readNs, NS);
  disk('write_time_seconds', 'Time of writes.', 'seconds', (one) => one.writeNs, NS);

  const nic = (way: 'receive' | 'transmit', start: 'rx' | 'tx'): void => {
    for (const what of ['Bytes', 'Packets', 'Errors', 'Drops'] as const) {
      const made = family(
        `libvirt_domain_interface_stats_${way}_${what.toLowerCase()}`,
        'counter',
        `${what}, ${way}.`,
        what === 'Bytes' ? 'bytes' : undefined,
      );
      for (const guest of look.guests)
        for (const one of unique(guest.nics))
          made.add({ ...labelsOf(guest), target_device: one.device }, one[`${start}${what}`]);
    }
  };
  nic('receive', 'rx');
  nic('transmit', 'tx');

  const exits = family('vmscope_guest_exits', 'counter', 'VM exits of a guest.');
  const byReason = family('vmscope_guest_exits_by_reason', 'counter', 'VM exits of a guest by reason.');
  for (const guest of look.guests) {
    exits.add(labelsOf(guest), guest.exits?.total);
    for (const [reason, n] of Object.entries(guest.exits?.byReason ?? {}))
      byReason.add({ ...labelsOf(guest), reason }, n);
  }
  all('vmscope_guest_instructions', 'counter', 'Retired instructions.', undefined, (g) => g.instructions);
  all('vmscope_guest_start_time_seconds', 'gauge', 'When it was started, Unix time.', 'seconds', (g) =>
    g.startedMs === undefined ? undefined : g.startedMs / 1000,
  );
  all(
    'vmscope_guest_major_faults',
    'counter',
    'Major faults of its process.',
    undefined,
    (g) => g.process?.majorFaults,
  );
  all(
    'vmscope_guest_minor_faults',
    'counter',
    'Minor faults of its process.',
    undefined,
    (g) => g.process?.minorFaults,
  );
  all(
    'vmscope_guest_process_read_bytes',
    'counter',
    'Read from storage by its process.',
    'bytes',
    (g) => g.process?.readBytes,
  );
  all(
    'vmscope_guest_process_written_bytes',
    'counter',
    'Written to storage by its process.',
    'bytes',
    (g) => g.process?.writeBytes,
  );
  vcpu('vmscope_vcpu_halt_polls', 'Polls before halts.', undefined, (one) => one.haltPolls?.attempted);
  vcpu(
    'vmscope_vcpu_successful_halt_polls',
    'Polls before halts that ended in time.',
    undefined,
    (one) => one.haltPolls?.successful,
  );
  vcpu(
    'vmscope_vcpu_halt_poll_wasted_seconds',
    'Time of polls before halts for nothing.',
    'seconds',
    (one) => one.haltPolls?.wastedNs,
    NS,
  );
  jobs(look, family);
  hosts(look, family);
  return [...families.flatMap((made) => made.text()), ...(dialect === 'openmetrics' ? ['# EOF'] : []), ''].join('\n');
}

type MakeFamily = (name: string, type: 'gauge' | 'counter', help: string, unit?: string) => Family;

/** Of migrations, backups and the like: a guest has one of a kind and device. */
function jobs(look: FleetLook, family: MakeFamily): void {
  const job = (
    name: string,
    help: string,
    unit: string | undefined,
    of: (one: NonNullable<GuestSample['jobs']>[number]) => Value,
    divisor = 1,
  ): void => {
    const made = family(`vmscope_job_${name}`, 'gauge', help, unit);
    for (const guest of look.guests) {
      const seen = new Set<string>();
      for (const one of guest.jobs ?? []) {
        const labels = { ...labelsOf(guest), kind: one.kind, target_device: one.device ?? '' };
        const key = `${one.kind} ${one.device}`;
        if (!seen.has(key)) made.add(labels, of(one), divisor);
        seen.add(key);
      }
    }
  };
  job('done_bytes', 'Bytes that a migration, a backup or another job has done.', 'bytes', (one) => one.doneBytes);
  job('total_bytes', 'Bytes that it has to do.', 'bytes', (one) => one.totalBytes);
  job(
    'dirty_bytes_per_second',
    'Memory that the guest changes meanwhile.',
    undefined,
    (one) => one.dirtyBytesPerSecond,
  );
  job('downtime_seconds', 'Expected downtime of the guest.', 'seconds', (one) => one.downtimeMs, 1000);
}

function hosts(look: FleetLook, family: MakeFamily): void {
  const pressure = family(
    'vmscope_host_pressure_ratio',
    'gauge',
    'Part of the time in which work waited, over 10 s.',
    'ratio',
  );
  const busy = family('vmscope_host_cpu_busy_seconds', 'counter', 'Time that a CPU was not idle.', 'seconds');
  const steal = family(
    'vmscope_host_cpu_steal_seconds',
    'counter',
    'Steal time: time that the hypervisor below the host took.',
    'seconds',
  );
  for (const { hostname: host, cpu, pressure: part } of look.hosts) {
    for (const [resource, percent] of [
      ['cpu', part?.cpuSome],
      ['memory', part?.memorySome],
      ['io', part?.ioSome],
    ] as const)
      pressure.add({ host, resource }, percent === undefined ? undefined : percent / 100);
    for (const [number, { busyNs, stealNs }] of (cpu ?? []).entries()) {
      busy.add({ host, cpu: String(number) }, busyNs, NS);
      steal.add({ host, cpu: String(number) }, stealNs, NS);
    }
  }
}

/** `uuid` tells guests of the same name apart; where there is none, the key does. */
const labelsOf = (guest: GuestSample): Labels => ({ domain: guest.name, uuid: guest.uuid ?? guest.key });

/** A series may be there once: of devices with the same name the first. */
function unique<T extends { device: string }>(items: readonly T[] | undefined): T[] {
  const seen = new Set<string>();
  return (items ?? []).filter(({ device }) => !seen.has(device) && seen.add(device));
}
