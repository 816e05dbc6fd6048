import { describe, expect, it } from 'vitest';
import { FwCfg } from '../../src/engine/devices/fw-cfg.js';
import { pcRig } from './rig.js';

const MIB = 1 << 20;

function read(device: FwCfg, key: number, bytes: number): number[] {
  device.portWrite(0x510, 2, key);
  return Array.from({ length: bytes }, () => device.portRead(0x511, 1));
}

describe('firmware configuration', () => {
  it('tells signature, memory and processors, and zeros behind an item and for unknown ones', () => {
    const device = new FwCfg({ memoryBytes: 300 * MIB, vcpus: 3 });
    expect(String.fromCharCode(...read(device, 0, 4))).toBe('QEMU');
    expect(read(device, 1, 4)).toEqual([1, 0, 0, 0]);
    expect(read(device, 3, 9)).toEqual([0, 0, 0xc0, 0x12, 0, 0, 0, 0, 0]);
    expect(read(device, 5, 3)).toEqual([3, 0, 0]);
    expect(read(device, 0x7f, 2)).toEqual([0, 0]);
  });

  it('lists its files', () => {
    const files = [
      { name: 'etc/first', bytes: Uint8Array.of(1, 2, 3) },
      { name: 'etc/second', bytes: Uint8Array.of(9) },
    ];
    const device = new FwCfg({ memoryBytes: MIB, vcpus: 1, files });
    const list = read(device, 0x19, 4 + 128);
    expect(list.slice(0, 4)).toEqual([0, 0, 0, 2]);
    const second = list.slice(68);
    expect(second.slice(0, 6)).toEqual([0, 0, 0, 1, 0, 0x21]);
    expect(String.fromCharCode(...second.slice(8, 18))).toBe('etc/second');
    expect(read(device, 0x21, 2)).toEqual([9, 0]);
  });

  it('goes on in the middle of an item after a snapshot', () => {
    const device = new FwCfg({ memoryBytes: MIB, vcpus: 1 });
    read(device, 0, 2);
    const twin = new FwCfg({ memoryBytes: MIB, vcpus: 1 });
    twin.load(device.save());
    expect(twin.portRead(0x511, 1)).toBe('M'.charCodeAt(0));
  });

  it('is on the PC, with its processors', () => {
    const rig = pcRig();
    rig.out(0x510, 5, 2);
    expect([rig.in(0x511), rig.in(0x511)]).toEqual([2, 0]);
  });
});
