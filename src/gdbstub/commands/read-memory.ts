import { bytesToLatin1, encodeHex, parseAddressLength } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { PACKET_SIZE, type Session } from '../session.js';

/** errno of an address that cannot be read or written. Given as a bare number: GDB words these itself. */
export const BAD_ADDRESS = 'E0e';

async function read(session: Session, args: string, max: number): Promise<Uint8Array | undefined> {
  const range = parseAddressLength(args);
  if (range === undefined) return undefined;
  const length = Math.min(range.length, max);
  if (session.trace.frame) return session.trace.memoryAt(range.address, length);
  const { space, at } = session.whereIs(range.address);
  return session.target.readMemory(space, at, length, session.generalThread);
}

/** `m ADDR,LENGTH`: hex of the bytes; short where memory ends, an error when there is none at ADDR. */
export const readMemory: Command = {
  name: 'm',
  async run(args, session) {
    const range = parseAddressLength(args);
    if (range === undefined) return 'E16';
    if (range.length === 0) return '';
    const bytes = await read(session, args, PACKET_SIZE / 2);
    return bytes === undefined || bytes.length === 0 ? BAD_ADDRESS : encodeHex(bytes);
  },
};

/**
 * `x ADDR,LENGTH`: as m in binary behind a `b`. LLDB's probe `x0,0` expects the older form of this packet without
 * the `b`; an empty reply makes it use m.
 */
export const readMemoryBinary: Command = {
  name: 'x',
  async run(args, session) {
    const range = parseAddressLength(args);
    if (range === undefined) return 'E16';
    if (range.length === 0) return '';
    // Each byte may need an escape.
    const bytes = await read(session, args, PACKET_SIZE / 2 - 1);
    return bytes === undefined || bytes.length === 0 ? BAD_ADDRESS : `b${bytesToLatin1(bytes)}`;
  },
};
