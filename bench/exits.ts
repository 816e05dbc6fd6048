import { fastest, runLoop } from './engine.js';
import type { Measurement } from './measurement.js';

const PAIRS = 9;

/** VM exits a second by kind: each goes from the core to the VMM's handler and back. */
export function exitRates(): Measurement[] {
  return ['cpuid', 'out', 'mmio'].map((name) => {
    const { exits, seconds } = fastest(`${name} 300`);
    return { name: `exits.${name}`, value: exits / seconds, unit: 'exits/s' };
  });
}

/**
 * Time of an exit-heavy guest with the exit trace on, as a ratio to the time with it off. On and off alternate in
 * one process and the fastest of each count, so that another load on the machine does not decide.
 */
export function traceOverhead(): Measurement[] {
  const best = { on: Number.POSITIVE_INFINITY, off: Number.POSITIVE_INFINITY };
  runLoop('cpuid 100');
  for (let pair = 0; pair < PAIRS; pair++) {
    best.off = Math.min(best.off, runLoop('cpuid 200', false).seconds);
    best.on = Math.min(best.on, runLoop('cpuid 200', true).seconds);
  }
  return [{ name: 'exits.trace-overhead', value: best.on / best.off, unit: 'ratio', note: 'on / off' }];
}
