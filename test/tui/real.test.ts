/** The dashboard over the embedded engine, as a user starts it. */
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';

const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const sample = (path: string) => fileURLToPath(new URL(`../../samples/${path}`, import.meta.url));
let tui: Tui;
afterEach(() => tui?.kill());

async function press(keys: string, shown: RegExp): Promise<void> {
  tui.send(keys);
  await tui.until(shown, 20_000);
}

describe('vmscope in a terminal', () => {
  it('demo stands at its first exit, steps, goes from exit to exit, and quits', async () => {
    tui = new Tui(vmscope, ['demo'], 120, 40);
    await tui.until(/STOPPED: \w+ .*exit #1\b/, 20_000);
    await tui.settle();
    // The line that caused the exit says so, and the trace has it.
    expect(tui.text()).toMatch(/►[0-9a-f]+ .*! exit \d+/);
    expect(tui.text()).toMatch(/why +\S/);
    await press('s', /STOPPED: step/);
    await press('e', /STOPPED: [A-Z_]+ .*exit #2\b/);
    await press('e', /exit #3\b/);
    await press(',', /VM exit #2 1 before the newest/);
    await press('gv', /VM_EXIT_REASON +[0-9a-f]{8} +[A-Z]/);
    await press('gm', /PML4 +\[ {2}0\] @/);
    await press('gx', /REASON +COUNT/);
    tui.send('q');
    expect(await tui.exit).toBe(0);
    expect(tui.raw).toContain('\x1b[?1049l');
  });

  it('stops at a symbol, changes a register and memory, and shows what the guest printed', async () => {
    tui = new Tui(vmscope, ['run', sample('exit-zoo/exit-zoo.elf')], 120, 40);
    await tui.until(/RUNNING|STOPPED|ENDED/, 20_000);
    await tui.until(/ENDED/, 20_000);
    await press(':reset\r', /STOPPED: start/);
    await press(':break putc\r', /breakpoint 1 at/);
    await press('c', /STOPPED: breakpoint 1 putc/);
    await press(':set rbx 0x1234567\r', /rbx 0000000001234567/);
    await press(':write rsp-0x100 11 22 33\r', /3 bytes at gva/);
    await press(':memory rsp-0x100\r', /11 22 33/);
    await press(':delete all\r', /1 removed/);
    await press('c', /ENDED/);
    await press('gc', /serial COM1[\s\S]*│61 RDSEED[\s\S]*│the end/);
    tui.send('q');
    // The guest powered itself off.
    expect(await tui.exit).toBe(0);
  });

  it('ends with 143 on SIGTERM and restores the screen', async () => {
    tui = new Tui(vmscope, ['demo'], 80, 24);
    await tui.until(/STOPPED/, 20_000);
    tui.proc.kill('SIGTERM');
    expect(await tui.exit).toBe(143);
    expect(tui.raw).toContain('\x1b[?1049l');
    expect(tui.raw).toContain('\x1b[?1000l');
  });
});
