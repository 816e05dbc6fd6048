/** `:screenshot`: what the screen shows, in a file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { afterAll, describe, expect, it } from 'vitest';
import type { ScreenLine } from '../../src/tui/screen/cell-pane.js';
import { screenshot } from '../../src/tui/screen/screenshot.js';
import { attribute, BOLD, createTheme, DEFAULT, INVERSE, UNDERLINE } from '../../src/tui/screen/theme.js';
import { trueColour } from '../../src/tui/screen/true-colour.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-screenshot-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DARK = { light: false, depth: 256 } as const;
/** Every kind of cell once. */
const STYLES: readonly [attr: number, character: string][] = [
  [attribute(), 'a'],
  [attribute(3), '<'],
  [attribute(12, 4), '&'],
  [attribute(203, 236, BOLD), '>'],
  [attribute(DEFAULT, DEFAULT, UNDERLINE), 'u'],
  [attribute(2, DEFAULT, INVERSE), 'i'],
  [trueColour(0x123456, 0xfedcba), '▀'],
];
const LINE = STYLES.map(([attr, character]): [number, string] => [attr, character]) as ScreenLine;

describe('a screenshot', () => {
  it('as text has the characters, and no empty cells behind them', () => {
    expect(screenshot('text', [LINE, [[attribute(), ' ']] as ScreenLine], DARK)).toBe('a<&>ui▀\n\n');
  });

  it('as ANSI is what a terminal shows with the same colours', async () => {
    const terminal = new xterm.Terminal({ cols: 7, rows: 2, allowProposedApi: true, convertEol: true });
    const text = screenshot('ansi', [LINE], DARK);
    await new Promise<void>((resolve) => terminal.write(text, resolve));
    const line = terminal.buffer.active.getLine(0)!;
    const cells = STYLES.map((_, x) => {
      const cell = line.getCell(x)!;
      const colours = [cell.isFgDefault() ? -1 : cell.getFgColor(), cell.isBgDefault() ? -1 : cell.getBgColor()];
      const flags = [cell.isBold(), cell.isUnderline(), cell.isInverse(), cell.isFgRGB()].map(Boolean);
      return [cell.getChars(), ...colours, ...flags];
    });
    expect(cells).toEqual([
      ['a', -1, -1, false, false, false, false],
      ['<', 3, -1, false, false, false, false],
      ['&', 12, 4, false, false, false, false],
      ['>', 203, 236, true, false, false, false],
      ['u', -1, -1, false, true, false, false],
      ['i', 2, -1, false, false, true, false],
      ['▀', 0x123456, 0xfedcba, false, false, false, true],
    ]);
    expect(text.endsWith('\x1b[0m\n')).toBe(true);
  });

  it('as SVG has each run at its columns, in its colours, and is XML whatever the guest wrote', () => {
    const drawing = screenshot('svg', [LINE], DARK);
    const runs = [
      ...drawing.matchAll(/<text x="(\d+)" y="13" textLength="8" \S+ fill="(#\w{6})"([^>]*)>(.*?)<\/text>/g),
    ];
    expect(runs.map(([, x, fill, , text]) => [x, fill, text])).toEqual([
      ['0', '#d4d4d4', 'a'],
      ['8', '#aa5500', '&lt;'],
      ['16', '#5555ff', '&amp;'],
      ['24', '#ff5f5f', '&gt;'],
      ['32', '#d4d4d4', 'u'],
      ['40', '#101010', 'i'],
      ['48', '#123456', '▀'],
    ]);
    expect(runs[3]![3]).toContain('font-weight="bold"');
    expect(runs[4]![3]).toContain('text-decoration="underline"');
    const backgrounds = [...drawing.matchAll(/<rect x="(\d+)" y="0" width="8" height="17" fill="(#\w{6})"\/>/g)];
    expect(backgrounds.map(([, x, fill]) => [x, fill])).toEqual([
      ['16', '#0000aa'],
      ['24', '#303030'],
      ['40', '#00aa00'],
      ['48', '#fedcba'],
    ]);
    // on the Linux console bold is the bright colour
    const bold = [[attribute(1, DEFAULT, BOLD), 'b']] as ScreenLine;
    expect(screenshot('svg', [bold], { light: true, depth: 8 })).toContain('fill="#ff5555" font-weight="bold">b<');
    expect(screenshot('svg', [bold], { light: true, depth: 16 })).toContain('fill="#aa0000"');
  });
});

describe(':screenshot', () => {
  const open = () =>
    Cells.open(new FakeDebugger(), { columns: 80, rows: 24, theme: createTheme(256, { LANG: 'C.UTF-8' }) });

  it('writes the screen without the line that asked for it, in the format of the name or of the word', async () => {
    const cells = await open();
    const before = cells.text().split('\n').slice(0, -1);
    for (const [line, name] of [
      ['', 'a.txt'],
      ['', 'a.SVG'],
      ['', 'a.ans'],
      ['svg ', 'b.txt'],
      ['text ', 'b.svg'],
    ] as const) {
      const file = join(folder, name);
      await cells.command(`screenshot ${line}${file}`);
      await cells.until(/the screen is in /);
    }
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    expect(read('a.txt').split('\n').slice(0, 23)).toEqual(before);
    expect(read('a.txt')).not.toContain(':screenshot');
    expect(read('b.svg')).toBe(read('a.txt'));
    expect(read('b.txt')).toBe(read('a.SVG'));
    expect(read('a.SVG')).toMatch(/^<svg xmlns="[^"]+" width="640" height="408" /);
    expect(
      read('a.ans')
        .replace(/\x1b\[[\d;]*m/g, '')
        .split('\n')
        .map((row) => row.trimEnd()),
    ).toEqual(read('a.txt').split('\n'));
  });

  it('says what it cannot write', async () => {
    const cells = await open();
    for (const [line, message] of [
      ['screenshot', 'screenshot: a file: :screenshot FILE is missing'],
      ['screenshot svg', 'screenshot: a file: :screenshot svg FILE is missing'],
      ['screenshot /nonexistent/a.svg', 'screenshot: /nonexistent/a.svg: no such file or directory'],
    ] as const) {
      await cells.command(line);
      await cells.until(new RegExp(message.slice(0, 60).replaceAll('.', '\\.')));
    }
  });
});
