import { beforeEach, describe, expect, it } from 'vitest';
import { type PcRig, pcRig } from './rig.js';

let rig: PcRig;
beforeEach(() => {
  rig = pcRig({ debugExit: true }, { masked: false });
});

describe('PC', () => {
  it('delivers the timer through the 8259 in virtual wire mode, as a guest finds it after firmware', () => {
    rig.out(0x21, 0xff);
    rig.clock.advance(100_000_000);
    expect(rig.pc.interruptPending(0)).toBe(false);
    rig.out(0x21, 0xfe);
    expect(rig.pc.interruptPending(0)).toBe(true);
    expect(rig.pc.interruptPending(1)).toBe(false);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x08);
    rig.out(0x20, 0x20);
    // Ticks come every 54.925 ms: the second one at 109.85 ms.
    rig.clock.advance(9_800_000);
    expect(rig.pc.interruptPending(0)).toBe(false);
    rig.clock.advance(100_000);
    expect(rig.pc.interruptPending(0)).toBe(true);
  });

  it('starts with the masks that a BIOS leaves: timer, keyboard and cascade open, clock, mouse, FPU and disk', () => {
    expect([rig.in(0x21), rig.in(0xa1)]).toEqual([0xb8, 0x8e]);
    rig.clock.advance(60_000_000);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x08);
  });

  it('delivers 8259 interrupts past a disabled local APIC', () => {
    rig.pc.lapic[0].writeApicBase(0xfee00100n);
    rig.out(0x21, 0xfe);
    rig.clock.advance(60_000_000);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x08);
  });

  it('powers off by ACPI S5 and not by another sleep type', () => {
    rig.out(0x604, 0x1c00 | 0x2000, 2);
    expect(rig.ends).toEqual([]);
    rig.out(0x604, 0x2000, 2);
    expect(rig.ends.map((end) => [end.kind, end.status])).toEqual([['powered-off', 0]]);
  });

  it('powers off by ACPI S4, and says that the guest is on its disk', () => {
    rig.out(0x604, 0x0800 | 0x2000, 2);
    expect(rig.ends.map(({ kind, message }) => [kind, message])).toEqual([
      ['powered-off', 'guest suspended itself to its disk and powered off'],
    ]);
  });

  it('resets by 8042, port 92h and port CF9h', () => {
    rig.out(0x64, 0xfe);
    rig.out(0x92, 0x03);
    rig.out(0xcf9, 0x02);
    rig.out(0xcf9, 0x06);
    expect(rig.ends.map((end) => end.kind)).toEqual(['reset', 'reset', 'reset']);
  });

  it('ends by the debug exit port with QEMU status', () => {
    rig.out(0xf4, 0x10, 4);
    expect(rig.ends[0]).toMatchObject({ kind: 'debug-exit', status: 33 });
    expect(pcRig().in(0xf4)).toBe(0xff);
  });

  it('enables ACPI by the SMI command and raises a level SCI for the power button', () => {
    expect(rig.in(0x604, 2) & 1).toBe(0);
    rig.out(0xb2, 0xf1);
    expect(rig.in(0x604, 2) & 1).toBe(1);
    // The guest cannot clear SCI_EN itself.
    rig.out(0x604, 0, 2);
    expect(rig.in(0x604, 2) & 1).toBe(1);
    rig.out(0x602, 0x0100, 2);
    rig.out(0x21, 0xfb);
    rig.out(0xa1, 0xfd);
    rig.pc.pm.pressPowerButton();
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x71);
    expect(rig.in(0x600, 2)).toBe(0x0100);
    rig.out(0x600, 0x0100, 2);
    rig.out(0xa0, 0x20);
    rig.out(0x20, 0x20);
    expect(rig.pc.interruptPending(0)).toBe(false);
  });

  it('counts the PM timer in 24 bits at 3.579545 MHz and reports its turns', () => {
    rig.clock.advance(1_000_000_000);
    expect(rig.in(0x608, 4)).toBe(3_579_545);
    rig.clock.advance(4_000_000_000);
    expect(rig.in(0x608, 4)).toBe((5 * 3_579_545) % (1 << 24));
    expect(rig.in(0x600, 2) & 1).toBe(1);
    rig.out(0x600, 1, 2);
    expect(rig.in(0x600, 2) & 1).toBe(0);
    rig.out(0xb2, 0xf1);
    rig.out(0x602, 1, 2);
    rig.out(0x21, 0xfb);
    rig.out(0xa1, 0xfd);
    rig.clock.advance(2_400_000_000);
    expect(rig.pc.interruptPending(0)).toBe(true);
  });

  it('shows QEMU chipset in PCI configuration space and nothing else', () => {
    const config = (device: number, fn: number, register: number) => {
      rig.out(0xcf8, (0x80000000 | (device << 11) | (fn << 8) | register) >>> 0, 4);
      return rig.in(0xcfc, 4);
    };
    // Linux's probe of mechanism 1.
    rig.out(0xcfb, 0x01);
    rig.out(0xcf8, 0x80000000, 4);
    expect(rig.in(0xcf8, 4)).toBe(0x80000000);
    expect(config(0, 0, 0)).toBe(0x12378086);
    expect(config(1, 0, 0)).toBe(0x70008086);
    expect(config(1, 0, 12) & 0x00800000).toBe(0x00800000);
    expect(config(1, 3, 0)).toBe(0x71138086);
    expect(config(1, 3, 0x40)).toBe(0x601);
    expect(config(1, 3, 8) >>> 8).toBe(0x068000);
    const found: string[] = [];
    for (let device = 0; device < 32; device++) {
      for (let fn = 0; fn < 8; fn++) if (config(device, fn, 0) !== 0xffffffff) found.push(`${device}.${fn}`);
    }
    expect(found).toEqual(['0.0', '1.0', '1.3', '2.0']);
    // Identity is read-only, the interrupt line is not; sub-word access reaches the right byte.
    // the SCI, as the FADT says, not where the pin would be routed
    expect(config(1, 3, 0x3c) & 0xffff).toBe(0x0109);
    rig.out(0xcf8, 0x80000b3c, 4);
    rig.out(0xcfc, 0x0b, 1);
    expect(rig.in(0xcfc, 2)).toBe(0x010b);
    rig.out(0xcf8, 0x80000000, 4);
    rig.out(0xcfc, 0, 4);
    expect(rig.in(0xcfe, 2)).toBe(0x1237);
  });

  it('renders text memory, follows start address and cursor, and knows graphics modes', () => {
    const text = 'Memtest86+';
    for (const [i, c] of [...text].entries()) {
      rig.memory[0xb8000 + 160 + 2 * i] = c.charCodeAt(0);
      rig.memory[0xb8000 + 160 + 2 * i + 1] = 0x1f;
    }
    const crtc = (index: number, value: number) => rig.out(0x3d4, index | (value << 8), 2);
    crtc(0x0e, 0);
    crtc(0x0f, 85);
    const screen = rig.pc.screen()!;
    expect([screen.columns, screen.rows, screen.cursor]).toEqual([80, 25, { column: 5, row: 1 }]);
    const row = (n: number, cells: Uint16Array) =>
      String.fromCharCode(...Array.from(cells.subarray(80 * n, 80 * n + text.length), (cell) => cell & 0xff));
    expect(row(1, screen.cells)).toBe(text);
    expect(screen.cells[80] >> 8).toBe(0x1f);
    crtc(0x0d, 80);
    expect(row(0, rig.pc.screen()!.cells)).toBe(text);
    crtc(0x0a, 0x20);
    expect(rig.pc.screen()!.cursor).toBeUndefined();
    rig.out(0x3ce, 0x0506, 2);
    expect(rig.pc.screen()).toBeUndefined();
  });

  it('keeps the VGA index registers, the attribute flip-flop and the retrace bit', () => {
    rig.in(0x3da);
    rig.out(0x3c0, 0x10);
    rig.out(0x3c0, 0x08);
    rig.in(0x3da);
    rig.out(0x3c0, 0x10);
    expect(rig.in(0x3c1)).toBe(0x08);
    rig.out(0x3c8, 1);
    for (const component of [1, 2, 3]) rig.out(0x3c9, component);
    rig.out(0x3c7, 1);
    expect([rig.in(0x3c9), rig.in(0x3c9), rig.in(0x3c9)]).toEqual([1, 2, 3]);
    expect(rig.in(0x3b4)).toBe(0xff);
    let retraces = 0;
    let last = 0;
    for (let step = 0; step < 10_000; step++) {
      rig.clock.advance(10_000);
      const bit = rig.in(0x3da) & 8;
      if (bit && !last) retraces++;
      last = bit;
    }
    expect(retraces).toBe(7);
  });

  it('sends COM1 to the host and port E9h only where asked for', () => {
    const debug: number[] = [];
    const other = pcRig({ debugOutput: (byte) => debug.push(byte) });
    other.out(0x3f8, 0x41);
    expect(other.in(0xe9)).toBe(0xe9);
    other.out(0xe9, 0x42);
    expect([other.serial, debug]).toEqual([[0x41], [0x42]]);
    expect(rig.in(0xe9)).toBe(0xff);
  });

  it('goes on from a saved state exactly as the first machine does', () => {
    const program = (r: PcRig) => {
      r.out(0x21, 0xec);
      r.out(0x43, 0x34);
      r.out(0x40, 0x00);
      r.out(0x40, 0x20);
      r.apicWrite(0x3e0, 0x0b);
      r.apicWrite(0x320, 0x20031);
      r.apicWrite(0x380, 777_777);
      r.out(0x3f9, 0x01);
      r.out(0x70, 0x0b);
      r.out(0x71, 0x42);
    };
    /** Takes every interrupt for a while and writes down what came when. */
    const follow = (r: PcRig) => {
      const log: string[] = [];
      for (let step = 0; step < 200; step++) {
        r.clock.advance(100_003);
        if (step === 50) r.pc.serial.receive(Uint8Array.of(1, 2, 3));
        if (step === 70) r.pc.keyboard.press('a');
        while (r.pc.interruptPending(0)) {
          const vector = r.pc.acknowledgeInterrupt(0);
          log.push(`${r.clock.now()} ${vector.toString(16)}`);
          if (vector === 0x31) r.apicWrite(0xb0, 0);
          else r.out(0x20, 0x20);
        }
        if (step % 10 === 0) log.push(`${r.in(0x608, 4)} ${r.apicRead(0x390)} ${r.in(0x60)} ${r.in(0x3f8)}`);
      }
      return log;
    };
    program(rig);
    rig.clock.advance(5_000_000);
    const copy = pcRig({ debugExit: true });
    copy.clock.advance(5_000_000);
    copy.pc.load(structuredClone(rig.pc.save()));
    expect(copy.pc.save()).toEqual(rig.pc.save());
    expect(copy.clock.deadlines.list()).toEqual(rig.clock.deadlines.list());
    const expected = follow(rig);
    expect(follow(copy)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(40);
  });

  it('refuses a state of another machine and starts afresh on reset', () => {
    const state = rig.pc.save();
    expect(() => pcRig({ vcpus: 4, debugExit: true }).pc.load(state)).toThrow('lapic2');
    const { rtc: _, ...first } = pcRig({ debugExit: true }, { masked: false }).pc.save();
    rig.out(0x43, 0x34);
    rig.out(0x21, 0x00);
    rig.apicWrite(0x80, 0x40);
    rig.out(0x3f9, 0x0f);
    rig.out(0xb2, 0xf1);
    rig.pc.reset();
    const { rtc: __, ...after } = rig.pc.save();
    expect(after).toEqual(first);
  });

  it('describes every device that has something to show', () => {
    for (const device of rig.pc.devices) {
      for (const [name, value] of device.describe?.() ?? []) {
        expect(name.length, device.name).toBeGreaterThan(0);
        expect(value, device.name).not.toMatch(/undefined|NaN|\[object/);
      }
    }
  });
});
