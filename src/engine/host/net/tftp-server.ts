/**
 * A TFTP server for the guest: regular files of one folder, to be read. A guest that asks for anything outside it, writes,
 * or sends rubbish gets an error packet or nothing.
 * @rfc 1350, 2347 (options), 2348 (blksize), 2349 (tsize)
 */
import { constants, realpathSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

const OPCODE = { read: 1, write: 2, data: 3, acknowledge: 4, error: 5, optionsAcknowledge: 6 } as const;
const ERROR = { undefined: 0, notFound: 1, access: 2, illegal: 4 } as const;

const HEAD_BYTES = 4;
const DEFAULT_BLOCK = 512;
const LEAST_BLOCK = 8;
/** What an Ethernet frame has room for behind the heads of IP, UDP and TFTP. */
const LARGEST_BLOCK = 1468;
/** Transfers at a time; one that is asked for nothing longest makes room for a new one. */
const TRANSFERS = 32;
/** Strings of a request: name, mode, and options with their values. */
const MOST_STRINGS = 34;

interface Transfer {
  readonly file: FileHandle;
  readonly fileBytes: number;
  readonly blockBytes: number;
  /** The packet that was sent last; it is sent again to who asks for it again. */
  last: Uint8Array;
  /** Number of the block in it, counted past 65535; 0: what acknowledges the options. */
  block: number;
  /** A read of the file is under way: until it is done nothing else is answered. */
  busy: boolean;
}

export class TftpServer {
  /** By the socket that asked. */
  private readonly transfers = new Map<number, Transfer | 'opening'>();
  private readonly root: string;
  private closed = false;

  /**
   * @param answer takes a packet for the guest's socket `id`
   * @throws Error of the system when there is no such folder
   */
  constructor(
    folder: string,
    private readonly answer: (id: number, packet: Uint8Array) => void,
  ) {
    this.root = realpathSync(folder);
  }

  /** A datagram that the guest sent to the server's port. */
  receive(id: number, packet: Uint8Array): void {
    if (packet.length < HEAD_BYTES) return;
    const opcode = (packet[0] << 8) | packet[1];
    const number = (packet[2] << 8) | packet[3];
    if (opcode === OPCODE.read) void this.begin(id, packet.subarray(2));
    else if (opcode === OPCODE.write) this.fail(id, ERROR.access, 'files can only be read');
    else if (opcode === OPCODE.acknowledge) void this.acknowledged(id, number);
    else if (opcode === OPCODE.error) this.forget(id);
    else this.fail(id, ERROR.illegal, 'not an operation of this server');
  }

  /** The guest's socket is no more. */
  forget(id: number): void {
    const transfer = this.transfers.get(id);
    this.transfers.delete(id);
    if (transfer !== undefined && transfer !== 'opening') void transfer.file.close().catch(() => {});
  }

  close(): void {
    this.closed = true;
    for (const id of [...this.transfers.keys()]) this.forget(id);
  }

  private async begin(id: number, request: Uint8Array): Promise<void> {
    const strings = stringsOf(request);
    const [name, mode] = strings;
    if (name === undefined || mode === undefined) return this.fail(id, ERROR.illegal, 'not a request');
    if (mode.toLowerCase() !== 'octet') return this.fail(id, ERROR.illegal, `mode ${mode} is not octet`);
    // the guest asks again while the file is being opened
    if (this.transfers.get(id) === 'opening') return;
    this.forget(id);
    for (const [oldest, transfer] of this.transfers) {
      if (this.transfers.size < TRANSFERS) break;
      if (transfer !== 'opening') this.forget(oldest);
    }
    // a flood of requests: who means it asks again
    if (this.transfers.size >= TRANSFERS) return;
    this.transfers.set(id, 'opening');
    const file = await this.open(name);
    if (this.closed || this.transfers.get(id) !== 'opening') {
      if (typeof file === 'object') await file.handle.close().catch(() => {});
      return;
    }
    this.transfers.delete(id);
    if (file === 'outside') return this.fail(id, ERROR.access, `${name} is not in the folder`);
    if (file === 'absent') return this.fail(id, ERROR.notFound, `${name}: no such file`);
    const { blockBytes, accepted } = optionsOf(strings.slice(2), file.bytes);
    const transfer: Transfer = {
      ...{ file: file.handle, fileBytes: file.bytes, blockBytes },
      ...{ last: new Uint8Array(0), block: 0, busy: false },
    };
    this.transfers.set(id, transfer);
    if (accepted.length === 0) await this.sendBlock(id, transfer, 1);
    else
      this.send(id, transfer, packetOf(OPCODE.optionsAcknowledge, Buffer.from(`${accepted.join('\0')}\0`, 'latin1')));
  }

  /** A regular file below the folder, whatever links lie on the way. */
  private async open(name: string): Promise<{ handle: FileHandle; bytes: number } | 'outside' | 'absent'> {
    if (name.split(/[/\\]/).includes('..')) return 'outside';
    let handle: FileHandle | undefined;
    try {
      const path = await realpath(join(this.root, name));
      if (!path.startsWith(this.root.endsWith(sep) ? this.root : this.root + sep)) return 'outside';
      // a FIFO would be waited for
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await handle.stat();
      if (stats.isFile()) return { handle, bytes: stats.size };
    } catch {
      // told as a file that is not there
    }
    await handle?.close().catch(() => {});
    return 'absent';
  }

  private async acknowledged(id: number, number: number): Promise<void> {
    const transfer = this.transfers.get(id);
    if (transfer === undefined || transfer === 'opening' || transfer.busy) return;
    // the newest use last
    this.transfers.delete(id);
    this.transfers.set(id, transfer);
    const { block, blockBytes, fileBytes } = transfer;
    if (number === (block & 0xffff)) {
      const isDone = block > 0 && block * blockBytes > fileBytes;
      if (isDone) this.forget(id);
      else await this.sendBlock(id, transfer, block + 1);
    } else if (block > 0 && number === ((block - 1) & 0xffff)) this.send(id, transfer, transfer.last);
  }

  private async sendBlock(id: number, transfer: Transfer, block: number): Promise<void> {
    const { file, fileBytes, blockBytes } = transfer;
    const at = (block - 1) * blockBytes;
    const packet = new Uint8Array(HEAD_BYTES + Math.min(blockBytes, Math.max(0, fileBytes - at)));
    packet.set([0, OPCODE.data, (block >> 8) & 0xff, block & 0xff]);
    transfer.busy = true;
    const whole = await readWhole(file, packet.subarray(HEAD_BYTES), at);
    transfer.busy = false;
    if (this.closed || this.transfers.get(id) !== transfer) return;
    if (!whole) return this.fail(id, ERROR.undefined, 'the file cannot be read');
    transfer.block = block;
    this.send(id, transfer, packet);
  }

  private send(id: number, transfer: Transfer, packet: Uint8Array): void {
    transfer.last = packet;
    this.answer(id, packet);
  }

  private fail(id: number, code: number, text: string): void {
    this.forget(id);
    this.answer(id, packetOf(OPCODE.error, Buffer.from([code >> 8, code, ...Buffer.from(text.slice(0, 400)), 0])));
  }
}

function packetOf(opcode: number, body: Uint8Array): Uint8Array {
  return Uint8Array.of(0, opcode, ...body);
}

/** The strings of a request, as far as each has its end. */
function stringsOf(bytes: Uint8Array): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length && strings.length < MOST_STRINGS; ) {
    const end = bytes.indexOf(0, at);
    if (end < 0) break;
    strings.push(Buffer.from(bytes.subarray(at, end)).toString('utf8'));
    at = end + 1;
  }
  return strings;
}

