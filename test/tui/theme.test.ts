/** Whatever terminal, background and locale: everything can be read, and every screen is as it was. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCharts } from '../../src/tui/charts/widget.js';
import { VIEWS } from '../../src/tui/layout.js';
import {
  attribute,
  BOLD,
  contrast,
  createTheme,
  DEFAULT,
  LEAST_CONTRAST,
  lightByAnswer,
  onBackground,
  parseTheme,
  type Role,
  type Theme,
} from '../../src/tui/screen/theme.js';
import { Cells } from './cells.js';
import { killAll, startDemo } from './demo.js';
import { FakeDebugger } from './fake-debugger.js';

const UTF8 = { LANG: 'C.UTF-8' };
const THEMES: Record<string, Theme> = {
  '256': createTheme(256, UTF8),
  '256 light': createTheme(256, UTF8, { light: true }),
  '16': createTheme(16, UTF8),
  '16 light': createTheme(16, UTF8, { light: true }),
  '8': createTheme(8, UTF8),
  '8 light': createTheme(8, UTF8, { light: true }),
  NO_COLOR: createTheme(256, { ...UTF8, NO_COLOR: '1' }),
  ASCII: createTheme(256, { LANG: 'C' }),
};
beforeAll(loadCharts);

/** Lines between panes are no text. */
const LINES: Role[] = ['border', 'focus'];

describe.each(Object.entries(THEMES))('theme %s', (_name, theme) => {
  const roles = (Object.keys(theme) as (keyof Theme)[]).filter(
    (role): role is Role => !['depth', 'light', 'ascii', 'trueColours'].includes(role),
  );

  it('has text of 4.5:1 at least, lines of 3:1, the row under the cursor too', () => {
    for (const role of roles)
      expect(contrast(theme[role], theme), role).toBeGreaterThanOrEqual(LINES.includes(role) ? 3 : LEAST_CONTRAST);
    for (const role of roles)
      for (const over of [theme.sel, theme.header, theme.pc])
        expect(contrast(onBackground(theme[role], over), theme), `${role} on ${over}`).toBeGreaterThanOrEqual(
          LEAST_CONTRAST,
        );
  });

  it('uses no colour that the terminal has not', () => {
    const most = { 256: 255, 16: 15, 8: 7, 0: -1 }[theme.depth];
    for (const role of roles)
      for (const part of [theme[role] & 0x1ff, (theme[role] >> 9) & 0x1ff])
        expect(part === DEFAULT || part <= most, role).toBe(true);
  });

  it('draws every view at three sizes as before', async () => {
    const digests: string[] = [];
    for (const view of VIEWS)
      for (const [columns, rows] of [
        [80, 24],
        [120, 40],
        [200, 60],
      ] as const) {
        const cells = await Cells.open(new FakeDebugger(), { view, columns, rows, theme });
        const screen = cells.lines().map((line) => line.map(([attr, character]) => `${attr} ${character}`).join());
        if (theme.ascii) expect(cells.text()).toMatch(/^[\n -~]*$/);
        digests.push(
          `${view} ${columns}x${rows} ${createHash('sha1').update(screen.join('\n')).digest('hex').slice(0, 12)}`,
        );
      }
    expect(digests.join('\n')).toMatchSnapshot();
  });
});

