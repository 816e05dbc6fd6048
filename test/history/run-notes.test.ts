/** What touches translations or frames beside the guest: a run that is kept knows of it. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { RunNotes } from '../../src/engine/host/run-notes.js';
import { Turns } from '../../src/engine/host/turns.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { build } from '../state/machine-run.js';
import { liveRun, runTo } from './live-run.js';

const sample = (name: string) => ({
  file: fileURLToPath(new URL(`../../samples/${name}/${name}.elf`, import.meta.url)),
  memoryMib: 8,
});

function guestWithHistory(): { guest: Guest; flushes: () => number } {
  const inputs = new InputLog();
  const { machine } = build({ ...sample('exit-zoo'), inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: true },
    history: { inputs, budgetBytes: 1 << 26, disks: [] },
  });
  return { guest, flushes: () => inputs.entries.filter(({ kind }) => kind === 'flush').length };
}

test('who looks for dirty frames drops translations as an input of the run', () => {
  const inputs = new InputLog();
  const { machine, vm } = build({ ...sample('exit-zoo'), inputs });
  let mayChange = (): void => {};
  new RunNotes(machine, vm, new Turns(vm, () => {}), () => mayChange());
  const watch = vm.dirtyFrames.watch();
  watch.take();
  expect(inputs.entries.filter(({ kind }) => kind === 'flush')).toHaveLength(2);
  mayChange = () => {
    throw new Error('in the past');
  };
  expect(() => watch.take()).toThrow('in the past');
  watch.close();
});

test('frames that a history puts back are copied again by a migration', () => {
  const run = liveRun(sample('exit-zoo'));
  runTo(run, 20_000);
  run.history.snapshot();
  runTo(run, 40_000);
  const watch = run.vm.dirtyFrames.watch();
  watch.take();
  run.history.moveTo(0);
  expect(watch.take().length).toBeGreaterThan(5);
  watch.close();
});

test('a watchpoint that is set and removed drops translations as inputs of the run', async () => {
  const { guest, flushes } = guestWithHistory();
  await guest.runUntil({ icount: 1000n });
  const before = flushes();
  const watch = { kind: 'watch', space: 'gpa', address: 0x500n, length: 8, access: 'write' } as const;
  const { id } = await guest.addBreakpoint(watch);
  await guest.runUntil({ icount: 2000n });
  expect(flushes()).toBe(before + 1);
  await guest.removeBreakpoint(id);
  await guest.runUntil({ icount: 3000n });
  expect(flushes()).toBe(before + 2);
  await guest.quit();
});

test('keys and mouse of the monitor are one input each, which a repetition makes again and no more', async () => {
  const inputs = new InputLog();
  const { machine } = build({ ...sample('exit-zoo'), inputs });
  const history = { inputs, budgetBytes: 1 << 26, disks: [] };
  const guest = new Guest(machine, { paced: false, waitForInput: true, history });
  await guest.runUntil({ icount: 2000n });
  for (const line of ['sendkey a', 'mouse_move 3 4', 'mouse_button 1']) expect(await guest.monitor(line)).toBe('');
  await guest.console.keyEvent!('b', true);
  await guest.console.mouse!(1, 2, 0, 0);
  await guest.runUntil({ icount: 4000n });
  const made = () => inputs.entries.map(({ kind }) => kind).filter((kind) => /^(debugger|key|mouse)/.test(kind));
  const kept = made();
  const devices = JSON.stringify(machine.pc.pc.keyboard.save());
  expect(kept).toEqual(['debugger', 'debugger', 'debugger', 'key-down', 'mouse']);
  await guest.history!.goTo({ icount: 1000n });
  await guest.history!.goTo({ icount: 4000n });
  expect(JSON.stringify(machine.pc.pc.keyboard.save())).toBe(devices);
  expect(made()).toEqual(kept);
  await guest.quit();
});

test.each(['constructor', '__proto__', 'toString', 'nonsense'])('who wrote register %s is refused', async (name) => {
  const { guest } = guestWithHistory();
  await guest.runUntil({ icount: 1000n });
  await expect(guest.history!.wrote({ kind: 'register', name })).rejects.toThrow(`there is no register ${name}`);
  await guest.quit();
});

test('the stops that are told are the newest 300 places, each once, also behind thousands of steps', async () => {
  const { guest } = guestWithHistory();
  const history = guest.history!;
  await guest.runUntil({ icount: 1000n });
  for (let n = 0; n < 7000; n++) await guest.step(0);
  const told = await history.stops();
  const last = (await guest.state()).icount;
  expect(told.map(({ icount }) => icount)).toEqual(Array.from({ length: 300 }, (_, n) => last - 299n + BigInt(n)));
  expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(['step']));

  await history.stepBack(0);
  await history.stepBack(0);
  const back = await history.stops();
  expect(back).toHaveLength(300);
  // where it stands now is the newest, and no other place is told twice
  expect(back.slice(-3).map(({ icount }) => icount)).toEqual([last, last - 1n, last - 2n]);
  expect(new Set(back.map(({ icount, exit }) => `${icount} ${exit}`)).size).toBe(300);
});

test('each step is an input of its own, and steps alike share one text', async () => {
  const inputs = new InputLog();
  const { machine } = build({ ...sample('exit-zoo'), inputs });
  const history = { inputs, budgetBytes: 1 << 26, disks: [] };
  const guest = new Guest(machine, { paced: false, waitForInput: true, history });
  await guest.runUntil({ icount: 1000n });
  const from = inputs.entries.length;
  for (let n = 0; n < 3; n++) await guest.step(0);
  await guest.step(0, 2);
  await guest.runUntil({ icount: 1100n });
  const notes = inputs.entries.slice(from).map(({ kind, icount, data }) => ({ kind, icount, data }));
  const step = (icount: bigint, instructions: number) => ({
    ...{ kind: 'control', icount },
    data: `{"held":[false],"holdsInterrupts":[true],"stepped":{"vcpu":0,"beside":false,"left":0},"goals":[${instructions}]}`,
  });
  expect(notes).toEqual([
    ...[1000n, 1001n, 1002n].map((icount) => step(icount, 1)),
    step(1003n, 2),
    { kind: 'control', icount: 1005n, data: '{"held":[false],"holdsInterrupts":[false],"goals":[0]}' },
  ]);
  await guest.quit();
});
