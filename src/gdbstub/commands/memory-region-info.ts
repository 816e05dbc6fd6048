import { parseHexBigInt } from '../../rsp/hex.js';
import type { Command } from '../command.js';

/** `qMemoryRegionInfo:ADDR`: LLDB's `memory region`; no permissions where nothing is mapped. */
export const memoryRegionInfo: Command = {
  name: 'qMemoryRegionInfo',
  async run(args, session) {
    if (session.target.memoryRegion === undefined) return '';
    // Without an address LLDB only asks whether the packet is known.
    if (args === '') return 'OK';
    const address = args[0] === ':' ? parseHexBigInt(args.slice(1)) : undefined;
    if (address === undefined || address >> 64n !== 0n) return session.error(22, 'malformed address');
    const region = await session.target.memoryRegion(address, session.generalThread);
    // A region that ends at 2^64 would send LLDB back to address 0, for ever.
    const bytes = (region.start + region.bytes) >> 64n === 0n ? region.bytes : region.bytes - 1n;
    const reply = `start:${region.start.toString(16)};size:${bytes.toString(16)};`;
    if (!region.mapped) return reply;
    const { read, write, execute } = region;
    return `${reply}permissions:${read ? 'r' : ''}${write ? 'w' : ''}${execute ? 'x' : ''};`;
  },
};
