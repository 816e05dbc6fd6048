/** Where the members of `struct task_struct` lie: by the kernel's types, or inferred from its tasks where it has none. */
import { inferTaskLayout } from './infer-tasks.js';
import type { LinuxKernel } from './kernel.js';

/** Byte offsets; those that are not known are absent. */
export interface TaskLayout {
  /** Address of the first task's structure: the idle task of the first CPU. */
  init: bigint;
  /** `struct list_head` in which all processes are. */
  tasks: number;
  pid: number;
  tgid: number;
  realParent: number;
  comm: number;
  commBytes: number;
  state: number;
  mm: number;
  /** In `struct mm_struct`. */
  pgd?: number;
  /** `thread.sp`: where its kernel stack stands while it does not run. */
  sp?: number;
  exitState?: number;
  flags?: number;
  threads?: {
    signal: number;
    /** In `struct signal_struct`. */
    count: number;
    head: number;
    /** In `struct task_struct`. */
    node: number;
  };
}

const layouts = new WeakMap<LinuxKernel, TaskLayout>();
/** A kernel that starts has no tasks yet; one that never tells them is not asked for ever. */
const failures = new WeakMap<LinuxKernel, { count: number; error: Error }>();
const MAX_FAILURES = 16;

/** @throws Error when the kernel has no types, and its tasks are not found or say nothing */
export function taskLayout(kernel: LinuxKernel): TaskLayout {
  let layout = layouts.get(kernel);
  if (layout === undefined) {
    layout = kernel.has('__start_BTF') ? byTypes(kernel) : inferred(kernel);
    layouts.set(kernel, layout);
  }
  return layout;
}

function inferred(kernel: LinuxKernel): TaskLayout {
  const failed = failures.get(kernel);
  if (failed !== undefined && failed.count >= MAX_FAILURES) throw failed.error;
  try {
    return inferTaskLayout(kernel);
  } catch (error) {
    failures.set(kernel, { count: (failed?.count ?? 0) + 1, error: error as Error });
    throw error;
  }
}

function byTypes(kernel: LinuxKernel): TaskLayout {
  const { btf } = kernel;
  const task = (path: string): number => btf.offsetOf('task_struct', path);
  const comm = btf.member('task_struct', 'comm');
  return {
    init: kernel.address('init_task'),
    tasks: task('tasks'),
    pid: task('pid'),
    tgid: task('tgid'),
    realParent: task('real_parent'),
    comm: comm.offset,
    commBytes: comm.bytes,
    // `state` had a second reader before 5.14
    state: btf.find('task_struct', '__state')?.offset ?? task('state'),
    mm: task('mm'),
    pgd: btf.offsetOf('mm_struct', 'pgd'),
    sp: task('thread.sp'),
    exitState: task('exit_state'),
    flags: task('flags'),
    threads: {
      signal: task('signal'),
      count: btf.offsetOf('signal_struct', 'nr_threads'),
      head: btf.offsetOf('signal_struct', 'thread_head'),
      node: task('thread_node'),
    },
  };
}
