/** A guest that a BIOS boots over the network: iPXE from the card's ROM, DHCP and TFTP of the user-mode network. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NET_MODELS } from '../../src/engine/vmm/cards.js';
import { SAMPLES, vmscope } from '../cli/vmscope.js';
import { named, requireFile, requireTool } from '../tools.js';
import { speaksByCom1 } from './qemu-pc.js';

const rom = requireFile('/usr/lib/ipxe/qemu/efi-e1000.rom', 'ipxe-qemu');
const qemu = requireTool('qemu-system-x86_64');
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 900_000;
const EXPECTED = readFileSync(`${SAMPLES}/memory/expected.txt`, 'utf8');

describe('network boot', () => {
  // iPXE polls: with --clock wall its waits take as long as they say
  test.skipIf(!rom.available || !long).each(NET_MODELS)(
    named('runs what bootfile= names, by %s', rom),
    async (model) => {
      const net = `user,model=${model},tftp=${SAMPLES}/memory,bootfile=memory.elf`;
      const run = await vmscope(['run', '--headless', '--clock', 'wall', '--no-reboot', '--net', net], {
        timeoutMs: SLOW,
      });
      expect([run.status, run.stdout], run.stderr).toEqual([0, EXPECTED]);
    },
    SLOW,
  );

  test.skipIf(!rom.available || !qemu.available || !long)(
    named('prints what it prints on QEMU, whose tftp= and bootfile= these words are', qemu),
    () => {
      const nic = `user,model=e1000,tftp=${SAMPLES}/memory,bootfile=memory.elf`;
      const run = spawnSync(qemu.path, [...speaksByCom1(nic), '-no-reboot'], { encoding: 'utf8', timeout: SLOW });
      expect([run.status, run.stdout]).toEqual([0, EXPECTED]);
    },
    SLOW,
  );

  test('without a network card there is none to boot from, and from a kernel no BIOS', async () => {
    const none = await vmscope(['run', '--headless', '--boot', 'n']);
    expect([none.status, none.stderr]).toEqual([
      2,
      'vmscope: --boot n: there is no network card; --net user gives it one\n',
    ]);
    const kernel = await vmscope(['run', `${SAMPLES}/memory`, '--headless', '--net', 'user', '--boot', 'n']);
    expect([kernel.status, kernel.stderr]).toEqual([
      2,
      expect.stringMatching(/--boot n: .*memory\.elf is loaded without a BIOS\n/),
    ]);
  });
});
