import { existsSync, readFileSync } from 'node:fs';
import type { Measurement } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';
import { createCore, Guest, InputLog, Jit, Machine, Vm, viewOfVm } from './product.js';

const FOLDER = `${ROOT}build/guests/linux`;
const MEMORY_BYTES = 256 << 20;
const BUDGET = 256 << 20;
const INSTRUCTIONS = 1_000_000_000n;
/** How far the boot is run to go back in it. */
const FAR = 1_500_000_000n;
const JUMPS = 25;
const STEPS = 200;

type History = NonNullable<InstanceType<typeof Guest>['history']>;

/** What is run with a history and without one. */
interface Kind {
  name: string;
  image: string;
  append: string;
  initrd?: string;
}
const LINUX: Kind = {
  ...{ name: 'Linux boot', image: `${FOLDER}/vmlinuz`, append: 'console=ttyS0', initrd: `${FOLDER}/initrd.gz` },
};
/** Code that computes in little memory, that writes all of its memory, and that waits for it. */
const KINDS: readonly Kind[] = [
  LINUX,
  { name: 'crc32', image: LOOPS, append: 'crc32 100000' },
  { name: 'sort', image: LOOPS, append: 'sort 100000' },
  { name: 'pointer', image: LOOPS, append: 'pointer 100000' },
];
/** The two take turns of so many instructions, so that both see the host as it is. */
const TURN = 50_000_000n;

function make({ name, image, append, initrd }: Kind, history: boolean): InstanceType<typeof Guest> {
  const { core, host } = createCore(MEMORY_BYTES);
  const vm = new Vm(core, host, MEMORY_BYTES, 1, viewOfVm);
  vm.jit = new Jit(core, host.memory, 'on', () => performance.now());
  const inputs = new InputLog();
  const machine = new Machine(vm, {
    ...{ name: 'bench', image: { name, bytes: readFileSync(image) }, inputs, append },
    ...(initrd ? { initrd: { name: 'initrd.gz', bytes: readFileSync(initrd) } } : {}),
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

/** Processor time of this process, all its threads: others on the host do not count. */
async function work(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** A guest without a history and the same with one, turn by turn. @returns the second, and processor seconds of both */
async function pair(kind: Kind): Promise<{ guest: InstanceType<typeof Guest>; without: number; kept: number }> {
  const [plain, guest] = [make(kind, false), make(kind, true)];
  let [without, kept] = [0, 0];
  for (let at = TURN; at <= INSTRUCTIONS; at += TURN) {
    const turns = [
      async () => void (without += await work(() => plain.runUntil({ icount: at }))),
      async () => void (kept += await work(() => guest.runUntil({ icount: at }))),
    ];
    // who goes first finds the caches cold
    if ((at / TURN) % 2n === 0n) turns.reverse();
    for (const turn of turns) await turn();
  }
  await plain.quit();
  return { guest, without, kept };
}

/** Where the kernel's map of all memory has a guest-physical address: that begins at a multiple of 1 GiB. */
async function linearOf(guest: InstanceType<typeof Guest>, gpa: bigint): Promise<bigint> {
  for (let slot = 256n; slot < 512n; slot++) {
    const base = 0xffff_0000_0000_0000n | (slot << 39n);
    for (let part = 0n; part < 512n; part++) {
      const { output, levels } = await guest.walk(base + (part << 30n) + gpa);
      if (output === gpa) return base + (part << 30n) + gpa;
      if (levels.length < 2) break;
    }
  }
  throw new Error(`no linear address has 0x${gpa.toString(16)}`);
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/**
 * What a history costs, in processor time of pairs that run by turns, and how fast one is back in it: in a Linux boot, compiled
 * as by default.
 */
export async function history(): Promise<Measurement[]> {
  if (!existsSync(`${FOLDER}/vmlinuz`)) throw new Error('no Linux guest: run samples/linux/fetch');
  const costs: Measurement[] = [];
  let guest: InstanceType<typeof Guest> | undefined;
  for (const kind of KINDS) {
    const found = await pair(kind);
    const note = `${found.without.toFixed(1)} s without, ${found.kept.toFixed(1)} s with`;
    costs.push({ name: `history.cost, ${kind.name}`, value: (found.kept / found.without - 1) * 100, unit: '%', note });
    if (kind === LINUX) ({ guest } = found);
    else await found.guest.quit();
  }
  if (guest === undefined) throw new Error('no Linux guest');
  const past = guest.history as History;
  await guest.runUntil({ icount: FAR });
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
  const { id } = await guest.addBreakpoint({
    kind: 'watch',
    space: 'gpa',
    address: 0x1ff000n,
    length: 8,
    access: 'write',
  });
  const search = await seconds(() => past.continueBack());
  const far = (await past.where()).icount;
  await past.goTo({ end: true });
  const linear = await linearOf(guest, 0x1ff000n);
  await guest.removeBreakpoint(id);
  await guest.addBreakpoint({ kind: 'watch', space: 'gva', address: linear, length: 8, access: 'write' });
  const linearSearch = await seconds(() => past.continueBack());
  const linearFar = (await past.where()).icount;
  return [
    ...costs,
    {
      name: 'history.memory',
      value: bytes / 2 ** 20,
      unit: 'MiB',
      note: `${snapshots.length} snapshots of ${FAR} instructions`,
    },
    { name: 'history.reverse-stepi', value: STEPS / steps, unit: 'steps/s' },
    {
      name: 'history.goto',
      value: median(jumps) * 1000,
      unit: 'ms',
      note: `median, greatest ${(Math.max(...jumps) * 1000).toFixed(0)} ms`,
    },
    { name: 'history.reverse-continue', value: search, unit: 's', note: `to a write at ${far}` },
    {
      name: 'history.reverse-continue, linear',
      value: linearSearch,
      unit: 's',
      note: `to a write at ${linearFar} by 0x${linear.toString(16)}`,
    },
  ];
}
