import type { Command } from '../command.js';

/** `vCtrlC`: the 0x03 byte as a packet. The stop reply follows. */
export const interrupt: Command = {
  name: 'vCtrlC',
  async run(_args, session) {
    const refusal = session.refusal('Stop');
    if (refusal !== undefined) return refusal;
    session.send('OK');
    await session.interrupt();
    return undefined;
  },
};
