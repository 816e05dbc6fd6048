import { readFileSync } from 'node:fs';
import { LOOPS } from './paths.js';
import { createCore, Machine, TRACE_ENABLED, Vm } from './product.js';

const MEMORY_BYTES = 64 << 20;
/** As the product's run loop: a longer call would keep the core in V8's baseline tier. */
const SLICE = 100_000;

export interface Run {
  seconds: number;
  instructions: number;
  exits: number;
  output: string;
}

/**
 * Boots the loops guest and runs it to its end.
 * @param command `NAME COUNT`, see loops.S
 * @throws Error when the guest ends otherwise than by switching itself off.
 */
export function runLoop(command: string, traced = true): Run {
  const { core, host } = createCore(MEMORY_BYTES);
  const vm = new Vm(core, host, MEMORY_BYTES, 1);
  const machine = new Machine(vm, {
    name: 'bench',
    image: { name: 'loops.elf', bytes: readFileSync(LOOPS) },
    append: command,
    isaDebugExit: false,
    noReboot: true,
    wallSeconds: 0,
  });
  let output = '';
  machine.onSerial = (bytes) => {
    output += String.fromCharCode(...bytes);
  };
  host.set32(TRACE_ENABLED, traced ? 1 : 0);
  const [vcpu] = vm.vcpus;
  const start = performance.now();
  for (;;) {
    const end = vm.runSlice(vcpu, SLICE);
    if (end.kind === 'ended') break;
    if (end.kind === 'idle' && end.deadline !== undefined) vm.warpTo(end.deadline);
    else if (end.kind !== 'limit') throw new Error(`${command}: the guest stopped: ${end.kind}`);
  }
  const seconds = (performance.now() - start) / 1000;
  if (vm.end?.status !== 0) throw new Error(`${command}: ${vm.end?.message}`);
  return { seconds, instructions: vcpu.icount, exits: vm.exits, output: output.trim() };
}

/** The fastest of some runs after one that warms V8 up: others on the machine only ever add time. */
export function fastest(command: string, runs = 3): Run {
  runLoop(command);
  return Array.from({ length: runs }, () => runLoop(command)).reduce((best, run) =>
    run.seconds < best.seconds ? run : best,
  );
}
