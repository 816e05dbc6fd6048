// Integer operations of SSE and AVX in compiled code: they ask for no mode and raise nothing.
import type { DecodedUop } from './decoded.js';
import {
  binary,
  clearHigh,
  firstOf,
  highOf,
  highSource,
  inMemory,
  isVex,
  isWhole,
  lanes,
  madeVector,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
  vectorOperation,
} from './vector-code.js';
import { shiftedByCount } from './vector-elements.js';
import { type FunctionWriter, type SimdOp, V128 } from './wasm-writer.js';

/** Operations that are one of WebAssembly's, first operand first. */
const SAME: Record<string, SimdOp> = {
  PADDB: 'i8x16.add',
  PADDW: 'i16x8.add',
  PADDD: 'i32x4.add',
  PADDQ: 'i64x2.add',
  PSUBB: 'i8x16.sub',
  PSUBW: 'i16x8.sub',
  PSUBD: 'i32x4.sub',
  PSUBQ: 'i64x2.sub',
  PADDSB: 'i8x16.add_sat_s',
  PADDSW: 'i16x8.add_sat_s',
  PADDUSB: 'i8x16.add_sat_u',
  PADDUSW: 'i16x8.add_sat_u',
  PSUBSB: 'i8x16.sub_sat_s',
  PSUBSW: 'i16x8.sub_sat_s',
  PSUBUSB: 'i8x16.sub_sat_u',
  PSUBUSW: 'i16x8.sub_sat_u',
  PAVGB: 'i8x16.avgr_u',
  PAVGW: 'i16x8.avgr_u',
  PMINUB: 'i8x16.min_u',
  PMAXUB: 'i8x16.max_u',
  PMINSB: 'i8x16.min_s',
  PMAXSB: 'i8x16.max_s',
  PMINSW: 'i16x8.min_s',
  PMAXSW: 'i16x8.max_s',
  PMINUW: 'i16x8.min_u',
  PMAXUW: 'i16x8.max_u',
  PMINSD: 'i32x4.min_s',
  PMAXSD: 'i32x4.max_s',
  PMINUD: 'i32x4.min_u',
  PMAXUD: 'i32x4.max_u',
  PMULLW: 'i16x8.mul',
  PMULLD: 'i32x4.mul',
  PMADDWD: 'i32x4.dot_i16x8_s',
  PCMPGTB: 'i8x16.gt_s',
  PCMPGTW: 'i16x8.gt_s',
  PCMPGTD: 'i32x4.gt_s',
  PCMPGTQ: 'i64x2.gt_s',
  PCMPEQB: 'i8x16.eq',
  PCMPEQW: 'i16x8.eq',
  PCMPEQD: 'i32x4.eq',
  PCMPEQQ: 'i64x2.eq',
  PAND: 'v128.and',
  POR: 'v128.or',
  PXOR: 'v128.xor',
  PACKSSWB: 'i8x16.narrow_i16x8_s',
  PACKUSWB: 'i8x16.narrow_i16x8_u',
  PACKSSDW: 'i16x8.narrow_i32x4_s',
  PACKUSDW: 'i16x8.narrow_i32x4_u',
};

/** First and second operand's elements by turns, from the low or the high half. */
function interleaved(bytes: number, high: boolean): number[] {
  const count = 16 / bytes;
  const from = high ? count / 2 : 0;
  return lanes(bytes, Array.from({ length: count / 2 }, (_, n) => [from + n, from + n + count]).flat());
}

const SHUFFLES: Record<string, readonly number[]> = {
  PUNPCKLBW: interleaved(1, false),
  PUNPCKLWD: interleaved(2, false),
  PUNPCKLDQ: interleaved(4, false),
  PUNPCKLQDQ: interleaved(8, false),
  PUNPCKHBW: interleaved(1, true),
  PUNPCKHWD: interleaved(2, true),
  PUNPCKHDQ: interleaved(4, true),
  PUNPCKHQDQ: interleaved(8, true),
};
/** Of the second operand where a bit of the immediate is 1: bytes of an element. */
const BLENDS: Record<string, number> = { BLENDPS: 4, PBLENDD: 4, BLENDPD: 8, PBLENDW: 2 };
const EVEN_DOUBLEWORDS = lanes(4, [0, 2, 0, 2]);

