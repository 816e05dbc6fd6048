/** Branches of a run: what a change in the past makes of it, beside the run as it was. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { comparisonText } from '../../src/commands/branches.js';
import type { Debugger, ExitRecord } from '../../src/engine/debugger.js';
import { differingFields } from '../../src/engine/history/compare.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { flatGuest } from '../engine/flat-guest.js';
import { build } from '../state/machine-run.js';
import { goTo, liveRun, digest as machineDigest, runTo } from './live-run.js';

const sample = (name: string) => ({
  file: fileURLToPath(new URL(`../../samples/${name}/${name}.elf`, import.meta.url)),
  memoryMib: 8,
});

type History = NonNullable<Debugger['history']>;

function guestOf(
  name: string,
  { budgetBytes = 1 << 28, vcpus = 1 } = {},
): { guest: Guest; history: History; said: string[] } {
  const inputs = new InputLog();
  const { machine } = build({ ...sample(name), vcpus, inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: false },
    history: { inputs, budgetBytes, disks: [] },
  });
  const said: string[] = [];
  guest.onEvent((event) => {
    if (event.type === 'message') said.push(event.text);
  });
  return { guest, history: guest.history!, said };
}

const PRIMARY = 0x4002;

/** Runs to the end of the guest; all of its exits. */
async function exitsOf(guest: Guest, at?: { exit: number; change(): Promise<void> }): Promise<ExitRecord[]> {
  if (at) {
    for (let exits = 0; exits < at.exit; ) {
      await guest.stepToExit();
      exits = (await guest.history!.where()).exit;
    }
    await at.change();
  }
  await run(guest);
  return guest.exits.records(-1, 16384);
}

async function changeControl(guest: Guest, bit: number): Promise<void> {
  const field = (await guest.vmcs!.read(0)).find(({ encoding }) => encoding === PRIMARY)!;
  await guest.vmcs!.write(0, PRIMARY, field.value ^ (1n << BigInt(bit)));
}

async function run(guest: Guest): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    const off = guest.onEvent(({ type }) => {
      if (type !== 'stopped') return;
      off();
      resolve();
    });
  });
  await guest.resume();
  await stopped;
}

const digest = async (guest: Guest): Promise<unknown> => [
  await guest.readRegisters(0),
  Buffer.from(await guest.readMemory('gpa', 0n, 1 << 20)).toString('base64'),
  (await guest.state()).position,
];

// HLT exiting, which shows at the first HLT; use I/O bitmaps, which shows at once
it.each([7, 25])(
  'exit-zoo: control %i changed at exit 20 makes a branch, whose first different exit is named',
  async (bit) => {
    // two guests that know nothing of branches
    const plain = await exitsOf(guestOf('exit-zoo').guest);
    const { guest: other } = guestOf('exit-zoo');
    const changed = await exitsOf(other, { exit: 20, change: () => changeControl(other, bit) });
    const first = plain.findIndex(
      (exit, n) => changed[n] === undefined || differingFields(exit, changed[n]).length > 0,
    );
    expect(first).toBeGreaterThanOrEqual(20);

    const { guest, history, said } = guestOf('exit-zoo');
    await run(guest);
    const end = await digest(guest);
    await history.goTo({ exit: 20 });
    await changeControl(guest, bit);
    expect(said.at(-1)).toMatch(/^branch-1 leaves trunk at instruction \d+, exit 20, which stays as it was/);
    await run(guest);
    const found = await history.compare();
    expect(found).toMatchObject({ a: { name: 'branch-1' }, b: { name: 'trunk' }, fork: { exit: 20 }, same: first });
    expect(found.difference?.exit).toBe(first + 1);
    const strip = ({ action, detail, ...exit }: ExitRecord) => exit;
    expect(strip(found.difference!.a)).toEqual(strip(changed[first]));
    expect(strip(found.difference!.b)).toEqual(strip(plain[first]));
    expect(comparisonText(found)).toMatch(/^first difference at exit #\d+: \S+.* at RIP 0x/);
    // the trunk is as it was
    await history.switchTo('trunk');
    expect(await digest(guest)).toEqual(end);
  },
);

/** mov ebx, 200000h; 1: inc eax; mov [ebx], eax; out 80h, al; cmp eax, 1000; jb 1b; mov dx, 3f8h; mov al, 41h; out dx, al; 2: jmp 2b */
const LOOP = 'bb00002000 40 8903 e680 3de8030000 72f4 66baf803 b041 ee ebfe';

function loopGuest(budgetBytes = 1 << 28): { guest: Guest; history: History; said: string[]; serial: number[] } {
  const inputs = new InputLog();
  const { machine } = flatGuest(LOOP, { at: 0x100000, inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: true },
    history: { inputs, budgetBytes, disks: [] },
  });
  const said: string[] = [];
  const serial: number[] = [];
  guest.onEvent((event) => {
    if (event.type === 'message') said.push(event.text);
    if (event.type === 'serial') serial.push(...event.bytes);
  });
  return { guest, history: guest.history!, said, serial };
}

