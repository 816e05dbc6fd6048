/** Types, variables and source of a kernel in C, beside what gdb says of the same guest at the same instant. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningGuest, runDebugger } from '../gdbstub/running-guest.js';
import { named, requireTool } from '../tools.js';

const gcc = requireTool('gcc');
const gdb = requireTool('gdb');
const source = fileURLToPath(new URL('c-kernel/kernel.c', import.meta.url));
const FLAGS = [
  ...['-g', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-red-zone', '-mno-sse', '-mno-80387'],
  ...['-fno-stack-protector', '-fcf-protection=none', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none'],
];

/** At any stop of the kernel. */
const EVERYWHERE = [
  ...['head', '*head', '*head->next', 'head->name', 'first.comm', 'second.comm', 'first.corners', 'first.corners[1].y'],
  ...[
    'table',
    'table[2]',
    'table[2][1]',
    '&table[2]',
    '&first.corners[1].y',
    '*&first.where',
    'head->act',
    'first.level',
  ],
  ...['first.ready', 'second.level', 'first.color', 'second.color', 'first.flags', 'second.flags', 'first.weight'],
  ...[
    'first.small',
    'first.bytes',
    'first.whole',
    'first.low',
    'first.high',
    'sizeof(struct node)',
    'sizeof(first.comm)',
  ],
  ...['big', 'negative', 'negative < 0', 'negative / 2', 'negative % 3', 'negative >> 1', '(unsigned char)negative'],
  ...[
    '(unsigned int)negative',
    'big + 1',
    'big > 5',
    'negative == -5',
    'ticks + 1',
    'ticks - 1 - ticks',
    '-negative',
    '~ticks',
  ],
  ...['((struct node *)head)->where.x', '(long)head', '(char)65', 'head->next->next', '*head->name', 'head->name[2]'],
  ...['table[1] + 1', '&table[3] - &table[1]', 'head + 1', 'head->next == &second', '!head', 'head && negative'],
  ...[
    '(short)first.whole',
    '(char *)first.comm',
    'sizeof(int)',
    'GREEN',
    'FLAG_A | FLAG_B',
    '(enum flags)7',
    '(enum color)1',
  ],
  ...['/x first', '/x negative', '/d first.color', '/x first.level', '/t first.flags', '/c first.comm[0]', '/o ticks'],
  ...[
    '/u negative',
    '/x first.where',
    '/z first.small',
    '/x first.weight',
    '/d big',
    '/a head',
    '/x table',
    '/s first.comm',
  ],
];
const TYPES = [
  ...[
    'struct node',
    'head',
    'first.where',
    'u64',
    'enum color',
    'first.act',
    'table',
    'struct point',
    'int',
    'unsigned long',
  ],
  ...['char *', 'struct node **', 'walk', 'depth', 'first.corners', 'first.name'],
];

/** Answers of gdb to a list of lines, from one run of it: what each printed. */
async function asked(program: string, options: string[], lines: readonly string[]): Promise<string[]> {
  const script = ['set pagination off', 'set confirm off', 'set width 0', ...options, ...lines].flatMap((line, n) => [
    `echo <<${n - options.length - 3}>>\\n`,
    line,
  ]);
  const file = join(mkdtempSync(join(tmpdir(), 'vmscope-ask-')), 'script');
  // gdb ends a script at its first error
  writeFileSync(
    file,
    `python\nfor line in ${JSON.stringify(script)}:\n  try:\n    gdb.execute(line)\n  except gdb.error as e:\n    print(e)\nend\n`,
  );
  const out = await runDebugger(
    '/bin/sh',
    ['-c', 'exec "$0" "$@" 2>&1', program, '-nx', '-q', '-batch', '-x', file],
    120_000,
  );
  const parts = out.split(/<<-?\d+>>\n/);
  const answers = parts.slice(options.length + 4);
  if (answers.length !== lines.length) throw new Error(`gdb said ${out.slice(-2000)}`);
  return answers.map((text) => text.trimEnd());
}

/** Lines for gdb, each beside the one for us that is to say the same. */
class Session {
  readonly lines: string[] = [];
  private readonly pairs: { name: string; ours: number; theirs: number }[] = [];

  only(...lines: string[]): void {
    this.lines.push(...lines);
  }

  same(name: string, line: string, own = line): void {
    this.pairs.push({ name, theirs: this.lines.push(line) - 1, ours: this.lines.push(`monitor ${own}`) - 1 });
  }

  print(...expressions: string[]): void {
    for (const text of expressions) this.same(text, `print${text.startsWith('/') ? '' : ' '}${text}`);
  }

  compared(
    answers: readonly string[],
    wanted: RegExp,
  ): { ours: Record<string, string>; theirs: Record<string, string> } {
    const [ours, theirs]: [Record<string, string>, Record<string, string>] = [{}, {}];
    for (const { name, ours: own, theirs: other } of this.pairs.filter(({ name }) => wanted.test(name))) {
      ours[name] = answers[own];
      theirs[name] = answers[other].replace(/^\$\d+ = /, '');
    }
    return { ours, theirs };
  }
}

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
    const session = new Session();
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
      check(/^(?!ptype|whatis|frame|step \d)/, EVERYWHERE.length);
    });
    test('types', () => check(/^(?:ptype|whatis)/, 2 * TYPES.length));
    test('variables of each frame of a recursion', () => check(/^frame/, 12));
    test('variables at each instruction of a loop', () => check(/^step \d/, 24));
  });
});
