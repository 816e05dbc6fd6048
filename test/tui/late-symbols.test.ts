/** A command that is typed before the guest's symbols are there. */
import { expect, it } from 'vitest';
import { SymbolTable } from '../../src/disasm/index.js';
import { Cells } from './cells.js';
import { FakeDebugger } from './fake-debugger.js';

it('finds a symbol that comes while it is looked for', async () => {
  const cells = await Cells.open(new FakeDebugger());
  const { model, session } = cells.dashboard;
  const { symbols } = model;
  model.symbols = new SymbolTable();
  const names = session.names.bind(session);
  session.names = async () => {
    const found = await names();
    model.symbols = symbols;
    return found;
  };
  await cells.command('goto main');
  expect(cells.text()).not.toContain('no symbol');
  expect(cells.text()).toMatch(/Disassembly[\s\S]*<main>/);
  await cells.command('goto nowhere');
  expect(cells.text()).toContain('goto: no symbol, register or number "nowhere"');
});
