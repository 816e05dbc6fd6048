/** Who wrote this: for each kind the answers are those of a log of all changes, kept by a slow run of the same guest. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { doerText } from '../../src/engine/debug/written-text.js';
import type { Doer, Done, Position } from '../../src/engine/debugger.js';
import type { RewindableStore } from '../../src/engine/disk/rewindable-store.js';
import { Guest } from '../../src/engine/host/guest.js';
import { Turns } from '../../src/engine/host/turns.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import type { BuildOptions } from '../state/machine-run.js';
import { build } from '../state/machine-run.js';
import { AP_COUNTER, COUNTER, dmaGuest, READ_BY_IDE, READ_BY_VIRTIO, SECTORS } from './dma-guest.js';
import { runTo } from './live-run.js';
import {
  type Change,
  eptOf,
  Files,
  type Looked,
  memoryOf,
  registersOf,
  sectorsOf,
  type WriteLog,
  writeLog,
} from './write-log.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LONG = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 3_600_000;

interface Place {
  looked: Looked;
  icount: bigint;
}

function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    yield state >>> 4;
  }
}

/** Who may have made a change that a step of the log shows. */
const DOERS: Record<Change['stage'], Doer['by'][]> = {
  ran: ['instruction', 'event'],
  exited: ['exit', 'event'],
  handled: ['vmm', 'device'],
  entered: ['event', 'vmm', 'device'],
  idle: ['vmm', 'device'],
};

/** Asks at a place, over and over, and compares with the log's changes, the last one first. */
async function ask(guest: Guest, log: WriteLog, { looked, icount }: Place, times: number): Promise<Doer[]> {
  const { name } = looked;
  await guest.history!.goTo({ icount });
  const expected = log.until(name, icount).reverse();
  const doers: Doer[] = [];
  for (let n = 0; n < times; n++) {
    const found = await lastChange(guest, looked);
    const told = `${name} at instruction ${icount}, asked ${n + 1} times`;
    // before the log begins nothing is known
    if (expected[n] === undefined) return doers;
    const { icount: at, exit, before, after, stage } = expected[n];
    const { before: old, after: now } = found ?? {};
    // a step of the log has the instruction that follows a delivery too
    const early = stage === 'ran' && found?.doer.by === 'event' ? 1n : 0n;
    expect({ at: found?.at, old, now }, told).toEqual({ at: { icount: at - early, exit }, old: before, now: after });
    expect(DOERS[stage], `${told}: ${doerText(found!.doer)}`).toContain(found!.doer.by);
    // the guest stands before it
    const { icount: stands, exit: exits } = (await guest.history!.where()) as Position;
    expect(stands < at || (stands === at && exits <= exit), told).toBe(true);
    doers.push(found!.doer);
  }
  return doers;
}

/** A write of what was there already is one too, and in no log of changes. */
async function lastChange(guest: Guest, { what, vcpu }: Looked): Promise<Done | undefined> {
  for (let n = 0; n < 10_000; n++) {
    const { done } = await guest.history!.wrote(what, vcpu);
    if (!done || done.before !== done.after) return done;
  }
  throw new Error('it writes the same for ever');
}

/** What is asked about also where there is little time. */
const ALWAYS = /^(?:0x|disk|ept|0:(?:rax|rsp|cs|cr[023]|msr .*|vmcs VM_EXIT_REASON|vmcs GUEST_RIP)$)/;

/** Asks about all that changed, each at some places. Answers who was told of, by what it was asked about. */
async function askAll(
  guest: Guest,
  log: WriteLog,
  all: readonly Looked[],
  start: number,
): Promise<Map<string, Doer[]>> {
  const random = numbers(7);
  const doers = new Map<string, Doer[]>();
  const changed = all.filter(({ name }) => log.changes.get(name)!.length > 0);
  for (const looked of changed.filter(({ name }, n) => LONG || n % 4 === 0 || ALWAYS.test(name))) {
    const told = [];
    for (let n = 0; n < (LONG ? 4 : 1); n++) {
      const back = random.next().value % (Number(log.end) - start);
      const icount = log.end - BigInt(/^(?:0x|disk)/.test(looked.name) ? back >> 4 : back);
      told.push(...(await ask(guest, log, { looked, icount }, LONG ? 3 : 2)));
    }
    doers.set(looked.name, told);
  }
  return doers;
}

