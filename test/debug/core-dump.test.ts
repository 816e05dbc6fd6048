/** The ELF core of a guest: laid out, and written by a real guest in each of the ways that a user has. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layOutDump } from '../../src/engine/debug/core-dump.js';
import { writeDump } from '../../src/engine/host/dump-file.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';
import { named, requireTool } from '../tools.js';

const readelf = requireTool('readelf');
const gdb = requireTool('gdb');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-dump-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const LONG = 0x500n;
const cpu = (seed: bigint, efer: bigint) => ({
  rax: seed,
  rbx: seed + 1n,
  rip: 0xffff_ffff_8100_0000n + seed,
  rsp: 0xffff_c900_0000_0000n,
  rflags: 0x246n,
  cs: 0x10n,
  cs_ar: 0xa09bn,
  cs_limit: 0xffff_ffffn,
  cr3: 0x1000n * seed,
  idtr_base: 0xffff_fe00_0000_0000n,
  kernel_gs_base: 7n,
  efer,
});

/** Notes of a core as [owner, type, descriptor]. */
function notesOf(core: Buffer): [string, number, Buffer][] {
  const wide = core[4] === 2;
  const program = wide ? Number(core.readBigUInt64LE(32)) : core.readUInt32LE(28);
  const [offset, bytes] = wide
    ? [Number(core.readBigUInt64LE(program + 8)), Number(core.readBigUInt64LE(program + 32))]
    : [core.readUInt32LE(program + 4), core.readUInt32LE(program + 16)];
  const found: [string, number, Buffer][] = [];
  for (let at = offset; at < offset + bytes; ) {
    const [name, length] = [core.readUInt32LE(at), core.readUInt32LE(at + 4)];
    const start = at + 12 + Math.ceil(name / 4) * 4;
    found.push([
      core.toString('latin1', at + 12, at + 11 + name),
      core.readUInt32LE(at + 8),
      core.subarray(start, start + length),
    ]);
    at = start + Math.ceil(length / 4) * 4;
  }
  return found;
}

test('has a status and a note of QEMU for each vCPU, and what the kernel tells', () => {
  const ram = [
    { gpa: 0, bytes: 0x3000, gva: 0xffff_8880_0000_0000n },
    { gpa: 0x8000, bytes: 0x1800, gva: 0xffff_8880_0000_8000n },
  ];
  const alias = { gpa: 0x8000, bytes: 0x1000, gva: 0xffff_ffff_8100_0000n };
  const { head, pieces, bytes } = layOutDump(
    [{ registers: cpu(1n, LONG), thread: 0 }, { registers: cpu(2n, LONG) }],
    ram,
    [alias],
    'OSRELEASE=6.1\n',
  );
  const core = Buffer.from(head);
  expect([core.readUInt16LE(16), core.readUInt16LE(18), core.readUInt16LE(56)]).toEqual([4, 62, 4]);
  const notes = notesOf(core);
  expect(notes.map(([owner, type, descriptor]) => [owner, type, descriptor.length])).toEqual([
    ['CORE', 1, 336],
    ['CORE', 1, 336],
    ['QEMU', 0, 440],
    ['QEMU', 0, 440],
    ['VMCOREINFO', 0, 14],
  ]);
  const [, , status] = notes[1];
  // the number of the process, or of the vCPU where the system does not tell
  expect([notes[0][2].readUInt32LE(32), status.readUInt32LE(32)]).toEqual([0, 2]);
  // RAX and RIP of struct user_regs_struct
  expect([status.readBigUInt64LE(112 + 10 * 8), status.readBigUInt64LE(112 + 16 * 8)]).toEqual([
    2n,
    0xffff_ffff_8100_0002n,
  ]);
  const [, , qemu] = notes[3];
  expect([qemu.readUInt32LE(0), qemu.readUInt32LE(4), qemu.readBigUInt64LE(8)]).toEqual([1, 440, 2n]);
  // CS: selector, limit, flags as in a descriptor; the IDT's base; CR3; the kernel's GS base
  expect([qemu.readUInt32LE(152), qemu.readUInt32LE(156), qemu.readUInt32LE(160)]).toEqual([
    0x10, 0xffff_ffff, 0xa09b00,
  ]);
  expect(qemu.readBigUInt64LE(152 + 9 * 24 + 16)).toBe(0xffff_fe00_0000_0000n);
  expect([qemu.readBigUInt64LE(392 + 3 * 8), qemu.readBigUInt64LE(432)]).toEqual([0x2000n, 7n]);
  // the alias lies where its memory does
  const load = (n: number) => 64 + 56 * n;
  expect(core.readBigUInt64LE(load(1) + 8)).toBe(core.readBigUInt64LE(load(3) + 8));
  expect(pieces.map(({ gpa, offset }) => [gpa, offset % 4096])).toEqual([
    [0, 0],
    [0x8000, 0],
  ]);
  expect(bytes).toBe(pieces[1].offset + 0x2000);
});

