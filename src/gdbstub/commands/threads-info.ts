import type { Command } from '../command.js';
import { threadTitle } from './threads.js';

/** `jThreadsInfo`: LLDB's list of all threads with their stop and the registers that it reads first. */
export const threadsInfo: Command = {
  name: 'jThreadsInfo',
  async run(_args, session) {
    const { target, registers } = session;
    if (target.running()) return session.error(22, 'the guest is running; interrupt it first');
    const stop = target.lastStop();
    const threads = [];
    for (let thread = 0; thread < target.threads; thread++) {
      const file = await target.readRegisters(thread);
      const layout = await registers.layout(thread);
      const numbers = [layout.pc, layout.sp, layout.fp];
      threads.push({
        tid: thread + 1,
        name: threadTitle(session, thread),
        ...(thread === stop?.thread ? { reason: stop.cause.kind === 'step' ? 'trace' : 'signal', signal: 5 } : {}),
        registers: Object.fromEntries(numbers.map((number) => [number, registers.hex(layout.slots[number], file)])),
      });
    }
    return JSON.stringify(threads);
  },
};
