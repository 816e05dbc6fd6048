import { afterEach, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { PROGRAM, SAMPLES } from './vmscope.js';

describe('--headless --serial stdio on a terminal', () => {
  let tui: Tui;
  afterEach(() => tui.proc.kill('SIGKILL'));

  it('types to the guest, asks the monitor and quits by ctrl-a x', async () => {
    tui = new Tui(PROGRAM, ['run', `${SAMPLES}/keyboard`, '--headless', '--serial', 'stdio']);
    await tui.until(/ctrl-a x quits/);
    tui.send('\x01h');
    await tui.until(/ctrl-a ctrl-a {2}send ctrl-a/);
    tui.send('\x01c');
    await tui.until(/\(vmscope\) /);
    tui.send('info statusX\x7f\r');
    await tui.until(/VM status: running/);
    tui.send('nonsense\r');
    await tui.until(/unknown command: nonsense/);
    tui.send('\x01c7');
    await tui.until(/serial 7/);
    tui.send('\x01x');
    expect(await tui.exit).toBe(0);
  });

  it('ends by quit at the prompt too', async () => {
    tui = new Tui(PROGRAM, ['run', `${SAMPLES}/keyboard`, '--headless', '--serial', 'stdio']);
    await tui.until(/ctrl-a x quits/);
    tui.send('\x01cquit\r');
    expect(await tui.exit).toBe(0);
  });
});
