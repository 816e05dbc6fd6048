/** All sources as one fleet: looked at side by side, each within its time, and joined where they see the same guest. */
import type {
  ExitWatcher,
  Fleet,
  FleetLook,
  FleetSource,
  GuestAction,
  GuestDetails,
  GuestSample,
  HostLook,
  SourceLook,
  Urgent,
  Wants,
} from '../engine/fleet.js';
import { ExitWatch, type WatchedGuest } from './kvm-host/exit-watch.js';
import { hasKvm } from './qemu/processes.js';

/** Whether a process has a machine of KVM is asked again after this. */
const KVM_MS = 10_000;
/** A source that takes longer is shown as it was; its look goes on. */
const SOURCE_MS = 2500;

interface Member {
  source: FleetSource;
  key: string;
}

interface Watched {
  source: FleetSource;
  last: SourceLook;
  looking: Promise<SourceLook> | undefined;
}

export class JoinedFleet implements Fleet {
  readonly #watched: Watched[];
  /** Samples under the keys of all sources together, by those of their source. */
  readonly #keyed = new WeakMap<GuestSample, GuestSample>();
  #members = new Map<string, Member[]>();
  /** Guests of this host that were seen last. */
  #local: WatchedGuest[] = [];
  /** Processes of guests of which no balloon driver tells what they use. */
  #untold = new Set<number>();

  /**
   * @param sources the first that sees a guest gives it its name
   * @param helpers add what they know to those guests, and bring none of their own
   */
  constructor(
    sources: readonly FleetSource[],
    private readonly localHost: () => HostLook,
    private readonly helpers: readonly FleetSource[] = [],
    private readonly options: { readMemory?: boolean } = {},
  ) {
    this.#watched = [...sources, ...helpers].map((source) => ({
      source,
      last: { guests: [], failures: [] },
      looking: undefined,
    }));
  }

  async look(urgent?: Urgent, wants?: Wants): Promise<FleetLook> {
    const own = urgent && this.#ownKeys(urgent);
    const all: Wants = { ...wants, ...(this.options.readMemory ? { usedMemory: this.#untold } : {}) };
    const looks = await Promise.all(
      this.#watched.map((watched) =>
        lookAt(watched, own && ((key) => own.get(watched.source)?.has(key) === true), all),
      ),
    );
    const told = new Set<string>();
    const guests: GuestSample[] = [];
    const members = new Map<string, Member[]>();
    const byIdentity = new Map<string, number>();
    looks.forEach((look, n) => {
      const { source } = this.#watched[n]!;
      for (const guest of look.guests) {
        const member = { source, key: guest.key };
        const ids = identities(guest);
        const known = ids.find((id) => byIdentity.has(id));
        const twin = known === undefined ? undefined : byIdentity.get(known);
        if (twin !== undefined) {
          guests[twin] = joined(guests[twin]!, guest);
          members.get(guests[twin]!.key)!.push(member);
        } else if (this.helpers.includes(source)) continue;
        else {
          // One that was not looked at again is the same object as before.
          let keyed = this.#keyed.get(guest);
          if (!keyed) this.#keyed.set(guest, (keyed = { ...guest, key: `${source.name} ${guest.key}` }));
          guests.push(keyed);
          members.set(keyed.key, [member]);
        }
        const at = twin ?? guests.length - 1;
        for (const id of ids) byIdentity.set(id, at);
        if (guest.memory.availableBytes !== undefined && !guest.memory.readFromGuest) told.add(guests[at]!.key);
      }
    });
    this.#members = members;
    this.#local = guests.flatMap(({ key, process }) => (process ? [{ key, pid: process.pid }] : []));
    this.#untold = new Set(this.#local.filter(({ key }) => !told.has(key)).map(({ pid }) => pid));
    const hosts = new Map<string, HostLook>();
    const here = this.localHost();
    for (const { host } of looks)
      if (host && !hosts.has(host.hostname))
        // libvirt knows neither pressure nor steal.
        hosts.set(host.hostname, host.hostname === here.hostname ? { ...host, ...shared(here) } : host);
    if (hosts.size === 0) hosts.set(here.hostname, here);
    return { guests, hosts: [...hosts.values()], failures: looks.flatMap(({ failures }) => failures) };
  }

  /** The sources' own keys of the guests that are wanted. */
  #ownKeys(urgent: Urgent): Map<FleetSource, Set<string>> {
    const own = new Map(this.#watched.map(({ source }) => [source, new Set<string>()]));
    for (const [key, members] of this.#members)
      if (urgent(key)) for (const member of members) own.get(member.source)!.add(member.key);
    return own;
  }

  async act(key: string, action: GuestAction): Promise<void> {
    const able = this.#of(key).find(({ source }) => source.act);
    if (!able) throw new Error('this kind of guest does not take that');
    await able.source.act!(able.key, action);
  }

  async details(key: string): Promise<GuestDetails> {
    const all = await Promise.all(
      this.#of(key).map(async ({ source, key: own }) => (source.details ? await source.details(own) : [])),
    );
    return all.flat();
  }

  watchExits(): ExitWatcher {
    const kvm = new Map<number, { has: boolean; ms: number }>();
    const guests = (): WatchedGuest[] =>
      this.#local.filter(({ pid }) => {
        const now = performance.now();
        let known = kvm.get(pid);
        if (!known?.has && (!known || now - known.ms > KVM_MS)) kvm.set(pid, (known = { has: hasKvm(pid), ms: now }));
        return known.has;
      });
    const watch = new ExitWatch(guests());
    return {
      look: () => {
        watch.follow(guests());
        return watch.look();
      },
      close: () => watch.close(),
    };
  }

  close(): void {
    for (const { source } of this.#watched) source.close();
  }

  #of(key: string): Member[] {
    const members = this.#members.get(key);
    if (!members) throw new Error('the guest has gone');
    return members;
  }
}

