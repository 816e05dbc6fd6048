/** A saved state of real systems: the machine that loads it goes on instruction by instruction as the first one does. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Drive } from '../../src/engine/devices/block.js';
import type { Frame } from '../../src/engine/vmm/core-image.js';
import { loadMachine, saveMachine } from '../../src/engine/vmm/machine-state.js';
import { MemoryDisk } from '../devices/virtio/memory-disk.js';
import { type BuildOptions, build, digest, run, type TestMachine } from '../state/machine-run.js';
import { named, requireFile, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const memtest = requireFile('/boot/memtest86+x64.bin', 'memtest86+');
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 3_600_000;
const DISK_BYTES = 4 << 20;
/** What a copy is compared over: a tenth of a second of the guest's time, then once more. */
const STRETCH = 50_000_000;

/** No cable leads out: DHCP and the gateway answer by themselves. */
const nowhere = {
  connect: () => {},
  send: () => {},
  end: () => {},
  abort: () => {},
  pause: () => {},
  sendDatagram: () => {},
  closeDatagrams: () => {},
};

interface Guest {
  built: TestMachine;
  disk: Uint8Array;
}

function linuxGuest(vcpus: number): Guest {
  const folder = `${root}build/guests/linux`;
  const disk = new Uint8Array(DISK_BYTES);
  const store = new MemoryDisk(disk);
  const drives: Drive[] = [{ name: 'drive0', kind: 'disk', bus: 'virtio', store, serial: 'one' }];
  const commands =
    'dd if=/bin/busybox of=/dev/vda bs=64k count=16; sync; sha256sum /dev/vda; ip link set eth0 up; udhcpc -n -q -i eth0; ping -c 3 10.0.2.2';
  const options: BuildOptions = {
    file: `${folder}/vmlinuz`,
    memoryMib: 256,
    vcpus,
    append: `console=ttyS0 RUN="${commands}"`,
    initrd: { name: 'initrd.gz', bytes: readFileSync(`${folder}/initrd.gz`) },
    drives,
    network: { mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56), host: nowhere, forwards: false },
    cards: ['virtio-rng', 'virtio-balloon'],
  };
  return { built: build(options), disk };
}

/** At a few places of the run a copy is made, and both go on for a while, digest by digest. */
function follow(make: () => Guest, places: readonly number[]): string {
  const original = make();
  for (const place of places) {
    if (!run(original.built, Math.max(0, place - original.built.vm.icount))) break;
    const { state, frames } = saveMachine(original.built.machine);
    const kept: Frame[] = [...frames].map(({ hpa, bytes }) => ({ hpa, bytes: bytes.slice() }));
    const copy = make();
    copy.disk.set(original.disk);
    loadMachine(copy.built.machine, state, kept);
    copy.built.next = original.built.next;
    const printed = original.built.output.length;
    expect(digest(copy.built), `at ${place}`).toBe(digest(original.built));
    for (const stretch of [STRETCH, 1_234_567]) {
      expect(run(copy.built, stretch)).toBe(run(original.built, stretch));
      expect(digest(copy.built), `${stretch} after ${place}`).toBe(digest(original.built));
    }
    expect(copy.built.output).toBe(original.built.output.slice(printed));
    expect(Buffer.from(copy.disk).equals(original.disk)).toBe(true);
  }
  return original.built.output;
}

const BOOT = 1_600_000_000;
const places = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, n) => Math.floor(((n + ((seed * 0.618) % 1)) / count) * BOOT)).map(
    (at, n) => at + 7919 * n + 1,
  );

describe("a saved state of Debian's Linux", () => {
  test.skipIf(!linux.available).each(long ? [1, 2, 4] : [2])(
    named('is all there is, disk and network in use, %d vCPUs', linux),
    (vcpus) => {
      const output = follow(() => linuxGuest(vcpus), [...places(long ? 12 : 3, vcpus), 1.75e9, 1.85e9]);
      expect(output).toMatch(/GUEST-UP/);
    },
    SLOW,
  );
});

test.skipIf(!memtest.available)(
  named('a saved state of memtest86+ is all there is', memtest),
  () => {
    const make = (): Guest => ({
      built: build({ file: memtest.path, memoryMib: 8, append: 'console=ttyS0,115200' }),
      disk: new Uint8Array(0),
    });
    follow(make, long ? Array.from({ length: 12 }, (_, n) => 3_000_001 + n * 61_234_567) : [2_345_678, 123_456_789]);
  },
  SLOW,
);
