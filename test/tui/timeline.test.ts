/** The run as a line, over a guest with a history: what the pane shows is so, and where its keys lead. */
import { afterEach, expect, it } from 'vitest';
import type { Debugger } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { Axis } from '../../src/tui/panes/time-axis.js';
import { createTheme } from '../../src/tui/screen/theme.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Cells, type CellsOptions } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

/** mov ebx, 200000h; 1: inc eax; mov [ebx], eax; out 80h, al; cmp eax, 1000; jb 1b; mov dx, 3f8h; mov al, 41h; out dx, al; 2: jmp 2b */
const LOOP = 'bb00002000 40 8903 e680 3de8030000 72f4 66baf803 b041 ee ebfe';
/** The instruction behind the one that prints. */
const PRINTED = 1n + 5n * 1000n + 3n;

let guest: Guest;
afterEach(() => guest.quit());

async function standing(): Promise<NonNullable<Debugger['history']>> {
  const inputs = new InputLog();
  const { machine } = flatGuest(LOOP, { at: 0x100000, inputs });
  guest = new Guest(machine, {
    paced: false,
    waitForInput: true,
    history: { inputs, budgetBytes: 1 << 28, disks: [] },
  });
  await guest.runUntil({ icount: 10_000n });
  return guest.history!;
}

