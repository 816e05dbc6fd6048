/** Processes of this host that are virtual machines, by /proc: who they are and where their monitors listen. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { readProc } from '../proc-files.js';

export interface VmProcess {
  pid: number;
  /** Distinguishes a later process of the same number: start time in ticks since the host's boot. */
  startTicks: string;
  kind: 'qemu' | 'firecracker' | 'cloud-hypervisor' | 'crosvm' | 'kvm';
  name: string;
  uuid?: string;
  /** Unix socket of a QMP monitor that this process listens on. */
  qmp?: string;
  /** Unix socket of the API of Firecracker, cloud-hypervisor or crosvm. */
  api?: string;
  memoryBytes?: number;
  vcpus?: number;
  image?: string;
  accelerator?: 'tcg' | 'kvm';
  /** QEMU's machine type, where one is named: `pc-q35-7.2`. */
  machine?: string;
  /** File that its first serial port is written to. */
  serialFile?: string;
}

/** By the kernel's name of the process, which is cut at 15 characters. */
const KINDS: [RegExp, VmProcess['kind']][] = [
  [/^(qemu-system-|qemu-kvm|kvm$)/, 'qemu'],
  [/^firecracker/, 'firecracker'],
  [/^cloud-hyperviso/, 'cloud-hypervisor'],
  [/^crosvm/, 'crosvm'],
];
/** No command line is longer on Linux by default. */
const MAX_COMMAND_BYTES = 2 ** 21;

const text = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
};

function fields(pid: number, read = text): { comm: string; startTicks: string } | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const open = stat?.indexOf('(') ?? -1;
  const close = stat?.lastIndexOf(')') ?? -1;
  if (stat === undefined || open < 0 || close < open) return undefined;
  const rest = stat.slice(close + 2).split(' ');
  // A zombie has ended.
  if (rest[0] === 'Z' || rest[0] === 'X') return undefined;
  return { comm: stat.slice(open + 1, close), startTicks: rest[19] ?? '' };
}

export const startTicks = (pid: number): string | undefined => fields(pid)?.startTicks;

/** Whether a process has a machine of KVM, as far as this user may see its descriptors. */
export function hasKvm(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === 'anon_inode:kvm-vm';
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** Every so often all processes are looked at for a KVM guest; new ones each time. */
const DEEP_MS = 10_000;
/** A process whose number of descriptors is as it was is taken to hold the same ones for so long. */
const SAME_MS = 60_000;
/** Time between two reads of a process's descriptors, of which it may have thousands, for each ms that one takes. */
const REST_A_MS = 5000;
/** Looks at a new process: between fork and exec it is not yet what it will be. */
const YOUNG_LOOKS = 3;

interface Known {
  startTicks: string;
  vm: VmProcess | undefined;
  looks: number;
  /** Descriptors when they were read, where Linux tells (since 6.2), and when that was. */
  descriptors: number;
  readMs: number;
  /** What that took, ms. */
  tookMs: number;
}

/** What a process was looked up as: it is not read again at each look. */
export class ProcessFinder {
  readonly #known = new Map<number, Known>();
  #deepMs = Number.NEGATIVE_INFINITY;

  /** @param now ms, of a clock that does not go back */
  find(now: number): VmProcess[] {
    const deep = now - this.#deepMs >= DEEP_MS;
    if (deep) this.#deepMs = now;
    const found: VmProcess[] = [];
    const alive = new Set<number>();
    for (const entry of readdirSync('/proc')) {
      const first = entry.charCodeAt(0);
      if (first < 0x31 || first > 0x39) continue;
      const pid = Number(entry);
      // this program is nobody's guest, and has a descriptor for each file that it looks at
      if (pid === process.pid) continue;
      alive.add(pid);
      const known = this.#look(pid, now, deep);
      if (known?.vm) found.push(known.vm);
    }
    for (const pid of this.#known.keys()) if (!alive.has(pid)) this.#known.delete(pid);
    return found;
  }

  /** What is known of a process is over: it has ended. */
  forget(pid: number): void {
    this.#known.delete(pid);
  }

  #look(pid: number, now: number, deep: boolean): Known | undefined {
    const known = this.#known.get(pid);
    // A guest is known by its number until somebody finds that it has gone.
    if (known && !deep && (known.vm || ++known.looks > YOUNG_LOOKS)) return known;
    const stat = fields(pid, known?.vm ? readProc : text);
    if (!stat) {
      this.#known.delete(pid);
      return undefined;
    }
    const same = known?.startTicks === stat.startTicks;
    if (same && (known.vm || now - known.readMs < REST_A_MS * known.tookMs)) return known;
    const descriptors = same && known.looks > YOUNG_LOOKS ? descriptorsOf(pid) : 0;
    if (same && descriptors !== 0 && descriptors === known.descriptors && now - known.readMs < SAME_MS) return known;
    const looks = same ? known.looks : 0;
    const start = performance.now();
    const vm = identify(pid, stat);
    const next = {
      ...{ startTicks: stat.startTicks, vm, looks, descriptors, readMs: now },
      tookMs: performance.now() - start,
    };
    this.#known.set(pid, next);
    return next;
  }
}

/** Descriptors of a process; 0 where Linux does not tell. */
function descriptorsOf(pid: number): number {
  try {
    return statSync(`/proc/${pid}/fd`).size;
  } catch {
    return 0;
  }
}

/** One process, whether it is a virtual machine and which. */
export function vmProcess(pid: number): VmProcess | undefined {
  const stat = fields(pid);
  return stat && identify(pid, stat);
}

function identify(pid: number, stat: { comm: string; startTicks: string }): VmProcess | undefined {
  const kind = KINDS.find(([pattern]) => pattern.test(stat.comm))?.[1] ?? (hasKvm(pid) ? 'kvm' : undefined);
  if (!kind) return undefined;
  const line = text(`/proc/${pid}/cmdline`)?.slice(0, MAX_COMMAND_BYTES) ?? '';
  const args = Buffer.from(line, 'latin1').toString('utf8').split('\0');
  const own = { pid, startTicks: stat.startTicks, kind };
  return kind === 'qemu' ? { ...own, ...qemuFacts(args, pid) } : { ...own, ...otherFacts(args, stat.comm) };
}

/** `a=1,b=two` with `,,` for a comma; what has no name is under ''. */
export function options(value: string): Map<string, string> {
  const parts = value.replaceAll(',,', '\x01').split(',');
  return new Map(
    parts.map((part) => {
      const at = part.indexOf('=');
      const clean = (piece: string) => piece.replaceAll('\x01', ',');
      return at < 0 ? ['', clean(part)] : [part.slice(0, at), clean(part.slice(at + 1))];
    }),
  );
}

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40, '': 2 ** 20 };

