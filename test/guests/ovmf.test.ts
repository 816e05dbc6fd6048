/**
 * UEFI firmware (Debian's ovmf) and Linux from its shell. The firmware takes its time: only under VMSCOPE_LONG_TESTS=1.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { PROGRAM } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireFile, requireScript, type Tool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const asked: Tool = { available: false, reason: 'VMSCOPE_LONG_TESTS=1 is not set', path: '' };
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const ovmf = long ? requireFile('/usr/share/ovmf/OVMF.fd', 'ovmf') : asked;
const images = long && ovmf.available ? requireScript(`${root}samples/grub/build`) : asked;
const SLOW = 900_000;

describe('OVMF', () => {
  let tui: Tui;
  afterEach(() => tui?.proc.kill('SIGKILL'));

  test.skipIf(!ovmf.available || !images.available)(
    named("comes to its shell and starts Debian's Linux, which powers off by ACPI", ovmf),
    async () => {
      const disk = `${root}build/guests/grub/grub.img,if=virtio,snapshot=on`;
      const machine = ['-m', '512M', '--vcpus', '2', '--headless', '--serial', 'stdio'];
      tui = new Tui(PROGRAM, ['run', '--bios', ovmf.path, '--disk', disk, ...machine], 120, 40);
      await tui.until(/UEFI Interactive Shell[\s\S]*Shell> *$/m, SLOW);
      // the firmware polls the port: no faster than a person types
      for (const key of 'fs0:\\boot\\vmlinuz initrd=\\boot\\initrd.gz console=ttyS0 RUN=dmesg\r') {
        tui.send(key);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await tui.until(/reboot: Power down/, SLOW);
      expect(await tui.exit).toBe(0);
      expect(tui.raw).toMatch(/efi: EFI v2[\s\S]*DMI: vmscope PC[\s\S]*ACPI: Interpreter enabled/);
      expect(tui.raw).toMatch(/smp: Brought up 1 node, 2 CPUs/);
    },
    SLOW,
  );
});
