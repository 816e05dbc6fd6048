import type { Command } from '../command.js';

/** `qAttached`: the guest existed before the client, so quitting GDB detaches rather than kills. */
export const attached: Command = { name: 'qAttached', run: () => '1' };
