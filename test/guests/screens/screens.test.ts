/** Pictures of guests in each kind of mode, set by the video BIOS: pixel by pixel those of QEMU's screendump. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Picture } from '../../../src/engine/debugger.js';
import { encodePpm } from '../../../src/engine/host/picture-file.js';
import { loadMachine, saveMachine } from '../../../src/engine/vmm/machine-state.js';
import { vmscope } from '../../cli/vmscope.js';
import { TestDisk } from '../../devices/ide-rig.js';
import { build, run, type TestMachine } from '../../state/machine-run.js';
import { named, requireFile, requireTool } from '../../tools.js';

const BIOS = '/usr/share/seabios/bios-256k.bin';
const VGA_BIOS = '/usr/share/seabios/vgabios-stdvga.bin';
const as = requireTool('as');
const bios = requireFile(BIOS, 'seabios');
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const qemu = long ? requireTool('qemu-system-x86_64') : undefined;

/** SHA-256 of what `screendump` of QEMU 7.2.22 (SeaBIOS 1.16.2) writes: PPM. */
const SCREENS: Record<string, { mode: string; qemu: string }> = {
  TEXT: { mode: 'text 80x25', qemu: '76e0e9ceef71a7d766b47d3f3f4dd52dbc80fc4fa25bba67f7c67a0f8d5691e4' },
  CGA: { mode: '320x200, 4 colours', qemu: 'f045b1ed2977174d243260d7b279f62d7be6ce0665056951fb9ceeb0fff22756' },
  '12H': { mode: '640x480, 16 colours', qemu: '50312be0edf55e621a849ee1599f7c0bbbfea0b0a52d062786c0aae3e4fb3849' },
  '13H': { mode: '320x200, 256 colours', qemu: '48f24fa54568a10ceaa2caccea84706006ef8893790e29f9863a14c6b002f365' },
  X: { mode: '320x240, 256 colours', qemu: '1c494e2b1567835d1e36fb1a666b082c598b97b09eef05dfb9e2176797452d77' },
  VBE: { mode: '800x600x32', qemu: 'c4f2c2846e899cac4f0882cfd86902688da21fbbe031d275da715350ef6509f8' },
};
const FLOPPY_BYTES = 1440 * 1024;
const SLICE = 200_000;
const MOST_SLICES = 500;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-screens-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The floppy disk of a screen. */
function floppy(screen: string): string {
  const [object, image] = [join(folder, `${screen}.o`), join(folder, `${screen}.img`)];
  const source = fileURLToPath(new URL('screen.S', import.meta.url));
  execFileSync('as', ['--32', '--defsym', `MODE_${screen}=1`, '-o', object, source]);
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', image, object]);
  truncateSync(image, FLOPPY_BYTES);
  return image;
}

function machine(image: string, debugOutput: (byte: number) => void = () => {}): TestMachine {
  const store = new TestDisk(FLOPPY_BYTES / 512);
  store.bytes.set(readFileSync(image));
  return build({
    ...{ file: BIOS, memoryMib: 8, debugOutput },
    firmware: { vgaBios: readFileSync(VGA_BIOS), serialConsole: false },
    drives: [{ name: 'floppy0', serial: '', bus: 'floppy', kind: 'floppy', store }],
  });
}

/** The machine as its boot sector says that it has drawn. */
function drawn(image: string): TestMachine {
  let last = 0;
  const built = machine(image, (byte) => {
    last = byte;
  });
  for (let slice = 0; slice < MOST_SLICES && last !== 0x44; slice++) if (!run(built, SLICE)) break;
  expect(String.fromCharCode(last)).toBe('D');
  return built;
}

const digest = (picture: Picture): string => createHash('sha256').update(encodePpm(picture)).digest('hex');

describe.skipIf(!as.available || !bios.available)(named('screens', as, bios), () => {
  it.each(Object.keys(SCREENS))('%s is what QEMU shows, also where the machine goes on elsewhere', (screen) => {
    const built = drawn(floppy(screen));
    const { mode, qemu: expected } = SCREENS[screen];
    const picture = built.machine.picture();
    expect([picture.mode, digest(picture)]).toEqual([mode, expected]);
    const other = machine(join(folder, `${screen}.img`));
    const { state, frames } = saveMachine(built.machine);
    const copies = [...frames].map(({ hpa, bytes }) => ({ hpa, bytes: bytes.slice() }));
    loadMachine(other.machine, state, copies);
    expect(digest(other.machine.picture())).toBe(expected);
    expect(other.machine.pc.pc.vga.windows).toEqual(built.machine.pc.pc.vga.windows);
  });

  it('are written by --screendump-at-end and by the monitor, as PNG or PPM', async () => {
    const image = floppy('13H');
    const png = join(folder, '13h.png');
    const { status } = await vmscope([...['run', image, '--headless', '--serial', 'none', '--screendump-at-end', png]]);
    expect(status).toBe(1);
    const bytes = readFileSync(png);
    const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    const at = bytes.indexOf('IDAT');
    const lines = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
    const rgb = Buffer.concat(
      Array.from({ length: height }, (_, y) => lines.subarray(y * (width * 3 + 1) + 1, (y + 1) * (width * 3 + 1))),
    );
    expect(digest({ mode: '', width, height, rgb })).toBe(SCREENS['13H'].qemu);
    const folderName = await vmscope(['run', image, '--headless', '--screendump-at-end', join(folder, 'no', 'a.png')]);
    expect([folderName.status, folderName.stderr]).toEqual([
      2,
      `vmscope: --screendump-at-end ${join(folder, 'no', 'a.png')}: no such folder\n`,
    ]);
  }, 60_000);

  it.skipIf(!qemu?.available)(
    'are still what the QEMU that is installed shows',
    () => {
      for (const screen of Object.keys(SCREENS)) {
        const ppm = join(folder, `${screen}.ppm`);
        spawnSync(
          'sh',
          ['-c', `(sleep 5; echo screendump ${ppm}; sleep 1; echo quit) | "$@"`, 'sh', qemu!.path]
            .concat('-M', 'pc', '-net', 'none', '-display', 'none', '-monitor', 'stdio')
            .concat('-drive', `file=${floppy(screen)},format=raw,if=floppy`),
        );
        expect([screen, createHash('sha256').update(readFileSync(ppm)).digest('hex')]).toEqual([
          screen,
          SCREENS[screen].qemu,
        ]);
      }
    },
    120_000,
  );
});
