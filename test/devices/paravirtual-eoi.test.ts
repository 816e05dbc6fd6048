import { describe, expect, it } from 'vitest';
import { pcRig } from './rig.js';

const WORD = 0x2000;
const SVR = 0xf0;
const EOI = 0xb0;
const ICR_LOW = 0x300;
const ISR_WORD_1 = 0x110;
const SELF = 0x40000;

function rig() {
  const pc = pcRig();
  pc.apicWrite(SVR, 0x1ff);
  pc.pc.lapic[0].setParavirtualEoi(WORD);
  return pc;
}

describe('paravirtual end of interrupt', () => {
  it('lets the guest end an interrupt by clearing a bit', () => {
    const { apicWrite, apicRead, memory, pc } = rig();
    apicWrite(ICR_LOW, SELF | 0x31);
    expect(pc.acknowledgeInterrupt(0)).toBe(0x31);
    expect(memory[WORD]).toBe(1);
    memory[WORD] = 0;
    expect(pc.interruptPending(0)).toBe(false);
    expect(apicRead(ISR_WORD_1)).toBe(0);
  });

  it('is taken back when another interrupt waits for the end', () => {
    const { apicWrite, memory, pc } = rig();
    apicWrite(ICR_LOW, SELF | 0x31);
    pc.acknowledgeInterrupt(0);
    apicWrite(ICR_LOW, SELF | 0x32);
    expect(memory[WORD]).toBe(0);
    expect(pc.interruptPending(0)).toBe(false);
    apicWrite(EOI, 0);
    expect(pc.acknowledgeInterrupt(0)).toBe(0x32);
  });

  it('is not offered while another interrupt waits', () => {
    const { apicWrite, memory, pc } = rig();
    apicWrite(ICR_LOW, SELF | 0x31);
    apicWrite(ICR_LOW, SELF | 0x41);
    expect(pc.acknowledgeInterrupt(0)).toBe(0x41);
    expect(memory[WORD]).toBe(0);
  });

  it('counts once when the guest writes EOI all the same', () => {
    const { apicWrite, apicRead, memory, pc } = rig();
    apicWrite(ICR_LOW, SELF | 0x31);
    pc.acknowledgeInterrupt(0);
    apicWrite(EOI, 0);
    expect(memory[WORD]).toBe(0);
    expect(apicRead(ISR_WORD_1)).toBe(0);
  });
});
