import type { Command } from '../command.js';

/** `QStartNoAckMode`: no more `+` and `-`. The packet itself was acknowledged before; its reply is the last in doubt. */
export const startNoAck: Command = {
  name: 'QStartNoAckMode',
  run(_args, session) {
    session.startNoAck();
    return 'OK';
  },
};
