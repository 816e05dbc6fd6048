/** The tour of `vmscope demo`: each step can be done with keys alone and with the mouse alone, and sees that it was done. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { viewOfVm } from '../../src/engine/debug/vtx-view.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { Guest } from '../../src/engine/host/guest.js';
import { InputLog } from '../../src/engine/time/input-keeper.js';
import { Machine } from '../../src/engine/vmm/machine.js';
import { Vm } from '../../src/engine/vmm/vm.js';
import { TOUR } from '../../src/tui/tour/steps.js';
import { compiled } from '../jit/mode.js';
import { Cells } from './cells.js';

const IMAGE = new URL('../../samples/long-mode/long-mode.elf', import.meta.url);
const MEMORY = 32 << 20;

async function start(columns: number, rows: number, keepsHistory = true): Promise<Cells> {
  const { core, host } = createCore(MEMORY, 0);
  const inputs = new InputLog();
  const machine = new Machine(compiled(new Vm(core, host, MEMORY, 1, viewOfVm)), {
    ...{ name: 'long-mode', isaDebugExit: false, noReboot: true, wallSeconds: 0, drives: [], inputs },
    image: { name: 'long-mode.elf', bytes: readFileSync(IMAGE) },
  });
  const history = keepsHistory ? { history: { inputs, budgetBytes: 1 << 25, disks: [] } } : {};
  const guest = new Guest(machine, { paced: false, waitForInput: true, ...history });
  // What opens ports is the program around the guest.
  const { monitor } = guest;
  guest.monitor = async (line, vcpu) =>
    line === 'gdbserver 0' ? 'GDB stub on 127.0.0.1:4711' : monitor.call(guest, line, vcpu);
  const long = (await guest.symbols()).find(({ name }) => name === 'long')!;
  await guest.runUntil({ gva: long.address });
  return Cells.open(guest, { columns, rows, tour: true });
}

const heading = (n: number) => new RegExp(`Tour ${n + 1} of ${TOUR.length}: ${TOUR[n]!.title} `);

/** By keys: what each step's text says is to be pressed or typed. */
async function byKeys(cells: Cells, n: number): Promise<void> {
  if (TOUR[n]!.title === 'Why') {
    for (let presses = 0; presses < 20 && cells.dashboard.focus !== 'exit'; presses++) await cells.key('tab');
    return;
  }
  for (const [, word] of TOUR[n]!.todo.matchAll(/\[([^\]]+)\]/g)) {
    const halts = cells.dashboard.model.halts;
    if (word!.startsWith(':')) await cells.command(word!.slice(1));
    else if (word !== 'o') await cells.key(word!.toLowerCase() === 'tab' ? 'tab' : word!);
    if (/^[secS]$/.test(word!)) {
      while (cells.dashboard.model.halts === halts) await new Promise((resolve) => setTimeout(resolve, 2));
      await cells.settle();
    }
  }
}

/** By the mouse: what the strip, the tabs and the foot show. */
async function byMouse(cells: Cells, n: number): Promise<void> {
  const { commands } = TOUR[n]!;
  const click = async (text: string) => {
    const { x, y } = cells.find(text);
    const halts = cells.dashboard.model.halts;
    await cells.click(x + 1, y);
    const runs = /into|next-exit|:step|:next-exit|:run|:back/.test(text);
    while (runs && cells.dashboard.model.halts === halts) await new Promise((resolve) => setTimeout(resolve, 2));
    await cells.settle();
  };
  if (commands) for (const line of commands) await click(`[:${line}]`);
  else await click(n === 0 ? 's into' : 'e next-exit');
}

describe.each([
  [80, 24],
  [120, 40],
] as const)('the tour at %ix%i', (columns, rows) => {
  it.each([
    ['keys', byKeys],
    ['mouse', byMouse],
  ] as const)('is walked by %s only', async (_how, act) => {
    const cells = await start(columns, rows);
    for (let n = 0; n < TOUR.length; n++) {
      expect(cells.text()).toMatch(heading(n));
      expect(cells.text()).not.toContain('✓ Done.');
      await act(cells, n);
      await cells.until(/✓ Done\./);
      if (n === 7) expect(cells.text()).toMatch(/VM ENTRY FAILED/);
      // what the text says of that stop: a line feed is about to be written
      if (n === 9) expect(cells.dashboard.model.registers().value!.rax! & 0xffn).toBe(0xan);
      const { x, y } = cells.find(n === TOUR.length - 1 ? '[T ends the tour]' : '[T next step]');
      if (act === byMouse) await cells.click(x, y);
      else await cells.key('T');
    }
    expect(cells.text()).not.toContain('Tour ');
  });
});

describe('the tour', () => {
  it('is left and come back to at any time, and keeps what is done', async () => {
    const cells = await start(80, 24);
    await byKeys(cells, 0);
    await cells.until(/✓ Done\./);
    const leave = cells.find('[leave]');
    await cells.click(leave.x, leave.y);
    expect(cells.text()).not.toContain('Tour ');
    expect(cells.text()).toContain('T comes back to the tour');
    await cells.key('T');
    expect(cells.text()).toMatch(heading(0));
    expect(cells.text()).toContain('✓ Done.');
    await cells.key('T', 'R');
    expect(cells.text()).toMatch(heading(0));
    await cells.key('T', 'T', 'T');
    expect(cells.text()).toMatch(heading(3));
  });

  it('passes a step that the guest cannot do, and says why', async () => {
    const cells = await start(80, 24, false);
    for (let n = 0; n < TOUR.findIndex(({ title }) => title === 'Back in time'); n++) await cells.key('T');
    await cells.until(/✓ Not here: this guest keeps no history\./);
  });

  it('has room on any screen', async () => {
    const cells = await start(80, 24);
    for (const [columns, rows] of [
      [40, 12],
      [20, 5],
      [1, 1],
      [300, 100],
    ] as const) {
      Object.assign(cells, { columns, rows });
      await cells.settle();
    }
    expect(cells.text()).toMatch(heading(0));
  });

  it('is not there without being asked for', async () => {
    const { FakeDebugger } = await import('./fake-debugger.js');
    const cells = await Cells.open(new FakeDebugger());
    await cells.key('T');
    expect(cells.text()).toContain('the tour is in vmscope demo');
  });
});
