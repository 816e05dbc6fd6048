/** Host and process as LLDB asks for them: a bare machine of the layout's architecture. */

import { encodeHexText } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { PROCESS_ID } from '../thread-id.js';

async function machine(session: Session): Promise<string> {
  const layout = await session.registers.layout(session.generalThread);
  const triple = layout.wordBytes === 8 ? 'x86_64-unknown-unknown' : 'i386-unknown-unknown';
  return `triple:${encodeHexText(triple)};endian:little;ptrsize:${layout.wordBytes};`;
}

export const hostInfo: Command = {
  name: 'qHostInfo',
  run: async (_args, session) =>
    `${await machine(session)}watchpoint_exceptions_received:after;hostname:${encodeHexText(session.target.name)};`,
};

export const processInfo: Command = {
  name: 'qProcessInfo',
  run: async (_args, session) => `pid:${PROCESS_ID};parent-pid:${PROCESS_ID};${await machine(session)}`,
};
