/**
 * Frame buffers: what our own programs and Linux draw is equal pixel by pixel to QEMU's screen, in modes that they ask the video
 * BIOS, the card's registers, GRUB and UEFI for. With VMSCOPE_LONG_TESTS=1: minutes.
 * Debian's packages for it: qemu-system-x86 gcc binutils grub-pc-bin grub-efi-amd64-bin grub-common xorriso mtools ovmf, and those of
 * samples/linux/build-simpledrm.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { requireFile, requireScript, requireTool, type Tool } from '../tools.js';
import { comesOnQemu } from './qemu-pc.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 3_600_000;
const OVMF = '/usr/share/ovmf/OVMF.fd';
const root = fileURLToPath(new URL('../..', import.meta.url));
const guests = `${root}build/guests`;
const source = (name: string): string => fileURLToPath(new URL(`frames/${name}`, import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-frames-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Show {
  name: string;
  firmware: 'bios' | 'uefi';
  /** MiB. */
  memory: number;
  medium: 'fda' | 'hda' | 'cdrom' | 'kernel';
  /** Of a kernel: its initrd, made beside it, and its command line. */
  initrd?: (path: string) => string;
  append?: string;
  tools: () => Tool[];
  make: (path: string) => void;
  /** What the serial port must have told before it counts. */
  tells?: RegExp;
  size: [number, number];
}

const run = (program: string, ...words: string[]): Buffer => execFileSync(program, words, { stdio: 'pipe' });
const C = ['-O1', '-ffreestanding', '-mgeneral-regs-only', '-fno-stack-protector', '-fno-asynchronous-unwind-tables'];
const COMPILER = [...C, '-fcf-protection=none', '-Wall', '-Werror', '-c'];

function ownMode(name: string, modex: 0 | 1, size: [number, number]): Show {
  return {
    ...({ name, firmware: 'bios', memory: 128, medium: 'fda', size } as const),
    tools: () => [requireTool('as'), requireTool('ld')],
    make: (path) => {
      run('as', '--32', '--defsym', `MODEX=${modex}`, '-o', `${path}.o`, source('modes.S'));
      run('ld', '-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', path, `${path}.o`);
    },
  };
}

function rescueDisc(path: string, config: readonly string[], files: Readonly<Record<string, Buffer>>): void {
  const tree = mkdtempSync(join(folder, 'tree-'));
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), `${config.join('\n')}\n`);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(tree, 'boot', name), bytes);
  run('grub-mkrescue', '-o', path, tree);
}
const rescueTools = (): Tool[] => ['grub-mkrescue', 'xorriso', 'mformat'].map(requireTool);

function askGrub(bits: number): Show {
  return {
    ...({ name: `a kernel that asks GRUB for ${bits} bits a pixel`, firmware: 'bios', memory: 128 } as const),
    ...({ medium: 'cdrom', size: [800, 600] } as const),
    tools: () => [requireTool('gcc'), ...rescueTools()],
    make: (path) => {
      const object = `${path}.o`;
      run('gcc', ...COMPILER, '-m32', '-fno-pic', `-DBITS=${bits}`, '-o', object, source('multiboot2.c'));
      run('ld', '-m', 'elf_i386', '-N', '--no-warn-rwx-segments', '-Ttext', '0x200000', '-o', `${path}.elf`, object);
      const config = ['insmod all_video', 'multiboot2 /boot/kernel.elf', 'boot'];
      rescueDisc(path, config, { 'kernel.elf': readFileSync(`${path}.elf`) });
    },
  };
}

const askUefi: Show = {
  ...({
    name: 'an application that asks UEFI',
    firmware: 'uefi',
    memory: 256,
    medium: 'hda',
    size: [1024, 768],
  } as const),
  tools: () => [requireTool('gcc'), requireTool('objcopy'), requireTool('mformat'), requireFile(OVMF, 'ovmf')],
  make: (path) => {
    run('gcc', ...COMPILER, '-mabi=ms', '-mno-red-zone', '-fpic', '-o', `${path}.o`, source('gop.c'));
    run('objcopy', '-O', 'pe-x86-64', '-R', '.note.*', '-R', '.comment', `${path}.o`, `${path}.pe`);
    const link = ['-m', 'i386pep', '--subsystem', '10', '--image-base', '0', '-e', 'efi_main'];
    run('ld', ...link, '-o', `${path}.efi`, `${path}.pe`);
    run('mformat', '-C', '-f', '2880', '-i', path, '::');
    run('mmd', '-i', path, '::/EFI', '::/EFI/BOOT');
    run('mcopy', '-i', path, `${path}.efi`, '::/EFI/BOOT/BOOTX64.EFI');
  },
};

