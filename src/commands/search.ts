/** `search`: bytes, text, numbers, and pointers to an address, over all memory or a linear range. */
import { firstExpression } from '../engine/debug/expression/syntax.js';
import type { AddressSpace } from '../engine/debugger.js';
import { merged, pages, type Walked } from '../engine/memory/address-space.js';
import { parseBytes } from './bytes.js';
import { type Command, command, firstValue, need, type Session, valueNow, type Work } from './command.js';
import { spaceOf } from './mappings.js';
import { hex } from './numbers.js';
import { working } from './work.js';

interface Found {
  space: AddressSpace;
  hits: { address: bigint; bytes: Uint8Array }[];
  /** There may be more: the list is full, or its user did not wait. */
  whole: boolean;
  searched: bigint;
}

/** Looks at a piece of memory: where in it the wanted begins. */
export interface Wanted {
  /** Bytes of a match. */
  readonly bytes: number;
  find(memory: Buffer, address: bigint): Iterable<number>;
}

const MAX_HITS = 1000;
/** Read at once. */
const PIECE = 1 << 20;
/** Bytes of a hit that are shown. */
const SHOWN = 16;
const FOUR_GIB = 1n << 32n;
/** A machine with more memory has a hole below 4 GiB, and the rest above. */
const LOW_END = 3n << 30n;

function* occurrences(memory: Buffer, needle: Uint8Array): Iterable<number> {
  for (let at = memory.indexOf(needle); at >= 0; at = memory.indexOf(needle, at + 1)) yield at;
}

const literal = (needle: Uint8Array): Wanted => ({
  bytes: needle.length,
  find: (memory) => occurrences(memory, needle),
});

/** Words of the machine that point into [first, first + length). */
const pointers = (first: bigint, length: bigint, bytes: 4 | 8): Wanted => ({
  bytes,
  *find(memory, address) {
    const last = first + length - 1n;
    const [low, high] = [Number(first & 0xffff_ffffn), Number(first >> 32n)];
    const oneHalf = first >> 32n === last >> 32n;
    const end = Number(last & 0xffff_ffffn);
    const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    const misaligned = Number(address % BigInt(bytes));
    for (let at = misaligned === 0 ? 0 : bytes - misaligned; at + bytes <= memory.length; at += bytes) {
      if (bytes === 8 && oneHalf && view.getUint32(at + 4, true) !== high) continue;
      const word = view.getUint32(at, true);
      if (oneHalf) {
        if (word >= low && word <= end) yield at;
      } else {
        const whole = view.getBigUint64(at, true);
        if (whole >= first && whole <= last) yield at;
      }
    }
  },
});

/** `... in [gva|gpa] START LENGTH`; all physical memory without. */
async function rangeOf(
  session: Session,
  text: string,
): Promise<{ space: 'gva' | 'gpa'; first: bigint; length: bigint }> {
  const [, word, rest = ''] = /^(?:(gva|gpa)\s+)?(.*)$/is.exec(text)!;
  const { value: first, rest: behind } = await firstValue(session, need(rest, 'the start of the range'));
  const { value: length, rest: more } = await firstValue(session, need(behind, 'the length of the range'));
  if (more !== '') throw new Error(`unexpected "${more}"; usage: in [gva|gpa] START LENGTH`);
  if (length === 0n || first + length > 1n << 64n)
    throw new Error(`0x${hex(first)} and 0x${hex(length)} bytes are not a range`);
  return { space: word?.toLowerCase() === 'gpa' ? 'gpa' : 'gva', first, length };
}

const USAGE =
  'usage: search "TEXT" | BYTES | u8..u64 VALUE | pointer ADDR [LENGTH], with "in [gva|gpa] START LENGTH" behind it for a part';

async function wantedOf(session: Session, text: string): Promise<{ wanted: Wanted; rest: string }> {
  const quoted = /^"((?:[^"\\]|\\.)*)"(.*)$/s.exec(text);
  if (quoted) {
    const needle = Buffer.from(JSON.parse(`"${quoted[1]!.replace(/[\x00-\x1f]/g, '')}"`) as string);
    if (needle.length === 0) throw new Error('the text is empty');
    return { wanted: literal(needle), rest: quoted[2]!.trim() };
  }
  const sized = /^u(8|16|32|64)\s+(.*)$/is.exec(text);
  if (sized) {
    const { value, rest } = await firstValue(session, sized[2]!);
    const bytes = Number(sized[1]) / 8;
    if (BigInt.asUintN(bytes * 8, value) !== value) throw new Error(`0x${hex(value)} does not fit in u${sized[1]}`);
    const needle = Buffer.alloc(8);
    needle.writeBigUInt64LE(value);
    return { wanted: literal(needle.subarray(0, bytes)), rest };
  }
  const pointer = /^pointers?\s+(.*)$/is.exec(text);
  if (pointer) {
    const { value: first, rest } = await firstValue(session, pointer[1]!);
    if (rest === '' || /^in\b/i.test(rest)) return { wanted: pointers(first, 1n, await pointerBytes(session)), rest };
    const { expression, rest: behind } = firstExpression(rest);
    const length = await valueNow(session, expression);
    if (length === 0n) throw new Error('a length of 0');
    return { wanted: pointers(first, length, await pointerBytes(session)), rest: behind };
  }
  const bytes = /^((?:(?:0x)?[0-9a-f]{2}\s*)+)(?=$|\bin\b)(.*)$/is.exec(text);
  if (!bytes) throw new Error(USAGE);
  return { wanted: literal(parseBytes(bytes[1]!)), rest: bytes[2]!.trim() };
}

