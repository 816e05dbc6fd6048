/** Panes take the room that they need, can be hidden and added, and layouts are kept. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEBUG_REGISTERS, MSR_REGISTERS } from '../../src/engine/registers-view.js';
import { Arrangements } from '../../src/tui/arrangement.js';
import { layout, PANES, type PaneId, VIEW_PANES, VIEWS } from '../../src/tui/layout.js';
import { UserMemory } from '../../src/tui/user-memory.js';
import { Random } from '../core/exec/random-code.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-layouts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
  [300, 100],
] as const;

class AllRegisters extends FakeDebugger {
  override async readRegisters() {
    const more = [...DEBUG_REGISTERS, ...MSR_REGISTERS, 'interruptibility', 'activity'];
    return { ...(await super.readRegisters()), ...Object.fromEntries(more.map((name) => [name, 1n])) };
  }
}

/** Every cell of the body belongs to just one pane. */
function whole(
  slots: readonly { x: number; y: number; width: number; height: number }[],
  columns: number,
  rows: number,
) {
  const top = columns < 110 ? 2 : 1;
  const cells = slots.reduce((sum, { width, height }) => sum + width * height, 0);
  for (const [n, a] of slots.entries())
    for (const b of slots.slice(n + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect(apart, JSON.stringify([a, b])).toBe(true);
    }
  expect(cells).toBe(columns * (rows - top - 1));
}

describe('room', () => {
  it('goes to the pane that needs it from one that has it to spare: no register is hidden beside empty lines', async () => {
    const cells = await Cells.open(new AllRegisters(), { columns: 300, rows: 100 });
    await cells.command('focus registers');
    const rows = cells.text().split('\n');
    const { x, y } = cells.find(' Registers ');
    const column = rows.slice(y + 1).map((row) => row.slice(x - 2));
    const end = column.findIndex((row) => /^[├└]/.test(row));
    expect(column.slice(0, end).some((row) => /↓\d/.test(row))).toBe(false);
    expect(column.slice(0, end).join('\n')).toMatch(/activity/);
  });

  it('stays with a pane that has needed it, so that stops do not make panes jump', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 300, rows: 100 });
    const place = () => cells.find(' VM exit #').y;
    const before = place();
    for (const key of ['s', 's', ',', ',', 'e']) {
      await cells.key(key);
      expect(place()).toBeGreaterThanOrEqual(before);
    }
  });
});

