import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';

/** A stack of 16 bits whose ESP has bits above SP, under code of 16 bits. */
function small(): Machine {
  const m = new Machine();
  m.mode('protected16');
  m.segment(L.SEG_SS, 0x10, 0x10000, 0xffff, 0x93);
  m.setReg('rsp', 0x12340800);
  m.setReg('rbp', 0x56780900);
  m.load(0x108fc, 'efbeadde');
  m.core.updateMode();
  return m;
}

describe('ENTER on a 16-bit stack', () => {
  it('makes EBP of ESP with a 32-bit operand, and pushes that as the frame pointer', () => {
    const m = small();
    m.exec('66c8100000', 1);
    expect([m.reg('rbp'), m.reg('rsp')]).toEqual([0x123407fcn, 0x123407ecn]);
    const nested = small();
    nested.exec('66c8100002', 1);
    expect([nested.reg('rbp'), nested.reg('rsp')]).toEqual([0x123407fcn, 0x123407e4n]);
    // EBP, the frame pointer of level 1, the new one
    const pushed = [0x107fc, 0x107f8, 0x107f4].map((at) => nested.get32(L.RAM_BASE + at).toString(16));
    expect(pushed).toEqual(['56780900', 'deadbeef', '123407fc']);
  });

  it('changes BP alone with a 16-bit operand', () => {
    const m = small();
    m.exec('c8100001', 1);
    expect([m.reg('rbp'), m.reg('rsp')]).toEqual([0x567807fen, 0x123407ecn]);
    expect(m.get32(L.RAM_BASE + 0x107fc)).toBe(0x090007fe);
  });
});
