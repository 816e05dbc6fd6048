/** What a debugger wants to know of the program that a guest was started from, read from the head of its file. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { ThreadLocalSegment } from '../gdbstub/target.js';
import { ELF_HEADER_BYTES, elfTables, threadLocalSegment } from '../gdbstub/thread-local.js';

/** Linux's boot protocol: a magic, and since 2.12 a flag of kernels with a 64-bit entry. @linux boot.rst "xloadflags" */
const LINUX = { magicAt: 0x202, magic: 'HdrS', xloadflagsAt: 0x236, kernel64: 1 } as const;
const HEAD_BYTES = 0x238;

export interface Program {
  bits: 32 | 64;
  /** Storage of each thread's own, where the program is an ELF file that asks for it. */
  threadLocal?: ThreadLocalSegment;
}

function piece(file: number, at: number, bytes: number): Uint8Array {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(file, buffer, 0, bytes, at));
}

function linuxBits(head: Buffer): 32 | 64 | undefined {
  const magic = head.toString('latin1', LINUX.magicAt, LINUX.magicAt + LINUX.magic.length);
  if (magic !== LINUX.magic) return undefined;
  return head.readUInt16LE(LINUX.xloadflagsAt) & LINUX.kernel64 ? 64 : 32;
}

function readProgram(file: number): Program | undefined {
  const tables = elfTables(piece(file, 0, ELF_HEADER_BYTES));
  if (tables !== undefined) {
    const threadLocal = threadLocalSegment(tables, piece(file, tables.at, tables.count * tables.entryBytes));
    return { bits: tables.bits, ...(threadLocal ? { threadLocal } : {}) };
  }
  const head = Buffer.alloc(HEAD_BYTES);
  head.set(piece(file, 0, HEAD_BYTES));
  const bits = linuxBits(head);
  return bits && { bits };
}

/** The program in an image; undefined where that is a disk or flat code, or cannot be read. */
export function programOf(path: string): Program | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    const file = openSync(path, 'r');
    try {
      return readProgram(file);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
