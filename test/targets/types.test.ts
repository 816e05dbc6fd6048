/** Types, variables and source of guests that another program runs, beside what gdb says of the same guest at the same instant. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { symbolFile } from '../../src/cli/code-file.js';
import { createGdbTarget } from '../../src/cli/gdb-target.js';
import { perform } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { startStub } from '../../src/gdbstub/server.js';
import { GdbTarget } from '../../src/targets/gdb/target.js';
import { openMonitor } from '../../src/targets/qemu/open.js';
import { QemuTarget } from '../../src/targets/qemu/target.js';
import { asked, BesideGdb, EVERYWHERE, TYPES } from '../debug/beside-gdb.js';
import { named, requireTool } from '../tools.js';
import { SmallStub } from './gdb/small-stub.js';

const tools = ['qemu-system-x86_64', 'gcc', 'gdb', 'objcopy'].map(requireTool);
const sources = fileURLToPath(new URL('../debug/c-kernel/', import.meta.url));
const FLAGS = [
  ...['-g', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-red-zone', '-mno-sse', '-mno-80387'],
  ...[
    '-fno-stack-protector',
    '-fcf-protection=none',
    '-Wl,--build-id=none',
    '-Wl,-z,noexecstack',
    '-T',
    `${sources}boot.ld`,
  ],
];

const STEPS = ['advance kernel.c:106', 'next', 'step-line', 'next', 'finish', 'next', 'next'];

describe.skipIf(!tools.every(({ available }) => available))(named('a kernel of C in QEMU', ...tools), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-types-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each<['qmp' | 'gdb', string, string]>([
    ['qmp', '5', '2'],
    ['gdb', '4', '0'],
  ])('%s:, DWARF %s, -O%s', (door, version, level) => {
    const beside = new BesideGdb();
    let answers: string[] = [];
    const steps: string[] = [];
    let child: ChildProcess | undefined;

    beforeAll(async () => {
      const image = join(folder, `kernel-${door}`);
      const code = [`${sources}boot.S`, `${sources}kernel.c`];
      execFileSync(tools[1]!.path, [...FLAGS, `-gdwarf-${version}`, `-O${level}`, '-o', image, ...code]);
      execFileSync(tools[3]!.path, ['-O', 'binary', image, `${image}.bin`]);
      const where = join(folder, door);
      const doors = {
        qmp: ['-qmp', `unix:${where},server=on,wait=off`],
        gdb: ['-gdb', `unix:${where},server=on,wait=off`],
      };
      const machine = ['-accel', 'tcg', '-m', '16', '-nodefaults', '-display', 'none', '-S', '-kernel', `${image}.bin`];
      child = spawn(tools[0]!.path, [...machine, ...doors[door]], { stdio: 'ignore' });
      for (let n = 0; n < 300 && !existsSync(where); n++) await new Promise((resolve) => setTimeout(resolve, 50));
      const file = symbolFile(image, readFileSync(image));
      const target =
        door === 'qmp'
          ? await QemuTarget.open({ ...(await openMonitor(`qmp:${where}`)), folder, file })
          : await GdbTarget.open({ target: `gdb:${where}`, where, folder, file });
      try {
        // in 64-bit code gdb stays with one architecture
        const main = file.symbols!.find(({ name }) => name === 'main')!.address;
        await target.runUntil({ gva: main });
        if (level === '0') {
          const session = openSession(target, { waits: true });
          // as gdb's `next` and `step` over the same lines
          for (const line of STEPS) {
            await perform(session, line);
            const [inner] = (await perform(session, 'bt')).result as { file: string; line: number; name: string }[];
            steps.push(`${line}: ${inner!.name} ${inner!.line}`);
          }
          await target.reset();
          await target.runUntil({ gva: main });
        }
        const stub = await startStub({ target: await createGdbTarget(target), host: '127.0.0.1', port: 0 });
        beside.only('break depth if n == 1', 'continue');
        beside.print(...EVERYWHERE);
        for (const type of TYPES) {
          beside.same(`ptype ${type}`, `ptype ${type}`);
          beside.same(`whatis ${type}`, `whatis ${type}`);
        }
        for (const frame of [0, 1, 2, 3]) {
          beside.only(`frame ${frame}`, `monitor frame ${frame}`);
          beside.same(`frame ${frame} args`, 'info args');
          beside.same(`frame ${frame} locals`, 'info locals');
          beside.same(`frame ${frame} rip`, 'print/x $rip');
        }
        beside.only('frame 0', 'monitor frame 0', 'delete');
        // where gdb's own breakpoints by line go, ours go
        for (const line of [85, 94, 107]) {
          beside.only(`tbreak kernel.c:${line}`, 'monitor delete');
          beside.same(`line ${line}`, `info line kernel.c:${line}`);
        }
        answers = await asked(tools[2]!.path, [`file ${image}`, `target remote 127.0.0.1:${stub.port}`], beside.lines);
        await stub.close();
      } finally {
        await target.detach().catch(() => {});
      }
    }, 180_000);
    afterAll(async () => {
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      if (child?.kill('SIGKILL')) await ended;
    });

    const check = (wanted: RegExp, atLeast: number): void => {
      const { ours, theirs } = beside.compared(answers, wanted);
      expect(Object.keys(theirs).length).toBeGreaterThanOrEqual(atLeast);
      expect(ours).toEqual(theirs);
    };

    it('has the values of variables, members, elements, casts and sums', () => {
      check(/^(?!ptype|whatis|frame|line)/, EVERYWHERE.length);
    });
    it('has the types', () => check(/^(?:ptype|whatis)/, 2 * TYPES.length));
    it('has the variables of each frame of a recursion', () => check(/^frame/, 12));
    // of a line in several pieces gdb has one
    it.skipIf(level !== '0')('has the lines', () => {
      const { ours, theirs } = beside.compared(answers, /^line/);
      const told = Object.entries(theirs).flatMap(([name, text]) => {
        const found = /^Line (\d+) of .* starts at address (0x[0-9a-f]+).* ends at (0x[0-9a-f]+)/.exec(text);
        return found ? [{ name, line: found[1]!, start: found[2]!, end: found[3]! }] : [];
      });
      for (const { name, line, start, end } of told)
        expect(ours[name]).toMatch(
          new RegExp(`^${start} is at .*kernel.c:${line}, whose code goes from ${start} to ${end}$`, 'm'),
        );
      expect(told.length).toBeGreaterThan(1);
    });
    it.skipIf(level !== '0')('goes by lines, over calls and into them', () => {
      expect(steps).toEqual([
        ...['advance kernel.c:106: main 106', 'next: main 107', 'step-line: doubled 37', 'next: doubled 38'],
        ...['finish: main 107', 'next: main 108', 'next: main 109'],
      ]);
    });
  });
});

describe('a kernel behind a stub that reads linear memory alone', () => {
  const TEXT = 0xffff_ffff_8100_0000n;
  const symbols = [
    { name: '_text', address: TEXT, size: 0n, kind: 'function' as const },
    { name: 'linux_banner', address: TEXT + 0x20n, size: 100n, kind: 'object' as const },
    { name: 'start_kernel', address: TEXT + 0x100n, size: 16n, kind: 'function' as const },
  ];
  const linked = TEXT + 0x100n;

  it.each([0n, 0x1f40_0000n])('is found by its banner where KASLR moved it by %s bytes', async (slide) => {
    const stub = await new SmallStub().listen();
    try {
      stub.base = TEXT + slide;
      stub.memory.set(Buffer.from('Linux version 6.1.0 (x) #1 SMP\n'), 0x20);
      stub.set(16, linked + slide);
      const where = `127.0.0.1:${stub.port}`;
      const lines = () => ({ lookup: (at: bigint) => (at === linked ? { file: 'init/main.c', line: 7 } : undefined) });
      const file = { symbols, lines: lines as never };
      const folder = mkdtempSync(join(tmpdir(), 'gdb-'));
      const target = await GdbTarget.open({ target: `gdb:${where}`, where, folder, file });
      expect(await target.source!.locate([linked + slide, linked + slide + 1n])).toEqual([
        { file: 'init/main.c', line: 7 },
        undefined,
      ]);
      expect((await target.symbols()).find(({ name }) => name === 'start_kernel')!.address).toBe(linked + slide);
      // once: what is known is not asked for again
      const asked = stub.packets.length;
      await target.source!.locate([linked + slide]);
      expect(stub.packets.length).toBe(asked);
      await target.detach();
    } finally {
      stub.close();
    }
  });

  it('is looked for once at a stop where it is not there', async () => {
    const stub = await new SmallStub().listen();
    try {
      stub.base = TEXT;
      stub.set(16, linked);
      const where = `127.0.0.1:${stub.port}`;
      const file = { symbols, lines: (() => ({ lookup: () => undefined })) as never };
      const folder = mkdtempSync(join(tmpdir(), 'gdb-'));
      const target = await GdbTarget.open({ target: `gdb:${where}`, where, folder, file });
      await target.source!.locate([linked]);
      const asked = stub.packets.length;
      expect(asked).toBeLessThan(600);
      await target.source!.locate([linked]);
      await target.symbols();
      expect(stub.packets.length).toBe(asked);
      await target.detach();
    } finally {
      stub.close();
    }
  });
});
