import { beforeEach, describe, expect, it } from 'vitest';
import { Pic8259 } from '../../src/engine/devices/pic-8259.js';

let pic: Pic8259;
const out = (port: number, ...values: number[]) => {
  for (const value of values) pic.portWrite(port, 1, value);
};
const pulse = (pin: number) => {
  pic.setLine(pin, true);
  pic.setLine(pin, false);
};

/** Linux's init_8259A: vectors 30h and 38h, all unmasked but nothing in service. */
function initialize(icw4 = 0x01): void {
  out(0x21, 0xff);
  out(0xa1, 0xff);
  out(0x20, 0x11);
  out(0x21, 0x30, 0x04, icw4);
  out(0xa0, 0x11);
  out(0xa1, 0x38, 0x02, icw4);
  out(0x21, 0x00);
  out(0xa1, 0x00);
}

beforeEach(() => {
  pic = new Pic8259();
  initialize();
});

describe('8259 pair', () => {
  it('passes the presence probe of Linux', () => {
    out(0xa1, 0xff);
    out(0x21, 0xfb);
    expect(pic.portRead(0x21)).toBe(0xfb);
  });

  it('delivers by priority and holds lower requests back until the end of interrupt', () => {
    pulse(4);
    pulse(1);
    expect(pic.pending()).toBe(true);
    expect(pic.acknowledge()).toBe(0x31);
    expect(pic.pending()).toBe(false);
    pulse(0);
    expect(pic.acknowledge()).toBe(0x30);
    out(0x20, 0x20);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x61);
    expect(pic.acknowledge()).toBe(0x34);
  });

  it('passes the slave through the cascade and needs both ends of interrupt', () => {
    pulse(8);
    expect(pic.acknowledge()).toBe(0x38);
    out(0x20, 0x0b);
    out(0xa0, 0x0b);
    expect(pic.portRead(0x20)).toBe(0x04);
    expect(pic.portRead(0xa0)).toBe(0x01);
    pulse(12);
    expect(pic.pending()).toBe(false);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.acknowledge()).toBe(0x3c);
  });

  it('answers the spurious vector when a level request went away', () => {
    out(0x4d1, 0x02);
    pic.setLine(9, true);
    expect(pic.pending()).toBe(true);
    pic.setLine(9, false);
    expect(pic.pending()).toBe(false);
    expect(pic.acknowledge()).toBe(0x37);
    out(0x20, 0x0b);
    expect(pic.portRead(0x20)).toBe(0);
  });

  it('requests a level again after the end of interrupt while the wire is high', () => {
    out(0x4d1, 0x02);
    expect(pic.portRead(0x4d1)).toBe(0x02);
    pic.setLine(9, true);
    expect(pic.acknowledge()).toBe(0x39);
    out(0xa0, 0x20);
    out(0x20, 0x20);
    expect(pic.pending()).toBe(true);
    pic.setLine(9, false);
    expect(pic.pending()).toBe(false);
  });

  it('holds an edge behind the mask', () => {
    out(0x21, 0x02);
    pulse(1);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x0a);
    expect(pic.portRead(0x20)).toBe(0x02);
    out(0x21, 0x00);
    expect(pic.acknowledge()).toBe(0x31);
  });

  it('ends by itself in auto-EOI mode', () => {
    initialize(0x03);
    pulse(3);
    expect(pic.acknowledge()).toBe(0x33);
    pulse(5);
    expect(pic.acknowledge()).toBe(0x35);
  });

  it('lets lower levels through in special mask mode', () => {
    pulse(1);
    expect(pic.acknowledge()).toBe(0x31);
    pulse(6);
    expect(pic.pending()).toBe(false);
    out(0x20, 0x68);
    out(0x21, 0x02);
    expect(pic.acknowledge()).toBe(0x36);
  });

  it('rotates priorities', () => {
    out(0x20, 0xc3);
    pulse(3);
    pulse(4);
    expect(pic.acknowledge()).toBe(0x34);
    out(0x20, 0xa0);
    pulse(4);
    pulse(5);
    expect(pic.acknowledge()).toBe(0x35);
  });

  it('answers a poll with the level and takes it into service', () => {
    pulse(5);
    out(0x20, 0x0c);
    expect(pic.portRead(0x20)).toBe(0x85);
    out(0x20, 0x0b);
    expect(pic.portRead(0x20)).toBe(0x20);
    out(0x20, 0x0c);
    expect(pic.portRead(0x20)).toBe(0x00);
  });

  it('goes on from a saved state', () => {
    pulse(1);
    pic.acknowledge();
    pulse(8);
    const copy = new Pic8259();
    copy.load(structuredClone(pic.save()));
    copy.portWrite(0x20, 1, 0x20);
    expect(copy.acknowledge()).toBe(0x38);
  });
});
