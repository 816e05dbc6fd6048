/** Going back in a guest that runs, through the debugger API. */
import { expect, it, vi } from 'vitest';
import type { Condition, Debugger, RunState } from '../../src/engine/debugger.js';
import { History } from '../../src/engine/history/history.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000n;
/** mov ebx, 200000h; 1: inc eax; mov [ebx], eax; out 80h, al; cmp eax, 1000; jb 1b; mov dx, 3f8h; mov al, 41h; out dx, al; 2: jmp 2b */
const LOOP = 'bb00002000 40 8903 e680 3de8030000 72f4 66baf803 b041 ee ebfe';
const STORE = CODE + 6n;
const OUT = CODE + 8n;

function guestOf(code: string): { guest: Guest; history: NonNullable<Debugger['history']>; serial: number[] } {
  const inputs = new InputLog();
  const { machine } = flatGuest(code, { at: Number(CODE), inputs });
  const history = { inputs, budgetBytes: 1 << 28, disks: [] };
  const guest = new Guest(machine, { paced: false, waitForInput: true, history });
  const serial: number[] = [];
  guest.onEvent((event) => {
    if (event.type === 'serial') serial.push(...event.bytes);
  });
  return { guest, history: guest.history!, serial };
}

async function go(guest: Debugger): Promise<RunState> {
  await new Promise<void>((resolve) => {
    const off = guest.onEvent((event) => {
      if (event.type !== 'stopped') return;
      off();
      resolve();
    });
    void guest.resume();
  });
  return guest.state();
}

const word = async (guest: Debugger): Promise<number> =>
  Buffer.from(await guest.readMemory('gpa', 0x200000n, 4)).readUInt32LE();
const look = async (guest: Debugger) => [await guest.readRegisters(0), await word(guest)];

it('a step back undoes a step, two hundred times', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 3000n });
  const seen: unknown[] = [];
  for (let n = 0; n < 200; n++) {
    if (n % 20 === 0) seen.push(await look(guest));
    expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
  }
  const end = await look(guest);
  for (let n = 199; n >= 0; n--) {
    const { stop, position } = await history.stepBack(0);
    expect([stop, position?.icount]).toEqual([{ kind: 'step' }, BigInt(3000 + n)]);
    if (n % 20 === 0) expect(await look(guest)).toEqual(seen[n / 20]);
  }
  for (let n = 0; n < 200; n++) expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
  expect(await look(guest)).toEqual(end);
  expect((await history.where()).past).toBe(false);
}, 300_000);

it('back to a watched write: it is about to be made, and what was there is there', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 4999n });
  const before = await word(guest);
  const { id } = await guest.addBreakpoint({
    ...{ kind: 'watch', space: 'gpa', address: 0x200000n, length: 4, access: 'write' },
  });
  const { stop } = await history.continueBack();
  expect(stop).toMatchObject({ kind: 'watchpoint', id, access: 'write' });
  expect(await word(guest)).toBe(before - 1);
  expect((await guest.readRegisters(0)).rip).toBe(STORE);
  // and the one before
  await history.continueBack();
  expect(await word(guest)).toBe(before - 2);
  expect((await go(guest)).stop).toMatchObject({ kind: 'watchpoint', id });
  expect(await word(guest)).toBe(before - 1);
});

it.each(['gpa', 'gva'] as const)('back to a write by %s, past intervals that wrote nothing there', async (space) => {
  // inc dword [200000h]; mov ecx, 50,000,000; 1: dec ecx; jnz 1b; inc dword [300000h]; mov ecx, ...; 2: dec ecx; jnz 2b; 3: jmp 3b
  const wait = 'b980f0fa02 49 75fd';
  const { guest, history } = guestOf(`ff0500002000 ${wait} ff0500003000 ${wait} ebfe`);
  // how far apart snapshots are depends on what they cost, and on how fast the guest runs meanwhile
  let end = 210_000_000n;
  await guest.runUntil({ icount: end });
  while ((await history.where()).snapshots.length <= 6 && end < 3_000_000_000n) {
    end += 30_000_000n;
    await guest.runUntil({ icount: end });
  }
  expect((await history.where()).snapshots.length).toBeGreaterThan(6);
  const repeat = vi.spyOn(History.prototype, 'moveTo');
  try {
    const { id } = await guest.addBreakpoint({
      ...{ kind: 'watch', space, address: 0x300000n, length: 4, access: 'write' },
    });
    expect((await history.continueBack()).position?.icount).toBe(100_000_002n);
    await guest.removeBreakpoint(id);
    await guest.addBreakpoint({ kind: 'watch', space, address: 0x200000n, length: 4, access: 'write' });
    const { stop, position } = await history.continueBack();
    expect([stop?.kind, position?.icount, await word(guest)]).toEqual(['watchpoint', 0n, 0]);
    // the intervals with the two stores, and those in which the searches began
    expect(repeat.mock.calls.length).toBeLessThanOrEqual(4);
    await history.goTo({ end: true });
    repeat.mockClear();
    const { done } = await history.wrote({ kind: 'memory', space: 'gpa', address: 0x200000n, length: 4 });
    expect(done).toMatchObject({ doer: { by: 'instruction', rip: CODE }, before: 0n, after: 1n });
    expect(repeat.mock.calls.length).toBeLessThanOrEqual(2);
  } finally {
    repeat.mockRestore();
  }
});

it('goes to each exit of a run that was stepped through', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 3000n });
  const { exit: first } = await history.where();
  for (let n = 0; n < 40; n++) await guest.step(0);
  await guest.runUntil({ icount: 3400n });
  const { exit: last } = await history.where();
  expect(last).toBeGreaterThan(first + 20);
  for (let exit = first + 1; exit <= last; exit += 3) {
    const { position } = await history.goTo({ exit });
    expect([position?.exit, (await guest.readRegisters(0)).rip]).toEqual([exit, OUT]);
  }
});

