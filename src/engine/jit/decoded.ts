// Decoded blocks as they lie in the core's memory: what a region is made of. See core/uop.ts and core/decode/cache.ts.
import { FIRST_HANDLER } from '../../spec/opcodes/handlers.js';
import { factsOf, type NumberedUop, OP_END, OP_NEXT, OP_REGION, UOPS } from '../../spec/uops/index.js';
import { BLOCK_HASH, BLOCK_HASH_ENTRIES } from '../core/layout.js';
import { type Called, leanHandler, numberedHandler } from './handlers.js';

export const UOP_BYTES = 32;
export const BLOCK_HEADER = 32;
/** UL_* of core/uop.ts, beside the length. */
const UL_LENGTH = 0x3f;
const UL_DEVICE = 0x80;
const UL_COMPILED = 0x40;
const UF_HIGH_R = 0x1000;
const UF_HIGH_RM = 0x2000;

const ROWS = new Map<number, NumberedUop>(UOPS.map((uop) => [uop.number, uop]));

/** One micro-op, each word of it read once; `row` is undefined for those that call a handler. */
export class DecodedUop {
  readonly op: number;
  readonly row: NumberedUop | undefined;
  /** Where there is no row, or its guard does not hold. */
  readonly handler: Called | undefined;
  readonly r: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  /** Segment of the memory operand, overrides applied. */
  readonly segment: number;
  readonly displacement: number;
  /** Offset of the next instruction from the block's start, and the number of the first of its own in the block. */
  readonly next: number;
  /** Offset of the instruction itself: of a fused pair, of the first. */
  readonly start: number;
  readonly nth: number;
  /** Of the instruction in bytes; of a fused pair both. */
  readonly length: number;
  /** ah, ch, dh or bh: register number + 4. */
  readonly highR: boolean;
  readonly highRm: boolean;
  /** UF_* of core/uop.ts. */
  readonly flags: number;
  /** Condition in the opcode's low bits. */
  readonly cc: number;
  /** Where a branch was joined with the comparison: its length; else 0. */
  readonly branchBytes: number;
  /** Offset of a branch's target from the block's start; of vector instructions UV_* of core/uop.ts. */
  readonly target: number;
  /** Its access has met a device: where the TLB has no page, the instruction runs alone. */
  readonly device: boolean;
  readonly #memory: DataView;

  constructor(
    memory: DataView,
    readonly at: number,
  ) {
    const operands = memory.getUint32(at, true);
    const address = memory.getUint32(at + 4, true);
    const place = memory.getUint32(at + 12, true);
    const flags = memory.getUint32(at + 24, true);
    const op = operands & 0xffff;
    const row = ROWS.get(op);
    const marks = (place >>> 16) & 0xff;
    this.#memory = memory;
    this.op = op;
    this.row = row;
    this.handler = row ? undefined : handlerOf(op);
    this.r = (operands >>> 16) & 0xff;
    this.rm = operands >>> 24;
    this.base = address & 0xff;
    this.index = (address >>> 8) & 0xff;
    this.scale = (address >>> 16) & 0xff;
    this.segment = address >>> 24;
    this.displacement = memory.getInt32(at + 8, true);
    this.next = place & 0xffff;
    this.length = marks & UL_LENGTH;
    this.start = this.next - this.length;
    this.nth = place >>> 24;
    this.highR = (flags & UF_HIGH_R) !== 0;
    this.highRm = (flags & UF_HIGH_RM) !== 0;
    this.flags = flags;
    this.cc = (flags >>> 16) & 15;
    this.branchBytes = row?.fused ? (flags >>> 24) & 15 : 0;
    this.target = memory.getInt32(at + 28, true);
    this.device = row !== undefined && (marks & UL_DEVICE) !== 0 && mayMeetDevices(row);
  }

  /** Seldom asked for, so read when it is. */
  get immediate(): bigint {
    return this.#memory.getBigUint64(this.at + 16, true);
  }
}

export interface DecodedBlock {
  /** Address of the header. */
  readonly at: number;
  readonly hpa: number;
  readonly mode: number;
  /** x86 instructions. */
  readonly instructions: number;
  readonly bytes: number;
  /** Where the direct branch at its end leads to, by offset; 0: there is none. */
  readonly branch: number;
  /** Host page in which it goes on; 0: it lies in one. */
  readonly secondPage: number;
  readonly uops: readonly DecodedUop[];
}

