/** The view of tables over a guest: rows lead to code and memory. */
import { expect, it } from 'vitest';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

/** A guest in real mode whose vectors are where they are after power-on. */
class RealMode extends FakeDebugger {
  override async readRegisters() {
    return {
      ...(await super.readRegisters()),
      ...{ cr0: 0x10n, efer: 0n, idtr_base: 0x402000n, idtr_limit: 0x3n, xmm0: 0x3ff0_0000_0000_0000n, ymm0h: 1n },
      ...{ st0: 0x3fff_8000_0000_0000_0000n, fctrl: 0x37fn, mxcsr: 0x1f80n, tr_ar: 0x10000n },
    };
  }
}

it('shows tables and vector registers, each with what is wrong with it', async () => {
  const cells = await Cells.open(new RealMode(), { view: 'tables', columns: 160, rows: 50 });
  for (const title of [
    'Global descriptor table',
    'Interrupt descriptor table',
    'Task-state segment',
    'SSE and AVX',
    'x87',
  ])
    expect(cells.text()).toContain(title);
  expect(cells.text()).toContain('TR is unusable: there is no TSS');
  expect(cells.text()).toMatch(/xmm0 +0{16} {2}3ff0{13}/);
  expect(cells.text()).toMatch(/ymm0 +0{16} {2}0{15}1/);
  expect(cells.text()).toMatch(/st0 +3fff:8000000000000000 {2}1\s/);
  await cells.command('focus vectors');
  await cells.key('o', 'o');
  expect(cells.text()).toMatch(/xmm0 +0 {2}1\s/);
  await cells.command('focus idt');
  expect(cells.text()).toMatch(/00 #DE +[0-9a-f]{4}:[0-9a-f]{4}/);
  await cells.key('h');
  expect(cells.text()).toContain('SDM 3A 6.11 "IDT Descriptors"');
  await cells.key('escape', 'm');
  expect(cells.text()).toMatch(/\[Mem\/EPT\]/);
  expect(cells.text()).toContain('402000');
  await cells.command('view tables');
  await cells.command('focus idt');
  await cells.key('enter');
  expect(cells.text()).toMatch(/\[Debug\]/);
});