it('back to a breakpoint, to an exit, to a condition, to the start', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 2000n });
  const here = await guest.readRegisters(0);
  const { id } = await guest.addBreakpoint({ kind: 'execute', gva: OUT });
  expect((await history.continueBack()).stop).toEqual({ kind: 'breakpoint', id, gva: OUT });
  const first = (await guest.readRegisters(0)).rax;
  expect((await history.continueBack()).stop).toEqual({ kind: 'breakpoint', id, gva: OUT });
  expect((await guest.readRegisters(0)).rax).toBe(first - 1n);
  await guest.removeBreakpoint(id);
  const exit = (await history.previousExit({ reasons: [30] })).stop;
  expect(exit).toMatchObject({ kind: 'exit', exit: { reason: 30, rip: OUT } });
  const { exit: number } = await history.where();
  expect((await history.goTo({ exit: number - 5 })).position?.exit).toBe(number - 5);
  expect((await guest.readRegisters(0)).rip).toBe(OUT);
  expect((await history.continueBack()).stop).toEqual({ kind: 'history', at: 'begin' });
  expect((await guest.readRegisters(0)).rip).toBe(CODE);
  expect((await go(guest)).stop).toEqual({ kind: 'history', at: 'end' });
  expect(await guest.readRegisters(0)).toEqual(here);
});

it('what left the guest leaves it once, and what a debugger did is done again', async () => {
  const { guest, history, serial } = guestOf(LOOP);
  await guest.runUntil({ icount: 500n });
  await guest.writeRegister(0, 'rax', 900n);
  await guest.writeMemory('gpa', 0x300000n, Uint8Array.of(7));
  await history.bookmark('changed');
  await guest.runUntil({ icount: 20_000n });
  expect(serial).toEqual([0x41]);
  const end = await look(guest);
  await history.goTo({ icount: 499n });
  expect((await guest.readRegisters(0)).rax).toBeLessThan(200n);
  expect(await guest.readMemory('gpa', 0x300000n, 1)).toEqual(Uint8Array.of(0));
  await expect(guest.console.serialInput(Uint8Array.of(1))).rejects.toThrow('in its past');
  await history.goTo({ bookmark: 'changed' });
  await history.goTo({ icount: 600n });
  expect((await guest.readRegisters(0)).rax).toBeGreaterThan(900n);
  expect(await guest.readMemory('gpa', 0x300000n, 1)).toEqual(Uint8Array.of(7));
  expect((await go(guest)).stop).toEqual({ kind: 'history', at: 'end' });
  expect(await look(guest)).toEqual(end);
  expect(serial).toEqual([0x41]);
  await expect(history.goTo({ icount: 1n << 40n })).rejects.toThrow('is not in the history: it has 0 to 20000');
});

it('a pause ends a long way back', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 3_000_000n });
  await guest.addBreakpoint({ kind: 'execute', gva: CODE });
  const back = history.continueBack();
  const paused = await guest.pause();
  expect(paused.running).toBe(false);
  expect((await back).running).toBe(false);
  await history.goTo({ end: true });
  expect((await history.where()).icount).toBe(3_000_000n);
});

it('the next read of memory is told with who reads, and the run goes on from the live end for it', async () => {
  // mov ebx, 200000h; 1: inc eax; mov [ebx], eax; mov ecx, [ebx]; cmp eax, 1000; jb 1b; 2: jmp 2b
  const { guest, history } = guestOf('bb00002000 40 8903 8b0b 3de8030000 72f4 ebfe');
  const what = { kind: 'memory', space: 'gpa', address: 0x200000n, length: 4 } as const;
  await guest.runUntil({ icount: 3000n });
  await history.goTo({ icount: 100n });
  const past = await history.reads(what);
  expect([past.position?.past, past.done?.doer]).toEqual([true, { by: 'instruction', vcpu: 0, rip: CODE + 8n }]);
  expect([past.done?.at.icount, past.done?.after]).toEqual([104n, 21n]);
  expect((await history.reads(what)).done?.at.icount).toBe(109n);
  await history.goTo({ end: true });
  const live = await history.reads(what);
  expect([live.position?.past, live.done?.at.icount]).toEqual([false, 3004n]);
  await expect(history.reads({ kind: 'register', name: 'rax' })).rejects.toThrow(
    'reads of registers are not seen: reads takes',
  );
  expect(await guest.monitor('reads phys 0x200000 4')).toMatch(
    /^read by vCPU 0 at 0x100008: 0x[0-9a-f]+\ninstruction 3009/m,
  );
});

it('a condition is evaluated in the engine, forward and back', async () => {
  const { guest, history } = guestOf(LOOP);
  await guest.runUntil({ icount: 4000n });
  // reg 0; const16 500; equal; end
  const expressions = [Uint8Array.of(0x26, 0, 0, 0x23, 0x01, 0xf4, 0x13, 0x27)];
  const condition: Condition = { expressions, registers: ['rax'], space: 'gva' };
  const { id } = await guest.addBreakpoint({ kind: 'execute', gva: OUT, condition });
  const stop = { kind: 'breakpoint', id, gva: OUT };
  expect((await history.continueBack()).stop).toEqual(stop);
  expect((await guest.readRegisters(0)).rax).toBe(500n);
  expect((await history.continueBack()).stop).toEqual({ kind: 'history', at: 'begin' });
  expect((await go(guest)).stop).toEqual(stop);
  expect((await guest.readRegisters(0)).rax).toBe(500n);
  expect((await go(guest)).stop).toEqual({ kind: 'history', at: 'end' });
});