function sizeOf(value: string | undefined): number | undefined {
  const [, number, unit] = /^(\d{1,12})([KMGT]?)B?$/i.exec(value ?? '') ?? [];
  return number === undefined ? undefined : Number(number) * UNITS[unit!.toUpperCase()]!;
}

/** The socket of `unix:PATH,server=on` or of a chardev's `path`. */
const unixPath = (value: string): string | undefined =>
  /^unix:([^,]+)/.exec(value.replaceAll(',,', '\x01'))?.[1]?.replaceAll('\x01', ',');

/** @see qemu-system-x86_64 -help: `-option value` and `--option value` are the same */
export function qemuFacts(args: readonly string[], pid: number): Omit<VmProcess, 'pid' | 'startTicks' | 'kind'> {
  const facts: Omit<VmProcess, 'pid' | 'startTicks' | 'kind'> = {
    name: `qemu-${pid}`,
    accelerator: 'tcg',
    vcpus: 1,
    memoryBytes: 128 * 2 ** 20,
  };
  const chardevs = new Map<string, Map<string, string>>();
  const monitors: string[] = [];
  for (let n = 1; n < args.length; n++) {
    const option = args[n]!.replace(/^--?/, '');
    const value = args[n + 1] ?? '';
    if (!args[n]!.startsWith('-')) {
      facts.image ??= args[n] || undefined;
      continue;
    }
    const values = options(value);
    switch (option) {
      case 'name':
        facts.name = values.get('guest') ?? values.get('') ?? facts.name;
        break;
      case 'uuid':
        facts.uuid = value;
        break;
      case 'm':
        facts.memoryBytes = sizeOf(values.get('size') ?? values.get('')) ?? facts.memoryBytes;
        break;
      case 'smp':
        facts.vcpus = Number(values.get('cpus') ?? values.get('')) || 1;
        break;
      case 'enable-kvm':
        facts.accelerator = 'kvm';
        break;
      case 'accel':
        if (values.get('') === 'kvm' || values.get('accel') === 'kvm') facts.accelerator = 'kvm';
        break;
      case 'machine':
      case 'M':
        if (/\bkvm\b/.test(values.get('accel') ?? '')) facts.accelerator = 'kvm';
        facts.machine = values.get('type') ?? values.get('') ?? facts.machine;
        break;
      case 'qmp':
      case 'qmp-pretty':
        facts.qmp ??= unixPath(value);
        break;
      case 'chardev':
        if (values.get('id')) chardevs.set(values.get('id')!, values);
        break;
      case 'mon':
        if (values.get('mode') === 'control') monitors.push(values.get('chardev') ?? values.get('') ?? '');
        break;
      case 'serial':
        if (/^file:/.test(value)) facts.serialFile ??= value.slice(5);
        break;
      case 'kernel':
        facts.image = value;
        break;
      case 'drive':
      case 'cdrom':
      case 'hda':
        facts.image ??= values.get('file') ?? (option === 'drive' ? undefined : value);
        break;
      default:
        // Options without a value are not looked at, nor is what follows them.
        if (
          /^(nodefaults|no-reboot|no-shutdown|S|s|daemonize|nographic|snapshot|no-user-config|enable-fips)$/.test(
            option,
          )
        )
          n--;
    }
    n++;
  }
  for (const id of monitors) facts.qmp ??= chardevs.get(id)?.get('path');
  return facts;
}

function otherFacts(args: readonly string[], comm: string): Omit<VmProcess, 'pid' | 'startTicks' | 'kind'> {
  const after = (...names: string[]): string | undefined => {
    for (const [n, arg] of args.entries()) {
      const [head, inline] = arg.split(/=(.*)/s, 2) as [string, string | undefined];
      if (names.includes(head)) return inline ?? args[n + 1];
    }
    return undefined;
  };
  const api = after('--api-sock', '--api-socket', '-s', '--socket');
  const memory = after('--memory', '-m', '--mem');
  return {
    name: after('--id', '--name') ?? comm,
    api: api?.replace(/^path=/, ''),
    image: after('--kernel', '--config-file'),
    memoryBytes: sizeOf(/(?:size=)?(\d+[KMGT]?)/i.exec(memory ?? '')?.[1]),
    vcpus: Number(/\d+/.exec(after('--cpus', '-c') ?? '')?.[0]) || undefined,
  };
}
