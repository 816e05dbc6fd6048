/** What two exits do not have in common, by going back to them. */
import { describe, expect, it } from 'vitest';
import { perform } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import type { ExitState } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { flatGuest } from '../engine/flat-guest.js';

/** 1: inc bx; out 80h, al; mov eax, cr0; xor al, 2 (MP); mov cr0, eax; cmp bx, 50; jb 1b; hlt */
const LOOP = '43 e6 80 0f 20 c0 34 02 0f 22 c0 83 fb 32 72 f0 f4';

function open(keeps = true) {
  const inputs = new InputLog();
  const { machine } = flatGuest(LOOP, { inputs });
  const history = { inputs, budgetBytes: 1 << 28, disks: [] };
  const debug = new Guest(machine, { paced: false, waitForInput: true, ...(keeps ? { history } : {}) });
  const session = openSession(debug, { waits: true });
  // biome-ignore lint/suspicious/noExplicitAny: what programs get
  const json = async (line: string): Promise<any> => (await perform(session, line)).json();
  return { debug, json, text: async (line: string) => (await perform(session, line)).text() };
}

describe('diff', () => {
  it('shows VMCS and registers of exits as they were, and leaves the guest where it stood', async () => {
    const { debug, json } = open();
    const seen = new Map<number, ExitState>();
    for (let n = 0; n < 20; n++) {
      const { stop } = await debug.stepToExit();
      if (stop?.kind !== 'exit') throw new Error(`no exit but ${stop?.kind}`);
      const { sequence: exit, vcpu } = stop.exit;
      seen.set(exit, { exit, vcpu, registers: await debug.readRegisters(0), vmcs: await debug.vmcs!.read(0) });
    }
    // behind the newest exit, in the middle of nowhere
    await debug.step(0, 3);
    const place = async () => {
      const { snapshots: _, bytes: __, ...where } = await debug.history!.where();
      return [await debug.state(), await debug.readRegisters(0), where];
    };
    const before = await place();
    const numbers = [...seen.keys()];
    for (const pair of [
      [numbers[0], numbers[7]],
      [numbers[19], numbers[3]],
      [numbers[5], numbers[5]],
    ]) {
      const states = await debug.history!.statesAt!(pair);
      for (const [n, state] of states.entries()) {
        const { registers, vmcs, exit } = seen.get(pair[n])!;
        expect([state.exit, state.registers]).toEqual([exit, registers]);
        expect(state.vmcs!.map(({ name, value }) => [name, value])).toEqual(
          vmcs!.map(({ name, value }) => [name, value]),
        );
      }
      expect(await place()).toEqual(before);
    }
    // each register that differs, and no other
    const [a, b] = [seen.get(numbers[0])!, seen.get(numbers[7])!];
    const { rows } = await json(`diff ${numbers[0]} #${numbers[7]}`);
    const registers = rows.filter(({ group }: { group: string }) => group === 'registers');
    const differing = Object.keys(a.registers).filter((name) => a.registers[name] !== b.registers[name]);
    expect(registers.map(({ name }: { name: string }) => name).sort()).toEqual(differing.sort());
    for (const { name, a: one, b: other } of registers)
      expect([one, other]).toEqual([a.registers[name], b.registers[name]]);
    const fields = rows.filter(({ group }: { group: string }) => group !== 'registers' && group !== 'exit');
    const changed = a.vmcs!.filter(
      ({ encoding, value }) => b.vmcs!.find((field) => field.encoding === encoding)!.value !== value,
    );
    expect(fields.map(({ name }: { name: string }) => name).sort()).toEqual(changed.map(({ name }) => name).sort());
  });

  it('names the bits that came and went', async () => {
    const { text, json } = open();
    await text('until vmexit HLT');
    const all = await json('exits');
    const last = all.samples;
    // a turn of the loop changes CR0.MP
    const { rows } = await json('diff -2 -1');
    const cr0 = rows.find(({ name }: { name: string }) => name === 'cr0');
    expect(cr0 ? [...cr0.gone, ...cr0.come] : []).toEqual(['MP']);
    expect(await text('diff -2 -1')).toMatch(/\n {2}cr0 +[0-9a-f]+ -> +[0-9a-f]+ {2}[-+]MP\n/);
    expect(await text(`diff ${last} -0`)).toContain('\nno difference');
    expect(await text('diff -1')).toMatch(
      /^#\d+ IO_INSTRUCTION .*\b0?80\b.*\n#\d+ HLT\n\nexit\n {2}reason +1e -> +c {2}-IO_INSTRUCTION {2}\+HLT\n/,
    );
  });

  it('says where it knows the trace alone', async () => {
    const { text } = open(false);
    await text('until vmexit HLT');
    expect(await text('diff -2 -1')).toMatch(
      /\nof VMCS and registers only what the trace keeps: nothing is kept to go back to/,
    );
  });

  it.each([
    ['diff', 'an exit is missing'],
    ['diff 1', 'no VM exit so far'],
    ['diff 1 2 3', 'usage: diff EXIT [EXIT]'],
  ])('%s at the start: one line says what is wrong', async (line, message) => {
    await expect(open().text(line)).rejects.toThrow(message);
  });

  it.each([
    ['diff 999', 'exit 999 is not in the trace'],
    ['diff 0', 'exit 0 is not in the trace'],
    ['diff -999', 'is not in the trace'],
    ['diff cpuid', '"cpuid" is not an exit: #N as in the trace'],
    ['diff #-1', '"#-1" is not an exit'],
  ])('%s: one line says what is wrong', async (line, message) => {
    const { text } = open();
    await text('until vmexit HLT');
    await expect(text(line)).rejects.toThrow(message);
  });
});