describe('layout', () => {
  it('hides a pane, whose neighbours take its room, and brings it back', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 120, rows: 40 });
    await cells.command('layout hide stack');
    expect(cells.text()).not.toContain(' Stack ');
    expect(cells.text()).toContain('stack is hidden in the view debug; layout add stack brings it back');
    await cells.command('focus stack');
    expect(cells.text()).toContain('the view debug has no stack pane');
    await cells.command('layout add stack');
    expect(cells.text()).toContain(' Stack ');
    await cells.command('layout hide');
    expect(cells.text()).not.toContain(' Stack ');
  });

  it('adds a pane of another view below one', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'vmcs', columns: 160, rows: 50 });
    await cells.command('layout add trace below vmcs');
    expect(cells.find(' Exit trace ').y).toBeGreaterThan(cells.find(' VMCS ').y);
    await cells.command('layout add trace below exit');
    expect(cells.find(' Exit trace ').x).toBeGreaterThan(cells.find(' VMCS ').x);
    expect(cells.text().split(' Exit trace ')).toHaveLength(2);
    await cells.command('layout reset');
    expect(cells.text()).not.toContain(' Exit trace ');
  });

  it('puts a hidden pane below the one that is named, not where it was', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 160, rows: 50 });
    const below = () => cells.find(' Stack ').y > cells.find(' Disassembly ').y;
    const left = () => cells.find(' Stack ').x === cells.find(' Disassembly ').x;
    expect(left()).toBe(false);
    await cells.command('layout hide stack');
    await cells.command('layout add stack below disassembly');
    expect([below(), left()]).toEqual([true, true]);
    await cells.command('layout hide stack');
    await cells.command('layout add stack');
    expect(left()).toBe(false);
  });

  it('is kept under a name, over sessions, in the settings', async () => {
    const environment = {
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_STATE_HOME: join(folder, 'state'),
    };
    const open = () => Cells.open(new FakeDebugger(), { columns: 120, rows: 40, memory: new UserMemory(environment) });
    const first = await open();
    await first.command('layout hide walk');
    await first.command('layout add reasons below trace');
    await first.key(')', ')');
    const shown = first.text();
    await first.command('layout save exits-too');
    // at once, not at the end of the session
    expect(Object.keys(new UserMemory(environment).settings.layouts ?? {})).toEqual(['exits-too']);
    await first.command('layout reset');
    await first.command('layout save plain');
    first.dashboard.close();
    const file = readFileSync(join(folder, 'config', 'vmscope', 'dashboard'), 'utf8');
    expect(file).toContain(
      '\nlayout exits-too hide debug walk\nlayout exits-too add debug reasons trace\nlayout exits-too border ',
    );
    expect(file).toContain('\nlayout plain as made\n');
    const second = await open();
    expect(second.text()).not.toContain('Exits by reason');
    await second.command('layout exits-too');
    expect(second.text()).toContain('Exits by reason');
    expect(second.text()).not.toContain(' Walk ');
    // the borders too: all but the focus, and the line at the foot
    const frames = (text: string) =>
      text
        .replace(/[^\n│┌┐└┘├┤─]/g, ' ')
        .split('\n')
        .slice(0, -1);
    expect(frames(second.text())).toEqual(frames(shown));
    await second.command('layout list');
    expect(second.text()).toMatch(/exits-too[\s\S]*hide debug walk/);
    await second.key('escape');
    await second.command('layout delete plain');
    second.dashboard.close();
    // what was on the screen at the end is there again
    const third = await open();
    expect(third.text()).toContain('Exits by reason');
    await third.command('layout plain');
    expect(third.text()).toContain('there is no layout "plain"; there are exits-too');
  });

  it('of a file that somebody spoilt is told, and the rest is taken', () => {
    const config = join(folder, 'spoilt');
    const environment = { HOME: folder, XDG_CONFIG_HOME: config };
    new UserMemory(environment).keep();
    const file = join(config, 'vmscope', 'dashboard');
    const wrong = [
      'hide debug nothing',
      'hide nowhere stack',
      'add debug trace',
      'layout x hide debug',
      'layout x',
      'border x',
    ];
    const memory0 = new UserMemory(environment);
    memory0.settings.syntax = 'att';
    memory0.keep();
    writeFileSync(file, ['hide debug stack', ...wrong, 'layout __proto__ hide debug walk', ''].join('\n'));
    const memory = new UserMemory(environment);
    expect(memory.problems.map((line) => /line (\d+): "(.*)" is not a setting/.exec(line)?.[2])).toEqual(wrong);
    expect(memory.settings.changes?.debug?.hidden).toEqual(['stack']);
    expect(Object.keys(memory.settings.layouts ?? {})).toEqual(['__proto__']);
  });

  it.each([
    ['layout add', 'the pane to add is missing'],
    ['layout add colour', '"colour" is not one of disassembly,'],
    ['layout add ept above walk', 'usage: layout [NAME |'],
    ['layout add ept below ept', 'ept cannot be below itself'],
    ['layout add ept below heat', 'the view debug has no heat pane'],
    ['layout hide timeline', 'the view debug has no timeline pane'],
    ['layout save', 'a name is missing'],
    ['layout save a/b', '"a/b" is not a name for a layout'],
    ['layout save hide', '"hide" is not a name for a layout'],
    ['layout nowhere', 'there is no layout "nowhere"; layout save NAME makes one'],
    ['layout delete nowhere', 'there is no layout "nowhere"'],
  ])('%s: one line says what is wrong', async (line, message) => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 160 });
    await cells.command(line);
    expect(cells.text()).toContain(message);
  });

  it('covers the screen without gaps, whatever is hidden and added', () => {
    const random = new Random(0x1a70);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
    for (let round = 0; round < 400; round++) {
      const view = pick(VIEWS);
      const all = new Arrangements();
      for (let n = random.below(6); n > 0; n--) {
        const panes = all.panes(view);
        try {
          if (random.below(2)) all.hide(view, pick(panes));
          else all.add(view, pick(PANES), pick(panes));
        } catch {
          // the last one, or there already
        }
      }
      const panes = all.panes(view);
      expect(new Set(panes).size).toBe(panes.length);
      const needs = new Map<PaneId, number>(PANES.map((pane) => [pane, random.below(80)]));
      for (const [columns, rows] of SIZES) {
        const wishes = { needs, change: all.of(view), panes };
        const { slots } = layout(view, columns, rows, pick(panes), random.below(5) === 0, new Map(), 0, wishes);
        expect(new Set(slots.map(({ pane }) => pane)).size).toBe(slots.length);
        whole(slots, columns, rows);
      }
    }
    expect(VIEW_PANES.debug.length).toBeGreaterThan(5);
  });
});
