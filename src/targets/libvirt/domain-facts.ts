/**
 * What libvirt tells of a domain beside its statistics, each by a call of its own: how a job goes on, where its vCPUs have
 * run, which addresses it has. All work over a read-only connection but the guest agent's addresses.
 */
import type { JobLook } from '../../engine/fleet.js';
import { type DomainName, PROCEDURE, readParameter, readParameters, writeDomain } from './protocol.js';
import { type XdrReader, XdrWriter } from './xdr.js';

/** Asks a procedure within the time that the caller gives it. */
export type Ask = (procedure: number, body: XdrWriter) => Promise<XdrReader>;

const about = (domain: DomainName): XdrWriter => {
  const body = new XdrWriter();
  writeDomain(body, domain);
  return body;
};

/** By virDomainJobOperation. */
const OPERATIONS = [
  ...['job', 'start', 'save', 'restore', 'migration in', 'migration', 'snapshot', 'revert', 'dump', 'backup'],
  ...['snapshot delete'],
];
const NO_JOB = 0;
const DONE = 3;
const PAGE = 4096;

/** The job that goes on with a domain; undefined where none does. */
export async function jobOf(ask: Ask, domain: DomainName): Promise<JobLook | undefined> {
  const reader = await ask(PROCEDURE.domainGetJobStats, about(domain).uint(0));
  const type = reader.int();
  const parameters = readParameters(reader);
  if (type === NO_JOB || type >= DONE) return undefined;
  const of = (...names: string[]): number | undefined => {
    const values = names.map((name) => parameters.get(name)).filter((value) => typeof value === 'bigint');
    return values.length ? Number(values.reduce((sum, value) => sum + (value as bigint), 0n)) : undefined;
  };
  const dirty = of('memory_dirty_rate');
  return {
    kind: OPERATIONS[Number(parameters.get('operation') ?? 0)] ?? 'job',
    doneBytes: of('memory_processed', 'disk_processed') ?? of('data_processed'),
    totalBytes: of('memory_total', 'disk_total') ?? of('data_total'),
    // Pages a second.
    ...(dirty === undefined ? {} : { dirtyBytesPerSecond: dirty * (of('memory_page_size') ?? PAGE) }),
    downtimeMs: of('downtime'),
  };
}

/** Of one CPU of the host: ns that a domain ran there, and of these its vCPUs. */
export interface PcpuTime {
  cpuNs: bigint;
  guestNs: bigint | undefined;
}

/** More CPUs than libvirt's protocol tells in one answer. */
const MAX_CPUS = 128;

/** @throws Error in libvirt's words: without cgroups it does not know */
export async function pcpuTimes(ask: Ask, domain: DomainName, cpus: number): Promise<PcpuTime[]> {
  // First how many parameters there are for a CPU, then all of them.
  const first = await ask(PROCEDURE.domainGetCpuStats, about(domain).uint(0).int(0).uint(1).uint(0));
  readParameters(first);
  const count = first.int();
  if (count < 1 || count > 16) return [];
  const wanted = Math.min(cpus, MAX_CPUS);
  const body = about(domain).uint(count).int(0).uint(wanted).uint(0);
  const list = (await ask(PROCEDURE.domainGetCpuStats, body)).array(MAX_CPUS * 16, 12, readParameter);
  const times: PcpuTime[] = [];
  for (const [field, value] of list) {
    if (typeof value !== 'bigint') continue;
    if (field === 'cpu_time') times.push({ cpuNs: value, guestNs: undefined });
    else if (field === 'vcpu_time' && times.length) times.at(-1)!.guestNs = value;
  }
  return times;
}

/** virDomainInterfaceAddressesSource. */
export const ADDRESS_SOURCES = { lease: 0, agent: 1, arp: 2 } as const;

/** Rows of a details pane: an interface each, with its addresses. */
export async function addressesOf(
  ask: Ask,
  domain: DomainName,
  source: keyof typeof ADDRESS_SOURCES,
): Promise<[string, string][]> {
  const reader = await ask(PROCEDURE.domainInterfaceAddresses, about(domain).uint(ADDRESS_SOURCES[source]).uint(0));
  return reader.array(2048, 12, (from) => {
    const name = from.string();
    const hardware = from.optional((one) => one.string());
    const addresses = from.array(2048, 12, (one) => {
      one.int();
      const address = one.string();
      return `${address}/${one.uint()}`;
    });
    return [name, [...addresses, ...(hardware ? [`(${hardware})`] : [])].join('  ') || 'none'];
  });
}
