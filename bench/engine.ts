import { readFileSync } from 'node:fs';
import { LOOPS } from './paths.js';
import { createCore, Jit, Machine, TRACE_ENABLED, Vm, viewOfVm } from './product.js';

const MEMORY_BYTES = 64 << 20;
/** As the product's run loop: a longer call would keep the core in V8's baseline tier. */
const SLICE = 100_000;

const SLICES_A_TURN = 40;

export interface Run {
  seconds: number;
  instructions: number;
  exits: number;
  output: string;
}

interface Booted {
  vm: InstanceType<typeof Vm>;
  machine: InstanceType<typeof Machine>;
  output(): string;
}

interface Image {
  name: string;
  bytes: Uint8Array;
  append?: string;
  /** Of a flat image. */
  at?: number;
}

/** Boots the loops guest. `command`: `NAME COUNT`, see loops.S. */
const boot = (command: string, jit = false): Booted =>
  bootImage({ name: 'loops.elf', bytes: readFileSync(LOOPS), append: command }, jit);

function bootImage({ name, bytes, append, at }: Image, jit: boolean): Booted {
  const { core, host } = createCore(MEMORY_BYTES);
  const vm = new Vm(core, host, MEMORY_BYTES, 1, viewOfVm);
  if (jit) vm.jit = new Jit(core, host.memory, 'on');
  const machine = new Machine(vm, {
    name: 'bench',
    image: { name, bytes },
    ...(append === undefined ? {} : { append }),
    ...(at === undefined ? {} : { at }),
    isaDebugExit: at !== undefined,
    noReboot: true,
    wallSeconds: 0,
  });
  let output = '';
  machine.onSerial = (bytes) => {
    output += String.fromCharCode(...bytes);
  };
  return { vm, machine, output: () => output.trim() };
}

/** Runs one slice; true while the guest goes on. @throws Error when it stops for any other reason than its end. */
function slice({ vm }: Booted): boolean {
  const end = vm.runSlice(vm.vcpus[0], SLICE);
  if (end.kind === 'ended') return false;
  if (end.kind === 'idle' && end.deadline !== undefined) vm.warpTo(end.deadline);
  else if (end.kind !== 'limit') throw new Error(`the guest stopped: ${end.kind}`);
  return true;
}

/**
 * Runs a loop to its end.
 * @throws Error when the guest ends otherwise than by switching itself off.
 */
export function runLoop(command: string, { jit = false, traced = true, quick = true } = {}): Run {
  const guest = boot(command, jit);
  guest.vm.host.set32(TRACE_ENABLED, traced ? 1 : 0);
  guest.vm.quick.on = quick;
  // processor time: others on the machine do not count
  const start = process.cpuUsage();
  while (slice(guest));
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  const { vm } = guest;
  if (vm.end?.status !== 0) throw new Error(`${command}: ${vm.end?.message}`);
  return { seconds, instructions: vm.vcpus[0].icount, exits: vm.exits, output: guest.output() };
}

/** Processor seconds of an image from its start to its end. */
export function runImage(image: Image, jit: boolean): number {
  const guest = bootImage(image, jit);
  const start = process.cpuUsage();
  while (slice(guest));
  const { user, system } = process.cpuUsage(start);
  if (guest.vm.end === undefined || guest.vm.end.status > 1) throw new Error(`${image.name}: ${guest.vm.end?.message}`);
  return (user + system) / 1e6;
}

/** Milliseconds of the slices of one run in which the exit trace is on and off by turns. */
export function tracedByTurns(
  command: string,
  quick: boolean,
  warmUp: number,
  pairs: number,
): { on: number[]; off: number[] } {
  const guest = boot(command);
  guest.vm.quick.on = quick;
  const { host } = guest.vm;
  for (let i = 0; i < warmUp; i++) if (!slice(guest)) throw new Error(`${command} is too short`);
  const times = { on: [] as number[], off: [] as number[] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const state of pair % 2 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      host.set32(TRACE_ENABLED, state === 'on' ? 1 : 0);
      const start = performance.now();
      if (!slice(guest)) throw new Error(`${command} is too short`);
      times[state].push(performance.now() - start);
    }
  }
  return times;
}

/**
 * Milliseconds of turns of one run by which breakpoints are set: `sets[0]` first, then the next, and so on round.
 * @param jit with compiled code
 */
export function brokenByTurns(command: string, jit: boolean, sets: readonly (readonly bigint[])[]): number[][] {
  const guest = boot(command, jit);
  const { breakpoints } = guest.machine.view;
  const turn = (n: number): number => {
    breakpoints.write(new Set(sets[n]), []);
    // what the change costs once is not the guest's speed
    if (!slice(guest)) throw new Error(`${command} is too short`);
    const start = process.cpuUsage();
    for (let i = 0; i < SLICES_A_TURN; i++) if (!slice(guest)) throw new Error(`${command} is too short`);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  for (let round = 0; round < 6; round++) for (let n = 0; n < sets.length; n++) turn(n);
  const times = sets.map((): number[] => []);
  for (let round = 0; round < 30; round++) for (let n = 0; n < sets.length; n++) times[n].push(turn(n));
  return times;
}

/** The fastest of some runs after one that warms V8 up: others on the machine only ever add time. */
export function fastest(command: string, how: Parameters<typeof runLoop>[1] = {}, runs = 3): Run {
  runLoop(command, how);
  return Array.from({ length: runs }, () => runLoop(command, how)).reduce((best, run) =>
    run.seconds < best.seconds ? run : best,
  );
}
