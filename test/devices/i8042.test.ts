import { beforeEach, describe, expect, it } from 'vitest';
import { I8042 } from '../../src/engine/devices/i8042.js';
import { keysOf } from '../../src/engine/devices/scancodes.js';
import { A20Gate } from '../../src/engine/devices/system-ports.js';
import { TestLine } from './rig.js';

let irq: TestLine;
let aux: TestLine;
let a20: A20Gate;
let resets: number;
let kbc: I8042;
const command = (value: number, ...data: number[]) => {
  kbc.portWrite(0x64, 1, value);
  for (const byte of data) kbc.portWrite(0x60, 1, byte);
};
const toKeyboard = (...bytes: number[]) => {
  for (const byte of bytes) kbc.portWrite(0x60, 1, byte);
};
const drain = () => {
  const bytes: number[] = [];
  while (kbc.portRead(0x64) & 1) bytes.push(kbc.portRead(0x60));
  return bytes;
};

beforeEach(() => {
  irq = new TestLine();
  aux = new TestLine();
  a20 = new A20Gate();
  resets = 0;
  kbc = new I8042({ irq, auxIrq: aux, a20, resetRequest: () => resets++ });
});

describe('8042 controller', () => {
  it('passes the probe of the Linux driver', () => {
    drain();
    command(0x20);
    const [config] = drain();
    command(0x60, config & ~0x01);
    command(0x20);
    expect(drain()).toEqual([config & ~0x01]);
    command(0xaa);
    expect(drain()).toEqual([0x55]);
    command(0xab);
    expect(drain()).toEqual([0x00]);
    // the second port loops a byte back, passes its test, and has a mouse that resets
    command(0xd3, 0x5a);
    expect(kbc.portRead(0x64) & 0x21).toBe(0x21);
    expect(drain()).toEqual([0x5a]);
    command(0xa9);
    expect(drain()).toEqual([0x00]);
    command(0xd4, 0xff);
    expect(kbc.portRead(0x64) & 0x61).toBe(0x21);
    expect(drain()).toEqual([0xfa, 0xaa, 0x00]);
  });

  it('resets the machine by pulse and by output port, and nothing else does', () => {
    command(0xff);
    expect(resets).toBe(0);
    command(0xfe);
    expect(resets).toBe(1);
    command(0xd1, 0xde);
    expect(resets).toBe(2);
  });

  it('switches A20 as boot loaders do', () => {
    command(0xd1, 0xdd);
    expect(a20.open).toBe(false);
    command(0xd0);
    expect(drain()[0] & 2).toBe(0);
    command(0xd1, 0xdf);
    expect(a20.open).toBe(true);
  });

  it('raises IRQ1 for each byte only when enabled', () => {
    kbc.press('a');
    expect(irq.edges).toBe(1);
    expect(kbc.portRead(0x60)).toBe(0x1e);
    expect(irq.edges).toBe(2);
    expect(kbc.portRead(0x60)).toBe(0x9e);
    expect(irq.high).toBe(false);
    command(0x60, 0x44);
    kbc.press('b');
    expect(irq.high).toBe(false);
    expect(drain()).toEqual([0x30, 0xb0]);
  });

  it('keeps keys while the keyboard clock is off', () => {
    command(0xad);
    kbc.press('a');
    expect(drain()).toEqual([]);
    command(0xae);
    expect(drain()).toEqual([0x1e, 0x9e]);
  });
});

