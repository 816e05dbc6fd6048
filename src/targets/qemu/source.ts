/** Virtual machines that are plain processes of this host: by /proc, and by QMP where QEMU offers a socket. */
import type {
  FleetSource,
  GuestAction,
  GuestDetails,
  GuestSample,
  GuestState,
  JobLook,
  SourceLook,
  Urgent,
  VcpuLook,
  Wants,
} from '../../engine/fleet.js';
import { processLook, schedule, statFields } from '../host.js';
import { hostCounters } from '../kvm-host/counters.js';
import { vcpuThreads } from '../kvm-host/exit-watch.js';
import { addExits, kvmExits } from '../libvirt/domain-stats.js';
import { LookTurns } from '../look-turns.js';
import { GuestMemoryUse } from './guest-memory-use.js';
import { ProcessFinder, type VmProcess } from './processes.js';
import { QmpClient } from './qmp.js';

/** A look asks a QEMU a handful of questions and leaves it, since it serves one client at a time. */
const ANSWER_MS = 500;
/** A monitor that was in use is tried again after this. */
const AGAIN_MS = 5000;
const TICK_NS = 10_000_000n;
/** Monitors that are asked at once. */
const AT_ONCE = 8;

/** By QMP's RunState. */
const STATES: Record<string, [GuestState, string?]> = {
  running: ['running'],
  paused: ['paused'],
  debug: ['paused', 'by a debugger'],
  prelaunch: ['paused', 'not started yet'],
  inmigrate: ['paused', 'waits for an incoming migration'],
  postmigrate: ['paused', 'migrated away'],
  'finish-migrate': ['paused', 'migrating'],
  'save-vm': ['paused', 'saving'],
  'restore-vm': ['paused', 'restoring'],
  'io-error': ['paused', 'I/O error'],
  watchdog: ['paused', 'watchdog'],
  'internal-error': ['crashed', 'KVM gave it up (internal error)'],
  'guest-panicked': ['crashed', 'its kernel panicked'],
  suspended: ['suspended'],
  shutdown: ['shut off'],
  colo: ['running'],
};

/** What a monitor told at the last look. */
interface Told {
  part: Partial<GuestSample>;
  failure?: string;
  againMs: number;
  asking: boolean;
  /** Looks for which the balloon is not asked after again: it was not there. */
  noBalloon: number;
  /** The same for jobs: there was none. */
  noJobs: number;
  /** Its exits are KVM's own counters, read by the host. */
  counted: boolean;
  countAgainMs: number;
  /** Threads that are vCPUs by their names, where no monitor tells them. */
  threads: { tid: number; vcpu: number }[];
  threadsAgainMs: number;
  threadsWaitMs: number;
}

const newTold = (): Told => ({
  ...{ part: {}, againMs: 0, asking: false, noBalloon: 0, noJobs: 0, counted: false, countAgainMs: 0 },
  ...{ threads: [], threadsAgainMs: 0, threadsWaitMs: 250 },
});

/** Counters that a user may not read are tried again after this. */
const COUNT_AGAIN_MS = 30_000;
/** vCPUs come and go seldom; a guest that starts has none yet, and is looked at again sooner, then later and later. */
const THREADS_AGAIN_MS = 10_000;
/** A balloon that is not there is hardly ever plugged later. */
const BALLOON_LOOKS = 16;
const JOB_LOOKS = 3;

type Json = Record<string, unknown>;
const list = (value: unknown): Json[] =>
  Array.isArray(value) ? (value as Json[]).filter((item) => item && typeof item === 'object') : [];
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const object = (value: unknown): Json =>
  value && typeof value === 'object' && !Array.isArray(value) ? (value as Json) : {};

export class ProcessSource implements FleetSource {
  readonly name = 'process';
  readonly #finder = new ProcessFinder();
  readonly #told = new Map<string, Told>();
  readonly #last = new Map<string, GuestSample>();
  readonly #turns = new LookTurns();
  readonly #memoryUse = new GuestMemoryUse();
  #processes = new Map<string, VmProcess>();

  /** @param except processes that are not guests of somebody else, by their number */
  constructor(private readonly except: () => ReadonlySet<number> = () => new Set()) {}

