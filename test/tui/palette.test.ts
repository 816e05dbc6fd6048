/** Every action by some letters, and what is kept from session to session. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rank } from '../../src/tui/palette.js';
import { Prompt } from '../../src/tui/prompt.js';
import { UserMemory } from '../../src/tui/user-memory.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

describe('rank', () => {
  it('wants the letters in their order, and prefers words and beginnings of words', () => {
    expect(rank('xyz', 'next pane')).toBeUndefined();
    expect(rank('', 'anything')).toBeDefined();
    expect(rank('NP', 'next pane')).toBeDefined();
    expect(rank('pane', 'next pane')!).toBeGreaterThan(rank('pane', 'a span edge')!);
    expect(rank('np', 'next pane')!).toBeGreaterThan(rank('np', 'run the pane')!);
    // whole words before the same letters inside of others, though these stand before
    expect(rank('step', 'run, then step')!).toBeGreaterThan(rank('step', 'a footstep')!);
    // of letters that are apart: beginnings of words, and those side by side
    expect(rank('rp', 'a run pane')!).toBeGreaterThan(rank('rp', 'fry up')!);
    expect(rank('bkpt', 'breakpoint')!).toBeGreaterThan(rank('bkit', 'breakpoint')!);
  });
});

describe('the palette', () => {
  it('finds an action of a key and does it', async () => {
    const cells = await Cells.open(new FakeDebugger());
    await cells.key('C-p', ...'pane large');
    expect(cells.text()).toMatch(/> pane large_[\s\S]*pane as large as the screen/);
    await cells.key('enter');
    expect(cells.text()).not.toContain('Actions');
    expect(cells.text()).not.toContain('Registers');
  });

  it('finds a command, asks for its arguments, and runs one that has none', async () => {
    const cells = await Cells.open(new FakeDebugger());
    await cells.key('P', ...':watch ADD', 'enter');
    expect(cells.text()).toMatch(/^:watch/m);
    await cells.key('escape', 'P', ...':messages', 'enter');
    expect(cells.text()).toContain('Messages');
  });

  it('moves, closes, and takes the mouse', async () => {
    const cells = await Cells.open(new FakeDebugger());
    await cells.key('C-p', ...'step', 'down', 'up', 'pagedown', 'escape');
    expect(cells.text()).not.toContain('Actions');
    await cells.key('C-p', ...'zzzzqqq');
    expect(cells.text()).toMatch(/Actions {2}0 /);
    await cells.key('enter', 'escape', 'C-p', ...'step one');
    const { x, y } = cells.find('step one instruction');
    await cells.click(x, y);
    expect(cells.text()).toContain('STOPPED: step');
    await cells.key('C-p');
    await cells.click(0, 39);
    expect(cells.text()).not.toContain('Actions');
  });
});

describe('memory over sessions', () => {
  let home: string;
  const environment = () => ({ HOME: home });
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'vmscope-home-'));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('keeps typed commands, and ctrl-R finds them again', async () => {
    const first = await Cells.open(new FakeDebugger(), { memory: new UserMemory(environment()) });
    await first.command('goto main');
    await first.command('syntax att');
    first.dashboard.close();
    const second = await Cells.open(new FakeDebugger(), { memory: new UserMemory(environment()) });
    expect(second.dashboard.syntax).toBe('att');
    await second.key(':', ...'goto', 'C-r');
    expect(second.text()).toMatch(/^:goto main/m);
    await second.key('escape', ':', 'up');
    expect(second.text()).toMatch(/^:syntax att/m);
    second.dashboard.close();
  });

  it('keeps borders where they were moved to', async () => {
    const first = await Cells.open(new FakeDebugger(), { memory: new UserMemory(environment()) });
    await first.key('{', '{', '{');
    const moved = first.text();
    first.dashboard.close();
    const second = await Cells.open(new FakeDebugger(), { memory: new UserMemory(environment()) });
    expect(second.text()).toBe(moved);
  });

  it('reads and writes nothing with --no-config, without a home, or where it may not', () => {
    const before = new UserMemory(environment());
    before.settings.syntax = 'intel';
    before.keep();
    for (const none of [{ ...environment(), VMSCOPE_NO_CONFIG: '1' }, {}, { HOME: '/proc/1/nonexistent' }]) {
      const memory = new UserMemory(none);
      expect(memory.lines).toEqual([]);
      expect(memory.settings).toEqual({ borders: {} });
      memory.note('x');
      memory.settings.syntax = 'att';
      memory.keep();
      expect(new UserMemory(environment()).lines).toEqual(before.lines);
      expect(new UserMemory(environment()).settings).toEqual(before.settings);
    }
    before.note('x');
    before.keep();
    expect(new UserMemory(environment()).lines.at(-1)).toBe('x');
  });

  it('tells of settings that it does not understand, and goes on', () => {
    const config = join(home, 'other');
    const file = join(config, 'vmscope', 'dashboard');
    mkdirSync(join(config, 'vmscope'), { recursive: true });
    writeFileSync(file, '# kept\nsyntax att\nsyntax masm\nborder debug columns 0 4\nbogus\n');
    const memory = new UserMemory({ HOME: home, XDG_CONFIG_HOME: config });
    expect(memory.settings).toEqual({ syntax: 'att', changes: {}, borders: { 'debug columns 0': 4 } });
    expect(memory.problems).toEqual([
      `${file}: line 3: "syntax masm" is not a setting`,
      `${file}: line 5: "bogus" is not a setting`,
    ]);
    memory.settings.theme = 'light';
    memory.keep();
    expect(readFileSync(file, 'utf8')).toContain('theme light\n');
    expect(new UserMemory({ HOME: home, XDG_CONFIG_HOME: config }).settings.theme).toBe('light');
  });

  it('searches backwards, further with each ctrl-R', () => {
    const prompt = new Prompt(':', ['break main', 'step', 'break print', 'run']);
    prompt.open('break');
    prompt.key('C-r');
    expect(prompt.text).toBe('break print');
    prompt.key('C-r');
    expect(prompt.text).toBe('break main');
    prompt.key('C-r');
    expect(prompt.text).toBe('break main');
  });
});
