import { describe, expect, it } from 'vitest';
import { pcRig } from './rig.js';

const MEMORY = 0xff000000;

describe('pc-testdev', () => {
  it('keeps what is written to its ports and its memory, in accesses of each size', () => {
    const rig = pcRig({ debugExit: true });
    rig.out(0xe0, 0x12345678, 4);
    expect([rig.in(0xe0, 4), rig.in(0xe1), rig.in(0xe2, 2), rig.in(0xe8)]).toEqual([0x12345678, 0x56, 0x1234, 0x78]);
    rig.out(0xe2, 0xff, 1);
    expect(rig.in(0xe0, 4)).toBe(0x12ff5678);
    rig.pc.bus.mmioWrite(MEMORY + 0xff8, 8, 0x1122334455667788n);
    expect(rig.pc.bus.mmioRead(MEMORY + 0xffa, 4)).toBe(0x33445566n);
  });

  it('moves interrupt wires by their number', () => {
    const rig = pcRig({ debugExit: true });
    rig.ioapicWrite(0x10 + 2 * 5, 0x45);
    rig.apicWrite(0xf0, 0x1ff);
    rig.out(0x2005, 1);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x45);
    rig.out(0x2005, 0);
    rig.out(0x2002, 1);
    rig.apicWrite(0xb0, 0);
    expect(rig.pc.interruptPending(0)).toBe(false);
  });

  it('is there only with the debug exit port', () => {
    expect(pcRig().in(0xe0, 4)).toBe(0xffffffff);
  });
});
