/**
 * Full-screen programs on the guest's serial port. `serial-programs.json` has what less and vim wrote as a VT220, and the screen that
 * another terminal (tmux) made of it.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SerialTerminal } from '../../src/tui/screen/serial-terminal.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const RECORDINGS: readonly { name: string; bytes: string; rows: string[] }[] = JSON.parse(
  readFileSync(new URL('serial-programs.json', import.meta.url), 'utf8'),
);
const COLUMNS = 80;

describe.each(RECORDINGS)('$name', ({ bytes, rows }) => {
  it('stands on the terminal as on another one, however it comes', async () => {
    for (const piece of [bytes.length, 7, 1]) {
      const terminal = new SerialTerminal();
      for (let at = 0; at < bytes.length; at += piece)
        terminal.write(Buffer.from(bytes.slice(at, at + piece), 'latin1'));
      await terminal.settled();
      expect(rows.map((_, y) => terminal.text(terminal.top + y).trimEnd())).toEqual(rows);
    }
  });

  it('stands so in the pane', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'console', columns: 120, rows: 40 });
    const { serial } = cells.dashboard.model;
    serial.reset();
    serial.write(Buffer.from(bytes, 'latin1'));
    await cells.settle();
    const shown = cells.text().split('\n');
    // what has scrolled out may stand above
    const first = shown.findLastIndex((row) => row.includes(rows[0]!));
    const inside = shown.slice(first, first + rows.length).map((row) => row.slice(1, 1 + COLUMNS).trimEnd());
    expect(inside).toEqual(rows);
  });
});
