import type { Command } from '../command.js';

/** `vMustReplyEmpty`: the client checks that unknown packets get an empty reply. */
export const mustReplyEmpty: Command = { name: 'vMustReplyEmpty', run: () => '' };
