// The thread with the engine. It takes longer to load than all of the command line: so that begins first, and the thread is told
// later what guest it has.
import { Worker } from 'node:worker_threads';
import { compileSeldom, GUEST_COMPILES_SELDOM } from './compile-seldom.js';
import type { GuestWorkerData } from './guest-options.js';

let begun: Worker | undefined;

function start(): Worker {
  compileSeldom(GUEST_COMPILES_SELDOM);
  return new Worker(new URL('./guest-worker.js', import.meta.url));
}

/** For a command line that is going to have a guest. */
export function beginEngineThread(): void {
  begun ??= start();
  // who has asked for something else does not wait for it
  begun.unref();
}

/** The thread of one guest. */
export function engineThread(data: GuestWorkerData): Worker {
  const worker = begun ?? start();
  begun = undefined;
  worker.ref();
  worker.postMessage(data);
  return worker;
}
