import { existsSync, readFileSync } from 'node:fs';
import type { Measurement } from './measurement.js';
import { ROOT } from './paths.js';
import { createCore, Guest, InputLog, Jit, Machine, Vm } from './product.js';

const FOLDER = `${ROOT}build/guests/linux`;
const MEMORY_BYTES = 256 << 20;
const BUDGET = 256 << 20;
const INSTRUCTIONS = 1_000_000_000n;
const JUMPS = 25;
const STEPS = 200;

type History = NonNullable<InstanceType<typeof Guest>['history']>;

/** A Linux guest that boots, with its history or without one. */
function linux(history: boolean): InstanceType<typeof Guest> {
  const { core, host } = createCore(MEMORY_BYTES);
  const vm = new Vm(core, host, MEMORY_BYTES, 1);
  vm.jit = new Jit(core, host.memory, 'on', () => performance.now());
  const inputs = new InputLog();
  const machine = new Machine(vm, {
    ...{ name: 'bench', image: { name: 'vmlinuz', bytes: readFileSync(`${FOLDER}/vmlinuz`) }, inputs },
    ...{ append: 'console=ttyS0', initrd: { name: 'initrd.gz', bytes: readFileSync(`${FOLDER}/initrd.gz`) } },
    ...{ isaDebugExit: false, noReboot: true, wallSeconds: 0 },
  });
  return new Guest(machine, {
    ...{ paced: false, waitForInput: true },
    ...(history ? { history: { inputs, budgetBytes: BUDGET, disks: [] } } : {}),
  });
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What a history costs, and how fast one is back in it: a Linux boot of 1 G instructions, compiled as by default. */
export async function history(): Promise<Measurement[]> {
  if (!existsSync(`${FOLDER}/vmlinuz`)) throw new Error('no Linux guest: run samples/linux/fetch');
  const plain = await seconds(() => linux(false).runUntil({ icount: INSTRUCTIONS }));
  const guest = linux(true);
  const kept = await seconds(() => guest.runUntil({ icount: INSTRUCTIONS }));
  const past = guest.history as History;
  const { bytes, snapshots } = await past.where();
  const steps = await seconds(async () => {
    for (let n = 0; n < STEPS; n++) await past.stepBack(0);
  });
  const jumps: number[] = [];
  let random = 1;
  for (let n = 0; n < JUMPS; n++) {
    random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
    jumps.push(await seconds(() => past.goTo({ share: random / 0x7fffffff })));
  }
  await past.goTo({ end: true });
  await guest.addBreakpoint({ kind: 'watch', space: 'gpa', address: 0x1ff000n, length: 8, access: 'write' });
  const search = await seconds(() => past.continueBack());
  const far = (await past.where()).icount;
  return [
    { name: 'history.cost', value: (kept / plain - 1) * 100, unit: '%', note: `${plain.toFixed(1)} s without` },
    { name: 'history.memory', value: bytes / 2 ** 20, unit: 'MiB', note: `${snapshots.length} snapshots` },
    { name: 'history.reverse-stepi', value: STEPS / steps, unit: 'steps/s' },
    { name: 'history.goto', value: median(jumps) * 1000, unit: 'ms', note: 'median' },
    { name: 'history.reverse-continue', value: search, unit: 's', note: `to a write at ${far}` },
  ];
}