  async look(urgent?: Urgent, wants?: Wants): Promise<SourceLook> {
    const now = performance.now();
    const except = this.except();
    const found = this.#finder.find(now).filter(({ pid }) => !except.has(pid));
    this.#processes = new Map(found.map((vm) => [keyOf(vm), vm]));
    for (const key of this.#told.keys()) if (!this.#processes.has(key)) this.#told.delete(key);
    for (const key of this.#last.keys()) if (!this.#processes.has(key)) this.#last.delete(key);
    this.#memoryUse.keep(found);
    this.#turns.begin(this.#processes.keys());
    // One that is not looked at keeps all its figures, so that they are of one moment.
    const due = found.filter((vm) => this.#turns.due(keyOf(vm), urgent) || !this.#last.has(keyOf(vm)));
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < due.length) {
        const vm = due[next++]!;
        if (vm.qmp !== undefined) await this.#ask(vm, now);
        else this.#vcpus(vm, now);
        if (vm.accelerator !== 'tcg') this.#count(vm, now);
        const sample = this.#sample(vm, wants?.usedMemory?.has(vm.pid) ? this.#used(vm, now) : undefined);
        if (sample) this.#last.set(sample.key, sample);
        else this.#last.delete(keyOf(vm));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return { guests: found.flatMap((vm) => this.#last.get(keyOf(vm)) ?? []), failures: [] };
  }

  close(): void {
    this.#memoryUse.close();
  }

  async act(key: string, action: GuestAction): Promise<void> {
    const vm = this.#processes.get(key);
    if (!vm) throw new Error('the guest has gone');
    if (vm.qmp === undefined) throw new Error('has no QMP socket (-qmp unix:PATH,server=on,wait=off)');
    const command = {
      pause: 'stop',
      resume: 'cont',
      shutdown: 'system_powerdown',
      reset: 'system_reset',
      destroy: 'quit',
    };
    const monitor = await QmpClient.connect(vm.qmp);
    try {
      await monitor.execute(command[action]);
    } finally {
      monitor.close();
    }
  }

  async details(key: string): Promise<GuestDetails> {
    const vm = this.#processes.get(key);
    if (!vm) throw new Error('the guest has gone');
    const rows: [string, string | undefined][] = [
      ['program', vm.kind],
      ['accelerator', vm.accelerator],
      ['started with', vm.image],
      ['monitor', vm.qmp ?? vm.api ?? 'none'],
      ['serial', vm.serialFile],
    ];
    return [['process', rows.filter((row): row is [string, string] => Boolean(row[1]))]];
  }

  async #ask(vm: VmProcess, now: number): Promise<void> {
    const key = keyOf(vm);
    let told = this.#told.get(key);
    if (!told) this.#told.set(key, (told = newTold()));
    if (told.asking || now < told.againMs) return;
    told.asking = true;
    try {
      const asks = { balloon: told.noBalloon-- <= 0, jobs: told.noJobs-- <= 0 };
      told.part = await monitorLook(vm, asks);
      if (asks.balloon) told.noBalloon = told.part.memory?.currentBytes === undefined ? BALLOON_LOOKS : 0;
      if (asks.jobs) told.noJobs = told.part.jobs ? 0 : JOB_LOOKS;
      told.failure = undefined;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      told.failure = code === 'EACCES' ? `its monitor ${vm.qmp} is not for this user` : message;
      told.againMs = now + AGAIN_MS;
    }
    told.asking = false;
  }

  /** vCPUs of a guest without a monitor, by the names of their threads: libvirt's have them, others with debug-threads. */
  #vcpus(vm: VmProcess, now: number): void {
    const key = keyOf(vm);
    let told = this.#told.get(key);
    if (!told) this.#told.set(key, (told = newTold()));
    if (now >= told.threadsAgainMs) {
      told.threads = vcpuThreads(vm.pid).flatMap(({ tid, vcpu }) => (vcpu === undefined ? [] : [{ tid, vcpu }]));
      told.threadsWaitMs = Math.min(THREADS_AGAIN_MS, told.threads.length ? THREADS_AGAIN_MS : 2 * told.threadsWaitMs);
      told.threadsAgainMs = now + told.threadsWaitMs;
    }
    if (told.threads.length === 0) return;
    const vcpu = told.threads
      .map((thread) => threadLook(vm.pid, thread.vcpu, thread.tid))
      .sort((a, b) => a.number - b.number);
    told.part = { ...told.part, vcpu, vcpus: vcpu.length };
  }

  /** KVM's own counters of a guest whose monitor does not tell them. */
  #count(vm: VmProcess, now: number): void {
    const key = keyOf(vm);
    let told = this.#told.get(key);
    if (told?.part.exits && !told.counted) return;
    if (!told) this.#told.set(key, (told = newTold()));
    if (now < told.countAgainMs) return;
    const found = hostCounters(vm.pid);
    if ('why' in found) {
      told.countAgainMs = now + COUNT_AGAIN_MS;
      told.part = { ...told.part, missing: { ...told.part.missing, exits: found.why } };
      return;
    }
    told.counted = true;
    const looks = found.vcpus.map(({ vcpu, counters }): VcpuLook => {
      const known = told.part.vcpu?.find(({ number: own }) => own === vcpu);
      return { ...known, number: vcpu, ...countedLook((name) => counters.get(name)) };
    });
    const missing = { ...told.part.missing };
    delete missing.exits;
    told.part = {
      ...told.part,
      vcpu: looks,
      vcpus: looks.length,
      exits: addExits(looks.map(({ exits }) => exits)),
      missing,
    };
  }

