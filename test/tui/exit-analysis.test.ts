/** What the dashboard makes of many exits: groups with times, differences, charts, the map of memory. */
import { describe, expect, it, vi } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { cellsOf } from '../../src/tui/charts/widget.js';
import { flatGuest } from '../engine/flat-guest.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const loads = vi.hoisted(() => ({ count: 0 }));
vi.mock('blessed-contrib/lib/widget/charts/line.js', async (original) => {
  loads.count++;
  return original();
});

const open = (view: 'exits' | 'charts' | 'debug' | 'memory', columns = 160, rows = 50, debug = new FakeDebugger()) =>
  Cells.open(debug, { view, columns, rows });

describe('the exits view', () => {
  it('has the times of each reason beside its counts', async () => {
    const cells = await open('exits');
    expect(cells.text()).toMatch(/REASON +COUNT +RATE\/s +SHARE +TIME% +MIN +MEAN +P99 +MAX/);
    expect(cells.text()).toMatch(/ CPUID +[\d,]+ .*%( +[\d.]+(ns|us|ms)){4}/);
  });

  it('puts exits together by port, MSR and what else, by one key or a click', async () => {
    const debug = new FakeDebugger();
    const cells = await open('exits', 160, 50, debug);
    const shown: string[] = [];
    for (let n = 0; n < 10; n++) {
      shown.push(/Exits by (.*?) {2}o regroups/.exec(cells.text())![1]!);
      await cells.key('o');
    }
    expect(shown).toEqual([
      ...['reason', 'what each was about', 'I/O port', 'MSR', 'CPUID leaf', 'guest-physical page', 'instruction'],
      ...["the guest's task", 'vCPU', 'CR3'],
    ]);
    expect(cells.text()).toContain('Exits by reason ');
    await cells.key('o');
    const { x, y } = cells.find('o regroups');
    await cells.click(x + 3, y);
    expect(cells.text()).toContain('Exits by I/O port ');
    expect(cells.text()).toMatch(/port 3f8 out \(serial port COM1.*\d+ .*%/);
    await cells.command('group msr');
    expect(cells.text()).toContain('Exits by MSR ');
    await cells.command('group colour');
    expect(cells.text()).toContain('group: "colour" is not one of reason,');
  });

  it('shows the exits of a group alone in the trace, and breaks on them', async () => {
    const debug = new FakeDebugger();
    const cells = await open('exits', 160, 50, debug);
    await cells.command('group port');
    await cells.key('enter');
    const rows = cells
      .text()
      .split('\n')
      .filter((row) => /#\d+/.test(row) && row.includes('│'));
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows.filter((row) => /[A-Z]{3,}_/.test(row))) expect(row).toContain('IO_INSTRUCTION');
    await cells.key('b');
    const [breakpoint] = await debug.breakpoints();
    expect(breakpoint).toMatchObject({ kind: 'exit', condition: { reasons: [30] } });
    await cells.command('group vcpu');
    await cells.key('enter');
    expect(cells.text()).toContain('rows of the trace do not say their vCPU');
  });

  it('compares two exits: one is marked, the other under the cursor', async () => {
    const cells = await open('exits');
    await cells.key('tab', 'home', 'm', 'down', 'down', 'd');
    expect(cells.text()).toMatch(/diff #\d+ #\d+/);
    const [, first, second] = /diff #(\d+) #(\d+)/.exec(cells.text())!;
    expect(Number(second) - Number(first)).toBe(2);
    expect(cells.text()).toMatch(/ exit\s/);
    await cells.key('escape', 'down', 'm', 'd');
    const [, third, fourth] = /diff #(\d+) #(\d+)/.exec(cells.text())!;
    expect(Number(fourth) - Number(third)).toBe(1);
  });
});

describe('charts', () => {
  it('are loaded when a view draws them, and not before', async () => {
    const cells = await open('debug');
    for (const view of ['exits', 'memory', 'vmcs', 'console', 'system', 'time']) await cells.command(`view ${view}`);
    expect(loads.count).toBe(0);
    await cells.key('g', 'h');
    await cells.until(/How long exits take {2}[A-Z]/);
    await cells.until(/[⠀-⣿]{3}/u);
    expect(loads.count).toBe(1);
  });

  it('show a reason alone, and its times', async () => {
    const cells = await open('charts');
    await cells.until(/[⠀-⣿]{3}/u);
    await cells.key('tab', 'tab');
    const names = () => /How long exits take {2}(\w+)/.exec(cells.text())![1];
    const first = names();
    await cells.key('down');
    expect(names()).not.toBe(first);
    expect(cells.text()).toContain('█');
  });

  it('keep the cursor on its reason when others come before it', async () => {
    const debug = new FakeDebugger();
    let turned = false;
    const { report } = debug.exits!;
    debug.exits!.report = async (by, condition) => {
      const data = await report!(by, condition);
      const rows = data.rows.filter(({ timed }) => timed > 0);
      return { ...data, rows: turned ? rows.reverse() : rows };
    };
    let time = 0;
    const cells = await Cells.open(debug, { view: 'charts', columns: 160, rows: 50, now: () => (time += 10_000) });
    const chosen = () => /How long exits take {2}(\w+)/.exec(cells.text())![1]!;
    await cells.command('focus times');
    await cells.key('home');
    const first = chosen();
    await cells.key('down');
    const second = chosen();
    expect(second).not.toBe(first);
    turned = true;
    cells.dashboard.model.invalidate();
    await cells.settle();
    expect(chosen()).toBe(second);
    await cells.key('down');
    expect(chosen()).toBe(first);
  });

  it('take the colours of the widget apart from its text', () => {
    expect(cellsOf('\x1b[31m⣿\x1b[39m a\n\x1b[44m \x1b[49mx\x1b[0m')).toEqual([
      [{ character: '⣿', colour: 1 }, { character: ' ' }, { character: 'a' }],
      [{ character: ' ', filled: 4 }, { character: 'x' }],
    ]);
  });
});

describe('the map of memory', () => {
  it('names what is under the cursor, and goes there', async () => {
    const cells = await open('charts');
    await cells.command('focus heat');
    expect(cells.text()).toMatch(/000000000 .*EPT r/);
    expect(cells.text()).toMatch(/░▒▓█ written/);
    await cells.key('right', 'right', 'right');
    expect(cells.text()).toContain('5 exits');
    const [, address] = /^│?.*?([0-9a-f]{9}) .*EPT [r-][w-][x-]/m.exec(cells.text().split('\n').reverse().join('\n'))!;
    await cells.key('enter');
    expect(cells.text()).toMatch(/\[Mem\/EPT\]/);
    expect(cells.text()).toContain(`gpa ${address!.replace(/^0+(?=.)/, '')}`);
  });

  it('sees what the guest writes, and where it exits', async () => {
    // mov [200000h], eax; mov [203000h], eax; mov eax, [fec00000h]; hlt
    const { machine } = flatGuest('a300002000 a300302000 a10000c0fe f4', { at: 0x100000 });
    const debug = new Guest(machine, { paced: false, waitForInput: true });
    await debug.ept!.heat!(0n, 0x400000n, 4);
    expect(await debug.ept!.heat!(0x200000n, 0x4000n, 4)).toMatchObject({ writes: [0, 0, 0, 0], looks: 0 });
    await debug.step(0, 2);
    expect(await debug.ept!.heat!(0x200000n, 0x4000n, 4)).toMatchObject({ writes: [1, 0, 0, 1], looks: 1 });
    await debug.step(0, 1);
    const device = await debug.ept!.heat!(0xfec00000n, 0x2000n, 2);
    expect(device).toMatchObject({ exits: [1, 0], writes: [0, 0], looks: 2 });
    expect(await debug.ept!.heat!(0x200000n, 0x4000n, 2)).toMatchObject({ writes: [1, 1], looks: 2 });
    expect(await debug.ept!.heat!(0x200000n, 0x4000n, 1, true)).toMatchObject({ writes: [0], looks: 0 });
  });
});
