import { parseAddressLength } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { BAD_ADDRESS } from './read-memory.js';

/** The CRC-32 of `compare-sections`: polynomial 0x04c11db7, most significant bit first, from 0xffffffff. */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

const CHUNK = 0x10000;
/** A longer range would keep the connection busy for minutes. */
const MAX_LENGTH = 0x40000000;

/** `qCRC:ADDR,LENGTH`. */
export const crc: Command = {
  name: 'qCRC',
  async run(args, session) {
    const range = args[0] === ':' ? parseAddressLength(args.slice(1)) : undefined;
    if (range === undefined || range.length > MAX_LENGTH) return session.error(22, 'malformed or too long range');
    const space = session.physicalMemory ? 'physical' : 'virtual';
    let sum = 0xffffffff;
    for (let done = 0; done < range.length && !session.isClosed; done += CHUNK) {
      await session.breathe();
      const wanted = Math.min(CHUNK, range.length - done);
      const at = range.address + BigInt(done);
      const bytes = await session.target.readMemory(space, at, wanted, session.generalThread);
      if (bytes.length < wanted) return BAD_ADDRESS;
      for (let i = 0; i < wanted; i++) sum = ((sum << 8) ^ TABLE[(sum >>> 24) ^ bytes[i]]) >>> 0;
    }
    return `C${sum.toString(16)}`;
  },
};