test('is an ELF32 core for a guest that is not in long mode', () => {
  const { head } = layOutDump([{ registers: cpu(1n, 0n) }], [{ gpa: 0, bytes: 0x1000, gva: 0n }], [], undefined);
  const core = Buffer.from(head);
  expect([core[4], core.readUInt16LE(18)]).toEqual([1, 3]);
  const notes = notesOf(core);
  expect(notes.map(([owner, , descriptor]) => [owner, descriptor.length])).toEqual([
    ['CORE', 144],
    ['QEMU', 440],
  ]);
  expect(notes[0][2].readUInt32LE(72 + 12 * 4)).toBe(0x8100_0001);
});

describe('a guest', () => {
  // mov ax, 1234h; mov [9000h], ax; cli; hlt
  const machine = () => flatGuest('b83412 a30090 fa f4').machine;

  test('is written while it runs, and goes on', async () => {
    const guest = new Guest(machine(), { paced: false, waitForInput: true });
    await guest.resume();
    const file = join(folder, 'running.core');
    const answer = await guest.monitor(`dump-guest-memory ${file}`);
    expect(answer).toBe(`4 MiB and 1 vCPU written to ${file}; no kernel's VMCOREINFO was found`);
    expect((await guest.state()).running).toBe(true);
    await guest.quit();
  });

  test('refuses what is no file and what it does not know, in one line that names it', async () => {
    const guest = new Guest(machine(), { paced: false, waitForInput: true });
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    mkdirSync(join(folder, 'sub'));
    const ask = (line: string) => guest.monitor(`dump-guest-memory${line}`);
    expect(await ask('')).toBe('dump-guest-memory: the name of a file is missing');
    expect(await ask(` -p ${folder}/x`)).toContain('-p: only dump-guest-memory FILE is known');
    expect(await ask(` ${folder}/x 0 4096`)).toContain('0: only dump-guest-memory FILE is known');
    expect(await ask(` ${fifo}`)).toContain(`${fifo}: is not an ordinary file`);
    expect(await ask(` ${folder}/sub`)).toContain('is a folder');
    expect(await ask(` ${folder}/none/x`)).toContain(`${folder}/none/x: no such folder`);
    await guest.quit();
  });

  test('takes a file away that could not be written to its end', () => {
    const file = join(folder, 'broken.core');
    const work = writeDump(
      file,
      { head: new Uint8Array(64), pieces: [{ offset: 4096, gpa: 0, bytes: 4096 }], bytes: 8192 },
      () => {
        throw new Error('no memory');
      },
    );
    expect(() => [...work]).toThrow(`${file}: no memory`);
    expect(() => readFileSync(file)).toThrow(/ENOENT/);
    writeFileSync(file, 'kept');
  });

  test.skipIf(!readelf.available || !gdb.available)(
    named('opens in readelf and gdb, with its memory and registers', readelf, gdb),
    async () => {
      const guest = new Guest(machine(), { paced: false, waitForInput: false });
      const file = join(folder, 'guest.core');
      await guest.runUntil({ icount: 3n });
      expect(await guest.dumpMemory(file)).toEqual({ file, memoryBytes: 4 << 20, vcpus: 1 });
      const elf = spawnSync(readelf.path, ['-hln', file], { encoding: 'utf8' });
      expect(elf.status).toBe(0);
      expect(elf.stderr).toBe('');
      expect(elf.stdout).toMatch(
        /Type: +CORE \(Core file\)[\s\S]*CORE +0x00000090\s+NT_PRSTATUS[\s\S]*QEMU +0x000001b8/,
      );
      expect(elf.stdout).toMatch(/LOAD +0x\w+ 0x0+ 0x0+ 0xa0000 0xa0000 RWE/);
      const core = readFileSync(file);
      const first = [...elf.stdout.matchAll(/LOAD +0x(\w+)/g)].map(([, offset]) => Number.parseInt(offset, 16))[0];
      expect(core.readUInt16LE(first + 0x9000)).toBe(0x1234);
      const shown = spawnSync(
        gdb.path,
        [
          '-nx',
          '-q',
          '-batch',
          '-ex',
          'set architecture i386',
          '-ex',
          `core-file ${file}`,
          '-ex',
          'p/x $eax',
          '-ex',
          'p/x $eip',
        ],
        { encoding: 'utf8' },
      );
      expect(shown.stdout).toMatch(/\$1 = 0x1234\n\$2 = 0x7c07/);
      await guest.quit();
    },
  );
});
