import { fastest, tracedByTurns } from './engine.js';
import { type Measurement, median } from './measurement.js';

const WARM_UP = 40;
const PAIRS = 150;

/** VM exits a second by kind: each goes from the core to the VMM's handler and back. */
export function exitRates(): Measurement[] {
  return ['cpuid', 'out', 'mmio'].map((name) => {
    const { exits, seconds } = fastest(`${name} 300`);
    return { name: `exits.${name}`, value: exits / seconds, unit: 'exits/s' };
  });
}

/**
 * Time of an exit-heavy guest with the exit trace on, as a ratio to the time with it off: medians of short slices of
 * one run, on and off by turns, so that another load on the machine meets both alike.
 */
export function traceOverhead(): Measurement[] {
  const { on, off } = tracedByTurns('cpuid 60000', WARM_UP, PAIRS);
  return [{ name: 'exits.trace-overhead', value: median(on) / median(off), unit: 'ratio', note: 'on / off' }];
}
