/** Debian's GRUB, started by SeaBIOS from a disk and from a CD, as samples/grub/build makes them. */
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { PROGRAM } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireFile, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const seabios = requireFile('/usr/share/seabios/bios.bin', 'seabios');
const images = apt.available ? requireScript(`${root}samples/grub/build`) : apt;
const folder = `${root}build/guests/grub`;
const available = images.available && seabios.available;
const DOWN = '\x1b[B';
const SLOW = 240_000;

describe("Debian's GRUB", () => {
  let tui: Tui;
  afterEach(() => tui?.proc.kill('SIGKILL'));

  async function menu(...drive: string[]): Promise<void> {
    const guest = ['-m', '256M', '--headless', '--serial', 'stdio'];
    tui = new Tui(PROGRAM, ['run', ...drive, ...guest], 80, 40);
    await tui.until(/GNU GRUB[\s\S]*sample[\s\S]*Linux[\s\S]*executed automatically/, SLOW);
  }

  test.skipIf(!available).each([
    ['an IDE disk', '--disk', `${folder}/grub.img,if=ide,snapshot=on`],
    ['a CD', '--cdrom', `${folder}/grub.iso`],
  ])(
    named('shows its menu and starts a multiboot kernel from %s', images, seabios),
    async (_drive, ...options) => {
      await menu(...options);
      tui.send('\r');
      await tui.until(/long again +64-bit[\s\S]*r15 kept its 64 bits/, SLOW);
    },
    SLOW,
  );

  test.skipIf(!available)(
    named("starts Debian's Linux from a virtio disk, which finds the partition", images, seabios),
    async () => {
      await menu('--disk', `${folder}/grub.img,if=virtio,snapshot=on`);
      tui.send(`${DOWN}\r`);
      await tui.until(/vda: vda1[\s\S]*reboot: Power down/, SLOW);
      expect(tui.raw).toMatch(/DMI: vmscope PC/);
      expect(tui.text()).not.toMatch(/panic|Call Trace/);
    },
    SLOW,
  );
});
