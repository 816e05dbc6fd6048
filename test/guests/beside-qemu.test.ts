/**
 * Boot media made from Debian's packages, on this machine and on QEMU's pc: what they leave on the screen is equal pixel by
 * pixel, or in the parts that do not tell of the processor and the firmware. With VMSCOPE_LONG_TESTS=1: minutes.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { requireFile, requireTool, type Tool } from '../tools.js';
import { comesOnQemu, SAME_DRIVES } from './qemu-pc.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 1_800_000;
const LDLINUX = '/usr/lib/syslinux/modules/bios/ldlinux.c32';
const ISOLINUX = '/usr/lib/ISOLINUX/isolinux.bin';
const FONT = '/usr/share/grub/unicode.pf2';
const BOOT_SECTOR = '/usr/lib/grub/i386-pc/boot.img';
const IPXE = '/usr/lib/ipxe/ipxe.iso';
const IPXE_KERNEL = '/usr/lib/ipxe/ipxe.lkrn';
const MEMDISK = '/usr/lib/syslinux/memdisk';
const MEMTEST = '/boot/memtest86+x64.bin';
const MEMTEST_EFI = '/boot/memtest86+x64.efi';
const OVMF = '/usr/share/ovmf/OVMF.fd';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-beside-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Cells of a screen of 80 columns and 25 rows. */
interface Area {
  row: number;
  column: number;
  cells: number;
}

interface Medium {
  name: string;
  kind: 'floppy' | 'cdrom' | 'kernel' | 'efi';
  /** Of a kernel: its initrd, made beside it, and its command line. */
  initrd?: (path: string) => void;
  append?: string;
  /** What is to be equal; without it all. */
  areas?: readonly Area[];
  /** What it is made with. */
  tools: () => Tool[];
  make: (path: string) => void;
  /** Instructions until the screen stands. */
  instructions: number;
}

const CONFIG = 'PROMPT 1\nTIMEOUT 0\nDISPLAY hello.txt\n';
const HELLO = 'Hello of this medium\n';

const SYSLINUX_TOOLS = () => [requireTool('syslinux'), requireTool('mformat')];

function makeSyslinuxFloppy(path: string, kib: number): void {
  const files = { 'syslinux.cfg': CONFIG, 'hello.txt': HELLO };
  execFileSync('mformat', ['-C', '-f', String(kib), '-i', path, '::']);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
    execFileSync('mcopy', ['-o', '-i', path, join(folder, name), '::']);
  }
  execFileSync('syslinux', ['--install', path]);
}

function syslinuxFloppy(kib: number): Medium {
  return {
    ...({ name: `SYSLINUX floppy of ${kib}K`, kind: 'floppy', instructions: 200_000_000 } as const),
    tools: SYSLINUX_TOOLS,
    make: (path) => makeSyslinuxFloppy(path, kib),
  };
}

const rows = (from: number, to: number): Area[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ row: from + i, column: 0, cells: 80 }));
/** Of memtest86+'s screen what tells neither of the processor nor how far it is: titles, state, errors, keys. */
const MEMTEST_AREAS: readonly Area[] = [
  { row: 0, column: 0, cells: 28 },
  ...[1, 2, 3, 4, 5].map((row) => ({ row, column: 0, cells: 9 })),
  ...[1, 2].map((row) => ({ row, column: 30, cells: 4 })),
  ...[3, 4, 5].map((row) => ({ row, column: 30, cells: 6 })),
  { row: 6, column: 0, cells: 80 },
  { row: 7, column: 0, cells: 38 },
  { row: 7, column: 60, cells: 15 },
  { row: 8, column: 0, cells: 38 },
  { row: 8, column: 44, cells: 25 },
  ...rows(9, 9),
  ...rows(24, 24),
];

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
  {
    ...({ name: 'iPXE as a kernel', kind: 'kernel', instructions: 800_000_000 } as const),
    tools: () => [requireFile(IPXE_KERNEL, 'ipxe')],
    make: (path) => copyFileSync(IPXE_KERNEL, path),
  },
  {
    ...({ name: 'MEMDISK with a floppy', kind: 'kernel', instructions: 250_000_000 } as const),
    tools: () => [requireFile(MEMDISK, 'syslinux-common'), ...SYSLINUX_TOOLS()],
    make: (path) => copyFileSync(MEMDISK, path),
    initrd: (path) => makeSyslinuxFloppy(path, 1440),
    append: 'floppy',
    // without the memory map, and what of it is counted again
    areas: [...rows(9, 14), ...rows(16, 24)],
  },
  {
    ...({ name: 'memtest86+ floppy', kind: 'floppy', instructions: 1_000_000_000 } as const),
    tools: () => [requireFile(MEMTEST, 'memtest86+')],
    make: (path) => {
      const image = Buffer.alloc(1440 * 1024);
      readFileSync(MEMTEST).copy(image);
      writeFileSync(path, image);
    },
    areas: MEMTEST_AREAS,
  },
  {
    ...({ name: 'memtest86+ by UEFI', kind: 'efi', instructions: 8_000_000_000 } as const),
    tools: () => [requireFile(MEMTEST_EFI, 'memtest86+'), requireFile(OVMF, 'ovmf'), requireTool('mformat')],
    make: (path) => {
      writeFileSync(path, Buffer.alloc(16 * 2 ** 20));
      execFileSync('mformat', ['-i', path, '::']);
      execFileSync('mmd', ['-i', path, '::/EFI', '::/EFI/BOOT']);
      execFileSync('mcopy', ['-i', path, MEMTEST_EFI, '::/EFI/BOOT/BOOTX64.EFI']);
    },
    areas: MEMTEST_AREAS,
  },
];

