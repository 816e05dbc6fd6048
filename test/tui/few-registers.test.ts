/** Sources that know few registers: a 16-bit guest of QEMU has no r8, a GDB stub no control and debug registers. */
import { describe, expect, it } from 'vitest';
import type { RegisterFile } from '../../src/engine/debugger.js';
import { GENERAL_REGISTERS } from '../../src/engine/registers-view.js';
import { VIEW_PANES, type View } from '../../src/tui/layout.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

const R8_ON = /^r\d/;
const KEPT: [string, (name: string) => boolean][] = [
  ['a 16-bit guest of QEMU', (name) => !R8_ON.test(name)],
  [
    'a GDB stub of i386',
    (name) => !R8_ON.test(name) && (/^(r[a-ds][xipl]|rip|rflags)$/.test(name) || /^[c-gs]s$/.test(name)),
  ],
  [
    'a GDB stub of x86-64',
    (name) => (GENERAL_REGISTERS as readonly string[]).includes(name) || ['rip', 'rflags'].includes(name),
  ],
  ['one that knows where it is', (name) => name === 'rip'],
];

class Few extends FakeDebugger {
  constructor(
    private readonly kept: (name: string) => boolean,
    private readonly real = false,
  ) {
    super();
  }

  override async readRegisters(): Promise<RegisterFile> {
    const all = await super.readRegisters();
    if (this.real) all.cr0 = 0n;
    if (this.real) all.cs_ar = 0x93n;
    return Object.fromEntries(Object.entries(all).filter(([name]) => this.kept(name)));
  }
}

describe.each(KEPT)('%s', (_, kept) => {
  it.each([false, true])('has what it knows in every view, and no pane fails (real mode: %s)', async (real) => {
    for (const view of Object.keys(VIEW_PANES) as View[])
      for (const size of [
        { columns: 120, rows: 40 },
        { columns: 240, rows: 80 },
      ]) {
        const cells = await Cells.open(new Few(kept, real), { view, ...size });
        expect(cells.text(), view).not.toMatch(/Cannot|TypeError|undefined|NaN|not a function|BigInt/);
        for (const key of ['x', 'escape', 'tab', 'x', 'escape']) await cells.key(key);
        expect(cells.text(), view).not.toMatch(/Cannot|TypeError|undefined|NaN|not a function|BigInt/);
      }
  });

  it('shows no register that it does not have', async () => {
    const cells = await Cells.open(new Few(kept), { columns: 240, rows: 80 });
    const text = cells.text();
    for (const name of ['dr0', 'dr7', 'cr3', 'gdtr'])
      if (!kept(name) && !kept(`${name}_base`)) expect(text).not.toMatch(new RegExp(`│[ *]${name} +[0-9a-f]`));
  });
});
