import type { Command } from '../command.js';

/** `!`: extended mode (`target extended-remote`). */
export const extendedMode: Command = {
  name: '!',
  run(_args, session) {
    session.features.extended = true;
    return 'OK';
  },
};
