/** All running guests of this user, looked at over their sockets. */

import type { GuestUsage, RunState, TargetInfo } from '../engine/debugger.js';
import { exitsByReason, totalExits } from '../engine/exit-counts.js';
import type {
  DiskLook,
  FleetSource,
  GuestAction,
  GuestSample,
  GuestState,
  MemoryLook,
  SourceLook,
  Urgent,
  Wants,
} from '../engine/fleet.js';
import { isRecord } from '../engine/host/rpc-methods.js';
import { blockTraffic } from '../qmp/machine-commands.js';
import { processLook } from '../targets/host.js';
import { LookTurns } from '../targets/look-turns.js';
import { connectGuest, type GuestConnection, guestNames } from './guest-socket.js';

/** A guest whose worker is busy keeps its row. */
const ANSWER_MS = 1000;
/** Guests that are asked at once: between them keys are taken. */
const AT_ONCE = 16;

export class OwnSource implements FleetSource {
  readonly name = 'vmscope';
  readonly #connections = new Map<string, GuestConnection>();
  readonly #last = new Map<string, GuestSample>();
  /** Guests with a question that has had no answer yet. */
  readonly #late = new Set<string>();
  readonly #turns = new LookTurns();
  readonly #infos = new WeakMap<GuestConnection, TargetInfo>();
  readonly #diskless = new WeakSet<GuestConnection>();
  /** Guests of an older release, which do not know the question. */
  readonly #mute = new WeakSet<GuestConnection>();

  async look(urgent?: Urgent, wants?: Wants): Promise<SourceLook> {
    const memory = wants?.usedMemory !== undefined;
    let names: string[];
    try {
      names = guestNames();
    } catch (error) {
      return { guests: [], failures: [`${this.name}: ${(error as Error).message}`] };
    }
    for (const name of this.#last.keys()) if (!names.includes(name)) this.#last.delete(name);
    this.#turns.begin(names);
    const samples: (GuestSample | undefined)[] = names.map((name) => this.#last.get(name));
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < names.length) {
        const n = next++;
        const name = names[n]!;
        if (this.#turns.due(name, urgent) || samples[n] === undefined) samples[n] = await this.#sample(name, memory);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const silent = names.filter((name, n) => samples[n] === undefined && this.#late.has(name));
    return {
      guests: samples.filter((sample) => sample !== undefined),
      failures: silent.map((name) => `guest ${name} does not answer`),
    };
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  async act(key: string, action: GuestAction): Promise<void> {
    const { target } = await this.#connect(key);
    if (action === 'pause') await target.pause();
    else if (action === 'resume') await target.resume();
    else if (action === 'reset') await target.reset();
    else if (action === 'destroy') await target.quit();
    else throw new Error('has no power button to press; destroy ends it');
  }

  async #connect(name: string): Promise<GuestConnection> {
    const open = this.#connections.get(name);
    if (open) return open;
    const connection = await connectGuest(name);
    this.#connections.set(name, connection);
    void connection.closed.then(() => {
      this.#connections.delete(name);
      this.#late.delete(name);
    });
    return connection;
  }

  /** One that has gone or answers nonsense is left out; one that does not answer keeps its row, with the reason. */
  async #sample(name: string, memory: boolean): Promise<GuestSample | undefined> {
    const last = this.#last.get(name);
    if (this.#late.has(name)) return last && { ...last, stateText: 'does not answer' };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), ANSWER_MS);
    });
    this.#late.add(name);
    const asked = this.#ask(name, memory).finally(() => this.#late.delete(name));
    const sample = await Promise.race([asked.catch(() => undefined), late]);
    clearTimeout(timer);
    if (sample === 'late') return last && { ...last, stateText: 'does not answer' };
    if (sample) this.#last.set(name, sample);
    else this.#last.delete(name);
    return sample;
  }

  /** What was done to its drives; a guest that has none is not asked again. */
  async #disks(connection: GuestConnection): Promise<DiskLook[] | undefined> {
    if (this.#diskless.has(connection)) return undefined;
    // an older vmscope has no such command
    const lines = await connection.target.monitor('info blockstats').catch(() => '');
    const disks = blockTraffic(typeof lines === 'string' ? lines : '').slice(0, MAX_DISKS);
    if (disks.length) return disks.map(diskLook);
    this.#diskless.add(connection);
    return undefined;
  }

  /** What only the guest's own thread knows. */
  async #usage(connection: GuestConnection, memory: boolean): Promise<GuestUsage | undefined> {
    if (this.#mute.has(connection)) return undefined;
    const usage = await connection.target.usage?.(memory).catch(() => undefined);
    if (plausibleUsage(usage)) return usage;
    this.#mute.add(connection);
    return undefined;
  }

  async #ask(name: string, memory: boolean): Promise<GuestSample> {
    const connection = await this.#connect(name);
    const { target, hello } = connection;
    // What it is does not change while it is connected.
    const known = this.#infos.get(connection);
    const [info, state, counts, usage] = await Promise.all([
      known ?? target.info(),
      target.state(),
      target.exits?.counts() ?? {},
      this.#usage(connection, memory),
    ]);
    const disks = await this.#disks(connection);
    this.#infos.set(connection, info);
    if (!plausible(info, state, counts)) throw new Error('sends an invalid answer');
    const looked = processLook(hello.pid);
    const process = looked && own(looked);
    return {
      key: name,
      name,
      source: this.name,
      attach: name,
      process,
      image: info.image,
      startedMs: hello.startedMs,
      ms: performance.now(),
      state: stateOf(state),
      stateText: state.standstill,
      vcpus: info.vcpus,
      cpuNs: process?.cpuNs,
      memory: {
        ...{ currentBytes: info.memoryBytes, residentBytes: process?.residentBytes },
        ...usedMemory(usage),
      },
      ...(disks ? { disks } : {}),
      ...(usage?.nics.length ? { nics: usage.nics } : {}),
      ...(usage?.thread ? { vcpu: [{ number: 0, ...usage.thread }] } : {}),
      exits: { total: totalExits(counts), byReason: Object.fromEntries(exitsByReason(counts)) },
      // KVM does not count instructions.
      ...(state.running && state.icount === 0n ? {} : { instructions: state.icount }),
      missing: {
        ...(disks ? {} : { disks: 'no disk' }),
        ...(usage?.nics.length ? {} : { nics: usage ? 'no network card (--net user gives it one)' : OLDER }),
        ...(usage?.thread ? {} : { 'run queue': usage ? NO_THREAD : OLDER }),
        ...(usage?.memory && !('why' in usage.memory) ? {} : { 'used memory': whyNoMemory(usage, memory) }),
      },
    };
  }
}

