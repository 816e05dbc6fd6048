// A machine whose run is recorded by hand as the guest's turns do it, and one that repeats the recording.
import { openSync, writeSync } from 'node:fs';
import { RewindableStore } from '../../src/engine/disk/rewindable-store.js';
import { History } from '../../src/engine/history/history.js';
import { compareEnd, GuestRecording } from '../../src/engine/host/recording/guest-recording.js';
import { Recorder } from '../../src/engine/host/recording/recorder.js';
import { Recording } from '../../src/engine/host/recording/recording.js';
import { RunNotes } from '../../src/engine/host/run-notes.js';
import { Turns } from '../../src/engine/host/turns.js';
import { FORGETTING } from '../../src/engine/time/input-keeper.js';
import { type BuildOptions, build } from '../state/machine-run.js';
import type { LiveRun, TurnedRun } from './live-run.js';

export interface RecordedRun extends TurnedRun {
  recording: GuestRecording;
  notes: RunNotes;
}

/** A run that is recorded into a file; nobody keeps a history of it. */
export function recordedRun(file: string, options: BuildOptions): RecordedRun {
  const fd = openSync(file, 'w');
  const write = (bytes: Uint8Array): void => void writeSync(fd, bytes);
  const recorder = new Recorder(fd, write, FORGETTING, { program: 'test' }, []);
  const built = build({ ...options, inputs: recorder });
  const turns = new Turns(built.vm, () => {});
  const notes = new RunNotes(built.machine, built.vm, turns);
  return { ...built, turns, notes, recording: new GuestRecording(built.machine, built.vm, turns, notes, recorder) };
}

/** The machine at the first instant of a recording. */
export function repeated(file: string, options: BuildOptions, budget = 1 << 30): LiveRun & { close(): void } {
  const recording = Recording.open(file);
  const disks: RewindableStore[] = [];
  const drives = options.drives?.map((drive) => {
    const store = new RewindableStore(drive.store!, true);
    disks.push(store);
    return { ...drive, store };
  });
  const built = build({ ...options, ...(drives ? { drives } : {}), inputs: recording });
  const turns = new Turns(built.vm, () => {});
  new RunNotes(built.machine, built.vm, turns);
  const recorded = { last: recording.last, end: recording.recordedEnd?.end };
  const history = new History(built.machine, built.vm, turns, recording, budget, disks, recorded);
  return { ...built, turns, history, close: () => recording.close() };
}

/** Repeats all of it. @throws Error where it goes nowhere */
export function repeatAll({ history }: LiveRun): void {
  for (let n = 0; n < 100_000; n++) if (history.repeat({ kind: 'end' }).kind === 'end') return;
  throw new Error(`it goes nowhere: instruction ${history.now().icount}`);
}

/** Parts of the state at the end that are another one than in the recording. */
export function differences(file: string, run: LiveRun): string[] {
  const recording = Recording.open(file);
  try {
    return compareEnd(run.machine, run.history, [run.turns], recording).differing;
  } finally {
    recording.close();
  }
}
