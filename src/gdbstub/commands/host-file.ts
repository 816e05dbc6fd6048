/**
 * `vFile`: the client reads files of the target. There are the symbols of the guest's modules and of its kernel, which GDB takes as
 * the program that runs when it connects, and at any time by `symbol-file target:/NAME`.
 * @gdb "Host I/O Packets"
 */

import { bytesToLatin1, decodeHex, parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { processFile } from '../process-files.js';
import type { Session } from '../session.js';
import { buildSymbolElf } from '../symbol-elf.js';

/** What a user calls the kernel's file who does not know its release. */
const ANY_KERNEL = 'vmlinux';

/** errno as the File-I/O protocol numbers it. */
const ENOENT = 2;
const EBADF = 9;
const EINVAL = 22;
const ENOSYS = 88;

const REGULAR_READ_ONLY = 0o100444;
const STAT_BYTES = 64;
const BLOCK = 512;

const failure = (errno: number): string => `F-1,${errno.toString(16)}`;

/** `struct stat` of the protocol, big-endian: dev ino mode nlink uid gid rdev, then 64 bits of size, blksize, blocks. */
function stat(bytes: number): string {
  const result = Buffer.alloc(STAT_BYTES);
  result.writeUInt32BE(1, 4);
  result.writeUInt32BE(REGULAR_READ_ONLY, 8);
  result.writeUInt32BE(1, 12);
  result.writeBigUInt64BE(BigInt(bytes), 28);
  result.writeBigUInt64BE(BigInt(BLOCK), 36);
  result.writeBigUInt64BE(BigInt(Math.ceil(bytes / BLOCK)), 44);
  return `F${STAT_BYTES.toString(16)};${result.toString('latin1')}`;
}

/**
 * A client that never asked for the program is LLDB's platform: it keeps the file, and moves it by qOffsets when it
 * connects; so there the symbols are where the kernel was linked to. GDB that asked for the program opens it twice: it first compares it with its own, and comes back for the symbols only
 * if it has none. So the first time there is an empty program, which costs no search.
 */
async function open(session: Session, hexName: string): Promise<string> {
  const name = Buffer.from(decodeHex(hexName) ?? []).toString('utf8');
  const { kernel, libraries } = session.target;
  const module = await libraries?.symbols(name);
  if (module !== undefined) return `F${session.openFile(module).toString(16)}`;
  const process = await processFile(session, name);
  if (process !== undefined) return `F${session.openFile(process).toString(16)}`;
  const file = name.replace(/^\/+/, '');
  if (kernel === undefined || (file !== ANY_KERNEL && file !== (await kernel.name()))) return failure(ENOENT);
  const compared = session.programAsked;
  session.programAsked = false;
  const bytes = compared ? buildSymbolElf([]) : await kernel.symbols(!session.takesProgram);
  if (!compared && bytes !== undefined) session.symbolsServed = true;
  return bytes === undefined ? failure(ENOENT) : `F${session.openFile(bytes).toString(16)}`;
}

async function operate(session: Session, operation: string, args: string[]): Promise<string> {
  if (operation === 'setfs') return 'F0';
  if (operation === 'open') return open(session, args[0] ?? '');
  if (operation === 'readlink') return failure(EINVAL);
  const [fd, count, offset] = args.map(parseHexNumber);
  const bytes = fd === undefined ? undefined : session.files.get(fd);
  if (operation !== 'close' && operation !== 'fstat' && operation !== 'pread') {
    // an empty answer makes the client use another operation
    return operation === 'pwrite' || operation === 'unlink' ? failure(ENOSYS) : '';
  }
  if (bytes === undefined) return failure(EBADF);
  if (operation === 'fstat') return stat(bytes.length);
  if (operation === 'close') {
    session.files.delete(fd as number);
    return 'F0';
  }
  if (count === undefined || offset === undefined) return failure(EINVAL);
  const piece = bytes.subarray(offset, offset + Math.min(count, session.maxDocumentPiece - 16));
  return `F${piece.length.toString(16)};${bytesToLatin1(piece)}`;
}

export const hostFile: Command = {
  name: 'vFile',
  run(args, session) {
    const match = /^:([A-Za-z0-9]+):(.*)$/s.exec(args);
    return match === null ? session.error(EINVAL, 'malformed vFile') : operate(session, match[1], match[2].split(','));
  },
};
