import type { Command } from '../command.js';
import { PROCESS_ID } from '../thread-id.js';

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
    const process = session.features.multiprocess ? session.views.free : PROCESS_ID;
    if (process === undefined)
      return session.error(22, 'processes 1 to 3 are the guest, and all attached: kill or detach one');
    await session.target.reset();
    session.views.attach(process);
    return session.currentStop();
  },
};
