/** What LLDB switches on when it connects. */
import type { Command } from '../command.js';

/** g, G, p and P may end in `;thread:ID;`. */
export const threadSuffixSupported: Command = {
  name: 'QThreadSuffixSupported',
  run(_args, session) {
    session.features.lldb = true;
    return 'OK';
  },
};

export const threadsInStopReply: Command = {
  name: 'QListThreadsInStopReply',
  run(_args, session) {
    session.features.threadsInStopReply = true;
    return 'OK';
  },
};

/** Errors may carry text as `Exx;hex`. */
export const enableErrorStrings: Command = {
  name: 'QEnableErrorStrings',
  run(_args, session) {
    session.features.errorStrings = true;
    return 'OK';
  },
};
