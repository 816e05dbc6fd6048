import { describe, expect, it } from 'vitest';
import type { NetBackend } from '../../../src/engine/devices/net-backend.js';
import { VirtioBalloon } from '../../../src/engine/devices/virtio/balloon.js';
import { VirtioBlk } from '../../../src/engine/devices/virtio/blk.js';
import { ChaChaSource } from '../../../src/engine/devices/virtio/chacha.js';
import { VirtioConsole } from '../../../src/engine/devices/virtio/console.js';
import type { VirtioDevice } from '../../../src/engine/devices/virtio/device.js';
import { VirtioNet } from '../../../src/engine/devices/virtio/net.js';
import { VirtioRng } from '../../../src/engine/devices/virtio/rng.js';
import { record } from '../../../src/engine/state/schema.js';
import { Driver, RAM_BYTES, virtioRig } from './driver.js';
import { MemoryDisk } from './memory-disk.js';

const RUNS = 300;
const NEEDS_RESET = 0x40;

/** The card's cable ends nowhere, but frames come in now and then. */
function deadEnd(): NetBackend {
  return {
    fromGuest: () => {},
    toGuest: () => {},
    shape: record({}),
    save: () => ({}),
    load: () => {},
    describe: () => [],
  };
}

function random(seed: number) {
  let x = seed;
  return (below: number) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const DEVICES: [string, () => { device: VirtioDevice; poke?: () => void }][] = [
  [
    'blk',
    () => ({ device: new VirtioBlk({ name: 'disk0', serial: 's', store: new MemoryDisk(new Uint8Array(1 << 20)) }) }),
  ],
  ['rng', () => ({ device: new VirtioRng('rng0', new ChaChaSource(new Uint8Array(32))) })],
  [
    'console',
    () => {
      const device = new VirtioConsole({ name: 'console0', output: () => {} });
      return { device, poke: () => device.receive(Uint8Array.of(1, 2, 3)) };
    },
  ],
  [
    'balloon',
    () => {
      const device = new VirtioBalloon('balloon0');
      return { device, poke: () => device.refreshStats() };
    },
  ],
  [
    'net',
    () => {
      const backend = deadEnd();
      const device = new VirtioNet({ name: 'net0', mac: Uint8Array.of(2, 0, 0, 0, 0, 1), backend });
      return { device, poke: () => backend.toGuest(new Uint8Array(1514)) };
    },
  ],
];

describe.each(DEVICES)('a hostile driver of virtio-%s', (_name, make) => {
  it('never makes the device throw, and a reset always repairs it', { timeout: 60_000 }, () => {
    const { device, poke } = make();
    const rig = virtioRig(device);
    const driver = new Driver(rig);
    const next = random(0x5eed_0000 + device.type);
    let broken = 0;
    let served = 0;
    for (let run = 0; run < RUNS; run++) {
      (driver as unknown as { nextFree: number }).nextFree = 0x10000;
      const offered = driver.offered();
      driver.start(next(3) === 0 ? offered : offered & ~(BigInt(next(4)) << 28n), 1 << (1 + next(5)));
      expect(driver.status).toBe(15);
      const queues = driver.read(1, 0x12, 2);
      for (let step = next(12); step >= 0; step--) {
        const queue = next(queues);
        const ring = driver.ring(queue);
        for (let i = 0; i < ring.size; i++) {
          if (next(3) === 0) continue;
          const wild = next(12);
          const gpa =
            wild === 0
              ? next(0xffffffff) * 2 ** next(32)
              : next(8) === 0
                ? RAM_BYTES - next(64)
                : 0x100000 + next(1 << 20);
          const length = wild === 1 ? next(0xffffffff) : next(4) === 0 ? 16 * (1 + next(8)) : next(2000);
          // Sometimes the request is one that the device knows.
          if (gpa + 16 < RAM_BYTES) driver.put(gpa, 4, next(16));
          if (gpa + 16 < RAM_BYTES) driver.put(gpa + 4, 12, next(2) === 0 ? 0 : next(0xffffffff));
          const flags = wild < 3 ? next(8) : [0, 1, 2, 3][next(4)];
          driver.descriptor(ring.desc + 16 * i, gpa, length, flags, wild === 3 ? next(65536) : next(ring.size));
        }
        for (let i = next(4); i > 0; i--) driver.available(queue, next(20) === 0 ? next(65536) : next(ring.size));
        if (next(30) === 0) driver.put(ring.avail + 2, 2, next(65536));
        if (next(10) === 0) driver.write(1, 4 * next(14), 1 << next(3), next(0xffffffff));
        if (next(10) === 0) driver.write(4, next(64), 1 << next(3), next(0xffffffff));
        driver.notify(next(queues + 2));
        driver.notify(queue);
        poke?.();
      }
      for (let queue = 0; queue < queues; queue++) served += driver.used(queue).length;
      if (driver.status & NEEDS_RESET) broken++;
    }
    // Both kinds of end were seen, so that the test tests something.
    expect(broken).toBeGreaterThan(RUNS / 10);
    expect(broken).toBeLessThan(RUNS);
    expect(served).toBeGreaterThan(0);
  });
});
