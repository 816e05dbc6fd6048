/** Who reads a disk's sector next: through what is recorded, and on from the live end. */
import { expect, test } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { dmaGuest } from './dma-guest.js';

test('the reads of a sector by its disk, in the past and live; what is unseen is said in a line', async () => {
  const inputs = new InputLog();
  const { machine, disks } = dmaGuest(1, inputs);
  const guest = new Guest(machine, {
    paced: false,
    waitForInput: true,
    history: { inputs, budgetBytes: 1 << 28, disks },
  });
  const history = guest.history!;
  const next = (disk: string, sector: number) => history.reads({ kind: 'sector', disk, sector });
  // live: the guest reads each of two sectors of each disk in two of its four rounds, and then counts for ever
  const live = [await next('disk0', 4), await next('disk1', 6), await next('disk0', 4)];
  const seen = live.map(({ done }) => [done?.doer, done?.at.icount]);
  expect(seen.map(([doer]) => doer)).toEqual([
    { by: 'device', device: 'disk0' },
    { by: 'device', device: 'disk1' },
    { by: 'device', device: 'disk0' },
  ]);
  expect(live[0].done?.after?.toString(16)).toMatch(/22222222$/);
  expect(live[2].done?.after?.toString(16)).toMatch(/44444444$/);
  await guest.runUntil({ icount: 20_000n });
  // the same again in the past, the same word by the monitor
  await history.goTo({ begin: true });
  const again = [await next('disk0', 4), await next('disk1', 6), await next('disk0', 4)];
  expect(again.map(({ done }) => [done?.doer, done?.at.icount])).toEqual(seen);
  await history.goTo({ begin: true });
  expect(await guest.monitor('reads disk1 sector 6')).toMatch(/^read by device disk1: 0x/);
  expect((await history.where()).icount).toBe(seen[1][1]);
  for (const [what, why] of [
    [{ kind: 'register', name: 'cr3' }, 'reads of registers are not seen'],
    [{ kind: 'msr', number: 0x10a }, 'RDMSR is seen only where it exits'],
    [{ kind: 'vmcs', encoding: 0x681e }, 'the processor reads a VMCS at each VM entry'],
    [{ kind: 'ept', gpa: 0x1000n }, 'the processor reads EPT entries whenever'],
  ] as const)
    await expect(history.reads(what)).rejects.toThrow(why);
  // nobody waits any more
  await history.goTo({ end: true });
  await guest.runUntil({ icount: 30_000n });
  expect((await guest.state()).stop).toEqual({ kind: 'until' });
  await guest.quit();
});