const small = async (guest: Guest): Promise<unknown> => [
  await guest.readRegisters(0),
  Buffer.from(await guest.readMemory('gpa', 0x200000n, 4096)).toString('base64'),
  await guest.exits.counts(),
];

it('each line of a run, and each instant of it, is as in a guest that knows no other line', async () => {
  // by name: where the machine was changed on the way there, and how
  const lines: Record<string, [icount: bigint, rax: bigint][]> = {
    trunk: [],
    a: [[500n, 7n]],
    b: [
      [500n, 7n],
      [900n, 600n],
    ],
    c: [[300n, 800n]],
    d: [
      [500n, 7n],
      [900n, 600n],
      [950n, 1n],
    ],
  };
  const wanted: Record<string, Map<bigint, unknown>> = {};
  for (const [name, changes] of Object.entries(lines)) {
    const { guest } = loopGuest();
    const seen = (wanted[name] = new Map());
    for (const icount of [200n, 400n, 700n, 930n, 1400n, 2000n]) {
      for (const [at, rax] of changes.filter(([at]) => at < icount)) {
        if ((await guest.state()).icount >= at) continue;
        await guest.runUntil({ icount: at });
        await guest.writeRegister(0, 'rax', rax);
      }
      await guest.runUntil({ icount });
      seen.set(icount, await small(guest));
    }
    await guest.quit();
  }
  const { guest, history } = loopGuest();
  await guest.runUntil({ icount: 2000n });
  const change = async (icount: bigint, rax: bigint, name: string): Promise<void> => {
    await history.goTo({ icount });
    await guest.writeRegister(0, 'rax', rax);
    const made = (await history.branches()).at(-1)!.name;
    await history.renameBranch(made, name);
    expect((await history.where()).past).toBe(false);
    await guest.runUntil({ icount: 2000n });
  };
  await change(500n, 7n, 'a');
  await change(900n, 600n, 'b');
  await change(950n, 1n, 'd');
  // from the part of the run that d shares with the trunk
  await change(300n, 800n, 'c');
  expect((await history.branches()).map(({ name, parent }) => `${name} ${parent ?? ''}`)).toEqual([
    ...['trunk ', 'a trunk', 'b a', 'd b', 'c trunk'],
  ]);
  for (const name of ['b', 'trunk', 'd', 'c', 'a', 'd', 'trunk', 'b', 'c']) {
    expect((await history.switchTo(name)).position).toMatchObject({ icount: 2000n, past: false });
    for (const icount of [2000n, 400n, 1400n, 200n, 930n, 700n]) {
      await history.goTo({ icount });
      expect(await small(guest), `${name} at ${icount}`).toEqual(wanted[name].get(icount));
    }
  }
  await guest.quit();
}, 300_000);

it('what parts two branches is found from each to each, and where nothing does that is said', async () => {
  const { guest, history } = loopGuest();
  await guest.runUntil({ icount: 9000n });
  await history.goTo({ icount: 500n });
  await guest.writeRegister(0, 'rax', 7n);
  await guest.runUntil({ icount: 900n });
  await history.goTo({ icount: 700n });
  // nothing that shows
  await guest.writeMemory('gpa', 0x300000n, Uint8Array.of(1));
  await guest.runUntil({ icount: 800n });
  const said = async (...names: string[]): Promise<string> => comparisonText(await history.compare(...names));
  expect(await said('branch-1')).toMatch(
    /^first difference at exit #\d+: IO_INSTRUCTION out port 080 byte at RIP 0x100008 \(branch-1\) against IO_INSTRUCTION .* \(trunk\); they differ in rax; 0 exits the same$/,
  );
  expect(await said('branch-2', 'branch-1')).toMatch(
    /^no difference up to exit #\d+ \(\d+ exits the same\), which is as far as branch-2 has run; branch-1 goes on to exit #\d+$/,
  );
  // the guest stands where it stood
  expect(await history.where()).toMatchObject({ line: 'branch-2', icount: 800n, past: false });
  await history.goTo({ icount: 750n });
  const { rip, rax } = await guest.readRegisters(0);
  expect(await said()).toMatch(/^first difference/);
  expect(await history.where()).toMatchObject({ line: 'branch-2', icount: 750n, past: true });
  expect(await guest.readRegisters(0)).toMatchObject({ rip, rax });
  await expect(history.compare('trunk', 'trunk')).rejects.toThrow('trunk cannot be compared with itself');
  await expect(history.compare('nothing')).rejects.toThrow(
    'there is no branch nothing; there is trunk, branch-1, branch-2',
  );
  await history.switchTo('trunk');
  await expect(history.compare()).rejects.toThrow('the guest is on the trunk: compare A compares a branch with it');
  await guest.quit();
});

