/**
 * Boot media made from Debian's packages, on this machine and on QEMU's pc: what they leave on the screen is equal pixel by
 * pixel. With VMSCOPE_LONG_TESTS=1: minutes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { requireFile, requireTool, type Tool } from '../tools.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 1_800_000;
/** One each two seconds. */
const MOST_PICTURES = 100;
const LDLINUX = '/usr/lib/syslinux/modules/bios/ldlinux.c32';
const ISOLINUX = '/usr/lib/ISOLINUX/isolinux.bin';
const FONT = '/usr/share/grub/unicode.pf2';
const BOOT_SECTOR = '/usr/lib/grub/i386-pc/boot.img';
const IPXE = '/usr/lib/ipxe/ipxe.iso';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-beside-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Medium {
  name: string;
  kind: 'floppy' | 'cdrom';
  /** What it is made with. */
  tools: () => Tool[];
  make: (path: string) => void;
  /** Instructions until the screen stands. */
  instructions: number;
}

const CONFIG = 'PROMPT 1\nTIMEOUT 0\nDISPLAY hello.txt\n';
const HELLO = 'Hello of this medium\n';

function syslinuxFloppy(kib: number): Medium {
  return {
    ...({ name: `SYSLINUX floppy of ${kib}K`, kind: 'floppy', instructions: 200_000_000 } as const),
    tools: () => [requireTool('syslinux'), requireTool('mformat')],
    make: (path) => {
      const files = { 'syslinux.cfg': CONFIG, 'hello.txt': HELLO };
      execFileSync('mformat', ['-C', '-f', String(kib), '-i', path, '::']);
      for (const [name, text] of Object.entries(files)) {
        writeFileSync(join(folder, name), text);
        execFileSync('mcopy', ['-o', '-i', path, join(folder, name), '::']);
      }
      execFileSync('syslinux', ['--install', path]);
    },
  };
}

function tree(files: Readonly<Record<string, string | { from: string }>>): string {
  const root = mkdtempSync(join(folder, 'tree-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(join(path, '..'), { recursive: true });
    if (typeof content === 'string') writeFileSync(path, content);
    else copyFileSync(content.from, path);
  }
  return root;
}

const MEDIA: readonly Medium[] = [
  syslinuxFloppy(1440),
  syslinuxFloppy(720),
  {
    ...({ name: 'ISOLINUX CD', kind: 'cdrom', instructions: 200_000_000 } as const),
    tools: () => [requireFile(ISOLINUX, 'isolinux'), requireFile(LDLINUX, 'syslinux-common'), requireTool('xorriso')],
    make: (path) => {
      const root = tree({
        ...{ 'isolinux/isolinux.bin': { from: ISOLINUX }, 'isolinux/ldlinux.c32': { from: LDLINUX } },
        ...{ 'isolinux/isolinux.cfg': CONFIG, 'isolinux/hello.txt': HELLO },
      });
      const boot = ['-b', 'isolinux/isolinux.bin', '-c', 'isolinux/boot.cat', '-no-emul-boot'];
      const words = ['-as', 'mkisofs', '-quiet', '-o', path, ...boot, '-boot-load-size', '4', '-boot-info-table', root];
      execFileSync('xorriso', words, { stdio: 'ignore' });
    },
  },
  {
    ...({ name: 'GRUB rescue floppy', kind: 'floppy', instructions: 400_000_000 } as const),
    tools: () => [requireTool('grub-mkimage'), requireFile(BOOT_SECTOR, 'grub-pc-bin')],
    make: (path) => {
      const core = join(folder, 'core.img');
      execFileSync('grub-mkimage', ['-O', 'i386-pc', '-o', core, '-p', '/boot/grub', 'biosdisk', 'fat', 'ls']);
      const image = Buffer.alloc(1440 * 1024);
      readFileSync(BOOT_SECTOR).copy(image);
      // a floppy's boot sector has no hard disk's work-around
      readFileSync(core).copy(image, 512);
      writeFileSync(path, image);
    },
  },
  {
    ...({ name: 'GRUB CD with gfxterm', kind: 'cdrom', instructions: 1_200_000_000 } as const),
    tools: () => [requireTool('grub-mkrescue'), requireTool('xorriso'), requireFile(FONT, 'grub-common')],
    make: (path) => {
      const root = tree({
        'boot/grub/fonts/unicode.pf2': { from: FONT },
        'boot/grub/grub.cfg': [
          'insmod all_video\ninsmod gfxterm\ninsmod font\nloadfont /boot/grub/fonts/unicode.pf2',
          'set gfxmode=800x600x32\nterminal_output gfxterm\nset timeout=-1',
          'menuentry "first of the menu" { true }\nmenuentry "second" { true }\n',
        ].join('\n'),
      });
      execFileSync('grub-mkrescue', ['-o', path, root], { stdio: 'ignore' });
    },
  },
  {
    ...({ name: 'iPXE CD', kind: 'cdrom', instructions: 800_000_000 } as const),
    tools: () => [requireFile(IPXE, 'ipxe')],
    make: (path) => copyFileSync(IPXE, path),
  },
];

/** Whether the guest's picture comes on QEMU; a cursor that blinks has two. */
async function comesOnQemu({ kind }: Medium, image: string, wanted: Buffer): Promise<boolean> {
  const picture = join(folder, 'qemu.ppm');
  rmSync(picture, { force: true });
  const medium = kind === 'floppy' ? ['-fda', image, '-boot', 'a'] : ['-cdrom', image, '-boot', 'd'];
  const words = ['-M', 'pc', '-m', '128', '-display', 'none', '-serial', 'none', '-monitor', 'stdio', '-nic', 'none'];
  const child = spawn('qemu-system-x86_64', [...words, ...medium, '-snapshot'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  try {
    for (let i = 0; i < MOST_PICTURES; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      if (existsSync(picture) && readFileSync(picture).equals(wanted)) return true;
      child.stdin.write(`screendump ${picture}\n`);
    }
    return false;
  } finally {
    child.kill('SIGKILL');
  }
}

describe.skipIf(!long)('screens beside QEMU', () => {
  it.each(MEDIA)(
    '$name',
    async (medium) => {
      for (const tool of [requireTool('qemu-system-x86_64'), ...medium.tools()]) expect(tool.reason).toBe('');
      const image = join(folder, `${medium.name.replaceAll(' ', '-')}.img`);
      medium.make(image);
      const picture = join(folder, 'vmscope.ppm');
      const machine = ['-m', '128', '--headless', '--serial', 'none', '--sercon', 'off', `--${medium.kind}`, image];
      const until = ['--max-instructions', String(medium.instructions), '--screendump-at-end', picture];
      const run = await vmscope(['run', ...machine, ...until], { timeoutMs: SLOW });
      expect(run.stderr).toContain('stopped after');
      expect(await comesOnQemu(medium, image, readFileSync(picture))).toBe(true);
    },
    SLOW,
  );
});
