/** The tiny guest as one that answers each byte of its first serial port with the next one: written into its RAM while it stands. */
import { expect } from 'vitest';
import type { Debugger } from '../../../src/engine/debugger.js';

const AT = 0xb000n;
/** Waits for a byte (LSR bit 0), reads it, adds one, sends it. */
const LOOP = '66bafd03 ec a801 74fb 66baf803 ec fec0 ee ebed';

/** Sends through the console what is asked and waits for the answer; the guest runs afterwards. */
export async function echoes(guest: Debugger): Promise<void> {
  const { serialInput, serialLog } = guest.console!;
  await guest.pause();
  expect(await guest.writeMemory('gva', AT, Buffer.from(LOOP.replaceAll(' ', ''), 'hex'))).toBe(19);
  const before = (await guest.readRegisters(0)).rip!;
  await guest.writeRegister(0, 'rip', AT);
  const heard: number[] = [];
  const off = guest.onEvent((event) => event.type === 'serial' && heard.push(...event.bytes));
  // The console is opened with the first look at it.
  expect((await serialLog()).length).toBe(0);
  await guest.resume();
  const wait = async (count: number): Promise<void> => {
    for (let n = 0; n < 400 && heard.length < count; n++) await new Promise((resolve) => setTimeout(resolve, 25));
  };
  await serialInput(Buffer.from('HAL'));
  await wait(3);
  await serialInput(Uint8Array.of(0x00, 0x7f, 0xff));
  await wait(6);
  off();
  // Bytes as they are: no echo of ours, no lines, no characters that mean something.
  expect(heard).toEqual([...Buffer.from('IBM'), 0x01, 0x80, 0x00]);
  expect([...(await serialLog())]).toEqual(heard);
  await guest.pause();
  await guest.writeRegister(0, 'rip', before);
  await guest.resume();
}
