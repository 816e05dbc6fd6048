/** A reset loads the state at power-on: what a guest has done leaves nothing behind but what a battery or the host keeps. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import type { Drive } from '../../src/engine/devices/block.js';
import type { Saved } from '../../src/engine/state/saved.js';
import { saveMachine } from '../../src/engine/vmm/machine-state.js';
import { MemoryDisk } from '../devices/virtio/memory-disk.js';
import { SAMPLES } from '../samples/catalogue.js';
import { named, requireFile, requireScript, requireTool } from '../tools.js';
import { type BuildOptions, build, digest, run, type TestMachine } from './machine-run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const seabios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const long = process.env.VMSCOPE_LONG_TESTS === '1';

interface Whole {
  parts: Record<string, Saved>;
  /** Digest of each frame with anything but zeros in it. */
  frames: Record<string, string>;
}

function whole({ machine }: TestMachine): Whole {
  const { state, frames } = saveMachine(machine);
  const digests = [...frames].map(({ hpa, bytes }): [string, string] => [
    `0x${hpa.toString(16)}`,
    createHash('sha256').update(bytes).digest('hex'),
  ]);
  return { parts: { ...state.parts }, frames: Object.fromEntries(digests) };
}

/** As at power-on, but for what is not to be so. */
function expectFresh(reset: TestMachine, fresh: TestMachine): void {
  const [found, wanted] = [whole(reset), whole(fresh)];
  const fields = (of: Whole, name: string) => of.parts[name].state as Record<string, unknown>;
  // what the guest has done in all, and how many inputs of the host it has had
  delete found.parts.work;
  delete wanted.parts.work;
  fields(wanted, 'board0').inputs = fields(found, 'board0').inputs;
  // the battery's; numbers of connections; bytes that the guest has not taken
  fields(wanted, 'rtc').cmos = fields(found, 'rtc').cmos;
  for (const name of ['serial0', 'serial1']) {
    if (found.parts[name]) fields(wanted, name).queue = fields(found, name).queue;
  }
  if (found.parts.net0) {
    const backend = (of: Whole) =>
      (fields(of, 'net0').device as { device: { backend: { nextId: number } } }).device.backend;
    backend(wanted).nextId = backend(found).nextId;
  }
  for (const name of Object.keys(wanted.parts)) expect(found.parts[name], name).toEqual(wanted.parts[name]);
  expect(Object.keys(found.parts)).toEqual(Object.keys(wanted.parts));
  expect(found.frames).toEqual(wanted.frames);
}

/** Runs, resets, compares with a machine that never ran; and the run that follows is that machine's. */
function check(make: () => TestMachine, instructions: number, after: number, input = ''): void {
  const one = make();
  if (input !== '') {
    run(one, 2000);
    one.machine.serialInput(Buffer.from(input));
  }
  run(one, instructions);
  expect(one.vm.exits + one.vm.icount).toBeGreaterThan(0);
  one.machine.reset();
  const fresh = make();
  expectFresh(one, fresh);
  if (input !== '') return;
  one.output = '';
  one.next = fresh.next;
  expect(run(one, after)).toBe(run(fresh, after));
  expect(one.output).toBe(fresh.output);
  expect(one.vm.icount).toBe(fresh.vm.icount);
}

describe.each(SAMPLES)('a reset of $name', ({ name, image, flat, input }) => {
  const options: BuildOptions = {
    file: image,
    memoryMib: name === 'memory' ? 128 : 16,
    ...(flat ? { at: 0x7c00 } : {}),
  };
  it.each([9_001, 123_457, 2_000_000])('leaves nothing of %i instructions', (instructions) => {
    check(() => build(options), instructions, 300_000, input);
  });
});

test.skipIf(!seabios.available)(
  named('a reset under SeaBIOS leaves nothing, its disk and screen in use', seabios),
  () => {
    const make = (): TestMachine => {
      const disk = new Uint8Array(1 << 20);
      // prints by the BIOS, reads a sector, and halts
      disk.set([0xb8, 0x41, 0x0e, 0xcd, 0x10, 0xb8, 0x01, 0x02, 0xb9, 0x02, 0x00, 0xbb, 0x00, 0x7e, 0xcd, 0x13, 0xf4]);
      disk.set([0x55, 0xaa], 510);
      const store = new MemoryDisk(disk);
      const drives: Drive[] = [{ name: 'drive0', kind: 'disk', bus: 'ide', store, serial: 'one' }];
      const vga = requireFile('/usr/share/seabios/vgabios-stdvga.bin', 'vgabios');
      return build({
        file: seabios.path,
        memoryMib: 32,
        drives,
        firmware: { serialConsole: false, ...(vga.available ? { vgaBios: readFileSync(vga.path) } : {}) },
      });
    };
    check(make, 20_000_000, 2_000_000);
  },
);

test.skipIf(!linux.available).each(long ? [1, 2, 4] : [2])(
  named('a reset of Linux leaves nothing, %d vCPUs, disk and network in use', linux),
  (vcpus) => {
    const folder = `${root}build/guests/linux`;
    const nothing = () => {};
    const host = {
      ...{ connect: nothing, send: nothing, end: nothing, abort: nothing, pause: nothing },
      ...{ sendDatagram: nothing, closeDatagrams: nothing },
    };
    const make = (): TestMachine =>
      build({
        file: `${folder}/vmlinuz`,
        memoryMib: 192,
        vcpus,
        append:
          'console=ttyS0 RUN="dd if=/bin/busybox of=/dev/vda bs=64k count=16; sync; ip link set eth0 up; udhcpc -n -q -i eth0"',
        initrd: { name: 'initrd.gz', bytes: readFileSync(`${folder}/initrd.gz`) },
        drives: [
          {
            name: 'drive0',
            kind: 'disk',
            bus: 'virtio',
            store: new MemoryDisk(new Uint8Array(4 << 20)),
            serial: 'one',
          },
        ],
        network: { mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56), host, forwards: false },
        cards: ['virtio-rng', 'virtio-balloon', 'virtio-console'],
      });
    check(make, long ? 1_900_000_000 : 25_000_000, 5_000_000);
  },
  3_600_000,
);

it('keeps the battery, and what the host has typed', () => {
  const zoo = SAMPLES.find(({ name }) => name === 'exit-zoo')!;
  const one = build({ file: zoo.image });
  const { rtc, serial } = one.machine.pc.pc;
  rtc.portWrite(0x70, 1, 0x3f);
  rtc.portWrite(0x71, 1, 0x5a);
  one.machine.serialInput(Buffer.from('typed'));
  const waiting = serial.waiting;
  one.machine.reset();
  rtc.portWrite(0x70, 1, 0x3f);
  expect(rtc.portRead(0x71)).toBe(0x5a);
  expect(serial.waiting).toBe(waiting);
  expect(digest(one)).toMatch(/^[0-9a-f]{64}$/);
});
