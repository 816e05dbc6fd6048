// Moves and integer operations of SSE in compiled code: they ask for no mode and raise nothing.
import type { DecodedUop } from './decoded.js';
import { formOf, inMemory, isWide, source, type VectorCode, type VectorScope, vectorOperation } from './vector-code.js';
import { type SimdOp, V128 } from './wasm-writer.js';

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
};

/** Elements of `bytes` bytes by number, those of the second operand from 16 / bytes on, as a shuffle of bytes. */
const lanes = (bytes: number, order: readonly number[]): number[] =>
  order.flatMap((lane) => Array.from({ length: bytes }, (_, n) => lane * bytes + n));

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

const NONE: readonly number[] = [];

function made(uop: DecodedUop, write: VectorCode['write'], more: Partial<VectorCode> = {}): VectorCode {
  return {
    bytes: 16,
    aligned: true,
    writesMemory: false,
    quick: false,
    reads: inMemory(uop) ? [uop.r] : [uop.r, uop.rm],
    writes: [uop.r],
    readsGeneral: NONE,
    writesGeneral: NONE,
    write,
    ...more,
  };
}

/** Two operands, the first of which the result replaces. */
const binary = (uop: DecodedUop, operate: (scope: VectorScope) => void): VectorCode =>
  made(uop, (scope) => {
    scope.code.get(scope.xmm(uop.r));
    source(scope);
    operate(scope);
    scope.code.set(scope.xmm(uop.r));
  });

/** One operand. */
const unary = (uop: DecodedUop, operate: (scope: VectorScope) => void): VectorCode =>
  made(
    uop,
    (scope) => {
      source(scope);
      operate(scope);
      scope.code.set(scope.xmm(uop.r));
    },
    { reads: inMemory(uop) ? NONE : [uop.rm] },
  );

function arithmetic(uop: DecodedUop): VectorCode | undefined {
  const operation = vectorOperation(uop);
  const same = SAME[operation];
  if (same) return binary(uop, ({ code }) => code.simd(same));
  const shuffle = SHUFFLES[operation];
  if (shuffle) return binary(uop, ({ code }) => code.simd('i8x16.shuffle', ...shuffle));
  const imm = Number(uop.immediate & 255n);
  switch (operation) {
    case 'PANDN':
      // WebAssembly inverts its second operand
      return made(uop, (scope) => {
        source(scope);
        scope.code.get(scope.xmm(uop.r)).simd('v128.andnot').set(scope.xmm(uop.r));
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
      return binary(uop, ({ code }) => {
        code.simd('i8x16.shuffle', ...lanes(8, [imm & 1, 2 + ((imm >> 1) & 1)]));
      });
    default:
      return undefined;
  }
}

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
  switch (vectorOperation(uop)) {
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

function shifted(uop: DecodedUop): VectorCode | undefined {
  const count = Number(uop.immediate & 255n);
  const operation = vectorOperation(uop);
  const operands = { reads: [uop.rm], writes: [uop.rm] };
  const bytes = operation === 'PSRLDQ' ? count : operation === 'PSLLDQ' ? 16 - Math.min(16, count) : undefined;
  if (bytes !== undefined) {
    return made(
      uop,
      ({ code, xmm }) => {
        // bytes of the register before or behind zeros
        const order = Array.from({ length: 16 }, (_, n) => Math.min(bytes, 16) + n);
        if (operation === 'PSRLDQ') code.get(xmm(uop.rm)).v128Zero();
        else code.v128Zero().get(xmm(uop.rm));
        code.simd('i8x16.shuffle', ...order).set(xmm(uop.rm));
      },
      operands,
    );
  }
  const shift = SHIFTS[operation];
  if (!shift) return undefined;
  const [op, bits] = shift;
  return made(
    uop,
    ({ code, xmm }) => {
      if (count < bits) code.get(xmm(uop.rm)).i32(count).simd(op);
      else if (op.endsWith('shr_s'))
        code
          .get(xmm(uop.rm))
          .i32(bits - 1)
          .simd(op);
      else code.v128Zero();
      code.set(xmm(uop.rm));
    },
    operands,
  );
}

const MASKS: Record<string, SimdOp> = {
  PMOVMSKB: 'i8x16.bitmask',
  MOVMSKPS: 'i32x4.bitmask',
  MOVMSKPD: 'i64x2.bitmask',
};

function moved(name: string, uop: DecodedUop): VectorCode | undefined {
  const { r, rm } = uop;
  const memory = inMemory(uop);
  const loose = { aligned: false };
  switch (name) {
    case 'execScalarLoad': {
      const single = formOf(uop) === 2;
      if (memory) {
        return made(
          uop,
          ({ code, pointer, xmm }) =>
            code
              .get(pointer)
              .v128LoadZero(single ? 4 : 8)
              .set(xmm(r)),
          {
            ...loose,
            bytes: single ? 4 : 8,
            reads: NONE,
          },
        );
      }
      const order = single ? lanes(4, [4, 1, 2, 3]) : lanes(8, [2, 1]);
      return binary(uop, ({ code }) => code.simd('i8x16.shuffle', ...order));
    }
    case 'execScalarStore':
    case 'execMovqStore': {
      if (!memory) return undefined;
      const single = name === 'execScalarStore' && formOf(uop) === 2;
      return made(
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
      return made(
        uop,
        ({ code, pointer, xmm }) => {
          if (memory) code.get(pointer).v128LoadZero(8);
          else code.v128Zero().get(xmm(rm)).simd('i64x2.extract_lane', 0).simd('i64x2.replace_lane', 0);
          code.set(xmm(r));
        },
        { ...loose, bytes: 8, reads: memory ? NONE : [rm] },
      );
    case 'execMovdLoad': {
      const wide = isWide(uop);
      return made(
        uop,
        ({ code, pointer, xmm, gpr }) => {
          if (memory) code.get(pointer).v128LoadZero(wide ? 8 : 4);
          else {
            code.v128Zero().get(gpr(rm));
            if (!wide) code.i64(0xffffffffn).op('i64.and');
            code.simd('i64x2.replace_lane', 0);
          }
          code.set(xmm(r));
        },
        { ...loose, bytes: wide ? 8 : 4, reads: NONE, readsGeneral: memory ? NONE : [rm] },
      );
    }
    case 'execMovdStore': {
      const wide = isWide(uop);
      return made(
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
      return made(
        uop,
        ({ code, pointer, xmm }) => {
          code.get(xmm(r));
          if (memory) code.get(pointer).memory('i64.load', 0);
          else code.get(xmm(rm)).simd('i64x2.extract_lane', from);
          code.simd('i64x2.replace_lane', to).set(xmm(r));
        },
        { ...loose, bytes: 8 },
      );
    }
    case 'execHalfStore': {
      const lane = vectorOperation(uop) === 'HIGH_HALF' ? 1 : 0;
      return made(
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
      return made(uop, ({ code, xmm, gpr }) => code.get(xmm(rm)).simd(mask).op('i64.extend_u').set(gpr(r)), {
        reads: [rm],
        writes: NONE,
        writesGeneral: [r],
      });
    }
    default:
      return undefined;
  }
}

export function integerCode(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execVector':
      return arithmetic(uop);
    case 'execVectorUnary':
      return oneOperand(uop);
    case 'execVectorShiftImmediate':
      return shifted(uop);
    default:
      return moved(name, uop);
  }
}