const MAX_DISKS = 64;
const MAX_NICS = 64;
const OLDER = 'a guest of an older vmscope does not report it';
const NO_THREAD = "its vCPUs have threads of their own, or the host's kernel does not report it";
const WHY_LENGTH = 200;

function usedMemory(usage: GuestUsage | undefined): MemoryLook {
  const use = usage?.memory;
  if (!use || 'why' in use) return {};
  const { totalBytes, availableBytes, freeBytes, cacheBytes } = use;
  const told = { availableBytes: totalBytes, usableBytes: availableBytes, unusedBytes: freeBytes };
  return { ...told, diskCacheBytes: cacheBytes, readFromGuest: true };
}

function whyNoMemory(usage: GuestUsage | undefined, asked: boolean): string {
  if (usage === undefined) return OLDER;
  const { memory } = usage;
  if (memory && 'why' in memory) return memory.why;
  return asked ? 'not read yet' : "guests' memory is not read (--no-guest-memory)";
}

const isTime = (value: unknown): boolean => typeof value === 'bigint' && value >= 0n;

/** The other end is any process that this user runs. */
function plausibleUsage(usage: unknown): usage is GuestUsage {
  const counts = (value: unknown, names: readonly string[]): boolean =>
    isRecord(value) && names.every((name) => Number.isSafeInteger(value[name]) && (value[name] as number) >= 0);
  if (!isRecord(usage) || !Array.isArray(usage.nics) || usage.nics.length > MAX_NICS) return false;
  const counted = ['rxBytes', 'rxPackets', 'txBytes', 'txPackets'];
  if (!usage.nics.every((nic) => counts(nic, counted) && typeof nic.device === 'string')) return false;
  const { memory, thread } = usage;
  if (thread !== undefined && !(isRecord(thread) && isTime(thread.timeNs) && isTime(thread.waitNs))) return false;
  if (memory === undefined) return true;
  if (isRecord(memory) && typeof memory.why === 'string') return memory.why.length <= WHY_LENGTH;
  return counts(memory, ['totalBytes', 'availableBytes', 'freeBytes', 'cacheBytes']);
}

function diskLook({ device, stats }: ReturnType<typeof blockTraffic>[number]): DiskLook {
  return {
    device,
    readRequests: stats.rd_operations,
    readBytes: stats.rd_bytes,
    writeRequests: stats.wr_operations,
    writeBytes: stats.wr_bytes,
    flushRequests: stats.flush_operations,
  };
}

/** What is told of the process, without what is about its start and state. */
function own({ startedMs: _started, stopped: _stopped, ...process }: NonNullable<ReturnType<typeof processLook>>) {
  return process;
}

function stateOf(state: RunState): GuestState {
  if (state.running) return state.standstill === undefined ? 'running' : 'halted';
  return state.stop?.kind === 'ended' ? 'shut off' : 'paused';
}

/** The other end is any process that this user runs. */
function plausible(info: TargetInfo, state: RunState, counts: Record<string, number>): boolean {
  return (
    isRecord(info) &&
    typeof info.image === 'string' &&
    Number.isSafeInteger(info.vcpus) &&
    Number.isSafeInteger(info.memoryBytes) &&
    isRecord(state) &&
    typeof state.icount === 'bigint' &&
    (state.stop === undefined || isRecord(state.stop)) &&
    isRecord(counts) &&
    Object.values(counts).every((count) => Number.isSafeInteger(count) && count >= 0)
  );
}
