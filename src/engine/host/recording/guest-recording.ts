/** A guest whose run is recorded, and one that repeats a recording. */
import type * as D from '../../debugger.js';
import type { History } from '../../history/history.js';
import type { Stateful } from '../../state/saved.js';
import type { Machine } from '../../vmm/machine.js';
import { Vm } from '../../vmm/vm.js';
import { isSpaced } from '../guest-history.js';
import type { RunNotes } from '../run-notes.js';
import type { Turns } from '../turns.js';
import { differingParts, finalState, stateHash } from './final-state.js';
import type { RecordedEnd, Recorder } from './recorder.js';

export class GuestRecording {
  #flushedAt = 0;
  #movedAtFlush = 0;

  constructor(
    private readonly machine: Machine,
    private readonly vm: Vm,
    private readonly turns: Turns,
    private readonly notes: RunNotes,
    private readonly recorder: Recorder,
  ) {
    recorder.onEnd = (cause) => machine.onMessage(`the recording ends here: ${cause}`);
  }

  get done(): boolean {
    return this.recorder.done;
  }

  /**
   * After a turn of a run whose history nobody keeps: who repeats it makes snapshots where translations are dropped, and the
   * recording is read up to about here if nothing ends it.
   */
  afterTurn(): void {
    const { machine, vm } = this;
    if (this.done || this.turns.partial) return;
    if (!isSpaced(machine.work.icount - this.#flushedAt, vm.memory.moved - this.#movedAtFlush)) return;
    this.notes.dropTranslations();
    this.#flushedAt = machine.work.icount;
    this.#movedAtFlush = vm.memory.moved;
  }

  /** The run, or what is recorded of it, ends here; the guest stands. */
  finish(cause?: string): void {
    if (this.done) return;
    const { machine, vm, turns, notes } = this;
    turns.stop();
    notes.control();
    const instant = notes.now();
    notes.flush();
    vm.forgetTranslations();
    const state = finalState(machine, vm, [turns]);
    this.recorder.finish({ instant, state, ...(vm.end ? { end: vm.end } : {}) }, cause);
  }
}

export interface RecordingFile {
  readonly path: string;
  readonly recordedEnd: RecordedEnd | undefined;
}

/** @throws Error when there is nothing to compare */
export function compareEnd(
  machine: Machine,
  history: History,
  runs: readonly Stateful[],
  { path, recordedEnd }: RecordingFile,
): D.RecordingVerdict {
  const { vm } = machine;
  if (!recordedEnd || !(vm instanceof Vm))
    throw new Error(`${path}: was cut off while it was written: the state at its end is not in it`);
  const now = history.now();
  if (!history.atRecordedEnd)
    throw new Error(`the guest is at instruction ${now.icount}; the recording ends at ${history.last.icount}`);
  vm.synchronize();
  const state = finalState(machine, vm, runs);
  return {
    at: { icount: now.icount, exit: now.exits },
    hash: stateHash(state),
    recordedHash: stateHash(recordedEnd.state),
    differing: differingParts(recordedEnd.state, state),
  };
}
