/**
 * The domains of one libvirt as a fleet source. Two kinds of questions: quick ones that libvirtd answers from its own
 * memory (list, state, interfaces), and waiting ones for which it asks the guest's QEMU. A guest that hangs must cost
 * its own row only, so there is at most one waiting question a guest until its answer has come, however late, and few
 * at once: libvirtd stops reading a connection with five under way, and has twenty workers for all its clients.
 */
import { counted } from '../../engine/counted.js';
import type {
  FleetSource,
  GuestAction,
  GuestDetails,
  GuestSample,
  HostLook,
  JobLook,
  SourceLook,
  Urgent,
  Wants,
} from '../../engine/fleet.js';
import { LookTurns } from '../look-turns.js';
import { type Call, DeadlineError, type LibvirtConnection } from './connection.js';
import { addressesOf, jobOf, type PcpuTime, pcpuTimes } from './domain-facts.js';
import { type DomainCounters, domainCounters, domainState } from './domain-stats.js';
import { domainDetails } from './domain-xml.js';
import { attachName } from './monitor.js';
import { openLibvirt } from './open.js';
import {
  type DomainName,
  type DomainStats,
  ERROR,
  LibvirtError,
  type NodeInfo,
  PROCEDURE,
  readDomainStats,
  readDomains,
  readNodeInfo,
  STATS,
  writeDomain,
} from './protocol.js';
import { type LibvirtUri, parseUri } from './uri.js';
import { type XdrReader, XdrWriter } from './xdr.js';

const QUICK_MS = 3000;
const WAITING_MS = 600;
const ACTION_MS = 10_000;
/** An agent of a guest that is stopped answers never. */
const AGENT_MS = 2000;
/** Waiting questions under way on a connection, late ones included; a quick one still fits. */
const MOST_WAITING = 3;
/** Guests that may have a late question in all: further ones have to wait for these to come back. */
const MOST_LATE = 8;
/** Waiting questions of one look are given up after this; the rest keep what is known of them. */
const LOOK_MS = 1500;
const RETRY_MS = 3000;
/** A guest without a job is asked about one again after so many of its looks. */
const JOB_LOOKS = 3;
const QUICK = STATS.state | STATS.interface;
const WAITING = STATS.cpu | STATS.balloon | STATS.vcpu | STATS.block;
const ACTIVE = 1;
const INACTIVE = 2;

/** What is known of a domain between looks. */
interface Known {
  /** Answer of the last waiting question, and when it came. */
  parameters?: DomainStats['parameters'];
  ms: number;
  /** A question that is over its deadline. */
  late: boolean;
  failure?: string;
  job?: JobLook;
  /** Looks until its job is asked for again. */
  jobLooks: number;
  pcpu?: PcpuTime[];
  /** Why there is none. */
  noPcpu?: string;
}

export class LibvirtSource implements FleetSource {
  readonly name: string;
  readonly #uri: LibvirtUri;
  readonly #now: () => number;
  /** The URI without its parameters, for a column. */
  readonly #short: string;
  #quick: LibvirtConnection | undefined;
  #waiting: LibvirtConnection | undefined;
  #opening: Promise<LibvirtConnection> | undefined;
  #failedMs = Number.NEGATIVE_INFINITY;
  #failure = '';
  #node: { info: NodeInfo; hostname: string } | undefined;
  #known = new Map<string, Known>();
  #domains = new Map<string, DomainName>();
  /** Which guest is asked first: the next one after where the last look ran out of time. */
  #turn = 0;
  readonly #turns = new LookTurns();
  #silent: Call | undefined;
  #last: SourceLook = { guests: [], failures: [] };
  #closed = false;

  /**
   * @param options `agent`: guests' agents may be asked, which takes the right to change guests and taints them
   * @throws Error when the URI cannot be one
   */
  constructor(
    uri: string,
    now: () => number = () => performance.now(),
    private readonly options: { agent?: boolean } = {},
  ) {
    this.#uri = parseUri(uri);
    this.name = uri;
    this.#short = uri.replace(/\?.*$/, '').replace('+unix:', ':');
    this.#now = now;
  }