/** Waits until something holds. */
async function came(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

const open = (options: CellsOptions = {}) => Cells.open(guest, { view: 'time', ...options });

it('shows the guest, stops, bookmarks, snapshots and branches where they are', async () => {
  const history = await standing();
  await history.goTo({ icount: 5000n });
  await history.bookmark('half');
  await guest.writeRegister(0, 'rax', 1n);
  await guest.runUntil({ icount: 7500n });
  const cells = await open({ columns: 120, rows: 40 });
  // the lines end at the right edge but one
  const width = 118 - 10 - 1;
  const at = (icount: number) => Math.round((icount / 10_000) * (width - 1));
  expect(cells.text()).toMatch(/the guest is at instruction 7,500, 100\.0 %, exit \d[\d,]* of branch-1/);
  const text = cells.text().split('\n');
  const line = (name: string) => text.find((one) => one.startsWith(`│${name} `))!.slice(11);
  expect(line('marks').indexOf('@half')).toBe(at(5000));
  expect([...line('stops')].flatMap((sign, n) => (sign === '▼' ? [n] : []))).toEqual([at(5000), at(7500), at(10_000)]);
  expect(line('trunk').indexOf('┬')).toBe(at(5000));
  expect(line('trunk').slice(0, at(10_000) + 1)).toMatch(/^─+┬─+$/);
  expect(line('branch-1').indexOf('└')).toBe(at(5000));
  expect(line('branch-1').indexOf('●')).toBe(at(7500));
  expect(line('exits').slice(0, at(5000))).toMatch(/[▁-█]{20}/);
});

it('the cursor moves by keys and the mouse, tells what was printed there, and Enter goes there', async () => {
  const history = await standing();
  await history.bookmark('last');
  const cells = await open({ columns: 80, rows: 24 });
  expect(cells.text()).toMatch(/printed up to there ─+│\n│A +│/);
  await cells.key('home');
  expect(cells.text()).toMatch(/cursor at instruction 0, 0\.0 % of trunk/);
  expect(cells.text()).toMatch(/printed up to there ─+│\n│ nothing/);
  await cells.key('right', 'pagedown');
  const [, shown = ''] = /cursor at instruction ([\d,]+), /.exec(cells.text()) ?? [];
  const icount = BigInt(shown.replace(/,/g, ''));
  expect(icount).toBeGreaterThan(1000n);
  await cells.key('enter');
  await came(() => guest.history!.where().then(({ icount: now }) => now === icount));
  await cells.settle();
  expect(cells.text()).toMatch(new RegExp(`the guest is at instruction ${shown}, .* \\(past\\)`));
  // a branch from there, then to the trunk's end by its bookmark
  await guest.writeRegister(0, 'rax', 7n);
  await cells.settle();
  expect(cells.text()).toMatch(/^ demo .*branch-1 /m);
  await cells.key('up');
  expect(cells.text()).toMatch(/cursor at instruction .* of trunk/);
  await cells.key('>', '>');
  expect(cells.text()).toMatch(/cursor at instruction 10,000 of trunk/);
  await cells.key('enter');
  await came(() => guest.history!.where().then(({ line, past }) => line === 'trunk' && !past));
  await cells.settle();
  expect(cells.text()).toMatch(/the guest is at instruction 10,000, 100\.0 %, exit [\d,]+ of trunk {2}/);
  // closer, and back to where the guest is
  await cells.key('m', 'left', 'left');
  expect(cells.text()).toMatch(/4x closer/);
  await cells.key('escape', 'M');
  expect(cells.text()).toMatch(/the guest is at/);
});

it('what was printed is told to the instruction, and on a branch of its own', async () => {
  const history = await standing();
  const printed = async (line: string, icount: bigint) =>
    Buffer.from(await history.printed(line, icount, 100)).toString('latin1');
  expect(await printed('trunk', PRINTED)).toBe('');
  expect(await printed('trunk', PRINTED + 1n)).toBe('A');
  await history.goTo({ icount: 500n });
  await guest.writeRegister(0, 'rax', 990n);
  await guest.runUntil({ icount: 2000n });
  expect(await printed('branch-1', 2000n)).toBe('A');
  expect(await printed('branch-1', 499n)).toBe('');
  await history.goTo({ icount: 1n });
  await history.switchTo('trunk');
  expect(await printed('trunk', 100_000n)).toBe('A');
  await expect(history.printed('none', 1n, 1)).rejects.toThrow('there is no branch none');
  expect(await printed('branch-1', 2000n)).toBe('A');
});

it('goes to a place of another branch by its name, and stays where it is when there is none', async () => {
  const history = await standing();
  await history.goTo({ icount: 500n });
  await history.branch('one');
  await guest.runUntil({ icount: 900n });
  const cells = await open();
  await cells.command('travel trunk:7000');
  await came(() => history.where().then(({ line, icount }) => line === 'trunk' && icount === 7000n));
  await cells.command('travel one:700');
  await came(() => history.where().then(({ line, icount }) => line === 'one' && icount === 700n));
  await cells.command('travel nothing:5');
  expect(cells.text()).toContain('there is no branch nothing; there is trunk, one');
  await cells.command('travel trunk:99999');
  await came(() => guest.state().then(({ running }) => !running));
  expect(await history.where()).toMatchObject({ line: 'one', icount: 700n });
});

it('is dragged along the run by the mouse, and letting go leads there', async () => {
  const history = await standing();
  const cells = await open({ columns: 80, rows: 24 });
  const [first, row] = [
    12,
    cells
      .text()
      .split('\n')
      .findIndex((line) => line.startsWith('│trunk')),
  ];
  const { dashboard } = cells;
  dashboard.click(first + 10, row);
  for (const x of [first + 20, first + 40, first + 30]) {
    dashboard.drag(x, row + 5);
    await cells.settle();
  }
  const [, shown = ''] = /cursor at instruction ([\d,]+), /.exec(cells.text()) ?? [];
  const icount = BigInt(shown.replace(/,/g, ''));
  expect(Math.abs(Number(icount) - (30 * 10_000) / 66)).toBeLessThan(200);
  expect((await history.where()).past).toBe(false);
  dashboard.drop();
  await came(() => history.where().then(({ icount: now }) => now === icount));
  await came(() => guest.state().then(({ running }) => !running));
  await cells.settle();
  expect(cells.text()).toContain(`the guest is at instruction ${shown}`);
  // a click alone goes nowhere, out of the pane the end is the end, and closer the axis stays under the pointer
  await cells.click(first + 50, row);
  expect((await history.where()).icount).toBe(icount);
  await cells.key('escape', 'm');
  dashboard.click(first + 40, row);
  await cells.settle();
  for (const x of [first + 60, 500]) {
    dashboard.drag(x, 0);
    await cells.settle();
  }
  const [, near = ''] = /cursor at instruction ([\d,]+), /.exec(cells.text()) ?? [];
  const reached = BigInt(near.replace(/,/g, ''));
  expect(reached).toBeGreaterThan(icount);
  expect(reached).toBeLessThanOrEqual(icount + 2600n);
  dashboard.drop();
  await came(() => history.where().then(({ icount: now }) => now === reached));
});

it('branches by keys: made, changed, compared, completed by Tab, gone to and deleted', async () => {
  const history = await standing();
  const cells = await open({ columns: 100, rows: 30 });
  await cells.command('travel 500');
  await came(() => history.where().then(({ icount }) => icount === 500n));
  await cells.command('branch mine');
  await cells.until(/exit 100 of mine /);
  await cells.command('bookmark here');
  const typed = () => /^:(.*?)\s*$/m.exec(cells.text().split('\n').at(-1) ?? '')?.[1];
  const completes = async (line: string, whole: string): Promise<void> => {
    await cells.key(':', ...line);
    await cells.key('tab');
    expect(
      typed()
        ?.replace(/[▏█_]$/, '')
        .trimEnd(),
    ).toBe(whole);
    await cells.key('escape');
  };
  await completes('switch m', 'switch mine');
  await completes('switch t', 'switch trunk');
  await completes('compare trunk m', 'compare trunk mine');
  await completes('branch d', 'branch delete');
  await completes('branch delete ', 'branch delete mine');
  await completes('branch rename m', 'branch rename mine');
  await completes('travel m', 'travel mine:');
  await completes('travel @h', 'travel @here');
  await completes('monitor goto @h', 'monitor goto @here');
  await completes('monitor switch m', 'monitor switch mine');
  await cells.command('compare');
  await cells.until(/no difference up to exit #100 /);
  await cells.command('switch trunk');
  await came(() => history.where().then(({ line, past }) => line === 'trunk' && !past));
  await cells.command('branch delete mine');
  await came(() => history.branches().then((all) => all.length === 1));
});

it('completes the names that savevm has kept', async () => {
  const cells = await Cells.open(new FakeDebugger() as unknown as Debugger, { columns: 80, rows: 24 });
  for (const [line, whole] of [
    ['loadvm m', 'loadvm morning'],
    ['delvm ', 'delvm evening'],
    ['savevm e', 'savevm evening'],
  ] as const) {
    await cells.key(':', ...line, 'tab');
    expect(cells.text().split('\n').at(-1)).toContain(whole);
    await cells.key('escape');
  }
});

it.each([
  [80, 24],
  [60, 10],
  [20, 3],
  [300, 100],
])('draws itself on %ix%i, in 8 colours and ASCII, and with many branches', async (columns, rows) => {
  const history = await standing();
  for (let n = 0; n < 12; n++) {
    await history.switchTo('trunk');
    await history.goTo({ icount: BigInt(1000 + n * 700) });
    await history.bookmark(`mark-with-a-long-name-${n}`);
    await guest.writeRegister(0, 'rax', BigInt(n));
  }
  const cells = await open({ columns, rows, theme: createTheme(8, { LANG: 'C' }, { ascii: true }) });
  for (const key of ['home', 'right', 'down', 'down', 'end', 'up', '<', '>', 'm', 'm', 'left', 'M', 'escape'])
    await cells.key(key);
  expect(cells.text()).toMatch(/^[\x20-\x7e\n]*$/);
  if (columns >= 80) expect(cells.text()).toMatch(/branch-12/);
});

it('says why there is none', async () => {
  await standing();
  const cells = await Cells.open(new FakeDebugger('bare'), { view: 'time' });
  expect(cells.text()).toMatch(/this target has no history/);
  await cells.key('left', 'enter', '<', 'm', 'h', 'escape');
});

it('an axis shows each instruction in one column, and goes on by one at least', () => {
  const axis = new Axis(1000n, 1010n, 60);
  expect(axis.column(999n)).toBeUndefined();
  expect(axis.column(1000n)).toBe(0);
  expect(axis.column(1010n)).toBe(59);
  expect(axis.moved(1000n, 1)).toBe(1001n);
  const long = new Axis(0n, 10n ** 12n, 77);
  for (let column = 0; column < 77; column++) expect(long.column(long.icount(column))).toBe(column);
  expect(long.range(5n, 4n)).toEqual([0, 0]);
  expect(long.range(10n ** 13n, 10n ** 14n)).toEqual([0, -1]);
});
