import { describe, expect, it } from 'vitest';
import { Bus } from '../../src/engine/devices/bus.js';
import type { PortDevice } from '../../src/engine/devices/device.js';

function recorder(first: number, count: number, portWidth?: 1 | 2 | 4) {
  const log: string[] = [];
  const device: PortDevice = {
    ports: [{ first, count }],
    portWidth,
    portRead: (port, bytes) => {
      log.push(`in ${port.toString(16)}/${bytes}`);
      return 0x12345600 + port;
    },
    portWrite: (port, bytes, value) => log.push(`out ${port.toString(16)}/${bytes}=${value.toString(16)}`),
  };
  return { device, log };
}

describe('bus', () => {
  it('answers all ones where nobody is and drops writes', () => {
    const bus = new Bus();
    expect(bus.portRead(0x1234, 1)).toBe(0xff);
    expect(bus.portRead(0x1234, 2)).toBe(0xffff);
    expect(bus.portRead(0xffff, 4)).toBe(0xffffffff);
    bus.portWrite(0x1234, 4, 0);
    expect(bus.mmioRead(0xd0000000, 8)).toBe(0xffff_ffff_ffff_ffffn);
    expect(bus.hasMmio(0xd0000000)).toBe(false);
  });

  it('cuts accesses that are wider than the chip or leave it', () => {
    const bus = new Bus();
    const narrow = recorder(0x60, 2, 1);
    const wide = recorder(0x100, 4);
    bus.addPorts(narrow.device);
    bus.addPorts(wide.device);
    expect(bus.portRead(0x60, 4)).toBe(0xffff6160);
    bus.portWrite(0x61, 2, 0xabcd);
    expect(narrow.log).toEqual(['in 60/1', 'in 61/1', 'out 61/1=cd']);
    expect(bus.portRead(0x100, 4)).toBe(0x12345700);
    expect(bus.portRead(0x102, 4)).toBe(0xffff5702);
    expect(wide.log).toEqual(['in 100/4', 'in 102/2']);
  });

  it('refuses a port or an address that is taken', () => {
    const bus = new Bus();
    bus.addPorts(recorder(0x60, 2).device);
    expect(() => bus.addPorts(recorder(0x5e, 4).device)).toThrow('port 0x60 is claimed twice');
    expect(() => bus.addPorts(recorder(0xfffe, 4).device)).toThrow('outside the port space');
    // A refused device leaves nothing behind.
    bus.addPorts(recorder(0x5e, 2).device);
    const mmio = { mmio: { gpa: 0x1000, bytes: 0x1000 }, mmioRead: () => 0n, mmioWrite: () => {} };
    bus.addMmio(mmio);
    expect(() => bus.addMmio({ ...mmio, mmio: { gpa: 0x1fff, bytes: 1 } })).toThrow('overlaps');
  });

  it('cuts an MMIO access at the end of a device', () => {
    const bus = new Bus();
    const writes: [number, number, bigint][] = [];
    bus.addMmio({
      mmio: { gpa: 0x1000, bytes: 4 },
      mmioRead: (offset, bytes) => (1n << BigInt(8 * bytes)) - 1n - BigInt(offset),
      mmioWrite: (offset, bytes, value) => writes.push([offset, bytes, value]),
    });
    expect(bus.mmioRead(0x1000, 4)).toBe(0xffffffffn);
    expect(bus.mmioRead(0x1003, 1)).toBe(0xfcn);
    expect(bus.mmioRead(0x1002, 4)).toBe(0xfffffffdn);
    bus.mmioWrite(0x1000, 8, 0x1122334455667788n);
    expect(writes).toEqual([[0, 4, 0x55667788n]]);
  });
});