  async look(urgent?: Urgent, wants?: Wants): Promise<SourceLook> {
    if (this.#silent) return this.#hung();
    try {
      this.#last = await this.#look(urgent, wants);
      return this.#last;
    } catch (error) {
      if (this.#silent) return this.#hung();
      return { guests: [], failures: [`${this.name}: ${(error as Error).message}`] };
    }
  }

  /** A quick question; while one is late, libvirtd is silent. */
  async #quickly(connection: LibvirtConnection, procedure: number, body?: XdrWriter): Promise<XdrReader> {
    const call = connection.begin(procedure, body, QUICK_MS);
    void call.ended.then(() => {
      if (this.#silent === call) this.#silent = undefined;
    });
    try {
      return await call.answer;
    } catch (error) {
      if (error instanceof DeadlineError) this.#silent = call;
      throw error;
    }
  }

  /** While libvirtd does not answer at all: what was known, and nothing more is asked. */
  #hung(): SourceLook {
    const stateText = 'libvirtd does not answer';
    const guests = this.#last.guests.map((guest) => ({ ...guest, stateText }));
    return { ...this.#last, guests, failures: [`${this.name}: ${stateText}`] };
  }

  close(): void {
    this.#closed = true;
    this.#quick?.close();
    this.#waiting?.close();
  }

  /** An open connection; after a failure the same answer for some seconds. */
  async #connect(): Promise<LibvirtConnection> {
    if (this.#quick) return this.#quick;
    if (this.#now() - this.#failedMs < RETRY_MS) throw new Error(this.#failure);
    this.#opening ??= openLibvirt(this.#uri, false).finally(() => {
      this.#opening = undefined;
    });
    try {
      const connection = await this.#opening;
      if (this.#closed) connection.close();
      this.#quick = connection;
      void connection.closed.then((reason) => {
        if (this.#quick === connection) this.#quick = undefined;
        this.#node = undefined;
        this.#failure = reason;
      });
      return connection;
    } catch (error) {
      this.#failedMs = this.#now();
      this.#failure = (error as Error).message;
      throw error;
    }
  }

  async #look(urgent: Urgent | undefined, wants: Wants | undefined): Promise<SourceLook> {
    const connection = await this.#connect();
    const failures: string[] = [];
    const quickly = (procedure: number, body?: XdrWriter) => this.#quickly(connection, procedure, body);
    this.#node ??= await nodeOf(quickly);
    const list = new XdrWriter().int(1).uint(ACTIVE | INACTIVE);
    const domains = readDomains(await quickly(PROCEDURE.listAllDomains, list));
    const quick = new Map<string, DomainStats>();
    const asked = statsRequest([], QUICK);
    const answered = readDomainStats(await quickly(PROCEDURE.getAllDomainStats, asked));
    for (const stats of answered) quick.set(keyOf(stats.domain), stats);
    this.#domains = new Map(domains.map((domain) => [keyOf(domain), domain]));
    for (const key of this.#known.keys()) if (!this.#domains.has(key)) this.#known.delete(key);
    this.#turns.begin(this.#domains.keys());
    const due = new Set(domains.filter((domain) => this.#turns.due(keyOf(domain), urgent)));
    const running = domains.filter((domain) => domain.id >= 0 && due.has(domain));
    await this.#askAll(running);
    for (const domain of running) await this.#askMore(connection, domain, wants);
    const late = [...this.#known.values()].filter((known) => known.late).length;
    if (late >= MOST_LATE)
      failures.push(
        `${this.name}: ${counted(late, 'guest does', 'guests do')} not answer; the others have to wait for them`,
      );
    const host = await this.#host(quickly);
    const last = new Map(this.#last.guests.map((guest) => [guest.key, guest]));
    const guests = domains.map((domain) => {
      const key = keyOf(domain);
      const before = due.has(domain) ? undefined : last.get(key);
      // One that was not looked at keeps all its figures, so that they are of one moment.
      return before && this.#unchanged(before, domain, quick.get(key)) ? before : this.#sample(domain, quick.get(key));
    });
    return { guests, host, failures };
  }

  /** Asks the active guests, a few at a time. */
  async #askAll(domains: DomainName[]): Promise<void> {
    const until = this.#now() + LOOK_MS;
    const start = domains.length ? this.#turn % domains.length : 0;
    const turn = [...domains.slice(start), ...domains.slice(0, start)];
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < turn.length && this.#now() < until) {
        const domain = turn[next++]!;
        await this.#ask(domain);
      }
    };
    await Promise.all(Array.from({ length: MOST_WAITING }, worker));
    this.#turn = next < turn.length ? start + next : 0;
  }

  async #ask(domain: DomainName): Promise<void> {
    const key = keyOf(domain);
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, (known = { ms: 0, late: false, jobLooks: 0 }));
    if (known.late || this.#lateOnes() >= MOST_LATE) return;
    const entry = known;
    try {
      const connection = await this.#waitingConnection();
      const call = connection.begin(
        PROCEDURE.getAllDomainStats,
        statsRequest([domain], WAITING | STATS.nowait),
        // A guest of which nothing is known yet is given more.
        entry.parameters ? WAITING_MS : LOOK_MS,
      );
      void call.ended.then((late) => {
        entry.late = false;
        if (late) this.#take(entry, late);
      });
      this.#take(entry, await call.answer);
    } catch (error) {
      entry.late = error instanceof DeadlineError;
      // One that ended between the list and the question is not there any more: no failure.
      if (error instanceof LibvirtError && error.code === ERROR.noDomain) return;
      entry.failure = entry.late ? 'QEMU does not answer' : (error as Error).message;
    }
  }

  /** What libvirtd knows without its guest: its job, unless it had none lately, and where it has run. */
  async #askMore(connection: LibvirtConnection, domain: DomainName, wants: Wants | undefined): Promise<void> {
    const known = this.#known.get(keyOf(domain));
    if (!known?.parameters || known.late) return;
    const ask = (procedure: number, body: XdrWriter) => this.#quickly(connection, procedure, body);
    if (known.job || known.jobLooks-- <= 0) {
      known.job = await jobOf(ask, domain).catch(ignoreRefusal);
      known.jobLooks = JOB_LOOKS;
    }
    if (!wants?.pcpu || known.noPcpu !== undefined) return;
    known.pcpu = await pcpuTimes(ask, domain, this.#node!.info.cpus).catch((error: Error) => {
      if (!(error instanceof LibvirtError)) throw error;
      known.noPcpu = error.message;
      return undefined;
    });
  }

  #take(known: Known, answer: XdrReader): void {
    try {
      const [stats] = readDomainStats(answer);
      known.failure = undefined;
      if (!stats) return;
      known.parameters = stats.parameters;
      known.ms = this.#now();
    } catch (error) {
      known.failure = (error as Error).message;
    }
  }

