import { describe, expect, it } from 'vitest';
import { RAM_BASE } from '../../src/engine/core/layout.js';
import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { Vm } from '../../src/engine/vmm/vm.js';

const MIB = 1 << 20;

describe('frames given back', () => {
  it('read as zeros and no longer take memory of the host', () => {
    const { core, host } = createCore(192 * MIB);
    const vm = new Vm(core, host, 192 * MIB, 1, viewOfVm);
    host.u8.fill(0x5a, RAM_BASE, RAM_BASE + 160 * MIB);
    const before = process.memoryUsage.rss();
    vm.memory.release?.(16 * MIB, 128 * MIB);
    const after = process.memoryUsage.rss();
    expect([16 * MIB - 1, 16 * MIB, 144 * MIB - 1, 144 * MIB].map((gpa) => host.u8[RAM_BASE + gpa])).toEqual([
      0x5a, 0, 0, 0x5a,
    ]);
    if (process.platform === 'linux') expect(before - after).toBeGreaterThan(100 * MIB);
    vm.memory.write(20 * MIB, Uint8Array.of(7));
    expect(vm.memory.read(20 * MIB, 2)).toEqual(Uint8Array.of(7, 0));
    expect(() => vm.memory.release?.(190 * MIB, 4 * MIB)).toThrow(RangeError);
  });
});
