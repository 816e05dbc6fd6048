// Moves of SSE and AVX in compiled code, masks of signs, and what is little more than a move.
import { MXCSR } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import {
  binary,
  clearHigh,
  firstOf,
  formOf,
  highOf,
  highSource,
  inMemory,
  isWhole,
  isWide,
  lanes,
  madeVector,
  setHigh,
  source,
  type VectorCode,
  vectorOperation,
} from './vector-code.js';
import type { MemoryOp, SimdOp } from './wasm-writer.js';

const NONE: readonly number[] = [];

/** Signs of the elements, and how many there are. */
const MASKS: Record<string, readonly [SimdOp, number]> = {
  PMOVMSKB: ['i8x16.bitmask', 16],
  MOVMSKPS: ['i32x4.bitmask', 4],
  MOVMSKPD: ['i64x2.bitmask', 2],
};

interface Broadcast {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly load: MemoryOp;
  readonly splat: SimdOp;
  readonly extract: SimdOp;
}
const BYTES: Broadcast = { bytes: 1, load: 'i32.load8_u', splat: 'i8x16.splat', extract: 'i32x4.extract_lane' };
const WORDS: Broadcast = { bytes: 2, load: 'i32.load16_u', splat: 'i16x8.splat', extract: 'i32x4.extract_lane' };
const DOUBLEWORDS: Broadcast = { bytes: 4, load: 'i32.load', splat: 'i32x4.splat', extract: 'i32x4.extract_lane' };
const QUADWORDS: Broadcast = { bytes: 8, load: 'i64.load', splat: 'i64x2.splat', extract: 'i64x2.extract_lane' };
/** One element in all places. */
const BROADCASTS: Record<string, Broadcast> = {
  PBROADCASTB: BYTES,
  PBROADCASTW: WORDS,
  PBROADCASTD: DOUBLEWORDS,
  PBROADCASTQ: QUADWORDS,
  BROADCASTSS: DOUBLEWORDS,
  BROADCASTSD: QUADWORDS,
};

