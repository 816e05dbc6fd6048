// Elements and halves of vectors in compiled code: inserted, extracted, widened, chosen, shifted by a register's count.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  highOf,
  inMemory,
  isVex,
  isWhole,
  isWide,
  madeVector,
  opcodeOf,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
} from './vector-code.js';
import { type FunctionWriter, I64, type MemoryOp, type SimdOp, V128 } from './wasm-writer.js';

/** VEX.W is 1 outside 64-bit mode: UV_VEX_W without UV_W of core/uop.ts. */
const isWideOutside64 = ({ target }: DecodedUop): boolean => (target & 0xc0) === 0x80;

interface Element {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly load: MemoryOp;
  readonly store: MemoryOp;
  readonly extract: SimdOp;
  readonly replace: SimdOp;
}
const BYTES: Element = {
  bytes: 1,
  load: 'i32.load8_u',
  store: 'i32.store8',
  extract: 'i8x16.extract_lane_u',
  replace: 'i8x16.replace_lane',
};
const WORDS: Element = {
  bytes: 2,
  load: 'i32.load16_u',
  store: 'i32.store16',
  extract: 'i16x8.extract_lane_u',
  replace: 'i16x8.replace_lane',
};
const DOUBLEWORDS: Element = {
  bytes: 4,
  load: 'i32.load',
  store: 'i32.store',
  extract: 'i32x4.extract_lane',
  replace: 'i32x4.replace_lane',
};
const QUADWORDS: Element = {
  bytes: 8,
  load: 'i64.load',
  store: 'i64.store',
  extract: 'i64x2.extract_lane',
  replace: 'i64x2.replace_lane',
};

/** PINSRB 20, PINSRW C4, PINSRD and PINSRQ 22; PEXTRB 14, PEXTRW 15 and C5, PEXTRD and PEXTRQ 16, EXTRACTPS 17. */
function elementOf(uop: DecodedUop): Element {
  switch (opcodeOf(uop)) {
    case 0x14:
    case 0x20:
      return BYTES;
    case 0x15:
    case 0xc4:
    case 0xc5:
      return WORDS;
    case 0x17:
      return DOUBLEWORDS;
    default:
      return isWide(uop) ? QUADWORDS : DOUBLEWORDS;
  }
}

const laneOf = (uop: DecodedUop, { bytes }: Element): number => Number(uop.immediate & BigInt(16 / bytes - 1));

function inserted(uop: DecodedUop): VectorCode | undefined {
  if (isWideOutside64(uop)) return undefined;
  const element = elementOf(uop);
  const memory = inMemory(uop);
  return madeVector(
    uop,
    (scope) => {
      const { code, xmm, gpr, pointer } = scope;
      code.get(xmm(firstOf(uop)));
      if (memory) code.get(pointer).memory(element.load, 0);
      else {
        code.get(gpr(uop.rm));
        if (element !== QUADWORDS) code.op('i32.wrap');
      }
      code.simd(element.replace, laneOf(uop, element)).set(xmm(uop.r));
      clearHigh(scope);
    },
    { bytes: element.bytes, aligned: false, reads: [firstOf(uop)], readsGeneral: memory ? [] : [uop.rm] },
  );
}

/** @param from the vector; the other register is the general one */
function extracted(uop: DecodedUop, from: number, to: number): VectorCode | undefined {
  if (isWideOutside64(uop)) return undefined;
  const element = elementOf(uop);
  const memory = inMemory(uop);
  return madeVector(
    uop,
    ({ code, xmm, gpr, pointer }) => {
      if (memory) code.get(pointer);
      code.get(xmm(from)).simd(element.extract, laneOf(uop, element));
      if (memory) {
        code.memory(element.store, 0);
        return;
      }
      if (element !== QUADWORDS) code.op('i64.extend_u');
      code.set(gpr(to));
    },
    {
      bytes: element.bytes,
      aligned: false,
      writesMemory: memory,
      reads: [from],
      writes: [],
      writesGeneral: memory ? [] : [to],
    },
  );
}

/** PMOVSX (2x) and PMOVZX (3x) by the low digit of the opcode: from and to elements of so many bytes. */
const WIDENED = [
  [1, 2],
  [1, 4],
  [1, 8],
  [2, 4],
  [2, 8],
  [4, 8],
] as const;

