import { decodeHex, latin1ToBytes, parseAddressLength } from '../../rsp/hex.js';
import { unescapePayload } from '../../rsp/packet.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { BAD_ADDRESS } from './read-memory.js';

async function write(session: Session, address: bigint, bytes: Uint8Array): Promise<string> {
  const refusal = session.refusal('WriteMem');
  if (refusal !== undefined) return refusal;
  const { space, at } = session.whereIs(address);
  const written = await session.target.writeMemory(space, at, bytes, session.generalThread);
  return written === bytes.length ? 'OK' : BAD_ADDRESS;
}

function split(args: string): { address: bigint; length: number; data: string } | undefined {
  const colon = args.indexOf(':');
  const range = colon < 0 ? undefined : parseAddressLength(args.slice(0, colon));
  return range && { ...range, data: args.slice(colon + 1) };
}

/** `M ADDR,LENGTH:hex`. */
export const writeMemory: Command = {
  name: 'M',
  async run(args, session) {
    const request = split(args);
    const bytes = request && decodeHex(request.data);
    if (request === undefined || bytes === undefined || bytes.length !== request.length) return 'E16';
    return request.length === 0 ? 'OK' : write(session, request.address, bytes);
  },
};

/** `X ADDR,LENGTH:binary`; GDB probes for it with a length of 0. */
export const writeMemoryBinary: Command = {
  name: 'X',
  binary: true,
  async run(args, session) {
    const request = split(args);
    const bytes = request && latin1ToBytes(unescapePayload(request.data));
    if (request === undefined || bytes === undefined || bytes.length !== request.length) return 'E16';
    return request.length === 0 ? 'OK' : write(session, request.address, bytes);
  },
};
