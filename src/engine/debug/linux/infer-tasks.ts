/**
 * The layout of tasks in a 32-bit kernel without types and without data in its symbol table, as Debian builds them. The
 * name of the first CPU's idle task gives its structure away: it is its own parent, real parent and group leader. Its
 * children are processes 1 and 2, the first a user's and the second the kernel's, and what is known of these fits at
 * one offset only.
 */
import type { LinuxKernel } from './kernel.js';
import { dataView } from './physical.js';
import type { TaskLayout } from './task-layout.js';

const IDLE_NAMES = ['swapper/0', 'swapper'];
const COMM_BYTES = 16;
const POINTER = 4;
/** A task_struct up to its name, and what of it follows. */
const BEFORE_NAME = 0x1000;
const BEHIND_NAME = 0x1400;
/** How much of the image is looked through for the idle task. */
const DATA_BYTES = 64 << 20;
const MAX_NAMES = 8;
/** So many tasks are looked at to find a member: the rest is as these are. */
const SAMPLE = 32;
const MAX_TASKS = 32768;
const STACK_BYTES = 8192;
/** Where `struct inactive_task_frame` has the return address. */
const SWITCHED_PC = 0x14;
/** No kernel of 32 bits has more code. */
const TEXT_BYTES = 0x200_0000n;
/** `mm_struct` up to its page table. */
const MM_BYTES = 0x200;
/** States of tasks that do not run, with the bits that go with them. @linux include/linux/sched.h */
const STATES = 0x3fff;

/** @throws Error when nothing fits */
export function inferTaskLayout(kernel: LinuxKernel): TaskLayout {
  const nothing = new Error(
    `${kernel.release} has no type information (CONFIG_DEBUG_INFO_BTF), and the layout of its tasks cannot be inferred`,
  );
  if (kernel.bits !== 32) throw new Error(`${kernel.release} has no type information (CONFIG_DEBUG_INFO_BTF)`);
  for (const name of idleNames(kernel)) {
    const layout = attempt(() => layoutAround(kernel, name));
    if (layout !== undefined) return layout;
  }
  throw nothing;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Places in the image where the idle task's name stands. */
function* idleNames(kernel: LinuxKernel): Generator<bigint> {
  const { textGpa, memory, text } = kernel;
  const bytes = memory.view(textGpa, Math.min(DATA_BYTES, memory.bytes - textGpa));
  const image = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let left = MAX_NAMES;
  for (const name of IDLE_NAMES) {
    const padded = Buffer.alloc(COMM_BYTES);
    padded.write(name, 'latin1');
    for (let at = image.indexOf(padded); at >= 0 && left-- > 0; at = image.indexOf(padded, at + 1)) {
      if (at % POINTER === 0) yield text + BigInt(at);
    }
  }
}

function layoutAround(kernel: LinuxKernel, name: bigint): TaskLayout | undefined {
  const found = selfReferences(kernel, name);
  if (found === undefined) return undefined;
  const { init, realParent } = found;
  const comm = Number(name - init);
  const size = comm + BEHIND_NAME;
  const word = (task: bigint, offset: number): number => kernel.u32(task + BigInt(offset));
  // behind the two parents the lists of children and siblings
  const [children, sibling] = [realParent + 2 * POINTER, realParent + 4 * POINTER];
  const [first, second] = [...kernel.list(init + BigInt(children), sibling, 64)].slice(0, 2);
  if (first === undefined || second === undefined) return undefined;
  // pid and tgid before the parents, and a canary between in kernels with stack protection
  const pid = [realParent - 2 * POINTER, realParent - 3 * POINTER].find((offset) =>
    [init, first, second].every((task, n) => word(task, offset) === n && word(task, offset + POINTER) === n),
  );
  const tasks = offsets(realParent).find(
    (offset) =>
      word(init, offset) === Number(first) + offset &&
      word(first, offset) === Number(second) + offset &&
      word(first, offset + POINTER) === Number(init) + offset,
  );
  if (pid === undefined || tasks === undefined) return undefined;
  const all = [...kernel.list(init + BigInt(tasks), tasks, MAX_TASKS)].slice(0, SAMPLE);
  // a user's process has its own memory, a kernel's has none
  const mm = offsets(realParent).find(
    (offset) =>
      offset > tasks &&
      word(first, offset) !== 0 &&
      word(first, offset) === word(first, offset + POINTER) &&
      word(second, offset) === 0 &&
      kernel.translate(BigInt(word(first, offset))) !== undefined,
  );
  // thread_info ends with the CPU; then state and stack
  const state = offsets(64).find(
    (offset) =>
      all.every((task) => (word(task, offset) & ~STATES) === 0) &&
      all.some((task) => word(task, offset) !== 0) &&
      all.every((task) => word(task, offset + POINTER) % STACK_BYTES === 0 && word(task, offset + POINTER) !== 0),
  );
  if (mm === undefined || state === undefined) return undefined;
  const sp = offsets(size).find((offset) => offset > comm && standsInStacks(kernel, all, state + POINTER, offset));
  const pgd = pageTableIn(kernel, BigInt(word(first, mm)));
  return {
    ...{ init, tasks, pid, tgid: pid + POINTER, realParent, comm, commBytes: COMM_BYTES, state, mm },
    ...(sp === undefined ? {} : { sp }),
    ...(pgd === undefined ? {} : { pgd }),
  };
}

const offsets = (end: number): number[] => Array.from({ length: end / POINTER }, (_, n) => n * POINTER);

/** The idle task: its address stands in it as parent twice, and five words later as group leader. */
function selfReferences(kernel: LinuxKernel, name: bigint): { init: bigint; realParent: number } | undefined {
  const data = dataView(kernel.image(name - BigInt(BEFORE_NAME), BEFORE_NAME));
  const start = Number(name) - BEFORE_NAME;
  for (let at = 0; at + 7 * POINTER <= BEFORE_NAME; at += POINTER) {
    const init = data.getUint32(at, true);
    if (init < start || init >= start + at || init % POINTER !== 0) continue;
    const same = [1, 6].every((next) => data.getUint32(at + next * POINTER, true) === init);
    if (same) return { init: BigInt(init), realParent: start + at - init };
  }
  return undefined;
}

/** Whether a word of most tasks is a place in their own stack at which the way back to kernel code stands. */
function standsInStacks(kernel: LinuxKernel, tasks: readonly bigint[], stack: number, offset: number): boolean {
  let inside = 0;
  for (const task of tasks) {
    const base = kernel.u32(task + BigInt(stack));
    const value = kernel.u32(task + BigInt(offset));
    if (value < base || value >= base + STACK_BYTES - SWITCHED_PC) continue;
    const pc = BigInt(kernel.u32(BigInt(value + SWITCHED_PC)));
    if (pc > kernel.text && pc < kernel.text + TEXT_BYTES) inside++;
  }
  return inside > tasks.length / 2;
}

/** Where in an `mm_struct` the page table is: one that maps the kernel as the kernel's own does. */
function pageTableIn(kernel: LinuxKernel, mm: bigint): number | undefined {
  return offsets(MM_BYTES).find((offset) => {
    const table = attempt(() => BigInt(kernel.u32(mm + BigInt(offset))));
    const root = table === undefined || table % 32n !== 0n ? undefined : kernel.translate(table);
    return root !== undefined && kernel.translateBy(root, kernel.text) === kernel.textGpa;
  });
}