function widened(uop: DecodedUop): VectorCode | undefined {
  const opcode = opcodeOf(uop);
  const signs = opcode < 0x30 ? 's' : 'u';
  const [from, to] = WIDENED[opcode & 15];
  const half = (8 * from * 2) / to;
  const bytes = isWhole(uop) ? half * 2 : half;
  const memory = inMemory(uop);
  if (memory && bytes < 4) return undefined;
  const steps = (
    [
      [1, 'i16x8', 'i8x16'],
      [2, 'i32x4', 'i16x8'],
      [4, 'i64x2', 'i32x4'],
    ] as const
  )
    .filter(([size]) => size >= from && size < to)
    .map(([, wide, narrow]) => [wide, narrow] as const);
  const widen = (code: FunctionWriter, high: boolean): void => {
    steps.forEach(([wide, narrow], n) => {
      code.simd(
        `${wide}.extend_${high && n === 0 && steps.length === 1 ? 'high' : 'low'}_${narrow}_${signs}` as SimdOp,
      );
    });
  };
  return madeVector(
    uop,
    (scope) => {
      const { code, xmm, pointer, temporary } = scope;
      const value = temporary('second', V128);
      if (!memory) code.get(xmm(uop.rm)).set(value);
      else if (bytes === 16) code.get(pointer).v128Load(0).set(value);
      else
        code
          .get(pointer)
          .v128LoadZero(bytes as 4 | 8)
          .set(value);
      code.get(value);
      widen(code, false);
      code.set(xmm(uop.r));
      if (!isWhole(uop)) {
        clearHigh(scope);
        return;
      }
      setHigh(code, uop.r, () => {
        code.get(value);
        if (steps.length > 1) code.i32(half * 8).simd('i64x2.shr_u');
        widen(code, true);
      });
    },
    { bytes: bytes as 4 | 8 | 16, aligned: false, reads: memory ? [] : [uop.rm] },
  );
}

function insertedHalf(uop: DecodedUop): VectorCode {
  return madeVector(
    uop,
    (scope) => {
      const { code, xmm, temporary } = scope;
      const value = temporary('second', V128);
      const first = firstOf(uop);
      source(scope);
      code.set(value);
      if (uop.immediate & 1n) {
        setHigh(code, uop.r, () => code.get(value));
        code.get(xmm(first)).set(xmm(uop.r));
      } else {
        setHigh(code, uop.r, () => highOf(code, first));
        code.get(value).set(xmm(uop.r));
      }
    },
    { bytes: 16 },
  );
}

function extractedHalf(uop: DecodedUop): VectorCode {
  const memory = inMemory(uop);
  return madeVector(
    uop,
    (scope) => {
      const { code, xmm, pointer } = scope;
      if (memory) code.get(pointer);
      if (uop.immediate & 1n) highOf(code, uop.r);
      else code.get(xmm(uop.r));
      if (memory) {
        code.v128Store(0);
        return;
      }
      code.set(xmm(uop.rm));
      clearHigh(scope, uop.rm);
    },
    { bytes: 16, writesMemory: memory, reads: [uop.r], writes: memory ? [] : [uop.rm] },
  );
}

/** Shifts by the low quadword of the source: the operation, and the bits of an element. */
export function shiftedByCount(uop: DecodedUop, op: SimdOp, bits: number): VectorCode {
  const arithmetic = op.endsWith('shr_s');
  return madeVector(
    uop,
    (scope: VectorScope) => {
      const { code, xmm, temporary } = scope;
      const count = temporary('count', I64);
      source(scope);
      code.simd('i64x2.extract_lane', 0).set(count);
      if (arithmetic) {
        // more than there are leave the sign
        code.get(count).i64(BigInt(bits - 1));
        code.get(count).i64(BigInt(bits)).op('i64.lt_u', 'select').set(count);
      }
      const shift = (): void => {
        code.get(count).op('i32.wrap').simd(op);
        if (arithmetic) return;
        code.v128Zero().get(count).i64(BigInt(bits)).op('i64.lt_u', 'select');
      };
      const first = firstOf(uop);
      code.get(xmm(first));
      shift();
      code.set(xmm(uop.r));
      if (!isWhole(uop)) clearHigh(scope);
      else {
        setHigh(code, uop.r, () => {
          highOf(code, first);
          shift();
        });
      }
    },
    { bytes: 16, aligned: !isVex(uop) },
  );
}

export function elementCode(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execInsert':
      return inserted(uop);
    case 'execExtract':
      return extracted(uop, uop.r, uop.rm);
    case 'execExtractWord':
      return extracted(uop, uop.rm, uop.r);
    case 'execExtend':
      return widened(uop);
    case 'execInsert128':
      return insertedHalf(uop);
    case 'execExtract128':
      return extractedHalf(uop);
    default:
      return undefined;
  }
}
