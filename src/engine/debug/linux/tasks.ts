/** Processes and the task that each CPU runs. */

import type { LinuxKernel } from './kernel.js';
import { cString } from './physical.js';

export interface LinuxTask {
  pid: number;
  /** Process that the thread belongs to; its own pid for the main thread. */
  tgid: number;
  ppid: number;
  name: string;
  /** As ps prints it: R, S, D, T, t, I, Z, X. */
  state: string;
  /** Guest-physical address of its page table; undefined for kernel threads, which borrow one. */
  cr3?: bigint;
  threads: number;
  /** Address of its task_struct. */
  address: bigint;
}

/** Letters by bit of the state, from bit 0. @linux include/linux/sched.h */
const STATES = ['S', 'D', 'T', 't', 'X', 'Z', 'P', 'X'];
const TASK_NOLOAD = 0x400;
const TASK_UNINTERRUPTIBLE = 2;
const PF_KTHREAD = 0x0020_0000;
/** Of all processes together. */
const MAX_THREADS = 1 << 17;
/** More than a `task_struct` of any configuration has. */
const MAX_TASK_BYTES = 1 << 15;
/** The usual `pid_max`. */
const MAX_PROCESSES = 1 << 15;

/** All processes, in the kernel's order: init_task (pid 0) is none of them. */
export function readTasks(kernel: LinuxKernel): LinuxTask[] {
  const tasks = kernel.btf.offsetOf('task_struct', 'tasks');
  const first = kernel.address('init_task');
  return [...kernel.list(first + BigInt(tasks), tasks, MAX_PROCESSES)].map((address) => readTask(kernel, address));
}

/** The process or thread of a number; undefined when there is none. */
export function findTask(kernel: LinuxKernel, pid: number): LinuxTask | undefined {
  const { btf } = kernel;
  const tasks = btf.offsetOf('task_struct', 'tasks');
  const node = btf.offsetOf('task_struct', 'thread_node');
  const pidAt = BigInt(btf.offsetOf('task_struct', 'pid'));
  const signalAt = BigInt(btf.offsetOf('task_struct', 'signal'));
  const head = BigInt(btf.offsetOf('signal_struct', 'thread_head'));
  let left = MAX_THREADS;
  for (const leader of kernel.list(kernel.address('init_task') + BigInt(tasks), tasks, MAX_PROCESSES)) {
    if (kernel.u32(leader + pidAt) === pid) return readTask(kernel, leader);
    for (const thread of kernel.list(kernel.pointer(leader + signalAt) + head, node)) {
      if (kernel.u32(thread + pidAt) === pid) return readTask(kernel, thread);
      if (left-- === 0) throw new Error('the lists of threads do not end');
    }
  }
  return undefined;
}

/** The task that a CPU runs now; undefined before the kernel has set its CPUs up. */
export function currentTask(kernel: LinuxKernel, cpu: number): LinuxTask | undefined {
  const pointer = kernel.has('pcpu_hot')
    ? kernel.perCpu('pcpu_hot', cpu) + BigInt(kernel.btf.offsetOf('pcpu_hot', 'current_task'))
    : kernel.perCpu('current_task', cpu);
  const address = kernel.pointer(pointer);
  return address === 0n ? undefined : readTask(kernel, address);
}

export function readTask(kernel: LinuxKernel, address: bigint): LinuxTask {
  const { btf } = kernel;
  const size = btf.sizeOf('task_struct');
  if (size > MAX_TASK_BYTES) throw new Error(`a task_struct of ${size} bytes is none`);
  const bytes = kernel.read(address, size);
  const data = new DataView(bytes.buffer);
  const offset = (path: string): number => btf.offsetOf('task_struct', path);
  const pointer = (path: string): bigint =>
    kernel.bits === 64 ? data.getBigUint64(offset(path), true) : BigInt(data.getUint32(offset(path), true));
  const name = btf.member('task_struct', 'comm');
  const mm = pointer('mm');
  const parent = pointer('real_parent');
  const signal = pointer('signal');
  const kernelThread = (data.getUint32(offset('flags'), true) & PF_KTHREAD) !== 0;
  return {
    pid: data.getInt32(offset('pid'), true),
    tgid: data.getInt32(offset('tgid'), true),
    ppid: kernel.u32(parent + BigInt(offset('tgid'))),
    name: cString(bytes.subarray(name.offset, name.offset + name.bytes)),
    state: stateLetter(
      // `state` had a second reader before 5.14
      data.getUint32(btf.find('task_struct', '__state')?.offset ?? offset('state'), true),
      data.getUint32(offset('exit_state'), true),
    ),
    ...(mm !== 0n && !kernelThread ? { cr3: pageTable(kernel, mm) } : {}),
    threads: kernel.u32(signal + BigInt(btf.offsetOf('signal_struct', 'nr_threads'))),
    address,
  };
}

function pageTable(kernel: LinuxKernel, mm: bigint): bigint {
  const pgd = kernel.pointer(mm + BigInt(kernel.btf.offsetOf('mm_struct', 'pgd')));
  return BigInt(kernel.translate(pgd) ?? 0);
}

function stateLetter(state: number, exit: number): string {
  if ((state & TASK_NOLOAD) !== 0 && (state & TASK_UNINTERRUPTIBLE) !== 0) return 'I';
  const bits = (state & 0x0f) | ((exit & 0x10) !== 0 ? 0x10 : 0) | ((exit & 0x20) !== 0 ? 0x20 : 0);
  if (bits === 0) return 'R';
  return STATES[31 - Math.clz32(bits)] ?? '?';
}
