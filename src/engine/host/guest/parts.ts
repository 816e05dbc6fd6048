import type { Machine } from '../../vmm/machine.js';
import type { Turns } from '../turns.js';
import type { KeptRun } from './kept-run.js';
import type { GuestKernelWatch } from './kernel-watch.js';
import type { GuestOptions } from './options.js';
import type { GuestOutput } from './output.js';
import type { Pace } from './pace.js';
import type { RunStatus } from './status.js';
import type { Stops } from './stops.js';

/** The rooms of a guest that its run control, and whatever goes with that, works on. */
export interface GuestParts {
  readonly machine: Machine;
  readonly options: GuestOptions;
  readonly status: RunStatus;
  readonly turns: Turns;
  readonly stops: Stops;
  readonly output: GuestOutput;
  readonly kept: KeptRun;
  readonly kernel: GuestKernelWatch;
  readonly pace: Pace;
}
