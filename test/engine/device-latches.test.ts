import { expect, it } from 'vitest';
import { debugExitStatus, flatGuest, runToEnd } from './flat-guest.js';

/** Memory of pc-testdev. */
const DEVICE = 0xff000000;

it('writes vectors byte by byte and whole save areas to device memory', () => {
  const guest = flatGuest(
    `0f20e0 0d00020000 0f22e0
     b811223344 660f6ec0 660f70c000 660f76c9
     bf000100ff 660ff7c1
     0fae05000200ff
     b001 e6f4`,
    // mov eax,cr4; or eax,200h; mov cr4,eax; mov eax,44332211h; movd xmm0,eax; pshufd xmm0,xmm0,0
    // pcmpeqd xmm1,xmm1; mov edi,0ff000100h; maskmovdqu xmm0,xmm1; fxsave [0ff000200h]; mov al,1; out 0f4h,al
    { at: 0x100000 },
  );
  expect(runToEnd(guest, 100_000)?.status).toBe(debugExitStatus(1));
  const dwords = (offset: number) => [0, 4, 8, 12].map((n) => guest.vm.board.mmioRead(0, DEVICE + offset + n, 4));
  expect(dwords(0x100)).toEqual(Array(4).fill(0x44332211n));
  expect(dwords(0x200 + 160)).toEqual(Array(4).fill(0x44332211n));
  expect(dwords(0x200 + 176)).toEqual(Array(4).fill(0xffffffffn));
});