/** Shifts by an immediate: the operation and the bits of an element. */
const SHIFTS: Record<string, readonly [SimdOp, number]> = {
  PSRLW: ['i16x8.shr_u', 16],
  PSRAW: ['i16x8.shr_s', 16],
  PSLLW: ['i16x8.shl', 16],
  PSRLD: ['i32x4.shr_u', 32],
  PSRAD: ['i32x4.shr_s', 32],
  PSLLD: ['i32x4.shl', 32],
  PSRLQ: ['i64x2.shr_u', 64],
  PSLLQ: ['i64x2.shl', 64],
};

/** One operand. */
const unary = (uop: DecodedUop, operate: (scope: VectorScope) => void): VectorCode =>
  madeVector(
    uop,
    (scope) => {
      const { code, xmm } = scope;
      source(scope);
      operate(scope);
      code.set(xmm(uop.r));
      if (!isWhole(uop)) clearHigh(scope);
      else {
        setHigh(code, uop.r, () => {
          highSource(scope);
          operate(scope);
        });
      }
    },
    { reads: inMemory(uop) ? [] : [uop.rm] },
  );

function arithmetic(uop: DecodedUop): VectorCode | undefined {
  const operation = vectorOperation(uop);
  const same = SAME[operation];
  if (same) return binary(uop, ({ code }) => code.simd(same));
  const shuffle = SHUFFLES[operation];
  if (shuffle) return binary(uop, ({ code }) => code.simd('i8x16.shuffle', ...shuffle));
  const imm = Number(uop.immediate & 255n);
  const blended = BLENDS[operation];
  if (blended !== undefined) {
    return binary(uop, ({ code }, high) => {
      const count = 16 / blended;
      // words of both halves are chosen alike
      const bits = high && blended !== 2 ? imm >> count : imm;
      const order = Array.from({ length: count }, (_, n) => ((bits >> n) & 1 ? n + count : n));
      code.simd('i8x16.shuffle', ...lanes(blended, order));
    });
  }
  switch (operation) {
    case 'PANDN':
      // WebAssembly inverts its second operand
      return binary(uop, ({ code, temporary }) => {
        const [first, second] = ['first', 'second'].map((one) => temporary(one, V128));
        code.set(second).set(first).get(second).get(first).simd('v128.andnot');
      });
    case 'PSHUFB':
      // of an index bit 7 makes a zero, as all above 15 do in WebAssembly; bits 6:4 do nothing
      return binary(uop, ({ code }) => {
        code.v128Const(new Array<number>(16).fill(0x8f)).simd('v128.and').simd('i8x16.swizzle');
      });
    case 'PALIGNR':
      if (imm >= 32) return undefined;
      return binary(uop, ({ code, temporary }) => {
        const [first, second] = ['first', 'second'].map((one) => temporary(one, V128));
        code.set(second).set(first);
        // the second operand lies below the first, zeros above both
        if (imm < 16) code.get(second).get(first);
        else code.get(first).v128Zero();
        code.simd('i8x16.shuffle', ...Array.from({ length: 16 }, (_, n) => (imm & 15) + n));
      });
    case 'AESENC':
    case 'AESENCLAST':
    case 'AESDEC':
    case 'AESDECLAST':
    case 'PCLMULQDQ':
      return binary(uop, ({ code }) => {
        code
          .i32(uop.target >>> 16)
          .i32(imm)
          .callImport('crypto');
      });
    case 'PMULUDQ':
      return binary(uop, ({ code, temporary }) => {
        const second = temporary('second', V128);
        code
          .set(second)
          .v128Zero()
          .simd('i8x16.shuffle', ...EVEN_DOUBLEWORDS);
        code
          .get(second)
          .v128Zero()
          .simd('i8x16.shuffle', ...EVEN_DOUBLEWORDS)
          .simd('i64x2.extmul_low_i32x4_u');
      });
    case 'SHUFPS':
      return binary(uop, ({ code }) => {
        code.simd('i8x16.shuffle', ...lanes(4, [imm & 3, (imm >> 2) & 3, 4 + ((imm >> 4) & 3), 4 + (imm >> 6)]));
      });
    case 'SHUFPD':
      return binary(uop, ({ code }, high) => {
        const two = high ? imm >> 2 : imm;
        code.simd('i8x16.shuffle', ...lanes(8, [two & 1, 2 + ((two >> 1) & 1)]));
      });
    default:
      return undefined;
  }
}

