/** Help for what stands under the cursor, the pane's own keys, and titles that can be clicked. */
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCharts } from '../../src/tui/charts/widget.js';
import { PANES, VIEWS } from '../../src/tui/layout.js';
import { registerHelp, walkHelp } from '../../src/tui/subject-help.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

beforeAll(loadCharts);

describe('h', () => {
  it('says something of what is under the cursor in every pane of every view', async () => {
    const seen = new Set<string>();
    for (const view of VIEWS) {
      const cells = await Cells.open(new FakeDebugger('full', 2), { view, columns: 200, rows: 60 });
      for (let n = 0; n < 14; n++) {
        const before = cells.text();
        seen.add(cells.dashboard.focus);
        await cells.key('h');
        expect(cells.text(), cells.dashboard.focus).toContain('Esc closes');
        await cells.key('escape');
        expect(cells.text()).toBe(before);
        await cells.key('tab');
      }
    }
    expect([...seen].sort()).toEqual([...PANES].sort().filter((pane) => seen.has(pane)));
    expect(seen.size).toBeGreaterThan(14);
  });

  it('explains registers bit by bit', async () => {
    const cells = await Cells.open(new FakeDebugger(), { rows: 60 });
    await cells.key('tab');
    for (let n = 0; n < 12 && !/rflags: flags/.test(cells.text()); n++) {
      await cells.key('escape', 'down', 'h');
    }
    expect(cells.text()).toMatch(/rflags: flags/);
    expect(cells.text()).toMatch(/now +46/);
    expect(cells.text()).toMatch(/ZF \[6\] = 1 +zero/);
    expect(cells.text()).toMatch(/IF \[9\] = 0 +interrupts enabled/);
    expect(cells.text()).toMatch(/SDM 1 3\.4\.3 "EFLAGS Register"/);
  });

  it('explains an exit: when, by which control, its qualification', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'exits', rows: 60 });
    await cells.key('tab', 'up', 'up', 'h');
    expect(cells.text()).toMatch(/30 IO_INSTRUCTION: I\/O instruction/);
    expect(cells.text()).toMatch(/when +instead of the instruction/);
    expect(cells.text()).toMatch(/port 3f8 +serial port COM1 \(16550\): RBR\/THR/);
    // each part of the qualification
    expect(cells.text()).toMatch(/size \[2:0\] +1 byte[\s\S]*direction \[3\] +OUT[\s\S]*port encoding \[6\] +DX/);
    expect(cells.text()).toMatch(/SDM 3C 27\.2\.1/);
    await cells.key('escape', 'down', 'h');
    expect(cells.text()).toMatch(/│ IA32_EFER +extended feature enables[\s\S]*│ \[10\] +LMA/);
    expect(cells.text()).toMatch(/controls +Use MSR bitmaps/);
    await cells.key('escape', 'down', 'h');
    expect(cells.text()).toMatch(/48 EPT_VIOLATION: [\s\S]*write \[1\] +yes/);
  });

  it('explains an MSR among the registers, a segment, a reason', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'exits', rows: 60 });
    await cells.key('h');
    expect(cells.text()).toMatch(/10 CPUID: [\s\S]*controls +none prevents it[\s\S]*records [\s\S]*SDM 3D C/);
    const registers = registerHelp('lstar', { lstar: 0x1234n }).lines.flat().join('\n');
    expect(registerHelp('lstar', {}).title).toMatch(/^IA32_LSTAR: /);
    expect(registers).toMatch(/^now\n1234\nSDM 4 2\.1/);
    const segment = registerHelp('cs', { cs: 8n, cs_ar: 0xa09bn, cs_base: 0n, cs_limit: 0xffffffffn });
    expect(segment.title).toBe('cs: segment register');
    expect(segment.lines.flat()).toEqual(
      expect.arrayContaining(['selector 0008: index 1, GDT, RPL 0', 'L [13] = 1', '64-bit code', 'P [7] = 1']),
    );
  });

  it('explains a VMCS field and one of its bits', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'vmcs', rows: 60 });
    await cells.command('filter PIN_BASED');
    await cells.key('down', 'h');
    expect(cells.text()).toMatch(/PIN_BASED_VM_EXEC_CONTROL: /);
    expect(cells.text()).toMatch(/External-interrupt exiting \[0\] = 1/);
    await cells.key('escape', 'o', 'down', 'down', 'h');
    expect(cells.text()).toMatch(
      /bit 3 of PIN_BASED_VM_EXEC_CONTROL: NMI exiting[\s\S]*NMI exiting \[3\] = 1[\s\S]*SDM 3C 24\.6/,
    );
    expect(cells.text()).not.toMatch(/External-interrupt exiting \[0\] = /);
  });

  it('explains page-table and EPT entries', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'memory', rows: 60 });
    await cells.key('tab', 'h');
    expect(cells.text()).toMatch(/PML4\[0\] +0000000000002027/);
    expect(cells.text()).toMatch(/U \[2\] = 1 +user-mode accesses allowed/);
    expect(cells.text()).toMatch(/SDM 3A 4\.5\.4/);
    const debug = new FakeDebugger();
    const ept = walkHelp('walk', [await debug.ept!.walk(0x402000n)]).lines.flat();
    expect(ept).toEqual(expect.arrayContaining(['EPT PML4[0]', 'SDM 3C 29.3.2 "EPT Translation Mechanism"']));
    expect(ept.join('\n')).toMatch(/R \[0\] = 1\n[\s\S]*X \[2\] = [\s\S]*MT \[5:3\] = \d\n/);
  });

  it('stays in its pane where a value is missing', async () => {
    for (const kind of ['bare', 'failing', 'hostile'] as const)
      for (const view of VIEWS) {
        const cells = await Cells.open(new FakeDebugger(kind), { view });
        for (let n = 0; n < 8; n++) await cells.key('h', 'escape', 'tab');
      }
  });
});

describe('?', () => {
  it("shows the pane's own keys first", async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'vmcs' });
    await cells.key('?');
    const text = cells.text();
    expect(text).toMatch(/In this pane: vmcs/);
    expect(text.indexOf('open or close the bits')).toBeLessThan(text.indexOf('step one instruction'));
  });
});

describe('a click', () => {
  it('on what a title says of a key is that key', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'vmcs' });
    await cells.command('filter PIN_BASED');
    await cells.key('down');
    const { x, y } = cells.find('o opens bits');
    await cells.click(x, y);
    expect(cells.text()).toMatch(/\[x\] +0 External-interrupt exiting/);
    const filter = cells.find('/ filter');
    await cells.click(filter.x, filter.y);
    expect(cells.text().split('\n').at(-1)).toMatch(/^\//);
  });

  it('on what the foot says is that key', async () => {
    const cells = await Cells.open(new FakeDebugger(), { columns: 80, rows: 24 });
    const { x, y } = cells.find('s into');
    await cells.click(x + 3, y);
    expect(cells.text()).toContain('STOPPED: step');
    const pane = cells.find('Tab pane');
    await cells.click(pane.x, pane.y);
    expect(cells.dashboard.focus).toBe('registers');
  });

  it('on the row under the cursor is Enter', async () => {
    const cells = await Cells.open(new FakeDebugger(), { view: 'vmcs' });
    const field = cells.find('4000 PIN_BASED');
    await cells.click(field.x, field.y);
    expect(cells.text()).not.toMatch(/^:vmcs/m);
    await cells.click(field.x, field.y);
    expect(cells.text()).toMatch(/^:vmcs PIN_BASED_VM_EXEC_CONTROL 0x/m);
  });
});
