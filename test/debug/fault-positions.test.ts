/** The events that led to a triple fault are places to go to, in guests of 16, 32 and 64 bits. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { RunState } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import type { Machine } from '../../src/engine/vmm/machine.js';
import { flatGuest } from '../engine/flat-guest.js';
import { build } from '../state/machine-run.js';

const sample = fileURLToPath(new URL('../../samples/triple-fault/triple-fault.elf', import.meta.url));

/** `xor ax, ax; mov ds, ax; mov dword [500h], 0; mov dword [504h], 0; lidt [500h]; ud2` */
const REAL = '31c0 8ed8 66c706000500000000 66c706040500000000 0f011e0005 0f0b';
/** The same in flat protected mode: `xor eax, eax; mov [200000h], eax; mov [200004h], eax; lidt [200000h]; nop; ud2` */
const PROTECTED = '31c0 a300002000 a304002000 0f011d00002000 9090 0f0b';

function guests(): [string, (inputs: InputLog) => Machine, chain: string][] {
  return [
    ['16', (inputs) => flatGuest(REAL, { inputs }).machine, '#UD #GP #GP #DF #GP'],
    ['32', (inputs) => flatGuest(PROTECTED, { at: 0x100000, inputs }).machine, '#UD #GP #GP #DF #GP'],
    ['64', (inputs) => build({ file: sample, inputs }).machine, '#PF #PF #DF #PF'],
  ];
}

describe.each(guests())('a guest of %s bits', (_, make, chain) => {
  it('stands before the instruction of each event, wherever in the past it is asked from', async () => {
    const inputs = new InputLog();
    const history = { inputs, budgetBytes: 1 << 28, disks: [] };
    const guest = new Guest(make(inputs), { paced: false, waitForInput: true, history });
    await expect(guest.history!.goTo({ fault: 1 })).rejects.toThrow('no chain of faults');
    const ended = new Promise<RunState>((resolve) => {
      guest.onEvent((event) => {
        if (event.type === 'stopped') void guest.state().then(resolve);
      });
    });
    await guest.resume();
    const { stop } = await ended;
    if (stop?.kind !== 'ended') throw new Error(`it stopped otherwise: ${stop?.kind}`);
    const faults = stop.faults!;
    expect(faults.map(({ name }) => name).join(' ')).toBe(chain);
    const last = (await guest.state()).position!.icount;
    for (const n of [faults.length, 1, 2]) {
      await guest.history!.goTo({ fault: n });
      const { icount, past } = await guest.history!.where();
      expect([icount, past]).toEqual([faults[n - 1].icount, true]);
      expect(icount).toBeLessThanOrEqual(last);
      expect((await guest.readRegisters(0)).rip).toBe(faults[n - 1].rip);
    }
    await expect(guest.history!.goTo({ fault: 9 })).rejects.toThrow(`fault 9: ${faults.length} have led to the end`);
    expect(await guest.monitor('goto fault 1')).toContain(`instruction ${faults[0].icount}`);
  });
});
