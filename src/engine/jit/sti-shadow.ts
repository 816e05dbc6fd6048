// The instruction behind STI, which runs before interrupts are taken: when nothing can see that, compiled code goes on.
import { alwaysCompletes, OP_NEXT } from '../../spec/uops/index.js';
import type { DecodedBlock } from './decoded.js';
import { type FlagState, needsState } from './flag-state.js';

/** The instruction behind STI: with so many left it completes before anything can see that it ran in the shadow; it is CLI. */
export interface Shadow {
  readonly ahead: number;
  readonly isCli: boolean;
}

/** What an STI before a block needs to know; undefined: the first micro-op of the block may be seen to run in its shadow. */
export function shadowOver(block: DecodedBlock, start: FlagState, ahead: number): Shadow | undefined {
  const [{ row, handler, device }] = block.uops;
  const known = start.rule !== 'unknown' || !needsState(block, 0);
  // at CPL 0, where STI looks
  const isCli = handler?.name === 'execCli';
  if (!known || device) return undefined;
  if (!row) return isCli ? { ahead, isCli } : undefined;
  return row.number !== OP_NEXT && alwaysCompletes(row.row.guard, row.body) ? { ahead, isCli } : undefined;
}
