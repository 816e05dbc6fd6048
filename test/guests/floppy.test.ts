/** Boot media of hobby systems: boot sectors and floppy disks, by SeaBIOS. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { named, requireFile, requireTool } from '../tools.js';

const as = requireTool('as');
const bios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const syslinux = requireTool('syslinux');
const mtools = requireTool('mformat');
const KIB = 1024;
const SLOW = 120_000;

let folder: string;
let sector: Buffer;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-floppy-'));
  if (!as.available) return;
  const [object, image] = [join(folder, 'floppy.o'), join(folder, 'floppy.bin')];
  execFileSync('as', ['--32', '-o', object, fileURLToPath(new URL('floppy.S', import.meta.url))]);
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', image, object]);
  sector = readFileSync(image);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The boot sector on a disk of this size, whose last sector says so. */
function diskOf(kib: number): string {
  const bytes = Buffer.alloc(kib * KIB);
  sector.copy(bytes);
  bytes.write(`last of ${kib}K\r\n`, bytes.length - 512);
  const path = join(folder, `${kib}.img`);
  writeFileSync(path, bytes);
  return path;
}

describe.skipIf(!as.available || !bios.available)(named('floppy disks', as, bios), () => {
  it.each([360, 1200, 2880])(
    'of %iK boot, are read to their last sector and written',
    async (kib) => {
      const path = diskOf(kib);
      const { stdout, status } = await vmscope(['run', path, '--headless'], { timeoutMs: SLOW });
      expect(stdout).toBe(`boot sector\r\nsecond sector\r\nlast of ${kib}K\r\ndone\r\n`);
      expect(status).toBe(0);
      const bytes = readFileSync(path);
      expect(bytes.subarray(3 * 512, 4 * 512)).toEqual(bytes.subarray(512, 1024));
    },
    SLOW,
  );

  it(
    'stand in two drives, and a snapshot leaves the file',
    async () => {
      const [a, b] = [diskOf(1440), diskOf(720)];
      const before = readFileSync(a);
      const { stdout } = await vmscope(['-fda', a, '-fdb', b, '-snapshot', '-nographic'], { timeoutMs: SLOW });
      expect(stdout).toContain('last of 1440K\r\ndone');
      expect(readFileSync(a)).toEqual(before);
      const other = await vmscope(['run', '--disk', `${b},if=floppy,readonly`, '--headless'], { timeoutMs: SLOW });
      expect(other.stdout).toContain('disk error');
      const third = await vmscope(['run', '--floppy', a, '--floppy', b, '--floppy', a, '--headless']);
      expect([third.status, third.stderr]).toEqual([2, `vmscope: ${a}: there are 2 floppy drives\n`]);
    },
    SLOW,
  );

  it(
    'may be shorter than a disk: a boot sector with its program, as assemblers leave it',
    async () => {
      const path = join(folder, 'os-image.bin');
      writeFileSync(path, Buffer.concat([sector, Buffer.alloc(3 * 512)]));
      const { stdout } = await vmscope(['run', path, '--headless'], { timeoutMs: SLOW });
      expect(stdout).toBe('boot sector\r\nsecond sector\r\ndone\r\n');
      const large = join(folder, 'large.img');
      writeFileSync(large, Buffer.alloc(3000 * KIB));
      const refused = await vmscope(['run', '--floppy', large, '--headless']);
      expect([refused.status, refused.stderr]).toEqual([
        2,
        `vmscope: ${large}: 3000 KiB do not fit on a floppy disk: the largest has 2880 KiB\n`,
      ]);
    },
    SLOW,
  );

  it.skipIf(!syslinux.available || !mtools.available).each([720])(
    named('of %iK with SYSLINUX come to its prompt', syslinux, mtools),
    async (kib) => {
      const path = join(folder, `syslinux${kib}.img`);
      const config = join(folder, 'syslinux.cfg');
      writeFileSync(config, 'SERIAL 0 115200\nPROMPT 1\nTIMEOUT 0\n');
      execFileSync('mformat', ['-C', '-f', String(kib), '-i', path, '::']);
      execFileSync('mcopy', ['-i', path, config, '::']);
      execFileSync('syslinux', ['--install', path]);
      const run = ['run', path, '--headless', '--sercon', 'off', '--max-instructions', '150000000'];
      const { stdout } = await vmscope(run, { timeoutMs: SLOW });
      expect(stdout).toMatch(/SYSLINUX \d.*\r\nboot: /s);
    },
    SLOW,
  );
});
