import type { Command } from '../command.js';

/** `vCtrlC`: the 0x03 byte as a packet. The stop reply follows. */
export const interrupt: Command = {
  name: 'vCtrlC',
  async run(_args, session) {
    session.send('OK');
    await session.interrupt();
    return undefined;
  },
};