  #lateOnes(): number {
    let late = 0;
    for (const known of this.#known.values()) if (known.late) late++;
    return late;
  }

  /** One with room for a question: late ones stay on the old one, which libvirtd may have stopped to read. */
  async #waitingConnection(): Promise<LibvirtConnection> {
    if (this.#waiting && this.#waiting.underWay < MOST_WAITING) return this.#waiting;
    const connection = await openLibvirt(this.#uri, false);
    if (this.#waiting && this.#waiting.underWay < MOST_WAITING) {
      // Another guest's question has opened one meanwhile.
      connection.close();
      return this.#waiting;
    }
    const old = this.#waiting;
    this.#waiting = connection;
    if (old) void closeWhenQuiet(old);
    void connection.closed.then(() => {
      if (this.#waiting === connection) this.#waiting = undefined;
    });
    return connection;
  }

  #sample(domain: DomainName, quick: DomainStats | undefined): GuestSample {
    const key = keyOf(domain);
    const known = this.#known.get(key);
    const parameters = new Map([...(known?.parameters ?? []), ...(quick?.parameters ?? [])]);
    const counters: DomainCounters = domainCounters(parameters);
    const active = domain.id >= 0;
    return {
      ...counters,
      key,
      name: domain.name,
      source: this.#short,
      attach: active ? attachName(this.#uri, domain.name) : undefined,
      uuid: key,
      ...(active ? { id: domain.id } : {}),
      ms: active && known?.ms ? known.ms : this.#now(),
      stateText: active ? (known?.failure ?? counters.stateText) : undefined,
      ...(active && known?.job ? { jobs: [known.job] } : {}),
      ...(active && known?.pcpu ? { pcpu: known.pcpu } : {}),
      missing: {
        ...(known?.noPcpu === undefined ? {} : { 'host CPUs': known.noPcpu }),
        ...counters.missing,
        ...(active && !known?.parameters ? { cpu: known?.failure ?? 'not asked yet' } : {}),
      },
    };
  }

  /** Whether what libvirtd knows by itself, and whether the guest's QEMU answers, is as it was. */
  #unchanged(before: GuestSample, domain: DomainName, quick: DomainStats | undefined): boolean {
    const state = domainState(quick?.parameters.get('state.state'));
    const late = this.#known.get(before.key)?.failure;
    return (
      before.state === state && (before.id ?? -1) === domain.id && (late === undefined || late === before.stateText)
    );
  }

  async #host(quickly: Ask): Promise<HostLook> {
    const { info, hostname } = this.#node!;
    return {
      hostname,
      arch: info.model,
      cpus: info.cpus,
      mhz: info.mhz,
      memoryBytes: Number(info.memory) * 1024,
      cpu: await cpuTimes(quickly, info.cpus).catch(() => undefined),
    };
  }

