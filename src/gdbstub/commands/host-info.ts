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

/**
 * A system whose calling convention LLDB knows and whose loader it does not. Programs of no system it takes for ones that
 * lie where they were linked to, and then never runs code in the guest.
 */
const LOADERLESS = 'solaris';

async function machine(session: Session): Promise<string> {
  const layout = await session.registers.layout(session.generalThread);
  const bare = TRIPLE[layout.architecture];
  const triple = session.settings.calls ? bare.replace('-unknown-unknown', `-unknown-${LOADERLESS}`) : bare;
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
