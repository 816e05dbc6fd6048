/** Who carries out the commands of breakpoints, for those who wait until that is done. */
import type { Debugger } from '../engine/debugger.js';

const runners = new WeakMap<Debugger, { settled(): Promise<void> }>();

/** Names who does it for a target in this process. */
export function announce(debug: Debugger, runner: { settled(): Promise<void> }): void {
  runners.set(debug, runner);
}

/** Resolves when the commands of the last stop are carried out, where this process does that. */
export const stopCommandsDone = async (debug: Debugger): Promise<void> => runners.get(debug)?.settled();
