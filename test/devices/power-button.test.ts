/** The power button: PM1's status and the SCI, by the monitor, and a repetition has it again. */
import { expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { flatGuest } from '../engine/flat-guest.js';

/**
 * ACPI on, the button enabled: mov dx, 0b2h; mov al, 0f1h; out dx, al; mov dx, 602h; mov ax, 100h; out dx, ax;
 * mov dx, 600h; 1: in ax, dx; test ax, ax; jz 1b; mov [200000h], ax; out dx, ax (it is cleared); 2: jmp 2b
 */
const WAITS = '66bab200 b0f1 ee 66ba0206 66b80001 66ef 66ba0006 66ed 6685c0 74f9 66a300002000 66ef ebfe';

it('system_powerdown presses the button, and time repeats it', async () => {
  const inputs = new InputLog();
  const { machine } = flatGuest(WAITS, { at: 0x100000, inputs });
  const guest = new Guest(machine, {
    ...{ paced: false, waitForInput: true },
    history: { inputs, budgetBytes: 1 << 26, disks: [] },
  });
  await guest.runUntil({ icount: 1000n });
  const status = async (): Promise<number> => (await guest.readMemory('gpa', 0x200000n, 2))[1]!;
  const pm = async (): Promise<string> =>
    (await guest.devices()).find(({ name }) => name === 'acpi-pm')!.rows.find(([name]) => name === 'PM1 status')![1];
  expect([await status(), await pm()]).toEqual([0, '0x0000 -']);
  expect(await guest.monitor('system_powerdown')).toBe('');
  expect(await pm()).toBe('0x0100 power button');
  await guest.step(0, 20);
  expect([await status(), await pm()]).toEqual([1, '0x0000 -']);
  await guest.history!.goTo({ icount: 900n });
  expect(await status()).toBe(0);
  await guest.history!.goTo({ icount: 1010n });
  expect(await status()).toBe(1);
  await guest.quit();
}, 60_000);