/** What a request's options come to, and which of them are accepted, with their values. */
function optionsOf(strings: readonly string[], fileBytes: number): { blockBytes: number; accepted: string[] } {
  let blockBytes = DEFAULT_BLOCK;
  const accepted = new Map<string, string>();
  for (let i = 0; i + 1 < strings.length; i += 2) {
    const name = strings[i].toLowerCase();
    const value = /^\d{1,9}$/.test(strings[i + 1]) ? Number(strings[i + 1]) : undefined;
    if (value === undefined || accepted.has(name)) continue;
    if (name === 'blksize' && value >= LEAST_BLOCK) {
      blockBytes = Math.min(value, LARGEST_BLOCK);
      accepted.set(name, `${blockBytes}`);
    } else if (name === 'tsize') accepted.set(name, `${fileBytes}`);
  }
  return { blockBytes, accepted: [...accepted].flat() };
}

/** Fills `into` from the file. @returns false where the file ends before, or cannot be read */
async function readWhole(file: FileHandle, into: Uint8Array, at: number): Promise<boolean> {
  try {
    for (let done = 0; done < into.length; ) {
      const { bytesRead } = await file.read(into, done, into.length - done, at + done);
      if (bytesRead === 0) return false;
      done += bytesRead;
    }
    return true;
  } catch {
    return false;
  }
}
