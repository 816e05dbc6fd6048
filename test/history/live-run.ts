// A machine with a history, run by hand as the guest's turns do it.
import { createHash } from 'node:crypto';
import { RAM_BASE } from '../../src/engine/core/layout.js';
import { type Goal, History } from '../../src/engine/history/history.js';
import { Turns } from '../../src/engine/host/turns.js';
import { Jit } from '../../src/engine/jit/jit.js';
import { saveAll } from '../../src/engine/state/saved.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { partsInPlace } from '../../src/engine/vmm/machine-state.js';
import { type BuildOptions, build, type TestMachine } from '../state/machine-run.js';

/** A machine with what decides whose turn it is. */
export interface TurnedRun extends TestMachine {
  turns: Turns;
}

export interface LiveRun extends TurnedRun {
  history: History;
}

export function liveRun(options: BuildOptions & { budget?: number; jit?: 'on' | 'always' }): LiveRun {
  const inputs = new InputLog();
  const built = build({ ...options, inputs });
  const { vm, machine } = built;
  if (options.jit) vm.jit = new Jit(vm.core, vm.host.memory, options.jit, () => 0);
  const turns = new Turns(vm, () => {});
  const history = new History(machine, vm, turns, inputs, options.budget ?? 1 << 30);
  return { ...built, turns, history };
}

/** Runs on at the live end up to an instruction count; false: the guest ended. */
export function runTo({ vm, machine, turns }: TurnedRun, icount: number): boolean {
  for (let n = 0; machine.work.icount < icount; n++) {
    if (n > 1_000_000) throw new Error('it does not get on');
    if (vm.end?.kind === 'resumed') machine.resume();
    const turn = turns.take(Math.min(100_000, icount - machine.work.icount));
    if (turn === undefined) {
      const deadline = vm.board.nextDeadline();
      if (deadline === undefined) return false;
      vm.warpTo(deadline);
    } else if (turn.end.kind === 'entry-failed') return false;
    else if (turn.end.kind === 'ended' && !machine.outlives()) return false;
  }
  return true;
}

export function goTo({ history }: LiveRun, goal: Exclude<Goal, { kind: 'vcpu' }>): void {
  history.moveTo(history.startFor(goal));
  for (let n = 0; n < 100_000; n++) {
    const { kind } = history.repeat(goal);
    if (kind === 'reached' || kind === 'end') return;
  }
  throw new Error(`it goes nowhere: instruction ${history.now().icount}`);
}

/** Registers, devices, counts and all of RAM; not what is cached, nor what a debugger keeps. */
export function digest(run: TurnedRun): string {
  const { vm } = run;
  const hash = createHash('sha256');
  hash.update(
    JSON.stringify(state(run), (_, value) => {
      if (typeof value === 'bigint') return `${value}n`;
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      return value instanceof Uint32Array ? [...value] : value;
    }),
  );
  hash.update(vm.host.u8.subarray(RAM_BASE, RAM_BASE + vm.memoryBytes));
  return hash.digest('hex');
}

export function state({ machine, vm, turns }: TurnedRun): object {
  vm.synchronize();
  const registers = vm.vcpus.map(({ index }) => machine.view.readRegisters(index));
  const { vtx, ...devices } = saveAll(partsInPlace(machine, [turns]));
  const { vcpus, exits, end } = vtx.state as { vcpus: unknown; exits: number; end: unknown };
  const { inputs, ...board } = devices.board0.state as Record<string, unknown>;
  void inputs;
  return { registers, devices: { ...devices, board0: board }, vcpus, exits, end };
}
