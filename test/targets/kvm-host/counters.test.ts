/** KVM's own counters of a process: from statistics files that it holds, from debugfs, or the reason why not. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Kvm } from '../../../src/engine/host/kvm/index.js';
import { hostCounters } from '../../../src/targets/kvm-host/counters.js';
import { hasKvm } from '../qemu/qemu.js';

const debugfs = (): { mounts: string; folder: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'debugfs-'));
  mkdirSync(join(folder, 'kvm'));
  return { mounts: `nodev ${folder} debugfs rw 0 0\n`, folder };
};

describe('counters of a machine in debugfs', () => {
  it('are those of its vCPUs, by number', () => {
    const { mounts, folder } = debugfs();
    for (const [vcpu, exits] of [
      [0, '12345'],
      [11, '7'],
    ] as const) {
      const own = join(folder, 'kvm', `${process.pid}-14`, `vcpu${vcpu}`);
      mkdirSync(own, { recursive: true });
      writeFileSync(join(own, 'exits'), `${exits}\n`);
      writeFileSync(join(own, 'halt_exits'), '3\n');
      writeFileSync(join(own, 'pid'), 'not a number\n');
    }
    writeFileSync(join(folder, 'kvm', `${process.pid}-14`, 'remote_tlb_flush'), '5\n');
    const found = hostCounters(process.pid, mounts);
    if ('why' in found) throw new Error(found.why);
    expect(found.by).toBe('debugfs');
    expect(found.vcpus.sort((a, b) => a.vcpu - b.vcpu)).toEqual([
      { vcpu: 0, counters: new Map(Object.entries({ exits: 12345, halt_exits: 3 })) },
      { vcpu: 11, counters: new Map(Object.entries({ exits: 7, halt_exits: 3 })) },
    ]);
  });

  it('of no machine, no debugfs, no process: say which and how', () => {
    const { mounts } = debugfs();
    const why = (pid: number, text: string): string => (hostCounters(pid, text) as { why: string }).why;
    expect(why(process.pid, mounts)).toMatch(/no statistics of KVM open.*debugfs has no machine of process \d+$/);
    expect(why(process.pid, '')).toMatch(/debugfs is not mounted \(root: mount -t debugfs/);
    expect(why(2 ** 22 + 5, '')).toMatch(/its user and root only/);
  });
});

describe.skipIf(!hasKvm())('counters of a machine whose statistics files a process holds', () => {
  it('are read through a copy of its descriptor', () => {
    const kvm = Kvm.open();
    const vm = kvm.createVm();
    const vcpu = vm.createVcpu(3);
    const held = vcpu.stats();
    try {
      const found = hostCounters(process.pid, '');
      if ('why' in found) throw new Error(found.why);
      expect(found.by).toBe('stats fd');
      expect(found.vcpus.map(({ vcpu: number }) => number)).toEqual([3]);
      const own = new Map([...held.read()].map(([name, value]) => [name, Number(value)]));
      expect(own.size).toBeGreaterThan(10);
      expect(found.vcpus[0]!.counters).toEqual(own);
    } finally {
      vcpu.close();
      vm.close();
      kvm.close();
    }
  });
});
