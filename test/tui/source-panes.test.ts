/** Source, variables and watched expressions of a kernel in C, in the real program by its keys. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { named, requireTool } from '../tools.js';

const gcc = requireTool('gcc');
const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const source = fileURLToPath(new URL('../debug/c-kernel/kernel.c', import.meta.url));
const FLAGS = [
  ...['-g', '-O0', '-ffreestanding', '-fno-pic', '-no-pie', '-nostdlib', '-static', '-mno-red-zone', '-mno-sse'],
  ...['-mno-80387', '-fno-stack-protector', '-fcf-protection=none', '-Wl,-Ttext=0x200000', '-Wl,--build-id=none'],
];

describe.skipIf(!gcc.available)(named('panes of the source', gcc), () => {
  let folder: string;
  let tui: Tui;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-panes-'));
    cpSync(source, join(folder, 'kernel.c'));
    execFileSync(gcc.path, [...FLAGS, '-o', 'kernel', 'kernel.c'], { cwd: folder });
    tui = new Tui(vmscope, ['run', join(folder, 'kernel'), '--wait'], 120, 44);
    await tui.until(/STOPPED: start/);
  });
  afterAll(() => {
    tui.kill();
    rmSync(folder, { recursive: true });
  });

  const type = async (line: string, expected: RegExp): Promise<void> => {
    tui.send(`:${line}`);
    await tui.until(
      new RegExp(
        `^:${line.slice(-20).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}|${line.slice(-20).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`,
        'm',
      ),
    );
    tui.send('\r');
    await tui.until(expected);
  };

  it('shows the line that runs next, and steps by lines', async () => {
    await type('break depth if n == 1', /breakpoint 1 at/);
    tui.send('c');
    await tui.until(/STOPPED: breakpoint 1/);
    tui.send('gs');
    await tui.until(/►\s*81\s+struct point inner/);
    // the breakpoint's mark
    expect(tui.text()).toMatch(/●►\s*81/);
    tui.send('n');
    await tui.until(/►\s*82\s+if \(n == 0\)/);
    tui.send('n');
    await tui.until(/►\s*86\s+int below = depth/);
    tui.send('<');
    await tui.until(/▷\s*86\s+int below/);
    tui.send('>');
    await tui.until(/►\s*86\s+int below/);
  });

  it('shows arguments and variables as a tree that folds, with what has changed', async () => {
    tui.send('gn');
    await tui.until(/ n = 1\s/);
    await tui.until(/▸ inner = \{x = 16, y = 14\}/);
    tui.send('\x1b[B');
    tui.send('\r');
    await tui.until(/▾ p = [\s\S]*x = 15[\s\S]*y = 15/);
    tui.send('\r');
    await tui.until(/▸ p = /);
    tui.send('<');
    await tui.until(/#1 depth[\s\S]* n = 2\s/);
    tui.send('>');
    await tui.until(/#0 depth[\s\S]* n = 1\s/);
  });

  it('watches expressions, marks what changed, and lets them go', async () => {
    await type('display ticks', /Watched expressions[\s\S]* ticks = 2\s/);
    await type('display head->next->comm', /head->next->comm = "init"/);
    await type('set ticks = 41', /ticks = 41\s/);
    await type('advance kernel.c:84', /STOPPED: target reached/);
    await tui.until(/\* +ticks = \d+/);
    tui.send('d');
    await tui.until(/Watched expressions(?![\s\S]* ticks = )/);
  });

  it('tells in one line where a file is missing, and finds it elsewhere', async () => {
    const moved = mkdtempSync(join(tmpdir(), 'vmscope-moved-'));
    const other = new Tui(vmscope, ['run', join(folder, 'kernel'), '--wait'], 120, 44);
    try {
      cpSync(join(folder, 'kernel.c'), join(moved, 'kernel.c'));
      rmSync(join(folder, 'kernel.c'));
      await other.until(/STOPPED: start/);
      other.send('gs');
      await other.until(/kernel\.c cannot be read: directory DIR/);
      other.send(`:directory ${moved}`);
      await other.until(/:directory \S+/);
      other.send('\r');
      await other.until(/►115/);
    } finally {
      other.kill();
      rmSync(moved, { recursive: true });
    }
  });
});
