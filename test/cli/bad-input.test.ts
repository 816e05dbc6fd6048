import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage } from '../disk/qcow2-builder.js';
import { type Result, SAMPLES, vmscope } from './vmscope.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** An ELF64 header with program headers behind it; each segment is [physical address, file bytes, memory bytes]. */
function elf64(machine: number, segments: [number, number, number][], cut = 0): Uint8Array {
  const header = 64 + 56 * segments.length;
  const bytes = Buffer.alloc(header + segments.reduce((sum, [, size]) => sum + size, 0));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(segments[0]?.[0] ?? 0), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(segments.length, 56);
  let offset = header;
  for (const [i, [address, fileBytes, memoryBytes]] of segments.entries()) {
    const at = 64 + i * 56;
    bytes.writeUInt32LE(1, at);
    bytes.writeUInt32LE(5, at + 4);
    bytes.writeBigUInt64LE(BigInt(offset), at + 8);
    bytes.writeBigUInt64LE(BigInt(address), at + 16);
    bytes.writeBigUInt64LE(BigInt(address), at + 24);
    bytes.writeBigUInt64LE(BigInt(fileBytes), at + 32);
    bytes.writeBigUInt64LE(BigInt(memoryBytes), at + 40);
    offset += fileBytes;
  }
  return bytes.subarray(0, bytes.length - cut);
}

/** One line on stderr that names the thing, status 2, nothing on stdout, no stack. */
function expectRefusal(result: Result, name: string, cause: RegExp): void {
  const lines = result.stderr.trimEnd().split('\n');
  expect(lines, result.stderr).toHaveLength(1);
  expect(lines[0]).toContain(name);
  expect(lines[0]).toMatch(cause);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.stdout).toBe('');
  expect(result.status).toBe(2);
}

describe('images that cannot be used', () => {
  const X86_64 = 62;
  const AARCH64 = 183;
  const cases: [string, () => string, RegExp][] = [
    ['no file', () => join(folder, 'absent.elf'), /no such file/],
    ['a folder without an image', () => folder, /folder/],
    ['an empty file', () => file('empty.elf', new Uint8Array(0)), /empty/],
    [
      'a truncated ELF',
      () => file('cut.elf', elf64(X86_64, [[0x100000, 4096, 4096]], 3000)),
      /ends|truncated|short|beyond/i,
    ],
    [
      'an ELF cut in its header',
      () => file('head.elf', elf64(X86_64, []).subarray(0, 20)),
      /ends|truncated|short|header/i,
    ],
    ['an ELF for another machine', () => file('arm.elf', elf64(AARCH64, [[0x100000, 16, 16]])), /aarch64|arm/i],
    [
      'a segment outside memory',
      () => file('far.elf', elf64(X86_64, [[0x40000000, 16, 4096]])),
      /outside|does not fit|beyond/i,
    ],
    [
      'overlapping segments',
      () =>
        file(
          'overlap.elf',
          elf64(X86_64, [
            [0x100000, 4096, 4096],
            [0x100800, 4096, 4096],
          ]),
        ),
      /overlap/i,
    ],
  ];
  it.each(cases)('%s', async (_, path, cause) => {
    const name = path();
    expectRefusal(await vmscope(['run', name, '--headless']), name, cause);
  });
});

describe('wrong usage', () => {
  const hello = join(SAMPLES, 'real-mode');
  it.each([
    [['run', '--headless'], 'image'],
    [['run', hello, '--memory', 'lots', '--headless'], '--memory lots'],
    [['run', hello, '--memory', '64G', '--headless'], '--memory 64G'],
    [['run', hello, '--vcpus', '99', '--headless'], '--vcpus 99'],
    [['run', hello, '--gdb', 'nowhere', '--headless'], '--gdb nowhere'],
    [['run', hello, '--serial', 'carrier-pigeon', '--headless'], '--serial carrier-pigeon'],
    [['run', hello, '--timeout', 'soon', '--headless'], '--timeout soon'],
    [['run', hello, '--initrd', '/nonexistent/initrd', '--headless'], '/nonexistent/initrd'],
    [['run', hello, '--engine', 'warp', '--headless'], 'warp'],
    [['frobnicate'], 'frobnicate'],
    [['help', 'frobnicate'], 'frobnicate'],
    [['run', '', '--headless'], 'IMAGE is empty'],
    [['run', hello, 'second', '--headless'], '"second" is one argument too many'],
    [['top', 'second'], '"second" is one argument too many'],
    [['run', hello, '--timeout', '1e99', '--headless'], '--timeout 1e99'],
    [['run', hello, '--timeout', '3000000', '--headless'], '--timeout 3000000'],
    [['run', hello, '--until-exits', '-1', '--headless'], '--until-exits -1: not a whole number from 1 up'],
    [['run', hello, '--name', 'a\x1b[31m', '--headless'], '--name'],
    [['run', hello, '--trace', '', '--headless'], '--trace: no file'],
    [['run', hello, '--trace', '/nonexistent/t', '--headless'], '--trace /nonexistent/t: no such folder'],
    [['run', hello, '--serial', 'unix:/nonexistent/s', '--headless'], '--serial unix:/nonexistent/s: no such file'],
    [['run', hello, '--gdb', '192.0.2.1:1', '--headless'], '--gdb 192.0.2.1:1: no address of this host'],
    [['run', join(SAMPLES, 'ring3'), '--at', '0x100000', '--headless'], '--at is for flat binaries'],
  ])('%j', async (args, name) => {
    expectRefusal(await vmscope(args), name, /./);
  });
});

