/** What the expressions of commands may name. */
import type { SymbolTable } from '../disasm/index.js';
import { exitNames } from '../engine/debug/exit-condition.js';
import type { Names } from '../engine/debug/expression/names.js';
import { linearPc } from '../engine/debug/guest-mode.js';
import type { RegisterFile, RunState } from '../engine/debugger.js';
import { exitReasonByName } from '../spec/vmx/exit-reasons.js';

/** Symbols, registers with `pc` (where the code is, as an address), `icount`, and the fields of the exit where the guest stands at one. */
export function namesOf(symbols: SymbolTable, registers: RegisterFile | undefined, state: RunState): Names {
  const { stop } = state;
  const exit = stop?.kind === 'exit' && !state.running ? stop.exit : undefined;
  return {
    symbols,
    ...(registers === undefined ? {} : { registers: { ...registers, pc: linearPc(registers) } }),
    facts: { icount: state.icount, ...(exit === undefined ? {} : exitNames(exit)) },
    constant: (name) => {
      const reason = exitReasonByName(name);
      return reason && BigInt(reason.number);
    },
  };
}
