import { Jit, type JitMode } from '../../src/engine/jit/jit.js';
import type { Vm } from '../../src/engine/vmm/vm.js';

/**
 * What `--jit` is to be for the machines of a run of the tests: `VMSCOPE_JIT=always npm test` compiles what any of them
 * runs, those of the program too. Without it the tests' own are interpreted.
 */
const MODE = (process.env.VMSCOPE_JIT ?? 'off') as JitMode;

/** Gives a test's machine the compiler that the run of the tests is to have. */
export function compiled(vm: Vm): Vm {
  if (MODE !== 'off') vm.jit = new Jit(vm.core, vm.host.memory, MODE);
  return vm;
}