describe('a theme', () => {
  it('follows the environment: colours, NO_COLOR, background, locale', () => {
    expect(createTheme(256, { ...UTF8, NO_COLOR: '' }).depth).toBe(256);
    expect(createTheme(256, { COLORFGBG: '0;15' }).light).toBe(true);
    expect(createTheme(256, { COLORFGBG: '15;default;0' }).light).toBe(false);
    expect(createTheme(8, {}).depth).toBe(8);
    expect(createTheme(2, {}).depth).toBe(0);
    expect(createTheme(256, { LANG: 'de_DE.utf8' }).ascii).toBe(false);
    expect(createTheme(256, { LANG: 'C.UTF-8', LC_ALL: 'C' }).ascii).toBe(true);
    expect(createTheme(256, {}).ascii).toBe(true);
  });

  it('is what the user says, and nothing else', () => {
    expect(createTheme(256, { COLORFGBG: '0;15', NO_COLOR: '1' }, parseTheme('dark, 16,utf8'))).toMatchObject({
      depth: 16,
      light: false,
      ascii: false,
    });
    expect(parseTheme('auto')).toEqual({});
    expect(() => parseTheme('solarized')).toThrow(/"solarized" is not a theme: .*auto, dark, light/);
    expect(() => parseTheme('toString')).toThrow(/is not a theme/);
  });

  it.each([
    ['auto', {}],
    ['dark', { light: false }],
    ['light', { light: true }],
    ['mono', { depth: 0 }],
    ['8', { depth: 8 }],
    ['16', { depth: 16 }],
    ['256', { depth: 256, trueColours: false }],
    ['24bit', { depth: 256, trueColours: true }],
    ['ascii', { ascii: true }],
    ['utf8', { ascii: false }],
  ])('has the word %s', (word, choice) => {
    expect(parseTheme(word)).toEqual(choice);
    expect(createTheme(256, { COLORTERM: 'truecolor', ...UTF8 }, parseTheme(word))).toMatchObject(choice);
  });

  it.each([
    [{ COLORTERM: 'truecolor' }, true],
    [{ COLORTERM: '24bit' }, true],
    [{ TERM: 'xterm-kitty' }, true],
    [{ TERM: 'xterm-direct' }, true],
    [{ TERM_PROGRAM: 'vscode' }, true],
    [{ VTE_VERSION: '7200' }, true],
    [{ KONSOLE_VERSION: '220401' }, true],
    [{ TERM: 'xterm-256color' }, false],
    [{ VTE_VERSION: '3400' }, false],
  ])('has colours of 24 bits where the terminal offers them: %j', (environment, offered) => {
    expect(createTheme(256, environment).trueColours).toBe(offered);
    expect(createTheme(16, environment).trueColours).toBe(false);
    expect(createTheme(256, { ...environment, NO_COLOR: '1' }).trueColours).toBe(false);
  });

  it("takes the terminal's answer about its background", () => {
    expect(lightByAnswer('\x1b]11;rgb:ffff/fafa/f0f0\x1b\\')).toBe(true);
    expect(lightByAnswer('\x1b]11;rgb:1e/1e/2e\x07')).toBe(false);
    expect(lightByAnswer('\x1b]10;rgb:ff/ff/ff\x07')).toBeUndefined();
    expect(lightByAnswer('\x1b]11;rgb:zz/ff/ff\x07')).toBeUndefined();
  });

  it('keeps the colours of a row under the cursor where they can be read', () => {
    expect(onBackground(attribute(255), attribute(231, 24))).toBe(attribute(255, 24));
    expect(onBackground(attribute(24), attribute(231, 24))).toBe(attribute(231, 24));
    expect(onBackground(attribute(DEFAULT, DEFAULT, BOLD), attribute(231, 24))).toBe(attribute(231, 24, BOLD));
  });
});

describe('a terminal', () => {
  it('is asked for its background, and a light one gets dark text', async () => {
    const tui = await startDemo({ cols: 80, rows: 24 });
    expect(tui.raw).toContain('\x1b]11;?\x1b\\');
    const dark = tui.styled();
    tui.send('\x1b]11;rgb:ffff/ffff/ffff\x1b\\');
    await tui.until(/STOPPED/);
    await tui.settle();
    expect(tui.styled()).not.toBe(dark);
    expect(tui.styled()).toContain('«16.221.|');
    await killAll();
  });

  it('gets the theme of the settings, unless another one is named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-theme-'));
    const shown = async (env: Record<string, string>): Promise<string> => {
      const tui = await startDemo({ cols: 80, rows: 24, env: { ...env, HOME: folder, XDG_CONFIG_HOME: folder } });
      await tui.settle();
      const text = tui.styled();
      await killAll();
      return text;
    };
    try {
      const light = await shown({ VMSCOPE_THEME: 'light' });
      const dark = await shown({});
      expect(light).not.toBe(dark);
      mkdirSync(join(folder, 'vmscope'), { recursive: true });
      writeFileSync(join(folder, 'vmscope', 'dashboard'), 'theme light\n');
      expect(await shown({})).toBe(light);
      expect(await shown({ VMSCOPE_THEME: 'dark' })).toBe(dark);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of the Linux console gets nothing black on black', async () => {
    const tui = await startDemo({ cols: 80, rows: 24, env: { TERM: 'linux' } });
    for (let y = 0; y < 24; y++)
      for (let x = 0; x < 80; x++) {
        const cell = tui.line(y).getCell(x)!;
        if (cell.getChars().trim() === '' || cell.isInverse()) continue;
        expect(cell.getFgColor() === 0 && !cell.isFgDefault() && (cell.isBgDefault() || cell.getBgColor() === 0)).toBe(
          false,
        );
      }
    await killAll();
  });
});