export function moveCode(name: string, uop: DecodedUop): VectorCode | undefined {
  const { r, rm } = uop;
  const memory = inMemory(uop);
  const loose = { aligned: false };
  switch (name) {
    case 'execScalarLoad': {
      const single = formOf(uop) === 2;
      if (memory) {
        return madeVector(
          uop,
          (scope) => {
            scope.code
              .get(scope.pointer)
              .v128LoadZero(single ? 4 : 8)
              .set(scope.xmm(r));
            clearHigh(scope);
          },
          {
            ...loose,
            bytes: single ? 4 : 8,
            reads: NONE,
          },
        );
      }
      const order = single ? lanes(4, [4, 1, 2, 3]) : lanes(8, [2, 1]);
      return binary(uop, ({ code }) => code.simd('i8x16.shuffle', ...order), false);
    }
    case 'execScalarStore':
    case 'execMovqStore': {
      if (!memory) return undefined;
      const single = name === 'execScalarStore' && formOf(uop) === 2;
      return madeVector(
        uop,
        ({ code, pointer, xmm }) => {
          code.get(pointer).get(xmm(r));
          if (single) code.simd('i32x4.extract_lane', 0).memory('i32.store', 0);
          else code.simd('i64x2.extract_lane', 0).memory('i64.store', 0);
        },
        { ...loose, bytes: single ? 4 : 8, writesMemory: true, reads: [r], writes: NONE },
      );
    }
    case 'execMovqLoad':
      return madeVector(
        uop,
        (scope) => {
          const { code, pointer, xmm } = scope;
          if (memory) code.get(pointer).v128LoadZero(8);
          else code.v128Zero().get(xmm(rm)).simd('i64x2.extract_lane', 0).simd('i64x2.replace_lane', 0);
          code.set(xmm(r));
          clearHigh(scope);
        },
        { ...loose, bytes: 8, reads: memory ? NONE : [rm] },
      );
    case 'execMovdLoad': {
      const wide = isWide(uop);
      return madeVector(
        uop,
        (scope) => {
          const { code, pointer, xmm, gpr } = scope;
          if (memory) code.get(pointer).v128LoadZero(wide ? 8 : 4);
          else {
            code.v128Zero().get(gpr(rm));
            if (!wide) code.i64(0xffffffffn).op('i64.and');
            code.simd('i64x2.replace_lane', 0);
          }
          code.set(xmm(r));
          clearHigh(scope);
        },
        { ...loose, bytes: wide ? 8 : 4, reads: NONE, readsGeneral: memory ? NONE : [rm] },
      );
    }
    case 'execMovdStore': {
      const wide = isWide(uop);
      return madeVector(
        uop,
        ({ code, pointer, xmm, gpr }) => {
          if (memory) code.get(pointer);
          code.get(xmm(r));
          if (wide) code.simd('i64x2.extract_lane', 0);
          else code.simd('i32x4.extract_lane', 0);
          if (memory) code.memory(wide ? 'i64.store' : 'i32.store', 0);
          else {
            if (!wide) code.op('i64.extend_u');
            code.set(gpr(rm));
          }
        },
        {
          ...loose,
          bytes: wide ? 8 : 4,
          writesMemory: memory,
          reads: [r],
          writes: NONE,
          writesGeneral: memory ? NONE : [rm],
        },
      );
    }
    case 'execHalfLoad': {
      const operation = vectorOperation(uop);
      const from = operation === 'HIGH_TO_LOW' ? 1 : 0;
      const to = operation === 'LOW_HALF' || operation === 'HIGH_TO_LOW' ? 0 : 1;
      return madeVector(
        uop,
        (scope) => {
          const { code, pointer, xmm } = scope;
          code.get(xmm(firstOf(uop)));
          if (memory) code.get(pointer).memory('i64.load', 0);
          else code.get(xmm(rm)).simd('i64x2.extract_lane', from);
          code.simd('i64x2.replace_lane', to).set(xmm(r));
          clearHigh(scope);
        },
        { ...loose, bytes: 8 },
      );
    }
    case 'execHalfStore': {
      const lane = vectorOperation(uop) === 'HIGH_HALF' ? 1 : 0;
      return madeVector(
        uop,
        ({ code, pointer, xmm }) => {
          code.get(pointer).get(xmm(r)).simd('i64x2.extract_lane', lane).memory('i64.store', 0);
        },
        { ...loose, bytes: 8, writesMemory: true, reads: [r], writes: NONE },
      );
    }
    case 'execMoveMask': {
      const mask = MASKS[vectorOperation(uop)];
      if (!mask) return undefined;
      const [op, lanes] = mask;
      return madeVector(
        uop,
        ({ code, xmm, gpr }) => {
          code.get(xmm(rm)).simd(op);
          if (isWhole(uop)) highOf(code, rm).simd(op).i32(lanes).op('i32.shl', 'i32.or');
          code.op('i64.extend_u').set(gpr(r));
        },
        { reads: [rm], writes: NONE, writesGeneral: [r] },
      );
    }
    case 'execBroadcast': {
      const broadcast = BROADCASTS[vectorOperation(uop)];
      if (!broadcast) return undefined;
      const { bytes, load, splat, extract } = broadcast;
      return madeVector(
        uop,
        (scope) => {
          const { code, pointer, xmm } = scope;
          if (memory) code.get(pointer).memory(load, 0);
          else code.get(xmm(rm)).simd(extract, 0);
          code.simd(splat).set(xmm(r));
          if (isWhole(uop)) setHigh(code, r, () => code.get(xmm(r)));
          else clearHigh(scope);
        },
        { bytes, reads: memory ? NONE : [rm] },
      );
    }
    case 'execPtest':
      return madeVector(
        uop,
        (scope) => {
          const { code, xmm, setStatus } = scope;
          // ZF: they have no bit in common; CF: the second has none alone
          const test = (op: 'v128.and' | 'v128.andnot'): void => {
            source(scope);
            code.get(xmm(r)).simd(op);
            if (isWhole(uop)) {
              highSource(scope);
              highOf(code, r).simd(op).simd('v128.or');
            }
            code.simd('v128.any_true').op('i32.eqz');
          };
          test('v128.and');
          code.i32(6).op('i32.shl');
          test('v128.andnot');
          code.op('i32.or');
          setStatus();
        },
        { reads: memory ? [r] : [r, rm], writes: NONE },
      );
    case 'execStmxcsr':
      return madeVector(
        uop,
        ({ code, pointer }) => {
          code.get(pointer).i32(0).memory('i32.load', MXCSR).memory('i32.store', 0);
        },
        { bytes: 4, aligned: false, writesMemory: true, reads: NONE, writes: NONE },
      );
    case 'execLdmxcsr':
      return madeVector(
        uop,
        ({ code, pointer, giveUpIf, lookAtMode }) => {
          code.get(pointer).memory('i32.load', 0).i32(16).op('i32.shr_u');
          giveUpIf();
          code.i32(0).get(pointer).memory('i32.load', 0).memory('i32.store', MXCSR);
          lookAtMode();
        },
        { bytes: 4, aligned: false, reads: NONE, writes: NONE },
      );
    case 'execVzeroupper':
      return madeVector(
        uop,
        ({ code, long }) => {
          for (let n = 0; n < (long ? 16 : 8); n++) setHigh(code, n, () => code.v128Zero());
        },
        { reads: NONE, writes: NONE },
      );
    default:
      return undefined;
  }
}
