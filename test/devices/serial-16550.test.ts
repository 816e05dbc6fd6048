import { beforeEach, describe, expect, it } from 'vitest';
import { Serial16550 } from '../../src/engine/devices/serial-16550.js';
import { TestClock, TestLine } from './rig.js';

const DATA = 0x3f8;
const IER = 0x3f9;
const IIR = 0x3fa;
const LCR = 0x3fb;
const MCR = 0x3fc;
const LSR = 0x3fd;
const MSR = 0x3fe;
const SCR = 0x3ff;

let clock: TestClock;
let irq: TestLine;
let sent: number[];
let uart: Serial16550;
const out = (port: number, value: number) => uart.portWrite(port, 1, value);
const text = (value: string) => uart.receive(new TextEncoder().encode(value));

beforeEach(() => {
  clock = new TestClock();
  irq = new TestLine();
  sent = [];
  uart = new Serial16550({ name: 'serial0', base: 0x3f8, irq, clock, output: (byte) => sent.push(byte) });
});

describe('16550A', () => {
  it('passes the detection and set-up of an early console', () => {
    // 115200 8N1, FIFO on, then poll LSR before each byte.
    out(LCR, 0x80);
    out(DATA, 1);
    out(IER, 0);
    expect(uart.portRead(DATA)).toBe(1);
    out(LCR, 0x03);
    out(IIR, 0x07);
    expect(uart.portRead(IIR) & 0xc0).toBe(0xc0);
    out(MCR, 0x0b);
    for (const byte of [0x68, 0x69]) {
      expect(uart.portRead(LSR) & 0x60).toBe(0x60);
      out(DATA, byte);
    }
    expect(sent).toEqual([0x68, 0x69]);
    expect(uart.describe()[1]).toEqual(['line', '115200 8N1']);
  });

  it('is told from an 8250 by scratch register and FIFO bits', () => {
    out(SCR, 0xa5);
    expect(uart.portRead(SCR)).toBe(0xa5);
    expect(uart.portRead(IIR)).toBe(0x01);
    out(IIR, 0x01);
    expect(uart.portRead(IIR)).toBe(0xc1);
    out(IIR, 0x00);
    expect(uart.portRead(IIR)).toBe(0x01);
  });

  it('passes the loopback test of Linux autoconfig', () => {
    out(MCR, 0x10 | 0x0a);
    expect(uart.portRead(MSR) & 0xf0).toBe(0x90);
    out(DATA, 0x55);
    expect(sent).toEqual([]);
    expect(uart.portRead(DATA)).toBe(0x55);
    out(MCR, 0);
    expect(uart.portRead(MSR) & 0xf0).toBe(0xb0);
  });

  it('raises THRE when enabled while empty and again after each byte, until IIR is read', () => {
    out(IER, 0x02);
    expect(irq.edges).toBe(1);
    expect(uart.portRead(IIR)).toBe(0x02);
    expect(irq.high).toBe(false);
    expect(uart.portRead(IIR)).toBe(0x01);
    out(DATA, 0x41);
    expect(irq.edges).toBe(2);
    // The THRE bug test of Linux: off and on again must interrupt again.
    out(IER, 0);
    expect(irq.high).toBe(false);
    out(IER, 0x02);
    expect(irq.edges).toBe(3);
    out(DATA, 0x42);
    expect(irq.edges).toBe(4);
  });

  it('interrupts at the trigger level and by time-out below it', () => {
    out(LCR, 0x80);
    out(DATA, 12);
    out(LCR, 0x03);
    out(IIR, 0x81);
    out(IER, 0x01);
    text('abc');
    expect(irq.high).toBe(false);
    expect(uart.portRead(LSR) & 1).toBe(1);
    // Four characters of ten bits at 9600 baud.
    clock.advance(4_166_000);
    expect(irq.high).toBe(false);
    clock.advance(2_000);
    expect(uart.portRead(IIR)).toBe(0xcc);
    expect(uart.portRead(DATA)).toBe(0x61);
    expect(irq.high).toBe(false);
    text('defghi');
    expect(uart.portRead(IIR)).toBe(0xc4);
    expect(irq.high).toBe(true);
  });

  it('holds host input back so that nothing is overrun', () => {
    text('x'.repeat(40));
    out(IIR, 0x01);
    let count = 0;
    while (uart.portRead(LSR) & 1) {
      expect(uart.portRead(DATA)).toBe(0x78);
      count++;
    }
    // One byte was in the receiver when the FIFO was switched on, which clears it.
    expect(count).toBe(39);
  });

  it('reports overrun in loopback and a break, line status first', () => {
    out(MCR, 0x10);
    out(IER, 0x05);
    out(DATA, 1);
    out(DATA, 2);
    expect(uart.portRead(IIR)).toBe(0x06);
    expect(uart.portRead(LSR) & 0x02).toBe(0x02);
    expect(uart.portRead(LSR) & 0x02).toBe(0);
    expect(uart.portRead(IIR)).toBe(0x04);
    expect(uart.portRead(DATA)).toBe(2);
    uart.receiveBreak();
    expect(uart.portRead(LSR) & 0x10).toBe(0x10);
  });

  it('keeps all of it in a saved state, the time-out too', () => {
    out(IIR, 0xc1);
    out(IER, 0x01);
    text('hello');
    const state = structuredClone(uart.save());
    const after: number[] = [];
    const otherClock = new TestClock();
    const otherIrq = new TestLine();
    const copy = new Serial16550({
      name: 'serial0',
      base: 0x3f8,
      irq: otherIrq,
      clock: otherClock,
      output: (b) => after.push(b),
    });
    copy.load(state);
    expect(copy.save()).toEqual(state);
    otherClock.advance(10_000_000);
    expect(otherIrq.high).toBe(true);
    expect(copy.portRead(IIR)).toBe(0xcc);
    expect(copy.portRead(DATA)).toBe(0x68);
  });
});
