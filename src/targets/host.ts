/** This host, by /proc. */
import { arch, type CpuInfo, cpus, hostname, totalmem } from 'node:os';
import type { HostLook, PressureLook, ProcessLook } from '../engine/fleet.js';
import { readProc } from './proc-files.js';

/** Clock ticks of /proc: USER_HZ is 100 on every Linux. */
const TICK_NS = 10_000_000n;
const PAGE_BYTES = 4096;
const ARCHITECTURES: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686' };

/** The CPUs' names and speeds hardly change, and are dear to ask for on a large host. */
const CPUS_MS = 60_000;
let known: { ms: number; cpus: CpuInfo[] } | undefined;

function cpuList(): CpuInfo[] {
  const now = performance.now();
  if (known === undefined || now - known.ms > CPUS_MS) known = { ms: now, cpus: cpus() };
  return known.cpus;
}

export function localHost(): HostLook {
  const list = cpuList();
  const stat = readProc('/proc/stat');
  return {
    hostname: hostname(),
    arch: ARCHITECTURES[arch()] ?? arch(),
    cpus: Math.max(1, list.length),
    mhz: list[0]?.speed ?? 0,
    memoryBytes: totalmem(),
    cpu: stat === undefined ? undefined : cpuTimes(stat),
    pressure: pressure(),
  };
}

/** The lines `cpuN user nice system idle iowait irq softirq steal ...` of /proc/stat. */
function cpuTimes(stat: string): HostLook['cpu'] {
  return [...stat.matchAll(/^cpu\d+ (.*)$/gm)].map(([, fields]) => {
    const ticks = fields!.trim().split(/\s+/).slice(0, 8).map(BigInt);
    const all = ticks.reduce((sum, n) => sum + n, 0n);
    const stealNs = (ticks[7] ?? 0n) * TICK_NS;
    return { busyNs: (all - ticks[3]! - (ticks[4] ?? 0n)) * TICK_NS, allNs: all * TICK_NS, stealNs };
  });
}

export function pressure(): PressureLook | undefined {
  const some = (what: string): number | undefined => {
    const share = /^some avg10=([\d.]+)/m.exec(readProc(`/proc/pressure/${what}`) ?? '')?.[1];
    return share === undefined ? undefined : Number(share);
  };
  const [cpuSome, memorySome, ioSome] = [some('cpu'), some('memory'), some('io')];
  if (cpuSome === undefined || memorySome === undefined || ioSome === undefined) return undefined;
  return { cpuSome, memorySome, ioSome };
}

/** Fields of /proc/PID/stat from the third on: the name in brackets may hold anything, blanks and brackets too. */
export function statFields(pid: number, thread?: number): string[] | undefined {
  const text = readProc(thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** When the host was started, Unix time in ms. */
export function bootMs(): number {
  booted ??= Number(/^btime (\d+)$/m.exec(readProc('/proc/stat') ?? '')?.[1] ?? 0) * 1000;
  return booted;
}
let booted: number | undefined;

/** Fields of /proc/PID/io. */
const IO_READ = /^read_bytes: (\d+)$/m;
const IO_WRITTEN = /^write_bytes: (\d+)$/m;

/** What /proc tells of a process; undefined when it has gone, or another one has its number. @param started in ticks */
export function processLook(
  pid: number,
  started?: string,
): (ProcessLook & { startedMs: number; stopped: boolean }) | undefined {
  const fields = statFields(pid);
  if (!fields || (started !== undefined && (fields[19] !== started || fields[0] === 'Z' || fields[0] === 'X')))
    return undefined;
  const io = readProc(`/proc/${pid}/io`);
  const of = (field: RegExp): number | undefined => {
    const value = io === undefined ? undefined : field.exec(io)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  return {
    stopped: fields[0] === 'T',
    pid,
    cpuNs: (BigInt(fields[11]!) + BigInt(fields[12]!)) * TICK_NS,
    residentBytes: Number(fields[21]) * PAGE_BYTES,
    minorFaults: Number(fields[7]),
    majorFaults: Number(fields[9]),
    threads: Number(fields[17]),
    readBytes: of(IO_READ),
    writeBytes: of(IO_WRITTEN),
    startedMs: bootMs() + Number(fields[19]) * 10,
  };
}

/** ns on a CPU, and ns runnable without one, of a thread. @see Documentation/scheduler/sched-stats.rst */
export function schedule(pid: number, thread: number): { waitNs: bigint; timeNs: bigint } | undefined {
  const numbers = /^(\d+) (\d+) /.exec(readProc(`/proc/${pid}/task/${thread}/schedstat`) ?? '');
  return numbers ? { timeNs: BigInt(numbers[1]!), waitNs: BigInt(numbers[2]!) } : undefined;
}
