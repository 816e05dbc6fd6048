/**
 * KVM's own counters of a process that tells them by no monitor: from statistics files that it holds open, or from
 * debugfs. @see Documentation/virt/kvm/api.rst "KVM_GET_STATS_FD"
 */
import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { libc } from '../../engine/host/kvm/libc.js';
import { KvmStats } from '../../engine/host/kvm/stats.js';

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const MAX_VCPUS = 1024;

/** Counters of one vCPU by KVM's names: `exits`, `io_exits`, `halt_exits` ... */
export interface VcpuCounters {
  vcpu: number;
  counters: ReadonlyMap<string, number>;
}

export type HostCounters = { by: 'stats fd' | 'debugfs'; vcpus: VcpuCounters[] } | { why: string };

/** @param mounts text of /proc/mounts */
export function hostCounters(pid: number, mounts?: string): HostCounters {
  const open = fromDescriptors(pid);
  if (Array.isArray(open)) return { by: 'stats fd', vcpus: open };
  const files = fromDebugfs(pid, mounts);
  if (Array.isArray(files)) return { by: 'debugfs', vcpus: files };
  return { why: `${open}; ${files}` };
}

/** @returns why not */
function fromDescriptors(pid: number): VcpuCounters[] | string {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return 'its file descriptors are readable by its user and root only';
  }
  const found = names.flatMap((fd) => {
    const vcpu = /^anon_inode:kvm-vcpu-stats:(\d{1,4})$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
    return vcpu === undefined ? [] : [{ fd: Number(fd), vcpu: Number(vcpu) }];
  });
  if (found.length === 0) return 'it holds no statistics of KVM open (QEMU does since 8.1)';
  const c = libc();
  const process = c.systemCallNumbers(SYS_PIDFD_OPEN, pid, 0, 0);
  if (process < 0) return `no pidfd of process ${pid}`;
  try {
    const all: VcpuCounters[] = [];
    for (const { fd, vcpu } of found.slice(0, MAX_VCPUS)) {
      const own = c.systemCallNumbers(SYS_PIDFD_GETFD, process, fd, 0);
      if (own < 0) return 'its statistics need the right to trace it (root or CAP_SYS_PTRACE)';
      const stats = KvmStats.of(own);
      try {
        all.push({ vcpu, counters: new Map([...stats.read()].map(([name, value]) => [name, Number(value)])) });
      } finally {
        stats.close();
      }
    }
    return all;
  } catch (error) {
    return `its statistics cannot be read: ${(error as Error).message}`;
  } finally {
    closeSync(process);
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** `kvm/PID-FD/vcpuN/COUNTER`, a number each. @returns why not */
function fromDebugfs(pid: number, mounts = readFileSync('/proc/mounts', 'utf8')): VcpuCounters[] | string {
  const mount = / (\S+) debugfs /.exec(mounts)?.[1];
  if (mount === undefined) return 'debugfs is not mounted (root: mount -t debugfs nodev /sys/kernel/debug)';
  try {
    const machine = readdirSync(join(mount, 'kvm')).find((name) => name.startsWith(`${pid}-`));
    if (machine === undefined) return `debugfs has no machine of process ${pid}`;
    const folder = join(mount, 'kvm', machine);
    return readdirSync(folder)
      .filter((name) => /^vcpu\d{1,4}$/.test(name))
      .map((name) => ({ vcpu: Number(name.slice(4)), counters: countersIn(join(folder, name)) }));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EPERM') return 'debugfs refuses: the kernel is locked down (Secure Boot)';
    return code === 'EACCES' ? 'debugfs is for root only' : message;
  }
}

function countersIn(folder: string): Map<string, number> {
  const counters = new Map<string, number>();
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8').trim();
    if (/^\d{1,20}$/.test(text)) counters.set(name, Number(text));
  }
  return counters;
}
