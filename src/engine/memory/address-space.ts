/** All of a linear address space, by the guest's paging structures. */
import { CR4, EFER } from '../../spec/masks.js';
import { type PagingState, pagingMode } from './guest-walk.js';

/** A page, or neighbouring ones as one. */
export interface Mapping {
  gva: bigint;
  gpa: bigint;
  bytes: bigint;
  pageBytes: number;
  write: boolean;
  user: boolean;
  execute: boolean;
  /** The pages lie behind one another in guest-physical memory too. */
  contiguous: boolean;
}

/** Reads memory at a guest-physical address; short where it ends. */
export type ReadTable = (gpa: bigint, bytes: number) => Promise<Uint8Array>;

/** Tables may lead to each other: so many are read, and so many pages are told of. */
const MAX_TABLES = 1 << 14;
const MAX_PAGES = 1 << 20;

const ADDRESS = 0xf_ffff_ffff_f000n;
const NX = 1n << 63n;

/** All is looked at; or there was too much. */
export interface Walked {
  whole: boolean;
  /** Pages that are told of at most. */
  most?: number;
}

/**
 * The pages that are present in [from, to], ascending, some at a time; nothing where paging is off.
 * @sdm 3A 4.6 "Access Rights"
 */
export async function* pages(
  state: PagingState,
  read: ReadTable,
  walked: Walked,
  from = 0n,
  to = (1n << 64n) - 1n,
): AsyncGenerator<Mapping[]> {
  const { mode, levels, entryBytes } = pagingMode(state);
  const long = mode === '4-level' || mode === '5-level';
  const width = mode === '5-level' ? 57 : mode === '4-level' ? 48 : 32;
  const known = new Map<bigint, Uint8Array>();
  let tables = 0;
  let found = 0;
  const canonical = (gva: bigint): bigint => (long ? BigInt.asUintN(64, BigInt.asIntN(width, gva)) : gva);

  const tableAt = async (gpa: bigint, bytes: number): Promise<Uint8Array> => {
    const there = known.get(gpa);
    if (there) return there;
    const table = await read(gpa, bytes);
    known.set(gpa, table);
    return table;
  };
  async function* below(
    row: number,
    table: bigint,
    base: bigint,
    rights: { write: boolean; user: boolean; execute: boolean },
  ): AsyncGenerator<Mapping[]> {
    const { shift, bits, mayBeLarge } = levels[row]!;
    if (++tables > MAX_TABLES) {
      walked.whole = false;
      return;
    }
    const count = 1 << Number(bits);
    const data = await tableAt(table, count * entryBytes);
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    let some: Mapping[] = [];
    for (let index = 0; index < count && walked.whole; index++) {
      if ((index + 1) * entryBytes > data.length) break;
      const entry = entryBytes === 8 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true));
      if (!(entry & 1n)) continue;
      const gva = base + (BigInt(index) << shift);
      const first = canonical(gva);
      const bytes = 1n << shift;
      if (first > to || first + bytes - 1n < from) continue;
      // the four entries at the top of PAE have no rights
      const top = mode === 'PAE' && row === 0;
      const here = top
        ? rights
        : {
            write: rights.write && (entry & 2n) !== 0n,
            user: rights.user && (entry & 4n) !== 0n,
            execute: rights.execute && !((state.efer & EFER.NXE) !== 0n && (entry & NX) !== 0n),
          };
      const pse = mode !== '32-bit' || (state.cr4 & CR4.PSE) !== 0n;
      const large = mayBeLarge && pse && (entry & 0x80n) !== 0n;
      if (!large && row < levels.length - 1) {
        if (some.length > 0) yield some;
        some = [];
        yield* below(row + 1, mode === '32-bit' ? entry & 0xffff_f000n : entry & ADDRESS, gva, here);
        continue;
      }
      if (++found > (walked.most ?? MAX_PAGES)) {
        walked.whole = false;
        break;
      }
      const gpa =
        mode === '32-bit' && large
          ? (entry & 0xffc0_0000n) | (((entry >> 13n) & 0xffn) << 32n)
          : (mode === '32-bit' ? entry & 0xffff_f000n : entry & ADDRESS) & ~(bytes - 1n);
      some.push({ gva: first, gpa, bytes, pageBytes: Number(bytes), ...here, contiguous: true });
    }
    if (some.length > 0) yield some;
  }
  if (levels.length === 0) return;
  const table = mode === 'PAE' ? state.cr3 & 0xffff_ffe0n : long ? state.cr3 & ADDRESS : state.cr3 & 0xffff_f000n;
  yield* below(0, table, 0n, { write: true, user: true, execute: true });
}

/** Neighbours with the same rights and sizes of pages as one; `part` tells what is never one with another. */
export async function* merged(
  list: AsyncIterable<readonly Mapping[]>,
  part: (gva: bigint) => string | undefined,
): AsyncGenerator<Mapping & { name?: string }> {
  let run: (Mapping & { name?: string }) | undefined;
  for await (const some of list)
    for (const page of some) {
      const name = part(page.gva);
      const alike =
        run &&
        run.gva + run.bytes === page.gva &&
        run.pageBytes === page.pageBytes &&
        run.write === page.write &&
        run.user === page.user &&
        run.execute === page.execute &&
        run.name === name;
      if (run && alike) {
        run.contiguous &&= run.gpa + run.bytes === page.gpa;
        run.bytes += page.bytes;
        continue;
      }
      if (run) yield run;
      run = { ...page, ...(name === undefined ? {} : { name }) };
    }
  if (run) yield run;
}