/** Text in all colours, and below it random pixels by /dev/fb0; QEMU has no device at the port that ends the run here. */
const DRAW = (driver: string): string => `
${driver}
echo 0 >/sys/class/graphics/fbcon/cursor_blink
# what firmware and loader left differs by what they tried to boot
printf '\\033[2J\\033[H' >/dev/tty1
echo "frame buffer: $(cat /proc/fb), $(cat /sys/class/graphics/fb0/virtual_size), $(cat /sys/class/graphics/fb0/bits_per_pixel)"
for back in 0 1 2 3 4 5 6 7; do
  for fore in 30 31 32 33 34 35 36 37 90 97; do printf '\\033[4%d;%dm text of %d on %d ' $back $fore $fore $back; done
  printf '\\033[0m\\n'
done >/dev/tty1
sleep 1
gzip -d -c /lib/noise.gz | dd of=/dev/fb0 bs=65536 seek=16 2>/dev/null
sleep 3
printf '\\001' | dd of=/dev/port bs=1 seek=244 2>/dev/null
sleep 1000000
`;

const COMMAND = 'console=ttyS0 quiet vt.global_cursor_default=0 RUN="sh /lib/draw"';

/** A kernel and what its first process is in: files of build/guests, and the scripts that put them there. */
interface Kernel {
  vmlinuz: string;
  initrds: readonly string[];
  scripts: readonly string[];
}

const STOCK: Kernel = {
  vmlinuz: 'linux-hardware/vmlinuz',
  initrds: ['linux-hardware/initrd.gz', 'linux-hardware/bochs.gz'],
  scripts: ['fetch-hardware', 'fetch'],
};
const SIMPLEDRM: Kernel = {
  vmlinuz: 'linux-simpledrm/vmlinuz',
  initrds: ['linux/initrd.gz'],
  scripts: ['build-simpledrm', 'fetch'],
};

/** What the first process is in, with what it draws behind it. */
function initrdOf(kernel: Kernel, insmod = ''): Buffer {
  const tree = mkdtempSync(join(folder, 'initrd-'));
  mkdirSync(join(tree, 'lib/modules'), { recursive: true });
  // those of the other kernel's initramfs are not for this one
  if (kernel === SIMPLEDRM) writeFileSync(join(tree, 'lib/modules/order'), '');
  writeFileSync(join(tree, 'lib/draw'), DRAW(insmod));
  // the same bytes each time: an address's hash
  const noise = Uint8Array.from({ length: 1 << 20 }, (_, at) => Math.imul(at + 1, 0x9e3779b1) >>> 24);
  writeFileSync(join(tree, 'lib/noise'), noise);
  run('gzip', '-n', join(tree, 'lib/noise'));
  const pack = `find . | sort | ${guests}/linux/busybox cpio -o -H newc 2>/dev/null | gzip -n`;
  const draw = execFileSync('sh', ['-c', pack], { cwd: tree });
  return Buffer.concat([...kernel.initrds.map((name) => readFileSync(`${guests}/${name}`)), draw]);
}

const scriptsOf = (kernel: Kernel): Tool[] =>
  kernel.scripts.map((script) => requireScript(`${root}samples/linux/${script}`));

/** A mode that the kernel's real-mode part asks the video BIOS for; no boot loader but this machine's, and QEMU's. */
function linuxByVga(mode: string, size: [number, number]): Show {
  return {
    ...({
      name: `Linux with simpledrm by vga=${mode}`,
      firmware: 'bios',
      memory: 256,
      medium: 'kernel',
      size,
    } as const),
    tells: new RegExp(`frame buffer: 0 simpledrm(drmfb)?, ${size}, 32`),
    append: `vga=${mode} ${COMMAND}`,
    tools: () => scriptsOf(SIMPLEDRM),
    make: (path) => copyFileSync(`${guests}/${SIMPLEDRM.vmlinuz}`, path),
    initrd: (path) => {
      writeFileSync(`${path}.initrd`, initrdOf(SIMPLEDRM));
      return `${path}.initrd`;
    },
  };
}

interface LinuxFrames {
  driver: string;
  kernel?: Kernel;
  firmware: 'bios' | 'uefi';
  tells: RegExp;
  size: [number, number];
  /** GRUB's module for the screen. With "all_video" GRUB may drive the card itself, and tell Linux of a frame buffer as UEFI has it. */
  video?: string;
  payload: string;
  insmod?: string;
}

