/**
 * `npm run bench [-- GROUP...] [-- --check]`: measures, prints a table, and with --check ends with status 1 when a
 * figure breaks its promise in baseline.json. Groups: interpreter, compiler, programs, kinds, breakpoints, conditions, exits, vmexits,
 * trace, stub, kvm, fleet, history, clock, dashboard.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { breakpointCosts } from './breakpoints.js';
import { clock } from './clock.js';
import { compiler } from './compiler.js';
import { conditionCosts } from './conditions.js';
import { dashboard } from './dashboard.js';
import { exitRates, traceOverhead } from './exits.js';
import { fleet } from './fleet.js';
import { history } from './history.js';
import { interpreter } from './interpreter.js';
import { kinds } from './kinds.js';
import { kvmExitRates, kvmInterrupts, kvmThreads } from './kvm.js';
import { broken, type Floor, format, type Measurement } from './measurement.js';
import { ROOT } from './paths.js';
import { programs } from './programs.js';
import { stubRates } from './stub.js';
import { vmexits } from './vmexits.js';

/** A group's measurements are taken one by one, so that a failing one does not hide the others. */
const GROUPS: Record<string, (() => Measurement[] | Promise<Measurement[]>)[]> = {
  interpreter,
  compiler,
  programs,
  kinds,
  breakpoints: breakpointCosts,
  conditions: [conditionCosts],
  exits: [exitRates],
  vmexits,
  trace: [traceOverhead],
  stub: [stubRates],
  kvm: [kvmExitRates, kvmThreads, kvmInterrupts],
  fleet,
  history: [history],
  clock,
  dashboard,
};

const words = process.argv.slice(2);
const check = words.includes('--check');
const wanted = words.filter((word) => word !== '--check');
const unknown = wanted.find((word) => !(word in GROUPS));
if (unknown !== undefined) {
  console.error(`bench: no group ${unknown}; there are ${Object.keys(GROUPS).join(', ')}`);
  process.exit(2);
}

const floors = JSON.parse(readFileSync(`${ROOT}bench/baseline.json`, 'utf8')) as Record<string, Floor>;
const failures: string[] = [];
console.log(`node ${process.version}, ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} threads\n`);
for (const group of wanted.length > 0 ? wanted : Object.keys(GROUPS)) {
  for (const measure of GROUPS[group]) {
    try {
      for (const measurement of await measure()) print(measurement);
    } catch (error) {
      const message = `${group}: failed: ${(error as Error).message}`;
      failures.push(message);
      console.log(message);
    }
  }
}
if (check) {
  for (const failure of failures) console.error(`bench: ${failure}`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

function print(measurement: Measurement): void {
  const { name, value, unit, note } = measurement;
  const failure = broken(measurement, floors[name]);
  if (failure) failures.push(failure);
  const figure = `${name.padEnd(32)}${format(value).padStart(12)} ${unit.padEnd(14)}`;
  console.log(`${figure}${failure ? 'BREAKS ITS PROMISE ' : ''}${note ?? ''}`.trimEnd());
}