  /** What the guest's kernel says that it uses, by its counters in its memory. */
  #used(vm: VmProcess, now: number): Pick<GuestSample, 'memory' | 'missing'> {
    const use = this.#memoryUse.look(vm, now);
    if ('why' in use) return { memory: {}, missing: { 'used memory': use.why } };
    const { totalBytes, availableBytes, freeBytes, cacheBytes } = use;
    const told = { availableBytes: totalBytes, usableBytes: availableBytes, unusedBytes: freeBytes };
    return { memory: { ...told, diskCacheBytes: cacheBytes, readFromGuest: true } };
  }

  #sample(vm: VmProcess, used: Pick<GuestSample, 'memory' | 'missing'> | undefined): GuestSample | undefined {
    const look = processLook(vm.pid, vm.startTicks);
    if (!look) {
      this.#finder.forget(vm.pid);
      return undefined;
    }
    const { startedMs, stopped, ...process } = look;
    const key = keyOf(vm);
    const told = this.#told.get(key);
    const why =
      vm.qmp === undefined ? 'no QMP socket: start QEMU with -qmp unix:PATH,server=on,wait=off' : told?.failure;
    return {
      key,
      name: vm.name,
      source: this.name,
      attach: vm.qmp !== undefined ? `qmp:${vm.qmp}` : vm.kind === 'qemu' ? `pid:${vm.pid}` : undefined,
      uuid: vm.uuid,
      process,
      image: vm.image,
      startedMs,
      ms: performance.now(),
      state: 'unknown',
      vcpus: vm.vcpus ?? 0,
      cpuNs: process.cpuNs,
      ...told?.part,
      memory: {
        ...{ currentBytes: vm.memoryBytes, ...told?.part.memory, residentBytes: process.residentBytes },
        ...used?.memory,
      },
      ...(stopped
        ? { stateText: 'the process is stopped (SIGSTOP)' }
        : told?.failure
          ? { stateText: told.failure }
          : {}),
      missing: {
        nics: 'QEMU does not count its network',
        ...used?.missing,
        ...(why ? { disks: why, exits: why, ...(told?.part.vcpu ? {} : { 'run queue': why }) } : {}),
        ...told?.part.missing,
        ...(told?.part.exits ? { exits: undefined } : {}),
      },
    };
  }
}

const keyOf = ({ pid, startTicks }: VmProcess): string => `pid ${pid} ${startTicks}`;

/** What the host knows of a vCPU by its thread. */
function threadLook(pid: number, vcpu: number, thread: number | undefined): VcpuLook {
  if (thread === undefined) return { number: vcpu };
  const scheduled = schedule(pid, thread);
  if (scheduled) return { number: vcpu, ...scheduled };
  // a kernel without the scheduler's statistics
  const stat = statFields(pid, thread);
  return { number: vcpu, timeNs: stat && (BigInt(stat[11]!) + BigInt(stat[12]!)) * TICK_NS };
}

