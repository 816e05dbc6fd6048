/** What `/` looks for in the memory pane is what the `search` command takes. */
import { it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Cells } from './cells.js';

it('finds text, bytes, numbers and pointers from the cursor on', async () => {
  const { machine } = flatGuest('f4', { at: 0x100000 });
  const debug = new Guest(machine, { paced: false, waitForInput: true });
  const put = (address: bigint, bytes: Uint8Array | string) =>
    debug.writeMemory('gpa', address, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  await put(0x6123n, 'needle in a stack');
  await put(0x7000n, Uint8Array.of(0x50, 0x34, 0x12, 0));
  await put(0x8ffen, Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  const cells = await Cells.open(debug, { view: 'memory', columns: 160, rows: 50 });
  const find = async (text: string, answer: string) => {
    await cells.command('memory gpa 0x5000');
    await cells.key('/', ...text, 'enter');
    await cells.until(new RegExp(answer));
  };
  await find('needle in', 'found at gpa 6123');
  await find('"needle in"', 'found at gpa 6123');
  await find('de ad be ef', 'found at gpa 8ffe');
  await find('u32 0x123450', 'found at gpa 7000');
  await find('pointer 0x123450', 'found at gpa 7000');
  await find('u8 999', '0x3e7 does not fit in u8');
  await find('"needle" in 0 5', 'unexpected "in 0 5": / searches from the cursor on');
});