/** What `search` takes, or any other words as the text that they are. @throws Error in one line */
export async function memoryPattern(session: Session, text: string): Promise<Wanted> {
  const own = /^(?:"|u(?:8|16|32|64)\s|pointers?\s)|^(?:(?:0x)?[0-9a-f]{2}\s*)+$/i.test(text);
  if (!own) return literal(new TextEncoder().encode(text));
  const { wanted, rest } = await wantedOf(session, text);
  if (rest !== '') throw new Error(`unexpected "${rest}": / searches from the cursor on`);
  return wanted;
}

async function pointerBytes(session: Session): Promise<4 | 8> {
  const { efer = 0n } = await session.debug.readRegisters(session.vcpu, ['efer']);
  return efer & 0x400n ? 8 : 4;
}

/** The parts of a range in which there can be memory. */
async function* partsOf(
  session: Session,
  range: { space: 'gva' | 'gpa'; first: bigint; length: bigint } | undefined,
): AsyncGenerator<{ first: bigint; length: bigint }> {
  if (range === undefined) {
    const memory = BigInt((await session.info()).memoryBytes);
    yield { first: 0n, length: memory > LOW_END ? FOUR_GIB + memory : memory };
    return;
  }
  const { state, paging, read } = await spaceOf(session);
  if (range.space === 'gpa' || !paging) {
    yield range;
    return;
  }
  const end = range.first + range.length;
  const walked: Walked = { whole: true };
  for await (const { gva, bytes } of merged(pages(state, read, walked, range.first, end - 1n), () => undefined)) {
    // the walk's pages may begin before the range and end behind it
    let [first, last] = [gva, gva + bytes];
    if (first < range.first) first = range.first;
    if (last > end) last = end;
    if (last > first) yield { first, length: last - first };
  }
}

async function search(session: Session, text: string): Promise<Found> {
  const { wanted, rest } = await wantedOf(session, need(text, 'the text, bytes or number to search for'));
  const inside = /^in\b(.*)$/is.exec(rest);
  if (rest !== '' && !inside) throw new Error(`unexpected "${rest}"; ${USAGE}`);
  const range = inside ? await rangeOf(session, inside[1]!.trim()) : undefined;
  const space = range?.space ?? 'gpa';
  const total = range?.length ?? BigInt((await session.info()).memoryBytes);
  return working(session, 'searching memory', async (work) => {
    const found: Found = { space, hits: [], whole: true, searched: 0n };
    for await (const { first, length } of partsOf(session, range)) {
      await searchPart(session, found, wanted, first, length, work, total);
      if (!found.whole) break;
    }
    return found;
  });
}

async function searchPart(
  session: Session,
  found: Found,
  wanted: Wanted,
  first: bigint,
  length: bigint,
  work: Work,
  total: bigint,
): Promise<void> {
  const { debug, vcpu } = session;
  const end = first + length;
  /** What the last piece ended with, for what lies over the border. */
  let before: Uint8Array = new Uint8Array(0);
  for (let at = first; at < end; ) {
    if (work.cancelled) {
      found.whole = false;
      return;
    }
    const want = Number(end - at < BigInt(PIECE) ? end - at : BigInt(PIECE));
    const piece = await debug.readMemory(found.space, at, want, vcpu);
    const memory = Buffer.concat([before, piece]);
    const base = at - BigInt(before.length);
    for (const offset of wanted.find(memory, base)) {
      if (found.hits.length === MAX_HITS) {
        found.whole = false;
        return;
      }
      found.hits.push({
        address: base + BigInt(offset),
        bytes: Uint8Array.from(memory.subarray(offset, offset + SHOWN)),
      });
    }
    found.searched += BigInt(piece.length);
    work.share(Math.min(1, Number(found.searched) / Number(total)));
    before =
      piece.length < want
        ? new Uint8Array(0)
        : Uint8Array.from(memory.subarray(Math.max(0, memory.length - wanted.bytes + 1)));
    // where nothing is, it is looked for further on: behind the page, or in a hole by larger steps
    const next = piece.length === 0 ? 65536n : piece.length < want ? 4096n - ((at + BigInt(piece.length)) % 4096n) : 0n;
    at += BigInt(piece.length) + next;
    if (piece.length < want) before = new Uint8Array(0);
  }
}

const shown = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');

export const SEARCH_COMMANDS: readonly Command[] = [
  command({
    name: 'search',
    usage: '"TEXT" | BYTES | u8..u64 VALUE | pointer ADDR [LENGTH] [in [gva|gpa] START LENGTH]',
    help: 'where it lies in all physical memory, or in a part',
    effect: 'looks',
    page: true,
    words: ['u8', 'u16', 'u32', 'u64', 'pointer', 'in', 'gva', 'gpa'],
    kinds: ['address', 'register'],
    run: search,
    text: async ({ space, hits, whole }, session) => {
      const symbols = await session.symbols();
      const lines = hits.map(({ address, bytes }) => {
        const label = space === 'gva' ? symbols.label(address) : undefined;
        const digits = Buffer.from(bytes)
          .toString('hex')
          .replace(/../g, '$& ')
          .padEnd(SHOWN * 3);
        return `${space} ${hex(address, 16)}  ${digits} ${shown(bytes)}${label ? `  ${label}` : ''}`;
      });
      const count = hits.length === 0 ? 'not found' : `${hits.length} found`;
      return [...lines, whole ? count : `${count}; the rest was not looked at`].join('\n');
    },
    places: ({ space, hits }) => hits.map(({ address }) => ({ space, address })),
  }),
];