const ABSOLUTE: Record<string, SimdOp> = { PABSB: 'i8x16.abs', PABSW: 'i16x8.abs', PABSD: 'i32x4.abs' };

function oneOperand(uop: DecodedUop): VectorCode | undefined {
  const imm = Number(uop.immediate & 255n);
  const two = (n: number): number => (imm >> (2 * n)) & 3;
  const shuffled = (order: number[], bytes: number): VectorCode =>
    unary(uop, ({ code, temporary }) => {
      const value = temporary('second', V128);
      code
        .tee(value)
        .get(value)
        .simd('i8x16.shuffle', ...lanes(bytes, order));
    });
  const absolute = ABSOLUTE[vectorOperation(uop)];
  if (absolute) return unary(uop, ({ code }) => code.simd(absolute));
  switch (vectorOperation(uop)) {
    case 'MOVDDUP':
      // in memory it is half as long
      return inMemory(uop) && !isWhole(uop) ? undefined : shuffled([0, 0], 8);
    case 'MOVSLDUP':
      return shuffled([0, 0, 2, 2], 4);
    case 'MOVSHDUP':
      return shuffled([1, 1, 3, 3], 4);
    case 'PERMILPS':
    case 'PSHUFD':
      return shuffled([0, 1, 2, 3].map(two), 4);
    case 'PSHUFLW':
      return shuffled([...[0, 1, 2, 3].map(two), 4, 5, 6, 7], 2);
    case 'PSHUFHW':
      return shuffled([0, 1, 2, 3, ...[0, 1, 2, 3].map((n) => 4 + two(n))], 2);
    default:
      return undefined;
  }
}

/** Shifts by an immediate: the destination is the first operand of the legacy form, VEX.vvvv of the other. */
function shifted(uop: DecodedUop): VectorCode | undefined {
  const count = Number(uop.immediate & 255n);
  const operation = vectorOperation(uop);
  const to = isVex(uop) ? firstOf(uop) : uop.rm;
  const shift = (operate: (code: FunctionWriter) => void): VectorCode =>
    madeVector(
      uop,
      (scope) => {
        const { code, xmm } = scope;
        code.get(xmm(uop.rm));
        operate(code);
        code.set(xmm(to));
        if (!isWhole(uop)) clearHigh(scope, to);
        else {
          setHigh(code, to, () => {
            highOf(code, uop.rm);
            operate(code);
          });
        }
      },
      { reads: [uop.rm], writes: [to] },
    );
  if (operation === 'PSRLDQ' || operation === 'PSLLDQ') {
    const bytes = Math.min(16, count);
    // bytes of the register, behind or before zeros
    const order = Array.from({ length: 16 }, (_, n) =>
      operation === 'PSRLDQ' ? n + bytes : n < bytes ? 16 : n - bytes,
    );
    return shift((code) => code.v128Zero().simd('i8x16.shuffle', ...order));
  }
  const known = SHIFTS[operation];
  if (!known) return undefined;
  const [op, bits] = known;
  return shift((code) => {
    if (count < bits || op.endsWith('shr_s')) code.i32(Math.min(count, bits - 1)).simd(op);
    else code.op('drop').v128Zero();
  });
}

export function integerCode(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execVector':
      return arithmetic(uop);
    case 'execVectorUnary':
      return oneOperand(uop);
    case 'execVectorShiftImmediate':
      return shifted(uop);
    case 'execVectorShift': {
      const shift = SHIFTS[vectorOperation(uop)];
      return shift && shiftedByCount(uop, ...shift);
    }
    default:
      return undefined;
  }
}
