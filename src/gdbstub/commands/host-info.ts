/** Host and process as LLDB asks for them: a bare machine of the layout's architecture. */

import { encodeHexText } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';
import type { Architecture } from '../target.js';
import { PROCESS_ID } from '../thread-id.js';

/** The last part makes LLDB's disassembler read 16-bit code. */
const TRIPLE: Record<Architecture, string> = {
  i8086: 'i386-unknown-unknown-code16',
  i386: 'i386-unknown-unknown',
  'x86-64': 'x86_64-unknown-unknown',
};

async function machine(session: Session): Promise<string> {
  const layout = await session.registers.layout(session.generalThread);
  return `triple:${encodeHexText(TRIPLE[layout.architecture])};endian:little;ptrsize:${layout.wordBytes};`;
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
