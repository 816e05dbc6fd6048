import { expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

const TEST_DEVICE = 0xff000000;
const IO_INSTRUCTION = 30;

it('moves a string from a port to device memory, each element once', () => {
  // mov dx, 0e0h; mov al, 99h; out dx, al; mov edi, 0ff000fffh; mov ecx, 3; rep insb; mov al, [0ff001001h]; out 0f4h, al
  const guest = flatGuest('66bae000 b099 ee bfff0f00ff b903000000 f36c a0011000ff e6f4', { at: 0x100000 });
  expect(runToEnd(guest, 20_000)).toMatchObject({ message: 'guest wrote 0x99 to the debug exit port' });
  expect([...Array(4).keys()].map((n) => guest.vm.board.mmioRead(0, TEST_DEVICE + 0xffe + n, 1))).toEqual([
    0n,
    0x99n,
    0x99n,
    0x99n,
  ]);
  // the first OUT, three elements, the last OUT
  expect(guest.vm.exitCount(IO_INSTRUCTION)).toBe(5);
});