it('a branch is made, named, left and deleted, and nonsense is refused in a line', async () => {
  const { guest, history, said } = loopGuest();
  await guest.runUntil({ icount: 1000n });
  await history.goTo({ icount: 600n });
  const before = await history.branches();
  await expect(guest.writeRegister(0, 'nonsense', 1n)).rejects.toThrow();
  expect(await guest.writeMemory('gpa', 1n << 45n, Uint8Array.of(1)).catch(() => 0)).toBe(0);
  await expect(history.branch('trunk')).rejects.toThrow('trunk: a branch cannot be called so');
  await expect(history.branch('a b')).rejects.toThrow("a b: a branch's name has 1 to 40 letters, digits, _ . -");
  await expect(history.branch('x'.repeat(100_000))).rejects.toThrow(/^x{60}: a branch's name/);
  expect(await history.branches()).toEqual(before);
  expect(await history.where()).toMatchObject({ line: 'trunk', past: true });

  expect(await history.branch('mine')).toMatchObject({
    name: 'mine',
    here: true,
    parent: 'trunk',
    fork: { icount: 600n },
  });
  await history.bookmark('there');
  await guest.runUntil({ icount: 700n });
  await history.goTo({ icount: 650n });
  await history.branch('inner');
  await guest.runUntil({ icount: 660n });
  await expect(history.branch('mine')).rejects.toThrow('there is a branch mine already');
  await expect(history.deleteBranch('inner')).rejects.toThrow('the guest is on inner: switch trunk leaves it');
  await expect(history.deleteBranch('trunk')).rejects.toThrow('the trunk stays');
  await history.switchTo('trunk');
  expect((await guest.state()).position).toMatchObject({ icount: 1000n, past: false });
  await expect(history.deleteBranch('mine')).rejects.toThrow(
    'inner leaves mine, and would go with it: delete that first',
  );
  // a bookmark leads to its line
  await guest.runUntil({ icount: 1100n });
  await history.goTo({ bookmark: 'there' });
  await history.switchTo('mine');
  expect((await guest.state()).position?.icount).toBe(700n);
  await history.bookmark('late');
  await history.switchTo('trunk');
  await history.goTo({ bookmark: 'late' });
  expect(await history.where()).toMatchObject({ line: 'mine', icount: 700n });
  await history.switchTo('trunk');
  await history.deleteBranch('inner');
  await history.deleteBranch('mine');
  await expect(history.goTo({ bookmark: 'late' })).rejects.toThrow('bookmark late was on mine, which is gone');
  expect((await history.branches()).map(({ name }) => name)).toEqual(['trunk']);
  expect(said.filter((text) => /^(mine|inner) leaves/.test(text))).toHaveLength(2);
  await guest.quit();
});

it('what a branch prints is shown, and what is typed there is its own', async () => {
  const { guest, history, serial } = loopGuest();
  await guest.runUntil({ icount: 20_000n });
  expect(serial).toEqual([0x41]);
  await history.goTo({ icount: 500n });
  await guest.writeRegister(0, 'rax', 990n);
  await guest.runUntil({ icount: 2000n });
  expect(serial).toEqual([0x41, 0x41]);
  await guest.console.serialInput(Uint8Array.of(0x42));
  await history.goTo({ icount: 600n });
  await history.goTo({ end: true });
  expect(serial).toEqual([0x41, 0x41]);
  await history.switchTo('trunk');
  await guest.runUntil({ icount: 20_100n });
  expect(serial).toEqual([0x41, 0x41]);
  await guest.quit();
});

it('a reset belongs to the branch, and a state that is loaded ends all of them', async () => {
  const { guest, history, said } = loopGuest();
  await guest.runUntil({ icount: 1000n });
  const file = `${mkdtempSync(`${tmpdir()}/vmscope-branch-`)}/state`;
  await guest.snapshots!.save(file);
  await history.goTo({ icount: 400n });
  await history.branch('reset');
  await guest.runUntil({ icount: 500n });
  await guest.reset();
  await guest.runUntil({ icount: 300n });
  expect(await history.where()).toMatchObject({ line: 'reset', icount: 800n });
  await history.switchTo('trunk');
  expect((await guest.state()).icount).toBe(1000n);
  await history.switchTo('reset');
  await expect(guest.migration!.start('tcp:127.0.0.1:9')).rejects.toThrow('on a branch of its run');
  await guest.snapshots!.load(file);
  expect(said.at(-1)).toBe('reset: gone, since another state is loaded');
  expect((await history.branches()).map(({ name }) => name)).toEqual(['trunk']);
  await guest.runUntil({ icount: 1100n });
  await guest.quit();
});

it('memory stays within the budget: snapshots go first, then branches, with a word', async () => {
  const budget = 2 << 20;
  const run = liveRun({ ...sample('memory'), budget });
  const lost: string[] = [];
  run.history.onLost = (names) => void lost.push(...names);
  const { history } = run;
  for (let n = 1; n <= 10; n++) {
    runTo(run, run.machine.work.icount + 3000);
    history.snapshot();
  }
  const end = run.machine.work.icount;
  const before = machineDigest(run);
  for (let branch = 0; branch < 6; branch++) {
    goTo(run, { kind: 'icount', icount: BigInt(end >> 1) });
    history.fork();
    for (let n = 0; n < 6; n++) {
      // the branch writes pages of its own
      for (let page = 0; page < 20; page++) {
        const gpa = (4 << 20) + 4096 * (page + 20 * n);
        run.machine.view.writeMemory(0, 'gpa', BigInt(gpa), Buffer.alloc(4096, branch + 1));
      }
      runTo(run, run.machine.work.icount + 2000);
      history.snapshot();
    }
    expect(history.timeline.bytes).toBeLessThan(2 * budget);
    history.enter(history.lines.trunk);
    history.rejoin();
  }
  expect(lost.length).toBeGreaterThan(0);
  expect(history.lines.branches.length).toBeGreaterThan(0);
  expect(machineDigest(run)).toBe(before);
});

it('a pause ends a comparison, and the guest stands where it stood', async () => {
  const inputs = new InputLog();
  // 1: inc eax; out 80h, al; jmp 1b
  const { machine } = flatGuest('40 e680 ebfb', { at: 0x100000, inputs });
  const guest = new Guest(machine, {
    paced: false,
    waitForInput: true,
    history: { inputs, budgetBytes: 1 << 28, disks: [] },
  });
  const history = guest.history!;
  await guest.runUntil({ icount: 60_000n });
  await history.goTo({ icount: 1000n });
  await history.branch('same');
  await guest.runUntil({ icount: 60_000n });
  await history.goTo({ icount: 50_000n });
  const before = await guest.readRegisters(0);
  const compared = history.compare().catch((error: Error) => error.message);
  await new Promise((resolve) => setImmediate(resolve));
  await guest.pause();
  expect(await compared).toBe('cancelled');
  expect(await history.where()).toMatchObject({ line: 'same', icount: 50_000n, past: true });
  expect(await guest.readRegisters(0)).toEqual(before);
  const all = await history.compare();
  expect(all.difference).toBeUndefined();
  expect(all.same).toBe(all.a.last.exit);
  // more than the ring of exits holds
  expect(all.same - all.fork.exit).toBeGreaterThan(16384);
  expect(all.unseen).toBe(0);
  await guest.quit();
});

it('the way to another line begins where that parts from this one, though the goal lies ahead', async () => {
  const inputs = new InputLog();
  const { machine } = flatGuest('40 e680 ebfb', { at: 0x100000, inputs });
  const guest = new Guest(machine, {
    paced: false,
    waitForInput: true,
    history: { inputs, budgetBytes: 1 << 28, disks: [] },
  });
  const history = guest.history!;
  await guest.runUntil({ icount: 6000n });
  const rax = async (): Promise<bigint> => (await guest.readRegisters(0)).rax;
  const at = async (line: string, icount: bigint): Promise<bigint> => {
    await history.goTo({ line, icount });
    expect(await history.where()).toMatchObject({ line, icount });
    return rax();
  };
  await history.goTo({ icount: 900n });
  await history.branch('changed');
  await guest.writeRegister(0, 'rax', 0x10000n);
  // where the branch was changed, the trunk was not
  expect(await at('trunk', 3000n)).toBe(1000n);
  expect(await at('changed', 900n)).toBe(0x10000n);
  await history.goTo({ line: 'changed', end: true });
  await guest.runUntil({ icount: 6000n });
  for (let icount = 1200n; icount < 6000n; icount += 900n) {
    expect(await at('changed', icount)).toBe(0x10000n + (icount - 900n) / 3n);
    expect(await at('trunk', icount + 300n)).toBe((icount + 300n) / 3n);
  }
  await guest.quit();
});