/** The questions of one look, over a connection that is closed at once. */
async function monitorLook(vm: VmProcess, asks: { balloon: boolean; jobs: boolean }): Promise<Partial<GuestSample>> {
  const monitor = await QmpClient.connect(vm.qmp!, { answerMs: ANSWER_MS, hasty: true });
  try {
    const optional = (command: string, parameters?: Json): Promise<unknown> =>
      monitor.execute(command, parameters).catch(() => undefined);
    const [status, cpus, blocks, balloon, stats, migration, jobs] = await Promise.all([
      monitor.execute('query-status'),
      monitor.execute('query-cpus-fast'),
      optional('query-blockstats'),
      asks.balloon ? optional('query-balloon') : undefined,
      vm.accelerator === 'kvm' ? optional('query-stats', { target: 'vcpu' }) : undefined,
      asks.jobs ? optional('query-migrate') : undefined,
      asks.jobs ? optional('query-block-jobs') : undefined,
    ]);
    const [state, stateText] = STATES[String(object(status).status)] ?? ['unknown'];
    const exits = list(stats).map(vcpuStats);
    const vcpu = list(cpus).map((cpu, n): VcpuLook => {
      return { ...threadLook(vm.pid, number(cpu['cpu-index']) ?? n, number(cpu['thread-id'])), ...exits[n] };
    });
    const disks = list(blocks).flatMap((block) => {
      const figures = object(block.stats);
      const device = String(block.device || block.qdev || block['node-name'] || '?').replace(
        /^.*\/(?=[^/]+\/[^/]+$)/,
        '',
      );
      const of = (name: string) => number(figures[name]);
      const ns = (name: string) => (of(name) === undefined ? undefined : BigInt(Math.trunc(of(name)!)));
      return {
        device,
        readRequests: of('rd_operations'),
        readBytes: of('rd_bytes'),
        readNs: ns('rd_total_time_ns'),
        writeRequests: of('wr_operations'),
        writeBytes: of('wr_bytes'),
        writeNs: ns('wr_total_time_ns'),
        flushRequests: of('flush_operations'),
      };
    });
    const ram = object(object(migration).ram);
    const migrating = ['active', 'postcopy-active', 'device'].includes(String(object(migration).status));
    const total = addExits(exits.map((one) => one.exits));
    const running: JobLook[] = list(jobs).map((job) => ({
      kind: String(job.type),
      device: String(job.device || '?'),
      doneBytes: number(job.offset),
      totalBytes: number(job.len),
    }));
    if (migrating)
      running.unshift({
        kind: 'migration',
        doneBytes: number(ram.transferred),
        totalBytes: number(ram.total),
        dirtyBytesPerSecond: (number(ram['dirty-pages-rate']) ?? 0) * (number(ram['page-size']) ?? 4096),
        downtimeMs: number(object(migration)['expected-downtime']),
      });
    return {
      state,
      stateText,
      vcpus: vcpu.length,
      vcpu,
      ...(disks.length ? { disks } : {}),
      ...(total ? { exits: total } : {}),
      memory: balloon === undefined ? {} : { currentBytes: number(object(balloon).actual) },
      ...(running.length ? { jobs: running } : {}),
      missing: {
        ...(disks.length ? {} : { disks: 'no disk' }),
        ...(total
          ? {}
          : { exits: vm.accelerator === 'kvm' ? 'QEMU before 7.1 does not report it' : 'a TCG guest has no VM exits' }),
      },
    };
  } finally {
    monitor.close();
  }
}

/** One vCPU of query-stats: [{name, value}], in KVM's names. */
function vcpuStats(item: Json): Pick<VcpuLook, 'exits' | 'haltPolls'> {
  const values = new Map(list(item.stats).map((stat) => [String(stat.name), number(stat.value)]));
  return countedLook((name) => values.get(name));
}

/** KVM's counters of a vCPU, in its own names. */
function countedLook(of: (name: string) => number | undefined): Pick<VcpuLook, 'exits' | 'haltPolls'> {
  const attempted = of('halt_attempted_poll');
  const wasted = of('halt_poll_fail_ns');
  return {
    exits: kvmExits((name) => of(name.replace(/\.sum$/, ''))),
    ...(attempted === undefined
      ? {}
      : {
          haltPolls: {
            attempted,
            successful: of('halt_successful_poll') ?? 0,
            ...(wasted === undefined ? {} : { wastedNs: BigInt(Math.trunc(wasted)) }),
          },
        }),
  };
}
