/**
 * The state of a machine as one thing. A mutable field of the machine that survives `runSlice` is in it, or follows
 * from it and is made anew by `loadMachine`. The debugger's own (breakpoints, a step under way) is not the machine's.
 */
import { checkAll, loadAll, type Saved, type Stateful, saveAll } from '../state/saved.js';
import { count, flag, record, StateError, type StateOf, text, u32 } from '../state/schema.js';
import { checkFrame, clearFrames, type Frame, frames } from './core-image.js';
import type { CpuModel } from './cpu-models.js';
import type { Hypervisor } from './hypervisor.js';
import type { Machine } from './machine.js';
import { Vm } from './vm.js';
import { captureVm, restoreVm, type VmState } from './vm-state.js';

/** What a state belongs to: it is loaded into a machine built alike. */
export const MACHINE_IDENTITY = record({
  engine: text,
  memoryBytes: count,
  vcpus: u32,
  cpu: text,
  paravirtual: flag,
  clock: text,
});
export type MachineIdentity = StateOf<typeof MACHINE_IDENTITY>;

/** All but the frames: small, and copied. */
export interface MachineState {
  readonly identity: MachineIdentity;
  readonly parts: Readonly<Record<string, Saved>>;
}

/** The maker and every feature word. */
function cpuText({ vendor, ...model }: CpuModel): string {
  return [vendor ?? 'none', ...Object.values(model).map((word) => word.toString(16))].join(' ');
}

/** As --clock takes it; that it follows the host's clock is nothing that the machine keeps. */
const clockText = ({ realTime, instructionNs }: Hypervisor): string =>
  realTime ? "the host's" : `icount,shift=${Math.log2(instructionNs)}`;

function identity(vm: Hypervisor): MachineIdentity {
  const { engine, memoryBytes, vcpus, cpu, paravirtual } = vm;
  return { engine, memoryBytes, vcpus: vcpus.length, cpu: cpuText(cpu), paravirtual, clock: clockText(vm) };
}

/** The engine, the board and its devices, and who decides whose turn it is, in the order of loading. */
function parts({ vm, ownState, work, pc }: Machine, runs: readonly Stateful[]): Stateful[] {
  const last = vm.lastState === undefined ? [] : [vm.lastState];
  return [vm.state, ownState, work, pc.ownState, ...pc.pc.parts, ...last, ...runs];
}

/**
 * The parts for who goes back and forth in one machine: translations are dropped as it loads, decoded code stays. Between
 * `vm.synchronize` and the next slice they can be saved as often as wanted without an effect on the run.
 */
export function partsInPlace(machine: Machine, runs: readonly Stateful[]): Stateful[] {
  const { vm } = machine;
  if (!(vm instanceof Vm)) throw new StateError(`engine ${vm.engine} does not run a guest the same way twice`);
  const { name, format } = vm.state;
  const engine: Stateful<VmState> = { name, format, save: () => captureVm(vm), load: (state) => restoreVm(vm, state) };
  return [engine, ...parts(machine, runs).slice(1)];
}

/**
 * The state at this instant; `frames` is read with it, before the guest runs on. `runs` is what decides how the machine
 * is run: whose turn it is.
 * @throws StateError where the engine does not give its state.
 */
export function saveMachine(
  machine: Machine,
  runs: readonly Stateful[] = [],
): { state: MachineState; frames: Iterable<Frame> } {
  const { vm } = machine;
  if (vm.unsavable !== undefined) throw new StateError(vm.unsavable);
  const saved = saveAll(parts(machine, runs));
  return { state: { identity: identity(vm), parts: saved }, frames: { [Symbol.iterator]: () => frames(vm) } };
}

/**
 * Puts a state back into this machine or another one that is built alike. All is checked before anything changes.
 * @throws StateError naming what does not fit.
 */
export function loadMachine(
  machine: Machine,
  state: MachineState,
  saved: Iterable<Frame>,
  runs: readonly Stateful[] = [],
): void {
  const { vm } = machine;
  checkState(machine, state, runs);
  for (const frame of saved) checkFrame(vm, frame);
  clearFrames(vm);
  for (const { hpa, bytes } of saved) vm.host.u8.set(bytes, hpa);
  loadState(machine, state, runs);
}

/** Whether a state fits this machine; nothing is changed. @throws StateError naming what does not fit. */
export function checkState(machine: Machine, state: MachineState, runs: readonly Stateful[] = []): void {
  checkIdentity(machine, state.identity);
  checkAll(parts(machine, runs), state.parts);
}

/** Puts a state back that `checkState` has found to fit, where the frames are in place already. */
export function loadState(machine: Machine, state: MachineState, runs: readonly Stateful[] = []): void {
  loadAll(parts(machine, runs), state.parts);
}

/** @throws StateError naming how this machine is built otherwise than the one that the identity is of. */
export function checkIdentity(machine: Machine, of: unknown): void {
  const own = machineIdentity(machine);
  for (const [name, value] of Object.entries(MACHINE_IDENTITY.check(of, 'identity'))) {
    const here = own[name as keyof MachineIdentity];
    if (value !== here) throw new StateError(`the state is of a machine with ${name} ${value}; this one has ${here}`);
  }
}

export const machineIdentity = (machine: Machine): MachineIdentity => identity(machine.vm);

/** Kind and version of each part's state, by name: what two programs must agree on. */
export function machineFormats(machine: Machine, runs: readonly Stateful[] = []): Record<string, string> {
  const all = parts(machine, runs);
  return Object.fromEntries(all.map(({ name, format: { kind, version } }) => [name, `${kind} version ${version}`]));
}
