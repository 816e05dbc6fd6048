import { afterEach, describe, expect, it } from 'vitest';
import { VIEWS } from '../../src/tui/layout.js';
import { killAll, startDemo } from './demo.js';

afterEach(killAll);

describe('screens', () => {
  it.each([
    [80, 24],
    [120, 40],
    [200, 60],
  ])('debug view at %ix%i', async (cols, rows) => {
    const tui = await startDemo({ cols, rows });
    expect(tui.text()).toMatchSnapshot();
  });

  it.each(VIEWS.filter((view) => view !== 'debug'))('%s view at 80x24, 120x40 and 200x60', async (view) => {
    for (const [cols, rows] of [
      [80, 24],
      [120, 40],
      [200, 60],
    ] as const) {
      const tui = await startDemo({ view, cols, rows });
      expect(tui.text()).toMatchSnapshot(`${view} ${cols}x${rows}`);
      tui.kill();
    }
  });

  it('colours by role', async () => {
    const tui = await startDemo({ cols: 80, rows: 24 });
    tui.send('s');
    await tui.until(/STOPPED: step/);
    await tui.settle();
    expect(tui.styled()).toMatchSnapshot();
  });

  it('NO_COLOR leaves bold, underline and inverse only', async () => {
    const tui = await startDemo({ cols: 80, rows: 24, env: { NO_COLOR: '1' } });
    expect(tui.styled()).not.toMatch(/«\d|«\.\d/);
    expect(tui.styled()).toMatch(/«\.\.i?b?/);
  });

  it('follows a resize, down to one pane and back', async () => {
    const tui = await startDemo({ cols: 120, rows: 40 });
    const before = tui.text();
    tui.resize(80, 24);
    await tui.until(/^ \[Debug\]/m);
    await tui.settle();
    expect(tui.text()).toMatchSnapshot('80x24 after 120x40');
    tui.resize(60, 10);
    await tui.until(/needs 80x24/);
    await tui.settle();
    expect(tui.text()).toMatchSnapshot('60x10');
    tui.resize(20, 3);
    await tui.settle();
    tui.resize(1, 1);
    await tui.settle();
    tui.resize(120, 40);
    await tui.until(/Exit trace/);
    await tui.settle();
    expect(tui.text()).toBe(before);
  });
});

describe('what a guest cannot do', () => {
  it.each(VIEWS)('drive the terminal from the %s view', async (view) => {
    const tui = await startDemo({ kind: 'hostile', view, cols: 200, rows: 60 });
    tui.send(':monitor info version\r');
    await tui.until(/Esc closes/);
    await tui.settle();
    // Wanted: the guest's text, with its control characters as dots. blessed sets the title once itself.
    expect(tui.text()).toContain('evil{bold}tag{/bold}');
    expect(tui.raw).not.toMatch(/[\u0080-\u009f\u202a-\u202e\u2066-\u2069\u0000]/);
    expect(tui.raw).not.toContain('\x1b]0;owned');
    expect(tui.raw).not.toContain('\x1b[0;31;1m');
    expect(tui.raw).not.toMatch(/漢|😀/);
  });
});

describe('targets that lack something', () => {
  it('says why a group is absent, in its own pane', async () => {
    const tui = await startDemo({ kind: 'bare', cols: 200, rows: 60 });
    expect(tui.text()).toContain('no exits here');
    expect(tui.text()).toContain('no console here');
    expect(tui.text()).toContain('00401041');
    tui.send('go');
    await tui.until(/this target has no os/);
    tui.send('gv');
    await tui.until(/\[VMCS\]/);
    await tui.until(/KVM does not give it to user space/);
    tui.send('e');
    await tui.until(/next-exit: no exits here/);
    tui.send('i');
    await tui.until(/no console here/);
    tui.send('qy');
    expect(await tui.exit).toBe(0);
  });

  it('stands when every request fails', async () => {
    for (const view of ['debug', 'exits', 'memory', 'vmcs', 'console'] as const) {
      const tui = await startDemo({ kind: 'failing', view });
      expect(tui.text()).toContain('engine:');
      tui.send('s');
      await tui.until(/step: engine: step failed/);
      for (const key of ['c', 'n', 'f', 'e', 'E', 'u', 'b', ',', '.', 'y', 'j', 'k', '\r', '\t', 'z', ' '])
        tui.send(key);
      await tui.settle();
      // Enter gave the keyboard to the guest in the console view, and opened the command line in the memory view.
      for (const key of ['\x1d', '\x1b']) {
        tui.send(key);
        await tui.settle();
      }
      tui.send('qy');
      expect(await tui.exit).toBe(0);
    }
  });
});
