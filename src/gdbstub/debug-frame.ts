/**
 * A .debug_frame section: how a debugger gets from a frame to its caller's. Written from rows that say the same for
 * pieces of code in order. @dwarf "Call Frame Information"
 */

export interface FrameRow {
  address: bigint;
  /** What the place holds: a return address just below it, a `struct pt_regs`, or an interrupt's frame; outside: no code. */
  frame: 'call' | 'registers' | 'interrupt' | 'none' | 'outside';
  /** The place: DWARF register + offset, with one load before or after the sum. */
  register: number;
  offset: number;
  load?: 'first' | 'last';
  /** A description of its own begins here. */
  first?: true;
  /** RBP's slot from the place; absent: RBP is unchanged. */
  rbp?: number;
  /** The slot counts from RBP itself. */
  rbpFrom?: 'rbp';
}

const RSP = 7;
const RBP = 6;
const RIP = 16;
/** Registers that a callee keeps and of which nothing is said. */
const KEPT = [3, 12, 13, 14, 15];
/** Quadwords from the start of `struct pt_regs`. @linux arch/x86/include/asm/ptrace.h */
const PT_REGS: readonly [register: number, slot: number][] = [
  [15, 0],
  [14, 1],
  [13, 2],
  [12, 3],
  [6, 4],
  [3, 5],
  [11, 6],
  [10, 7],
  [9, 8],
  [8, 9],
  [0, 10],
  [2, 11],
  [1, 12],
  [4, 13],
  [5, 14],
  [RIP, 16],
  [RSP, 19],
];
const INTERRUPT_FRAME: readonly [register: number, slot: number][] = [
  [RIP, 0],
  [RSP, 3],
];
const CFA = {
  advance1: 0x02,
  advance4: 0x04,
  sameValue: 0x08,
  undefined: 0x07,
  defineCfa: 0x0c,
  defineOffset: 0x0e,
  defineExpression: 0x0f,
  expression: 0x10,
  offsetExtendedSigned: 0x11,
  defineCfaSigned: 0x12,
  advance: 0x40,
  offset: 0x80,
};
const OP = { deref: 0x06, plus: 0x22, consts: 0x11, breg: 0x70 };
/** A debugger runs a description from its start: a short one is found sooner than a long one is run. */
const ROWS_IN_ONE = 48;
const WORD = 8;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; ) {
    const byte = left & 0x7f;
    left >>>= 7;
    if (left === 0) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; ) {
    const byte = left & 0x7f;
    left >>= 7;
    if ((left === 0 && (byte & 0x40) === 0) || (left === -1 && (byte & 0x40) !== 0)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

/** Rules of a row; `before` are those in force. */
function rules(row: FrameRow, before: FrameRow | undefined): number[] {
  const { frame, register, offset, load, rbp, rbpFrom } = row;
  const out: number[] = [];
  const samePlace = before?.frame !== 'none' && before?.register === register && !before.load && !load;
  if (frame === 'none') return [CFA.defineCfa, RSP, WORD, CFA.undefined, RIP];
  if (load !== undefined) {
    const sum = load === 'last' ? [...signed(offset), OP.deref] : [0, OP.deref, OP.consts, ...signed(offset), OP.plus];
    out.push(CFA.defineExpression, sum.length + 1, OP.breg + register, ...sum);
  } else if (offset < 0) {
    out.push(CFA.defineCfaSigned, register, ...signed(offset / -WORD));
  } else if (samePlace) {
    if (before?.offset !== offset) out.push(CFA.defineOffset, ...unsigned(offset));
  } else out.push(CFA.defineCfa, register, ...unsigned(offset));
  if (before?.frame === frame && before.rbp === rbp && before.rbpFrom === rbpFrom) return out;
  if (frame === 'call') {
    if (before?.frame !== frame) out.push(CFA.offset | RIP, 1);
    if (rbp === undefined) out.push(CFA.sameValue, RBP);
    else if (rbpFrom) {
      const slot = [OP.breg + RBP, ...signed(rbp)];
      out.push(CFA.expression, RBP, slot.length, ...slot);
    } else out.push(CFA.offsetExtendedSigned, RBP, ...signed(rbp / -WORD));
    return out;
  }
  for (const [saved, slot] of frame === 'registers' ? PT_REGS : INTERRUPT_FRAME) {
    out.push(CFA.offsetExtendedSigned, saved, ...signed(-slot));
  }
  return out;
}

/** A growing buffer. */
class Writer {
  bytes = Buffer.alloc(1 << 20);
  length = 0;

  room(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length)]);
  }

  push(values: readonly number[]): void {
    this.room(values.length);
    for (const value of values) this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.room(4);
    this.length = this.bytes.writeUInt32LE(value, this.length);
  }

  u64(value: bigint): void {
    this.room(8);
    this.length = this.bytes.writeBigUInt64LE(value, this.length);
  }
}

/** Begins an entry; the function that it answers ends it and puts its length at its start. */
function entry(out: Writer): () => void {
  const start = out.length;
  out.u32(0);
  return () => {
    while ((out.length - start - 4) % WORD !== 4) out.push([0]);
    out.bytes.writeUInt32LE(out.length - start - 4, start);
  };
}

function common(out: Writer, augmentation: string): number {
  const start = out.length;
  const end = entry(out);
  out.u32(0xffff_ffff);
  const text = [...augmentation].map((letter) => letter.charCodeAt(0));
  // version 1; code in bytes, data in quadwords downwards; the return address is RIP; no augmentation data
  out.push([1, ...text, 0, ...unsigned(1), ...signed(-WORD), RIP, 0]);
  out.push([CFA.defineCfa, RSP, WORD, CFA.offset | RIP, 1]);
  for (const register of KEPT) out.push([CFA.undefined, register]);
  end();
  return start;
}

function advance(out: Writer, bytes: number): void {
  if (bytes < 0x40) out.push([CFA.advance | bytes]);
  else if (bytes < 0x100) out.push([CFA.advance1, bytes]);
  else {
    out.push([CFA.advance4]);
    out.u32(bytes);
  }
}

/**
 * Pauses after each description, since a kernel has hundreds of thousands of rows; yields the bytes so far.
 * @param rows by address; the last only ends the one before it.
 */
export function* buildDebugFrame(rows: Iterable<FrameRow>): Generator<number, Uint8Array> {
  const out = new Writer();
  const calls = common(out, 'z');
  // a frame that an interrupt broke off: its address is no return address
  const interrupted = common(out, 'zS');
  let run: FrameRow[] = [];
  const isCall = (row: FrameRow): boolean => row.frame === 'call' || row.frame === 'none';
  const together = (a: FrameRow, b: FrameRow): boolean => (isCall(a) ? isCall(b) : a.frame === b.frame);
  const flush = (stop: bigint): void => {
    const [first] = run;
    if (first === undefined || stop <= first.address) return;
    const end = entry(out);
    out.u32(isCall(first) ? calls : interrupted);
    out.u64(first.address);
    out.u64(stop - first.address);
    out.push([0]);
    let before: FrameRow | undefined;
    for (const row of run) {
      if (before !== undefined) advance(out, Number(row.address - before.address));
      out.push(rules(row, before));
      before = row;
    }
    end();
  };
  for (const row of rows) {
    const last = run.at(-1);
    if (last !== undefined && (row.first || run.length >= ROWS_IN_ONE || !together(last, row))) {
      flush(row.address);
      run = [];
      yield out.length;
    }
    if (row.frame !== 'outside') run.push(row);
  }
  flush(run.pop()?.address ?? 0n);
  return out.bytes.subarray(0, out.length);
}
