/** What gdb and vmscope say of the same guest at the same instant, from one run of gdb, which asks both. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDebugger } from '../gdbstub/running-guest.js';

/** Of c-kernel/kernel.c, at any stop. */
export const EVERYWHERE = [
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
export const TYPES = [
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
export async function asked(program: string, options: string[], lines: readonly string[]): Promise<string[]> {
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
export class BesideGdb {
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