function handlerOf(op: number): Called | undefined {
  if (op >= FIRST_HANDLER) return numberedHandler(op);
  return op >= OP_END ? leanHandler(op - OP_END) : undefined;
}

/** What ends its block, leaves out its body, or asks for the vector state first is left to the interpreter at a device. */
function mayMeetDevices({ row, fused, body }: NumberedUop): boolean {
  return !row.guard && !fused && !factsOf(body).ends && !body.some(({ step }) => step === 'skipIf');
}

/** From now on a region knows which of the block's micro-ops have met a device. */
export function noteCompiled(memory: DataView, { uops }: DecodedBlock): void {
  for (const { at } of uops) {
    const mark = memory.getUint8(at + 14);
    if ((mark & UL_DEVICE) !== 0) memory.setUint8(at + 14, mark | UL_COMPILED);
  }
}

/** Reads the block whose header lies at an address; its micro-ops end with the one that ends the block. */
export function decodedBlock(memory: DataView, at: number): DecodedBlock {
  const instructions = memory.getUint16(at + 12, true);
  const bytes = memory.getUint16(at + 14, true);
  const uops: DecodedUop[] = [];
  for (let u = at + BLOCK_HEADER; ; u += UOP_BYTES) {
    const uop = new DecodedUop(memory, u);
    uops.push(uop);
    if (uop.op === OP_NEXT || uop.next >= bytes) break;
  }
  return {
    at,
    hpa: memory.getUint32(at, true),
    mode: memory.getUint32(at + 4, true),
    instructions,
    bytes,
    branch: memory.getInt32(at + 28, true),
    secondPage: memory.getUint32(at + 16, true),
    uops,
  };
}

/** The block up to an offset where another one starts; undefined when no instruction starts there. */
export function cutBlock(block: DecodedBlock, offset: number): DecodedBlock | undefined {
  const n = block.uops.findIndex(({ next }) => next === offset);
  const behind = block.uops[n + 1];
  if (n < 0 || behind === undefined || behind.op === OP_NEXT) return undefined;
  return { ...block, bytes: offset, instructions: behind.nth, uops: block.uops.slice(0, n + 1) };
}

/** Where instructions of the block behind its first one begin, by offset; with the micro-op that begins there or holds it. */
export function instructionStarts(block: DecodedBlock): { offset: number; uop: number }[] {
  return block.uops.flatMap(({ op, next, branchBytes }, uop) => {
    if (op === OP_NEXT) return [];
    const behind = next < block.bytes ? [{ offset: next, uop: uop + 1 }] : [];
    return branchBytes === 0 ? behind : [{ offset: next - branchBytes, uop }, ...behind];
  });
}

const PAGE_CHAINS = 64;

/** Descriptor of a host page with decoded code; 0: it has none. */
function pageOf(memory: DataView, page: number): number {
  let at = memory.getUint32(BLOCK_HASH + ((page >>> 12) & (BLOCK_HASH_ENTRIES - 1)) * 4, true);
  while (at !== 0 && memory.getUint32(at, true) !== page) at = memory.getUint32(at + 4, true);
  return at;
}

const chainOf = (page: number, hpa: number): number =>
  page + 16 + (((hpa >>> 2) ^ (hpa >>> 8)) & (PAGE_CHAINS - 1)) * 4;

const isRegion = (memory: DataView, block: number): boolean =>
  memory.getUint16(block + BLOCK_HEADER, true) === OP_REGION;

/** Address of the decoded block at a host address in a mode; 0: there is none. */
export function findDecoded(memory: DataView, hpa: number, mode: number): number {
  const page = pageOf(memory, (hpa & -4096) >>> 0);
  if (page === 0) return 0;
  let block = memory.getUint32(chainOf(page, hpa), true);
  while (block !== 0) {
    const fits = memory.getUint32(block, true) === hpa && memory.getUint32(block + 4, true) === mode;
    if (fits && !isRegion(memory, block)) return block;
    block = memory.getUint32(block + 8, true);
  }
  return 0;
}
