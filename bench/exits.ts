import { fastest, tracedByTurns } from './engine.js';
import { type Measurement, median } from './measurement.js';

const WARM_UP = 40;
const PAIRS = 150;

/** What a run is: as users get it, without records in the trace, and with every exit going to the VMM's handler and back. */
const WAYS = {
  '': { jit: true },
  ', no trace': { jit: true, traced: false },
  ', by the VMM': { jit: true, quick: false },
};

/** VM exits a second of processor time, by kind. */
export function exitRates(): Measurement[] {
  return ['cpuid', 'out', 'mmio'].flatMap((name) =>
    Object.entries(WAYS).map(([way, how]): Measurement => {
      const { exits, seconds } = fastest(`${name} ${name === 'mmio' || 'quick' in how ? 300 : 3000}`, how);
      return { name: `exits.${name}${way}`, value: exits / seconds, unit: 'exits/s' };
    }),
  );
}

/**
 * Time of an exit-heavy guest with the exit trace on, as a ratio to the time with it off: medians of short slices of
 * one run, on and off by turns, so that another load on the machine meets both alike.
 */
export function traceOverhead(): Measurement[] {
  return [false, true].map((quick): Measurement => {
    const { on, off } = tracedByTurns('cpuid 60000', quick, WARM_UP, PAIRS);
    const name = `exits.trace-overhead${quick ? ', completed in the core' : ''}`;
    return { name, value: median(on) / median(off), unit: 'ratio', note: 'on / off' };
  });
}
