/**
 * Where a thread's own storage lies: the program's lies right below the thread pointer, the base of FS in 64 bits and of
 * GS in 32, and the pointer stands at the place that it points to.
 * @elf "Thread-Local Storage", variant II; System V ABI AMD64 3.4.6, i386 2.3.4
 */
import type { Target, ThreadLocalSegment } from './target.js';

/** The linker's name for the program's ELF header, where its memory has one. */
export const HEADER_SYMBOL = '__ehdr_start';

/** Of a 64-bit file; a 32-bit one has fewer. */
export const ELF_HEADER_BYTES = 64;
const SEGMENT_TLS = 7;
/** Programs have a dozen segments. */
const MAX_SEGMENTS = 128;
const ENTRY_BYTES = { 32: 32, 64: 56 } as const;

/** Where the table of segments stands in a file or behind the header in memory. */
export interface ElfTables {
  bits: 32 | 64;
  at: number;
  entryBytes: number;
  count: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Undefined where the bytes are no ELF header. */
export function elfTables(header: Uint8Array): ElfTables | undefined {
  if (header.length < 52 || Buffer.from(header.subarray(0, 4)).toString('latin1') !== '\x7fELF') return undefined;
  const bits = header[4] === 1 ? 32 : header[4] === 2 ? 64 : undefined;
  if (bits === undefined || (bits === 64 && header.length < ELF_HEADER_BYTES)) return undefined;
  const view = viewOf(header);
  const at = bits === 64 ? view.getBigUint64(32, true) : BigInt(view.getUint32(28, true));
  const entryBytes = view.getUint16(bits === 64 ? 54 : 42, true);
  const count = view.getUint16(bits === 64 ? 56 : 44, true);
  const sound = entryBytes >= ENTRY_BYTES[bits] && entryBytes <= 256 && at < 1n << 32n;
  return sound ? { bits, at: Number(at), entryBytes, count: Math.min(count, MAX_SEGMENTS) } : undefined;
}

/** @param table the bytes of the table of segments, as far as there are */
export function threadLocalSegment(tables: ElfTables, table: Uint8Array): ThreadLocalSegment | undefined {
  const { bits, entryBytes, count } = tables;
  const view = viewOf(table);
  for (let at = 0, entry = 0; entry < count && at + ENTRY_BYTES[bits] <= table.length; entry++, at += entryBytes) {
    if (view.getUint32(at, true) !== SEGMENT_TLS) continue;
    const word = (wide: number, narrow: number): bigint =>
      bits === 64 ? view.getBigUint64(at + wide, true) : BigInt(view.getUint32(at + narrow, true));
    return { address: word(16, 8), bytes: word(40, 20), alignment: word(48, 28) };
  }
  return undefined;
}

/** The bytes from the start of the program's storage to the thread pointer. */
function distance({ address, bytes, alignment }: ThreadLocalSegment): bigint {
  const mask = alignment > 1n ? alignment - 1n : 0n;
  return bytes + (-(address + bytes) & mask);
}

async function word(target: Target, address: bigint, bytes: 4 | 8, thread: number): Promise<bigint | undefined> {
  const read = await target.readMemory('virtual', address, bytes, thread);
  if (read.length < bytes) return undefined;
  return bytes === 8 ? viewOf(read).getBigUint64(0, true) : BigInt(viewOf(read).getUint32(0, true));
}

/** The segment of the program whose ELF header is in the guest's memory. */
async function inMemory(target: Target, header: bigint, thread: number): Promise<ThreadLocalSegment | undefined> {
  const tables = elfTables(await target.readMemory('virtual', header, ELF_HEADER_BYTES, thread));
  if (tables === undefined) return undefined;
  const bytes = tables.count * tables.entryBytes;
  return threadLocalSegment(tables, await target.readMemory('virtual', header + BigInt(tables.at), bytes, thread));
}

/**
 * Address of a variable of the program's own storage.
 * @param header where the client's program has its ELF header in memory
 * @throws Error saying why it cannot be known
 */
export async function threadLocalAddress(
  target: Target,
  thread: number,
  offset: bigint,
  wordBytes: 4 | 8,
  header: bigint | undefined,
): Promise<bigint> {
  const segment = (header === undefined ? undefined : await inMemory(target, header, thread)) ?? target.threadLocal;
  if (segment === undefined)
    throw new Error(
      `the program's PT_TLS says where thread-local variables lie: its ELF header is not in memory (${HEADER_SYMBOL}), and the guest's image has none`,
    );
  const base = wordBytes === 8 ? 'fs_base' : 'gs_base';
  const pointer = (await target.readRegisters(thread, [base])).values[base];
  if (pointer === undefined) throw new Error(`${base} is not known`);
  if (pointer === 0n || (await word(target, pointer, wordBytes, thread)) !== pointer)
    throw new Error(
      `thread ${thread + 1} has no thread-local storage now: ${base} is 0x${pointer.toString(16)}, and no thread control block, which begins with its own address, is there`,
    );
  return BigInt.asUintN(wordBytes * 8, pointer - distance(segment) + offset);
}
