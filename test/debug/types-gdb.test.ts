/** Types, variables and source of a kernel in C, beside what gdb says of the same guest at the same instant. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningGuest } from '../gdbstub/running-guest.js';
import { named, requireTool } from '../tools.js';
import { asked, BesideGdb, EVERYWHERE, TYPES } from './beside-gdb.js';

const gcc = requireTool('gcc');
const gdb = requireTool('gdb');
const source = fileURLToPath(new URL('c-kernel/kernel.c', import.meta.url));
const FLAGS = [
  ...['-g', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-red-zone', '-mno-sse', '-mno-80387'],
  ...['-fno-stack-protector', '-fcf-protection=none', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none'],
];

describe.skipIf(!gcc.available || !gdb.available)(named('a kernel of C', gcc, gdb), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-types-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each<[string, string]>([
    ['4', '0'],
    ['5', '2'],
    ...(process.env.VMSCOPE_LONG_TESTS === '1'
      ? ([
          ['4', '2'],
          ['5', '0'],
        ] as [string, string][])
      : []),
  ])('DWARF %s, -O%s', (version, level) => {
    const session = new BesideGdb();
    let answers: string[] = [];

    beforeAll(async () => {
      const image = join(folder, `kernel-${version}-${level}`);
      execFileSync(gcc.path, [...FLAGS, `-gdwarf-${version}`, `-O${level}`, '-o', image, source]);
      const guest = await RunningGuest.start(image);
      try {
        session.only('break depth if n == 1', 'continue');
        session.print(...EVERYWHERE);
        for (const type of TYPES) {
          session.same(`ptype ${type}`, `ptype ${type}`);
          session.same(`whatis ${type}`, `whatis ${type}`);
        }
        for (const frame of [0, 1, 2, 3]) {
          session.only(`frame ${frame}`, `monitor frame ${frame}`);
          session.same(`frame ${frame} args`, 'info args');
          session.same(`frame ${frame} locals`, 'info locals');
          session.same(`frame ${frame} rip`, 'print/x $rip');
        }
        session.only('frame 0', 'monitor frame 0', 'delete', 'break sum', 'continue');
        for (let step = 0; step < 12; step++) {
          session.same(`step ${step} args`, 'info args');
          session.same(`step ${step} locals`, 'info locals');
          session.only('stepi');
        }
        for (let line = 35; line <= 117; line++) {
          session.only('delete', 'monitor delete all');
          session.same(`line ${line}`, `break kernel.c:${line}`);
        }
        answers = await asked(gdb.path, [`file ${image}`, `target remote 127.0.0.1:${guest.port}`], session.lines);
      } finally {
        await guest.stop();
      }
    }, 180_000);

    const check = (wanted: RegExp, atLeast: number): void => {
      const { ours, theirs } = session.compared(answers, wanted);
      expect(Object.keys(theirs).length).toBeGreaterThanOrEqual(atLeast);
      expect(ours).toEqual(theirs);
    };

    test('values of variables, members, elements, casts and sums', () => {
      check(/^(?!ptype|whatis|frame|step \d|line)/, EVERYWHERE.length);
    });
    test('types', () => check(/^(?:ptype|whatis)/, 2 * TYPES.length));
    test('variables of each frame of a recursion', () => check(/^frame/, 12));
    test('where a breakpoint at each line stops', () => {
      const { ours, theirs } = session.compared(answers, /^line/);
      const places = (of: Record<string, string>): string[] =>
        Object.entries(of).map(([line, text]) => {
          const place = /^breakpoint \d+ at (?:0x)?([\da-f]+)/im.exec(text)?.[1] ?? 'no code';
          return `${line}: ${place}`;
        });
      expect(places(theirs).filter((text) => !text.endsWith('no code')).length).toBeGreaterThan(70);
      expect(places(ours)).toEqual(places(theirs));
    });
    test('variables at each instruction of a loop', () => check(/^step \d/, 24));
  });
});