  async act(key: string, action: GuestAction): Promise<void> {
    const domain = this.#domains.get(key);
    if (!domain) throw new Error('the guest has gone');
    const body = new XdrWriter();
    writeDomain(body, domain);
    if (action === 'reset') body.uint(0);
    const procedure = {
      pause: PROCEDURE.domainSuspend,
      resume: PROCEDURE.domainResume,
      shutdown: PROCEDURE.domainShutdown,
      reset: PROCEDURE.domainReset,
      destroy: PROCEDURE.domainDestroy,
    }[action];
    const connection = await openLibvirt(this.#uri, true);
    try {
      await connection.call(procedure, body, ACTION_MS);
    } finally {
      connection.close();
    }
  }

  async details(key: string): Promise<GuestDetails> {
    const domain = this.#domains.get(key);
    if (!domain) throw new Error('the guest has gone');
    const connection = await this.#connect();
    const body = new XdrWriter();
    writeDomain(body, domain);
    const answer = await connection.call(PROCEDURE.domainGetXmlDesc, body.uint(0), QUICK_MS);
    const details = domainDetails(answer.string());
    return domain.id < 0 ? details : [...details, ...(await this.#addresses(connection, domain))];
  }

  /** By libvirt's leases and the host's ARP table; by the guest's agent only where the user has allowed it. */
  async #addresses(connection: LibvirtConnection, domain: DomainName): Promise<GuestDetails> {
    const ask = (procedure: number, body: XdrWriter) => connection.call(procedure, body, QUICK_MS);
    for (const source of ['lease', 'arp'] as const) {
      const rows = await addressesOf(ask, domain, source).catch(() => []);
      if (rows.length) return [[`addresses (${source})`, rows]];
    }
    if (!this.options.agent) return [];
    try {
      const writable = await openLibvirt(this.#uri, true);
      try {
        const byAgent = (procedure: number, body: XdrWriter) => writable.call(procedure, body, AGENT_MS);
        return [['addresses (guest agent)', await addressesOf(byAgent, domain, 'agent')]];
      } finally {
        writable.close();
      }
    } catch (error) {
      return [['addresses (guest agent)', [['none', (error as Error).message]]]];
    }
  }
}

/** What libvirtd refuses is not there; what does not come in time is told by who asked. */
function ignoreRefusal(error: Error): undefined {
  if (!(error instanceof LibvirtError)) throw error;
  return undefined;
}

async function closeWhenQuiet(connection: LibvirtConnection): Promise<void> {
  while (connection.underWay > 0) {
    const timer = new Promise((resolve) => setTimeout(resolve, 1000).unref());
    if (await Promise.race([connection.closed, timer])) return;
  }
  connection.close();
}

/** Domains are asked for their keys several times a look. */
const keys = new WeakMap<DomainName, string>();

function keyOf(domain: DomainName): string {
  let key = keys.get(domain);
  if (key === undefined) {
    const hex = domain.uuid.toString('hex');
    key = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    keys.set(domain, key);
  }
  return key;
}

function statsRequest(domains: readonly DomainName[], groups: number): XdrWriter {
  return new XdrWriter()
    .array(domains, (writer, domain) => writeDomain(writer, domain))
    .uint(groups & ~STATS.nowait)
    .uint(groups & STATS.nowait);
}

type Ask = (procedure: number, body?: XdrWriter) => Promise<XdrReader>;

async function nodeOf(ask: Ask): Promise<{ info: NodeInfo; hostname: string }> {
  const info = readNodeInfo(await ask(PROCEDURE.nodeGetInfo));
  const hostname = (await ask(PROCEDURE.getHostname)).string();
  return { info, hostname };
}

/** More CPUs are not asked for one by one. */
const MOST_CPUS = 64;
const CPU_FIELDS = 4;

async function cpuTimes(ask: Ask, cpus: number): Promise<HostLook['cpu']> {
  const times: { busyNs: bigint; allNs: bigint }[] = [];
  for (let cpu = 0; cpu < Math.min(cpus, MOST_CPUS); cpu++) {
    const body = new XdrWriter().int(cpu).int(CPU_FIELDS).uint(0);
    const reader = await ask(PROCEDURE.nodeGetCpuStats, body);
    const fields = reader.array(16, 12, (from) => [from.string(), from.uhyper()] as const);
    const of = (name: string): bigint => fields.find(([field]) => field === name)?.[1] ?? 0n;
    const busyNs = of('kernel') + of('user');
    times.push({ busyNs, allNs: busyNs + of('idle') + of('iowait') });
  }
  return times;
}