/** What this host tells of itself whoever else tells of it. */
function shared({ cpu, pressure }: HostLook): Partial<HostLook> {
  return { ...(cpu ? { cpu } : {}), ...(pressure ? { pressure } : {}) };
}

async function lookAt(watched: Watched, urgent: Urgent | undefined, wants: Wants | undefined): Promise<SourceLook> {
  watched.looking ??= watched.source
    .look(urgent, wants)
    .catch((error: Error) => ({ guests: [], failures: [`${watched.source.name}: ${error.message}`] }))
    .then((look) => {
      watched.last = look;
      watched.looking = undefined;
      return look;
    });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), SOURCE_MS);
  });
  const look = await Promise.race([watched.looking, late]);
  clearTimeout(timer);
  const { last, source } = watched;
  return look ?? { ...last, failures: [...last.failures, `${source.name}: no answer for ${SOURCE_MS / 1000} s`] };
}

/** What only one guest has, on this host. */
function identities({ uuid, process }: GuestSample): string[] {
  return [...(uuid ? [`uuid ${uuid.toLowerCase()}`] : []), ...(process ? [`pid ${process.pid}`] : [])];
}

/** What the first does not know comes from the second. */
function joined(first: GuestSample, second: GuestSample): GuestSample {
  const known = Object.fromEntries(Object.entries(first).filter(([, value]) => value !== undefined));
  const missing = { ...second.missing, ...first.missing };
  const [mine, other] = [first.missing?.['used memory'], second.missing?.['used memory']];
  if (mine && other && mine !== other) missing['used memory'] = `${mine}; ${other}`;
  const sum = { ...second, ...known, source: `${first.source}+${second.source}` } as GuestSample;
  sum.memory = { ...second.memory, ...definedOf(first.memory) };
  sum.vcpus = first.vcpus || second.vcpus;
  for (const [group, value] of [
    ['disks', sum.disks],
    ['nics', sum.nics],
    ['exits', sum.exits],
    ['cpu', sum.cpuNs],
    ['used memory', sum.memory.availableBytes],
    ['run queue', sum.vcpu?.find(({ waitNs }) => waitNs !== undefined)],
  ] as const)
    if (value !== undefined) delete missing[group];
  // The clock of the counters that were taken.
  sum.ms = first.cpuNs === undefined ? second.ms : first.ms;
  sum.missing = missing;
  return sum;
}

function definedOf<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>;
}
