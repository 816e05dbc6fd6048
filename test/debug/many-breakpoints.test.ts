/** As many breakpoints as `rbreak` on a kernel sets, or a block coverage by breakpoints. */
import { expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000n;
const MANY = 65_536;

it('takes 65,536 breakpoints, tells each from its neighbours, and says when there is no room', async () => {
  // 1: inc eax; jmp 1b
  const { machine } = flatGuest('ffc0 ebfc', { at: Number(CODE) });
  const guest = new Guest(machine, { paced: false, waitForInput: true });
  const stopped = (): Promise<unknown> =>
    new Promise((resolve) => {
      const off = guest.onEvent((event) => {
        if (event.type !== 'stopped') return;
        off();
        resolve(event.stop);
      });
      void guest.resume();
    });
  const ids: number[] = [];
  for (let n = 0; n < MANY - 1; n++) {
    ids.push((await guest.addBreakpoint({ kind: 'execute', gva: 0xffffffff81000000n + BigInt(n * 16) })).id);
  }
  const { id } = await guest.addBreakpoint({ kind: 'execute', gva: CODE + 2n });
  await expect(guest.addBreakpoint({ kind: 'execute', gva: 0x5000n })).rejects.toThrow(/65536 breakpoints/);
  expect(await stopped()).toEqual({ kind: 'breakpoint', id, gva: CODE + 2n });
  for (const other of ids) await guest.removeBreakpoint(other);
  expect(await stopped()).toEqual({ kind: 'breakpoint', id, gva: CODE + 2n });
  await guest.removeBreakpoint(id);
  await guest.resume();
  await guest.pause();
  expect(await guest.breakpoints()).toEqual([]);
});