const historyOf = (inputs: InputLog, disks: RewindableStore[]) => ({
  ...{ paced: false, waitForInput: true },
  history: { inputs, budgetBytes: 1 << 28, disks },
});

/** Where the log begins: before that a sample fills tables in loops. */
const SAMPLES = { 'long-mode': 0, ring3: 20_500, interrupts: 24_000, 'exit-zoo': 0 };
const INSTRUCTIONS = LONG ? 20_000 : 1000;

test.each(Object.entries(SAMPLES))(
  '%s: each register, MSR, VMCS field, EPT entry and word was written by whom the log says',
  async (sample, start) => {
    const options: BuildOptions = { file: `${root}samples/${sample}/${sample}.elf` };
    const built = build({ ...options });
    const reference = { ...built, turns: new Turns(built.vm, () => {}) };
    runTo(reference, start);
    const files = new Files(reference.machine);
    const all = [
      ...registersOf(reference, files),
      ...memoryOf(reference, 0x1000, 64),
      ...eptOf(reference, 0x9000n),
      ...eptOf(reference, 0xfee00000n),
    ];
    const log = writeLog(reference, files, all, start + INSTRUCTIONS);
    const inputs = new InputLog();
    const guest = new Guest(build({ ...options, inputs }).machine, historyOf(inputs, []));
    await guest.runUntil({ icount: log.end });
    const doers = await askAll(guest, log, all, start);
    expect([...doers.values()].flat().length).toBeGreaterThan(8);
  },
  SLOW,
);

test.each([
  [1, 0],
  [2, 19_700],
])(
  'a guest with %i vCPUs and disks: devices wrote by DMA and their sectors, asked by the guest',
  async (vcpus, start) => {
    const built = dmaGuest(vcpus);
    const reference = { ...built, turns: new Turns(built.vm, () => {}), output: '', next: 0 };
    runTo(reference, start);
    const files = new Files(reference.machine);
    const all = [
      ...registersOf(reference, files),
      ...memoryOf(reference, COUNTER, 4),
      ...memoryOf(reference, READ_BY_VIRTIO, 8),
      ...memoryOf(reference, READ_BY_IDE, 8),
      ...(vcpus > 1 ? memoryOf(reference, AP_COUNTER, 4) : []),
      ...sectorsOf('disk0', built.images[0], SECTORS),
      ...sectorsOf('disk1', built.images[1], SECTORS),
    ];
    const log = writeLog(reference, files, all, start + (vcpus > 1 ? 700 : 3000));
    const inputs = new InputLog();
    const { machine, disks } = dmaGuest(vcpus, inputs);
    const guest = new Guest(machine, historyOf(inputs, disks));
    await guest.runUntil({ icount: log.end });
    const doers = await askAll(guest, log, all, start);
    if (vcpus > 1) {
      expect(doers.get('0x9000')).toContainEqual({ by: 'instruction', vcpu: 1, rip: 0x8000n });
      return;
    }
    const by = (name: string, device: string): unknown =>
      expect(doers.get(name), name).toContainEqual(expect.objectContaining({ by: 'device', device }));
    by('0x204000', 'disk0');
    by('0x205000', 'ide');
    await guest.history!.goTo({ end: true });
    const wrote = async (disk: string, sector: number) =>
      (await guest.history!.wrote({ kind: 'sector', disk, sector })).done!.doer;
    const [virtio, ide] = [await wrote('disk0', 4), await wrote('disk1', 6)];
    expect(virtio).toMatchObject({ by: 'device', device: 'disk0', request: { vcpu: 0 } });
    expect(ide).toMatchObject({ by: 'device', device: 'disk1', request: { vcpu: 0 } });
    expect(doers.get('0:rax')!.some(({ by }) => by === 'vmm')).toBe(true);
  },
  SLOW,
);
