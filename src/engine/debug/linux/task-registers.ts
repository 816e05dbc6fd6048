/** Registers of a task that no CPU runs. @linux arch/x86/include/asm/switch_to.h, arch/x86/include/asm/ptrace.h */
import type { RegisterFile } from '../../debugger.js';
import type { LinuxKernel } from './kernel.js';
import { taskLayout } from './task-layout.js';

/** `struct inactive_task_frame`, from the stack pointer that the task's structure keeps. */
const SWITCHED = ['r15', 'r14', 'r13', 'r12', 'rbx', 'rbp', 'rip'];
/** `struct pt_regs`, which lies at the end of the task's kernel stack. */
const ENTERED = [
  ...['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi'],
  ...['orig_rax', 'rip', 'cs', 'rflags', 'rsp', 'ss'],
];
const WORD = 8;
/** THREAD_SIZE, with KASAN twice as much. */
const STACKS = [0x4000n, 0x8000n];

/** Undefined for kernels of 32 bits, and those without types. */
export function taskRegisters(
  kernel: LinuxKernel,
  task: bigint,
): { kernel: RegisterFile; program?: RegisterFile } | undefined {
  const { sp, mm } = taskLayout(kernel);
  if (kernel.bits !== 64 || sp === undefined) return undefined;
  const top = kernel.pointer(task + BigInt(sp));
  const words = (address: bigint, names: readonly string[]): RegisterFile =>
    Object.fromEntries(names.map((name, index) => [name, kernel.u64(address + BigInt(index * WORD))]));
  const own = { ...words(top, SWITCHED), rsp: top + BigInt(SWITCHED.length * WORD) };
  const stack = kernel.btf.find('task_struct', 'stack');
  if (kernel.pointer(task + BigInt(mm)) === 0n || stack === undefined) return { kernel: own };
  const base = kernel.pointer(task + BigInt(stack.offset));
  const bytes = STACKS.find((size) => top < base + size);
  if (bytes === undefined) return { kernel: own };
  const program = words(base + bytes - BigInt(ENTERED.length * WORD), ENTERED);
  // a program's code segment; a kernel thread's last words are something else
  return (program.cs! & 3n) === 3n ? { kernel: own, program } : { kernel: own };
}
