import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { KvmHypervisor } from '../../src/engine/host/kvm-engine/kvm-hypervisor.js';
import { Machine } from '../../src/engine/vmm/machine.js';
import { run, SAMPLES, VMSCOPE } from '../samples/catalogue.js';
import { requireFile } from '../tools.js';
import { runGuest } from './flat-kvm.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const seabios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const sector = SAMPLES.find(({ name }) => name === 'real-mode')!;

describe.skipIf(why !== '')(`a BIOS on /dev/kvm${why === '' ? '' : ` (${why})`}`, () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-bios-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.skipIf(!seabios.available)(
    'SeaBIOS boots a disk',
    async () => {
      const disk = join(folder, 'disk.img');
      writeFileSync(disk, Buffer.concat([readFileSync(sector.image)], 1 << 20));
      const args = ['run', '--disk', disk, '--engine', 'kvm', '--headless', '--sercon', 'on', '--timeout', '100'];
      const { stdout, status } = await run(VMSCOPE, args, '', 110_000);
      expect(stdout).toContain('SeaBIOS');
      expect(stdout.endsWith(sector.expected)).toBe(true);
      expect(status).toBe(0);
    },
    120_000,
  );

  it('a ROM is read-only, shows below 1 MiB until RAM does, and the core and the debugger see it', async () => {
    const rom = new Uint8Array(0x20000).fill(0x90);
    // ffff:fff0: jmp f000:0000 ; f000:0000: mov byte cs:[0100h],55h ; mov al,cs:[0100h] ; out 0f4h,al
    rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0x1fff0);
    rom.set([0x2e, 0xc6, 0x06, 0x00, 0x01, 0x55, 0x2e, 0xa0, 0x00, 0x01, 0xe6, 0xf4], 0x10000);
    const vm = KvmHypervisor.create({ memoryBytes: 4 << 20, vcpus: 1, romBytes: rom.length + 0x10000 });
    const machine = new Machine(vm, {
      name: 'rom',
      image: { name: 'rom', bytes: rom },
      isaDebugExit: true,
      noReboot: true,
      wallSeconds: 0,
      firmware: { serialConsole: false },
    });
    const guest = new Guest(machine, { paced: false, waitForInput: false });
    try {
      expect([...(await guest.readMemory('gpa', 0xfffffff0n, 5))]).toEqual([0xea, 0, 0, 0, 0xf0]);
      expect([...(await guest.readMemory('gpa', 0xf0000n, 2))]).toEqual([0x2e, 0xc6]);
      expect(vm.repairs.emulateOne(vm.vcpus[0])).toBeUndefined();
      expect(await guest.readRegisters(0)).toMatchObject({ rip: 0n, cs_base: 0xf0000n });
      expect(await runGuest(guest)).toBe('ended');
      // the low byte of 90h << 1 | 1: what was read is the ROM's NOP, not what was written
      expect((await guest.state()).stop).toMatchObject({ end: { kind: 'debug-exit', status: 0x21 } });
    } finally {
      await guest.quit();
    }
  });
});
