import type { Command } from '../command.js';

/** A reset changes all. */
const NEEDED = ['WriteReg', 'WriteMem', 'Stop'] as const;

/** `R XX`: resets the machine; no reply. */
export const restart: Command = {
  name: 'R',
  async run(_args, session) {
    if (session.target.reset === undefined) return '';
    const forbidden = session.forbidden(...NEEDED);
    if (forbidden !== undefined) session.note(`No reset: ${forbidden}.`);
    else await session.target.reset();
    return undefined;
  },
};

/** `vRun;file;args`: GDB's `run` in extended mode. The file is the guest's own; the machine is reset. */
export const runProgram: Command = {
  name: 'vRun',
  async run(_args, session) {
    if (session.target.reset === undefined) return '';
    const refusal = session.refusal(...NEEDED);
    if (refusal !== undefined) return refusal;
    await session.target.reset();
    return session.currentStop();
  },
};
