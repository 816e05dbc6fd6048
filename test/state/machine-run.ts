// Machines that tests run by hand: built alike, run for so many instructions, hashed whole.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { Machine, type MachineOptions } from '../../src/engine/vmm/machine.js';
import { saveMachine } from '../../src/engine/vmm/machine-state.js';
import { framesBehindRam } from '../../src/engine/vmm/video-frames.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { compiled } from '../jit/mode.js';

export interface BuildOptions extends Partial<MachineOptions> {
  file: string;
  memoryMib?: number;
  vcpus?: number;
  /** Instead of a new one. */
  core?: ReturnType<typeof createCore>;
}

export interface TestMachine {
  machine: Machine;
  vm: Vm;
  /** What it has written to COM1 since it was built. */
  output: string;
  /** The vCPU whose turn is next. */
  next: number;
}

export function build({ file, memoryMib = 16, vcpus = 1, core: given, ...options }: BuildOptions): TestMachine {
  const memoryBytes = memoryMib << 20;
  const bytes = readFileSync(file);
  const { core, host } = given ?? createCore(memoryBytes, framesBehindRam(options.firmware ? bytes.length : 0));
  const vm = compiled(new Vm(core, host, memoryBytes, vcpus, viewOfVm));
  const machine = new Machine(vm, {
    ...{ name: 'test', isaDebugExit: true, noReboot: true, wallSeconds: 1_700_000_000 },
    ...options,
    image: { name: file, bytes },
  });
  const built: TestMachine = { machine, vm, output: '', next: 0 };
  machine.onSerial = (sent) => {
    built.output += Buffer.from(sent).toString('latin1');
  };
  return built;
}

const TURN = 20_000;

/** Runs for about so many instructions or to the end, in turns; idle time passes at once. True: it goes on. */
export function run(built: TestMachine, instructions: number): boolean {
  const { vm, machine } = built;
  const end = vm.icount + instructions;
  for (let idle = 0; vm.icount < end; ) {
    const vcpu = vm.vcpus[built.next];
    built.next = (built.next + 1) % vm.vcpus.length;
    const slice = vcpu.runnable ? vm.runSlice(vcpu, Math.min(TURN, end - vm.icount)) : { kind: 'idle' as const };
    if (slice.kind === 'ended' && vm.end?.kind === 'reset') machine.reset();
    else if (slice.kind === 'ended' || slice.kind === 'entry-failed') return false;
    idle = slice.kind === 'idle' ? idle + 1 : 0;
    if (idle < vm.vcpus.length || vm.vcpus.some(({ runnable }) => runnable)) continue;
    const deadline = vm.board.nextDeadline();
    if (deadline === undefined) return false;
    vm.warpTo(deadline);
  }
  return true;
}

/** A digest of all state and memory. To take it is an event of the run, as every save is. */
export function digest({ machine }: TestMachine): string {
  const hash = createHash('sha256');
  const { state, frames } = saveMachine(machine);
  hash.update(
    JSON.stringify(state, (_, value) => {
      if (typeof value === 'bigint') return `${value}n`;
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      return value instanceof Uint32Array ? [...value] : value;
    }),
  );
  for (const { hpa, bytes } of frames) hash.update(`${hpa}`).update(bytes);
  return hash.digest('hex');
}

/** Numbers from 0 to below 1, the same for the same seed (xorshift32). */
export function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}