it.each([['IMAGE'], ['--cdrom'], ['--disk'], ['--kernel']])('does not wait for a FIFO as %s', async (option) => {
  const fifo = join(folder, `fifo${option}`);
  execFileSync('mkfifo', [fifo]);
  const result = await vmscope(['run', ...(option === 'IMAGE' ? [fifo] : [option, fifo]), '--headless']);
  expectRefusal(result, fifo, /not a regular file/);
});

it.each([
  ['--serial', 'file:'],
  ['--debugcon', ''],
  ['--trace', ''],
])('does not wait for somebody to read the FIFO that %s writes', async (option, kind) => {
  const fifo = join(folder, `unread${option}`);
  execFileSync('mkfifo', [fifo]);
  const result = await vmscope(['run', join(SAMPLES, 'crc32'), '--headless', option, kind + fifo]);
  expectRefusal(result, `${option} ${kind}${fifo}`, /nobody reads this FIFO/);
  // with a reader it goes there
  const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'ignore'] });
  const bytes: Buffer[] = [];
  reader.stdout.on('data', (piece: Buffer) => bytes.push(piece));
  const gone = new Promise((resolve) => reader.once('close', resolve));
  // `cat` may not have opened it yet
  for (let tries = 0; tries < 20; tries++) {
    const run = await vmscope(['run', join(SAMPLES, 'crc32'), '--headless', option, kind + fifo]);
    if (run.status !== 2) break;
  }
  await gone;
  if (option !== '--debugcon') expect(Buffer.concat(bytes).length).toBeGreaterThan(0);
});

it.each(['--csv', '--init-file'])('does not wait for the other end of the FIFO of `top %s`', async (option) => {
  const fifo = join(folder, `top${option}`);
  execFileSync('mkfifo', [fifo]);
  expectRefusal(await vmscope(['top', '-b', option, fifo]), `${option} ${fifo}`, /FIFO|not a regular file/);
});

it('says how many cards have room when there are more', async () => {
  const disks = Array.from({ length: 30 }, (_, i) => ['--disk', file(`disk-${i}.img`, new Uint8Array(512))]).flat();
  const result = await vmscope(['run', '--kernel', join(SAMPLES, 'crc32/crc32.elf'), ...disks, '--headless']);
  expectRefusal(result, 'the PCI bus has room for 29', /if=ide/);
  const fewer = await vmscope(['run', '--kernel', join(SAMPLES, 'crc32/crc32.elf'), ...disks.slice(2), '--headless']);
  expect(fewer.stderr).toBe('');
  expect(fewer.status).toBe(0);
});

describe('control characters in names', () => {
  const EVIL = 'a\x1b]0;owned\x07\nb\x9b31m';
  const shown = 'a\\x1b]0;owned\\x07\\nb';
  it.each<[string, () => string[]]>([
    ['of an image', () => [join(folder, EVIL)]],
    ['of a disk', () => ['--disk', join(folder, EVIL)]],
    ['of a file of symbols', () => [join(SAMPLES, 'crc32'), '--symbols', join(folder, EVIL)]],
    ['of a trace', () => [join(SAMPLES, 'crc32'), '--trace', join(folder, 'none', EVIL)]],
    ['of an option', () => [join(SAMPLES, 'crc32'), `--${EVIL}`]],
    [
      'of a backing file',
      () => {
        const path = join(folder, 'evil.qcow2');
        buildImage(path, { backing: { name: EVIL, format: 'raw' } });
        return ['--disk', path];
      },
    ],
  ])('%s are shown, and none reaches the terminal', async (_title, args) => {
    const result = await vmscope(['run', '--headless', ...args()]);
    expect(result.stderr.replace(/\n$/, '')).not.toMatch(/[\x00-\x1f\x7f]/);
    expectRefusal(result, shown, /./);
  });
});

it('ends with the status of the guest when nobody takes what goes to standard error', async () => {
  const full = openSync('/dev/full', 'w');
  const run = (...args: string[]) => vmscope(['run', '--headless', ...args], { stderr: full });
  const statuses = [await run(join(SAMPLES, 'crc32')), await run(join(SAMPLES, 'triple-fault')), await run('/none')];
  closeSync(full);
  expect(statuses.map(({ status }) => status)).toEqual([0, 1, 2]);
});

it('ends with a message when the disk is full', async () => {
  const full = openSync('/dev/full', 'w');
  const result = await vmscope(['run', join(SAMPLES, 'real-mode'), '--headless'], { stdout: full });
  closeSync(full);
  expect(result.stderr).toMatch(/standard output: no space left/);
  expect(result.status).toBe(3);
});

/** Each is a run of the whole program, half a second of a processor and more. */
const RANDOM_FILES = process.env.VMSCOPE_LONG_TESTS === '1' ? 300 : 30;

it('random files give one line or run, and never a stack trace', async () => {
  let seed = 0x2545f491;
  const random = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  for (let n = 0; n < RANDOM_FILES; n++) {
    const bytes = Uint8Array.from({ length: (random() % 4096) + 1 }, () => random() & 0xff);
    if (n % 3 === 1) bytes.set([0x7f, 0x45, 0x4c, 0x46]);
    if (n % 3 === 2 && bytes.length >= 512) bytes.set([0x55, 0xaa], 510);
    const path = file(`random-${n}`, bytes);
    const result = await vmscope(['run', path, '--headless', '--max-instructions', '200000', '--timeout', '5']);
    expect(result.signal, `file ${n}`).toBeNull();
    expect(result.stderr).not.toMatch(/\n\s+at /);
    if (result.status === 2) expectRefusal(result, path, /./);
    else expect([0, 1, 124]).toContain(result.status);
  }
}, 400_000);
