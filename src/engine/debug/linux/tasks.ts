/** Processes and the task that each CPU runs. */

import type { LinuxKernel } from './kernel.js';
import { cString } from './physical.js';
import { taskLayout } from './task-layout.js';

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
  /** Undefined where the kernel has no types. */
  threads?: number;
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
/** TASK_COMM_LEN is 16. */
const MAX_NAME = 64;
/** The usual `pid_max`. */
const MAX_PROCESSES = 1 << 15;

/** All processes, in the kernel's order: init_task (pid 0) is none of them. */
export function readTasks(kernel: LinuxKernel): LinuxTask[] {
  const { init, tasks } = taskLayout(kernel);
  return [...kernel.list(init + BigInt(tasks), tasks, MAX_PROCESSES)].map((address) => readTask(kernel, address));
}

/** The process or thread of a number; undefined when there is none. */
export function findTask(kernel: LinuxKernel, pid: number): LinuxTask | undefined {
  const { init, tasks, pid: pidAt, threads } = taskLayout(kernel);
  let left = MAX_THREADS;
  for (const leader of kernel.list(init + BigInt(tasks), tasks, MAX_PROCESSES)) {
    if (kernel.u32(leader + BigInt(pidAt)) === pid) return readTask(kernel, leader);
    if (threads === undefined) continue;
    const head = kernel.pointer(leader + BigInt(threads.signal)) + BigInt(threads.head);
    for (const thread of kernel.list(head, threads.node)) {
      if (kernel.u32(thread + BigInt(pidAt)) === pid) return readTask(kernel, thread);
      if (left-- === 0) throw new Error('the lists of threads do not end');
    }
  }
  return undefined;
}

/** Where from the start of its per-CPU area a CPU notes the task that it runs; undefined where that is not known. */
export function currentTaskOffset(kernel: LinuxKernel): bigint | undefined {
  if (kernel.bits !== 64) return undefined;
  try {
    if (!kernel.has('pcpu_hot')) return kernel.address('current_task');
    return kernel.address('pcpu_hot') + BigInt(kernel.btf.offsetOf('pcpu_hot', 'current_task'));
  } catch {
    return undefined;
  }
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
  const layout = taskLayout(kernel);
  const u32 = (offset: number): number => kernel.u32(address + BigInt(offset));
  const pointer = (offset: number): bigint => kernel.pointer(address + BigInt(offset));
  const mm = pointer(layout.mm);
  const kernelThread = layout.flags !== undefined && (u32(layout.flags) & PF_KTHREAD) !== 0;
  const { threads, pgd } = layout;
  return {
    pid: u32(layout.pid) | 0,
    tgid: u32(layout.tgid) | 0,
    ppid: kernel.u32(pointer(layout.realParent) + BigInt(layout.tgid)),
    name: cString(kernel.read(address + BigInt(layout.comm), Math.min(layout.commBytes, MAX_NAME))),
    state: stateLetter(u32(layout.state), layout.exitState === undefined ? 0 : u32(layout.exitState)),
    ...(mm !== 0n && !kernelThread ? { cr3: pgd === undefined ? 0n : pageTable(kernel, mm, pgd) } : {}),
    ...(threads === undefined ? {} : { threads: kernel.u32(pointer(threads.signal) + BigInt(threads.count)) }),
    address,
  };
}

function pageTable(kernel: LinuxKernel, mm: bigint, pgd: number): bigint {
  return BigInt(kernel.translate(kernel.pointer(mm + BigInt(pgd))) ?? 0);
}

function stateLetter(state: number, exit: number): string {
  if ((state & TASK_NOLOAD) !== 0 && (state & TASK_UNINTERRUPTIBLE) !== 0) return 'I';
  const bits = (state & 0x0f) | ((exit & 0x10) !== 0 ? 0x10 : 0) | ((exit & 0x20) !== 0 ? 0x20 : 0);
  if (bits === 0) return 'R';
  return STATES[31 - Math.clz32(bits)] ?? '?';
}