describe('PS/2 keyboard', () => {
  it('answers reset, identify, echo, LEDs and the scan code set', () => {
    toKeyboard(0xff);
    expect(drain()).toEqual([0xfa, 0xaa]);
    toKeyboard(0xf2);
    expect(drain()).toEqual([0xfa, 0xab, 0x41]);
    toKeyboard(0xee);
    expect(drain()).toEqual([0xee]);
    toKeyboard(0xed);
    expect(drain()).toEqual([0xfa]);
    toKeyboard(0x07);
    expect(drain()).toEqual([0xfa]);
    toKeyboard(0xf0, 0x00);
    expect(drain()).toEqual([0xfa, 0xfa, 0x41]);
    toKeyboard(0x01);
    expect(drain()).toEqual([0xfe]);
  });

  it('sends set 2 without translation and set 1 when asked to', () => {
    command(0x60, 0x05);
    kbc.press('up');
    expect(drain()).toEqual([0xe0, 0x75, 0xe0, 0xf0, 0x75]);
    toKeyboard(0xf0, 0x01);
    expect(drain()).toEqual([0xfa, 0xfa]);
    kbc.press('up');
    expect(drain()).toEqual([0xe0, 0x48, 0xe0, 0xc8]);
  });

  it('stops scanning between f5 and f4', () => {
    toKeyboard(0xf5);
    drain();
    kbc.press('a');
    expect(drain()).toEqual([]);
    toKeyboard(0xf4);
    expect(drain()).toEqual([0xfa]);
    kbc.press('a');
    expect(drain()).toEqual([0x1e, 0x9e]);
  });

  it('types modifiers around a key and refuses unknown names', () => {
    expect(kbc.press('ctrl-alt-delete')).toBe(true);
    expect(drain()).toEqual([0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d]);
    kbc.press('?');
    expect(drain()).toEqual([0x2a, 0x35, 0xb5, 0xaa]);
    expect(kbc.press('nosuchkey')).toBe(false);
    expect(keysOf('F11')).toEqual(['f11']);
    expect(keysOf('Return')).toEqual(['enter']);
    expect(keysOf('-')).toEqual(['-']);
    expect(keysOf('c-x')).toEqual(['ctrl', 'x']);
  });

  it('gives every key of the main block its set 1 code', () => {
    const rows: [string, number][] = [
      ['1234567890-=', 0x02],
      ['qwertyuiop[]', 0x10],
      ["asdfghjkl;'`", 0x1e],
      ['\\zxcvbnm,./', 0x2b],
    ];
    for (const [keys, first] of rows) {
      for (const [i, key] of [...keys].entries()) {
        kbc.press(key);
        expect(drain(), key).toEqual([first + i, (first + i) | 0x80]);
      }
    }
    for (let f = 1; f <= 10; f++) {
      kbc.press(`f${f}`);
      expect(drain()[0]).toBe(0x3a + f);
    }
    kbc.press('f11');
    kbc.press('f12');
    expect(drain()).toEqual([0x57, 0xd7, 0x58, 0xd8]);
  });

  it('takes typing ahead of the guest without loss, across a saved state', () => {
    for (const key of 'hello world, this is more than sixteen bytes') kbc.press(key);
    const first = [kbc.portRead(0x60), kbc.portRead(0x60)];
    const copy = new I8042({ irq: new TestLine(), auxIrq: new TestLine(), a20, resetRequest: () => {} });
    copy.load(structuredClone(kbc.save()));
    kbc = copy;
    const all = [...first, ...drain()];
    expect(all.length).toBe(2 * 44);
    expect(all.slice(0, 4)).toEqual([0x23, 0xa3, 0x12, 0x92]);
  });

  describe('with a mouse on its second port', () => {
    const toMouse = (...bytes: number[]): number[] => {
      for (const byte of bytes) command(0xd4, byte);
      return drain();
    };
    const move = (dx: number, dy: number, wheel = 0, buttons = 0) => kbc.moveMouse({ dx, dy, wheel, buttons });
    const knock = (...rates: number[]) => toMouse(...rates.flatMap((rate) => [0xf3, rate]));

    it('is a plain mouse that says nothing until it is enabled', () => {
      expect(toMouse(0xf2)).toEqual([0xfa, 0x00]);
      move(5, 5);
      expect(drain()).toEqual([]);
      expect(toMouse(0xf4)).toEqual([0xfa]);
      move(5, -3);
      expect(kbc.portRead(0x64) & 0x21).toBe(0x21);
      expect(drain()).toEqual([0x08, 5, 3]);
      move(-1, 2, 0, 1);
      expect(drain()).toEqual([0x39, 0xff, 0xfe]);
      expect(toMouse(0xf5)).toEqual([0xfa]);
      move(1, 1);
      expect(drain()).toEqual([]);
    });

    it('has a wheel, and five buttons, for drivers that knock for them', () => {
      knock(200, 100, 80);
      expect(toMouse(0xf2)).toEqual([0xfa, 0x03]);
      toMouse(0xf4);
      move(0, 0, -1);
      expect(drain()).toEqual([0x08, 0, 0, 0xff]);
      knock(200, 200, 80);
      expect(toMouse(0xf2)).toEqual([0xfa, 0x04]);
      move(0, 0, 1, 0x1f);
      expect(drain()).toEqual([0x0f, 0, 0, 0x31]);
      expect(toMouse(0xff)).toEqual([0xfa, 0xaa, 0x00]);
      knock(200, 100, 60, 80);
      expect(toMouse(0xf2)).toEqual([0xfa, 0x00]);
    });

    it('answers what drivers ask', () => {
      expect(toMouse(0xe8, 3, 0xf3, 40, 0xe7, 0xf0)).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa]);
      expect(toMouse(0xe9)).toEqual([0xfa, 0x50, 3, 40]);
      toMouse(0xf4);
      move(3, 0);
      expect(drain()).toEqual([]);
      expect(toMouse(0xeb)).toEqual([0xfa, 0x08, 3, 0]);
      expect(toMouse(0xee, 0x42, 0xec)).toEqual([0xfa, 0x42, 0xfa]);
      expect(toMouse(0xf6, 0xe9)).toEqual([0xfa, 0xfa, 0, 2, 100]);
    });

    it('raises IRQ12 for each byte only when enabled, and says in the status whose byte it is', () => {
      toMouse(0xf4);
      command(0x60, 0x47);
      move(1, 1);
      expect([aux.edges, irq.edges]).toEqual([1, 0]);
      kbc.portRead(0x60);
      expect(aux.edges).toBe(2);
      drain();
      expect(aux.high).toBe(false);
      command(0xa7);
      move(1, 1);
      expect(drain()).toEqual([]);
      command(0xa8);
      expect(drain().length).toBe(3);
    });

    it('loses no way and no click while nobody reads, in bounded memory, across a saved state', () => {
      toMouse(0xf4);
      for (let i = 0; i < 10_000; i++) move(1, 0);
      for (const buttons of [1, 0, 1, 0]) move(0, 0, 0, buttons);
      const copy = new I8042({ irq: new TestLine(), auxIrq: new TestLine(), a20, resetRequest: () => {} });
      copy.load(structuredClone(kbc.save()));
      kbc = copy;
      const bytes = drain();
      let way = 0;
      const buttons: number[] = [];
      for (let at = 0; at < bytes.length; at += 3) {
        way += bytes[at + 1];
        buttons.push(bytes[at] & 1);
      }
      expect(way).toBe(10_000);
      expect(buttons.join('').replace(/0+/g, '0').replace(/1+/g, '1')).toBe('01010');
      for (let i = 0; i < 200_000; i++) move(i & 1, 0, 0, i & 1);
      for (let i = 0; i < 100_000; i++) command(0xd4, 0xe9);
      expect(JSON.stringify(kbc.save()).length).toBeLessThan(10_000);
    });
  });
});
