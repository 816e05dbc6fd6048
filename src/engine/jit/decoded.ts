// Decoded blocks as they lie in the core's memory: what a region is made of. See core/uop.ts and core/decode/cache.ts.
import { type NumberedUop, OP_NEXT, UOPS } from '../../spec/uops/index.js';

export const UOP_BYTES = 32;
export const BLOCK_HEADER = 32;
const UF_HIGH_R = 0x1000;
const UF_HIGH_RM = 0x2000;

/** One micro-op; `row` is undefined for those that call a handler. */
export interface DecodedUop {
  readonly at: number;
  readonly op: number;
  readonly row: NumberedUop | undefined;
  readonly r: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  /** Offset of the next instruction from the block's start, and the number of the first of its own in the block. */
  readonly next: number;
  readonly nth: number;
  readonly immediate: bigint;
  /** ah, ch, dh or bh: register number + 4. */
  readonly highR: boolean;
  readonly highRm: boolean;
  /** Condition in the opcode's low bits. */
  readonly cc: number;
  /** Offset of a branch's target from the block's start. */
  readonly target: number;
}

export interface DecodedBlock {
  /** Address of the header. */
  readonly at: number;
  readonly hpa: number;
  readonly mode: number;
  /** x86 instructions. */
  readonly instructions: number;
  readonly bytes: number;
  /** Host page in which it goes on; 0: it lies in one. */
  readonly secondPage: number;
  readonly uops: readonly DecodedUop[];
}

const ROWS = new Map<number, NumberedUop>(UOPS.map((uop) => [uop.number, uop]));

function decodedUop(memory: DataView, at: number): DecodedUop {
  const op = memory.getUint16(at, true);
  const flags = memory.getUint32(at + 24, true);
  return {
    at,
    op,
    row: ROWS.get(op),
    r: memory.getUint8(at + 2),
    rm: memory.getUint8(at + 3),
    base: memory.getUint8(at + 4),
    index: memory.getUint8(at + 5),
    scale: memory.getUint8(at + 6),
    displacement: memory.getInt32(at + 8, true),
    next: memory.getUint16(at + 12, true),
    nth: memory.getUint8(at + 15),
    immediate: memory.getBigUint64(at + 16, true),
    highR: (flags & UF_HIGH_R) !== 0,
    highRm: (flags & UF_HIGH_RM) !== 0,
    cc: (flags >>> 16) & 15,
    target: memory.getInt32(at + 28, true),
  };
}

/** Reads the block whose header lies at an address; its micro-ops end with the one that ends the block. */
export function decodedBlock(memory: DataView, at: number): DecodedBlock {
  const instructions = memory.getUint16(at + 12, true);
  const bytes = memory.getUint16(at + 14, true);
  const uops: DecodedUop[] = [];
  for (let u = at + BLOCK_HEADER; ; u += UOP_BYTES) {
    const uop = decodedUop(memory, u);
    uops.push(uop);
    if (uop.op === OP_NEXT || uop.next >= bytes) break;
  }
  return {
    at,
    hpa: memory.getUint32(at, true),
    mode: memory.getUint32(at + 4, true),
    instructions,
    bytes,
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