interface Picture {
  width: number;
  height: number;
  pixels: Buffer;
}

/** A PPM of type P6, as both write it; undefined while it is not whole. */
function readPicture(ppm: Buffer): Picture | undefined {
  const [head, width, height] = /^P6\s(\d+) (\d+)\s255\s/.exec(ppm.toString('latin1', 0, 64)) ?? [];
  if (head === undefined) return undefined;
  const pixels = ppm.subarray(head.length);
  const picture = { width: Number(width), height: Number(height), pixels };
  return pixels.length === picture.width * picture.height * 3 ? picture : undefined;
}

/** The cells' pixels; a screen of text in a frame buffer is in its middle. */
function cellsOf({ width, height, pixels }: Picture, { row, column, cells }: Area): Buffer {
  const [wide, high] = [Math.floor(width / 80), 16];
  const [left, top] = [(width - 80 * wide) >> 1, (height - 25 * high) >> 1];
  const lines = Array.from({ length: high }, (_, line) => {
    const at = ((top + row * high + line) * width + left + column * wide) * 3;
    return pixels.subarray(at, at + cells * wide * 3);
  });
  return Buffer.concat(lines);
}

function areEqual(one: Buffer, other: Buffer, areas: readonly Area[] | undefined): boolean {
  if (areas === undefined) return one.equals(other);
  const [a, b] = [readPicture(one), readPicture(other)];
  if (!a || !b || a.width !== b.width || a.height !== b.height) return false;
  return areas.every((area) => cellsOf(a, area).equals(cellsOf(b, area)));
}

/** The words of the command line, here and there. */
function wordsOf({ kind, append, initrd }: Medium, image: string): { here: string[]; there: string[] } {
  switch (kind) {
    case 'floppy':
      return { here: ['--floppy', image], there: ['-fda', image, '-boot', 'a'] };
    case 'cdrom':
      return { here: ['--cdrom', image], there: ['-cdrom', image, '-boot', 'd'] };
    case 'efi':
      return {
        here: ['--bios', OVMF, '--disk', `${image},if=ide,snapshot=on`],
        there: ['-bios', OVMF, '-drive', `file=${image},format=raw,if=ide`],
      };
    case 'kernel': {
      const more = (dashes: string): string[] => [
        ...(initrd ? [`${dashes}initrd`, `${image}.initrd`] : []),
        ...(append === undefined ? [] : [`${dashes}append`, append]),
      ];
      return { here: ['--kernel', image, ...more('--')], there: [...SAME_DRIVES, '-kernel', image, ...more('-')] };
    }
  }
}

describe.skipIf(!long)('screens beside QEMU', () => {
  it.each(MEDIA)(
    '$name',
    async (medium) => {
      for (const tool of [requireTool('qemu-system-x86_64'), ...medium.tools()]) expect(tool.reason).toBe('');
      const image = join(folder, `${medium.name.replaceAll(' ', '-')}.img`);
      medium.make(image);
      medium.initrd?.(`${image}.initrd`);
      const picture = join(folder, 'vmscope.ppm');
      const { here, there } = wordsOf(medium, image);
      const machine = ['-m', '128', '--headless', '--serial', 'none', ...here];
      const until = ['--max-instructions', String(medium.instructions), '--screendump-at-end', picture];
      const run = await vmscope(['run', ...machine, ...until], { timeoutMs: SLOW });
      expect(run.stderr).toContain('stopped after');
      const compare = { areEqual: (one: Buffer, other: Buffer) => areEqual(one, other, medium.areas) };
      expect(await comesOnQemu(['-m', '128', ...there], readFileSync(picture), folder, compare)).toBe(true);
    },
    SLOW,
  );
});
