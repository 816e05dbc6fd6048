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

/** All processes, in the kernel's order: init_task (pid 0) is none of them. */
export function readTasks(kernel: LinuxKernel): LinuxTask[] {
  const tasks = kernel.btf.offsetOf('task_struct', 'tasks');
  const first = kernel.address('init_task');
  return [...kernel.list(first + BigInt(tasks), tasks)].map((address) => readTask(kernel, address));
}

/** The task that a CPU runs now; undefined before the kernel has set its CPUs up. */
export function currentTask(kernel: LinuxKernel, cpu: number): LinuxTask | undefined {
  const pointer = kernel.has('pcpu_hot')
    ? kernel.perCpu('pcpu_hot', cpu) + BigInt(kernel.btf.offsetOf('pcpu_hot', 'current_task'))
    : kernel.perCpu('current_task', cpu);
  const address = kernel.u64(pointer);
  return address === 0n ? undefined : readTask(kernel, address);
}

export function readTask(kernel: LinuxKernel, address: bigint): LinuxTask {
  const { btf } = kernel;
  const bytes = kernel.read(address, btf.sizeOf('task_struct'));
  const data = new DataView(bytes.buffer);
  const offset = (path: string): number => btf.offsetOf('task_struct', path);
  const pointer = (path: string): bigint => data.getBigUint64(offset(path), true);
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
  const pgd = kernel.u64(mm + BigInt(kernel.btf.offsetOf('mm_struct', 'pgd')));
  return BigInt(kernel.translate(pgd) ?? 0);
}

function stateLetter(state: number, exit: number): string {
  if ((state & TASK_NOLOAD) !== 0 && (state & TASK_UNINTERRUPTIBLE) !== 0) return 'I';
  const bits = (state & 0x0f) | ((exit & 0x10) !== 0 ? 0x10 : 0) | ((exit & 0x20) !== 0 ? 0x20 : 0);
  if (bits === 0) return 'R';
  return STATES[31 - Math.clz32(bits)] ?? '?';
}
