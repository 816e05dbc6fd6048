import type { CodeFile } from '../../debug/types/code-file.js';
import type { Activity } from '../../vmm/activity.js';
import type { HistoryOptions } from '../guest-history.js';
import type { ForeseenKernel } from '../guest-kernel.js';
import type { RecordingFile } from '../recording/guest-recording.js';
import type { Recorder } from '../recording/recorder.js';

export interface GuestOptions extends CodeFile {
  /** Idle time passes at the pace of the wall clock. */
  paced: boolean;
  /** Virtual time follows the host's clock while the guest runs, and idle time passes at its pace. */
  followsHost?: boolean;
  /** The host's clock in ns; by default the process's own. */
  hostClock?(): number;
  /** A guest that is halted for good waits for input instead of ending. */
  waitForInput: boolean;
  /** Runs the same guest aside until its kernel has unpacked itself; undefined when none appears. */
  foreseeKernel?(): Promise<ForeseenKernel | undefined>;
  /** Release of the kernel in the image. */
  kernelRelease?: string;
  /** Told when a turn of the guest begins and ends, for who watches this thread. */
  activity?: Activity;
  /** Keeps what is needed to go back; the machine's inputs go into the same log. */
  history?: HistoryOptions;
  /** Has the machine's inputs too, and writes them to a file. */
  recorder?: Recorder;
  /** Of the recording that the history repeats. */
  recording?: RecordingFile;
  /** Stop conditions of scripts. */
  untilExits?: number;
  maxInstructions?: number;
}