function linuxFrames(of: LinuxFrames): Show {
  const { driver, kernel = STOCK, firmware, tells, size, video = 'all_video', payload, insmod } = of;
  return {
    // with 256 MiB Debian's GRUB for UEFI says "out of memory", on QEMU too
    ...({
      name: `Linux with ${driver}`,
      firmware,
      memory: firmware === 'uefi' ? 512 : 256,
      medium: 'cdrom',
      tells,
      size,
    } as const),
    tools: () => [
      ...(firmware === 'uefi' ? [requireFile(OVMF, 'ovmf')] : []),
      requireFile(`/usr/lib/grub/${firmware === 'uefi' ? 'x86_64-efi' : 'i386-pc'}/linux.mod`, 'grub-efi-amd64-bin'),
      ...rescueTools(),
      ...scriptsOf(kernel),
    ],
    make: (path) => {
      const files: Record<string, Buffer> = {
        vmlinuz: readFileSync(`${guests}/${kernel.vmlinuz}`),
        'initrd.gz': initrdOf(kernel, insmod),
      };
      const config = [
        `insmod ${video}`,
        `set gfxpayload=${payload}`,
        `linux /boot/vmlinuz ${COMMAND}`,
        'initrd /boot/initrd.gz',
        'boot',
      ];
      rescueDisc(path, config, files);
    },
  };
}

const SHOWS: readonly Show[] = [
  ownMode('mode 13h', 0, [640, 400]),
  ownMode('mode X', 1, [640, 480]),
  ...[32, 24, 16].map(askGrub),
  askUefi,
  linuxFrames({
    ...({ driver: 'vesafb', firmware: 'bios', payload: '1024x768x32', size: [1024, 768] } as const),
    ...{ video: 'vbe', tells: /frame buffer: 0 VESA VGA, 1024,768, 32/ },
  }),
  linuxFrames({
    ...({ driver: 'vesafb of 16 bits', firmware: 'bios', payload: '800x600x16', size: [800, 600] } as const),
    ...{ video: 'vbe', tells: /frame buffer: 0 VESA VGA, 800,600, 16/ },
  }),
  linuxFrames({
    ...({ driver: 'efifb', firmware: 'uefi', payload: '1280x800x32', size: [1280, 800] } as const),
    ...{ video: 'efi_gop', tells: /frame buffer: 0 EFI VGA, 1280,800, 32/ },
  }),
  linuxFrames({
    ...({ driver: 'bochs-drm', firmware: 'bios', payload: 'text', size: [1280, 800] } as const),
    ...{ insmod: 'sh /lib/modules/bochs', tells: /frame buffer: 0 bochs-drm(drmfb)?, 1280,800, 32/ },
  }),
  linuxFrames({
    ...({ driver: 'simpledrm', firmware: 'bios', payload: '1024x768x32', size: [1024, 768] } as const),
    ...{ kernel: SIMPLEDRM, video: 'vbe', tells: /frame buffer: 0 simpledrm(drmfb)?, 1024,768, 32/ },
  }),
  linuxByVga('0x344', [1024, 768]),
];

/** `P6`, then width and height, as the picture's head says them. */
const sizeOf = (picture: Buffer): number[] =>
  picture.subarray(0, 20).toString('latin1').split(/\s/).slice(1, 3).map(Number);

describe.skipIf(!long)('frame buffers beside QEMU', () => {
  it.for(SHOWS)(
    '$name',
    { timeout: SLOW },
    async ({ name, tools, make, initrd, append, medium, firmware, memory, tells, size }, { skip }) => {
      const missing = [requireTool('qemu-system-x86_64'), ...tools()].find((tool) => !tool.available);
      if (missing) skip(missing.reason);
      const image = join(folder, `${name.replaceAll(' ', '-')}.img`);
      make(image);
      const picture = join(folder, 'vmscope.ppm');
      const words = ['-m', String(memory), `-${medium}`, image, ...(firmware === 'uefi' ? ['-bios', OVMF] : [])];
      if (initrd) words.push('-initrd', initrd(image));
      if (append) words.push('-append', append);
      const until = ['--isa-debug-exit', '--screendump-at-end', picture];
      const machine = ['--headless', '--serial', tells ? 'stdio' : 'none', '--sercon', 'off', '-snapshot'];
      const { stdout, stderr } = await vmscope(['run', ...machine, ...words, ...until], { timeoutMs: SLOW });
      if (tells) expect(stdout).toMatch(tells);
      else expect(stderr).toContain('halted with interrupts off');
      const wanted = readFileSync(picture);
      expect(sizeOf(wanted)).toEqual(size);
      expect(await comesOnQemu(words, wanted, folder, { serial: tells !== undefined })).toBe(true);
    },
  );
});
