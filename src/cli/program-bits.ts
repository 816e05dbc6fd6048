import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** Linux's boot protocol: a magic, and since 2.12 a flag of kernels with a 64-bit entry. @linux boot.rst "xloadflags" */
const LINUX = { magicAt: 0x202, magic: 'HdrS', xloadflagsAt: 0x236, kernel64: 1 } as const;
const ELF = { magic: '\x7fELF', classAt: 4, class32: 1, class64: 2 } as const;
const HEAD_BYTES = 0x238;

function bitsOf(head: Buffer): 32 | 64 | undefined {
  const text = (at: number, length: number): string => head.toString('latin1', at, at + length);
  if (text(0, ELF.magic.length) === ELF.magic) {
    if (head[ELF.classAt] === ELF.class32) return 32;
    return head[ELF.classAt] === ELF.class64 ? 64 : undefined;
  }
  if (text(LINUX.magicAt, LINUX.magic.length) !== LINUX.magic) return undefined;
  return head.readUInt16LE(LINUX.xloadflagsAt) & LINUX.kernel64 ? 64 : 32;
}

/** Whether an image is a program of 32 or 64 bits; undefined where it is a disk or flat code, or cannot be read. */
export function programBits(path: string): 32 | 64 | undefined {
  try {
    if (!statSync(path).isFile()) return undefined;
    const file = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      readSync(file, head, 0, head.length, 0);
      return bitsOf(head);
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
