import { latin1ToBytes, parseHexBigInt } from '../../rsp/hex.js';
import { unescapePayload } from '../../rsp/packet.js';
import type { Command } from '../command.js';
import { BAD_ADDRESS } from './read-memory.js';

const CHUNK = 0x10000;
/** Bytes searched at most, so that a range of the whole address space ends. */
const MAX_LENGTH = 0x40000000n;

/** `qSearch:memory:ADDR;LENGTH;PATTERN`: `1,ADDR` of the first match, `0` without one. Ends where memory ends. */
export const searchMemory: Command = {
  name: 'qSearch',
  binary: true,
  async run(args, session) {
    const match = /^:memory:([0-9a-fA-F]+);([0-9a-fA-F]+);(.+)$/s.exec(args);
    const start = match === null ? undefined : parseHexBigInt(match[1]);
    const asked = match === null ? undefined : parseHexBigInt(match[2]);
    if (match === null || start === undefined || asked === undefined) return session.error(22, 'malformed search');
    const length = asked > MAX_LENGTH ? MAX_LENGTH : asked;
    const pattern = latin1ToBytes(unescapePayload(match[3]));
    const space = session.physicalMemory ? 'physical' : 'virtual';
    const step = Math.max(CHUNK, pattern.length);
    for (let at = start; at + BigInt(pattern.length) <= start + length && !session.isClosed; at += BigInt(step)) {
      await session.breathe();
      // Each piece reaches over the next one's start, so a match across the border is found.
      const left = Number(start + length - at);
      const wanted = Math.min(step + pattern.length - 1, left);
      const bytes = await session.target.readMemory(space, at, wanted, session.generalThread);
      const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(pattern);
      if (found >= 0) return `1,${(at + BigInt(found)).toString(16)}`;
      if (bytes.length < wanted) return at === start && bytes.length === 0 ? BAD_ADDRESS : '0';
    }
    return '0';
  },
};
