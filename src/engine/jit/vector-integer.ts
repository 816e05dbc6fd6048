// Moves and integer operations of SSE in compiled code: they ask for no mode and raise nothing.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  formOf,
  highOf,
  highSource,
  inMemory,
  isVex,
  isWhole,
  isWide,
  setHigh,
  source,
  type VectorCode,
  type VectorScope,
  vectorOperation,
} from './vector-code.js';
import { type FunctionWriter, type MemoryOp, type SimdOp, V128 } from './wasm-writer.js';

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
    bytes: isWhole(uop) ? 32 : 16,
    aligned: !isVex(uop),
    writesMemory: false,
    asksMode: true,
    quick: false,
    reads: inMemory(uop) ? [firstOf(uop)] : [firstOf(uop), uop.rm],
    writes: [uop.r],
    readsGeneral: NONE,
    writesGeneral: NONE,
    write,
    ...more,
  };
}

/** Two operands: `operate` takes them, of one half and then of the other, and answers the result. */
const binary = (
  uop: DecodedUop,
  operate: (scope: VectorScope, high: boolean) => void,
  whole = isWhole(uop),
): VectorCode =>
  made(uop, (scope) => {
    const { code, xmm } = scope;
    code.get(xmm(firstOf(uop)));
    source(scope);
    operate(scope, false);
    code.set(xmm(uop.r));
    if (!whole) clearHigh(scope);
    else {
      setHigh(code, uop.r, () => {
        highOf(code, firstOf(uop));
        highSource(scope);
        operate(scope, true);
      });
    }
  });

/** One operand. */
const unary = (uop: DecodedUop, operate: (scope: VectorScope) => void): VectorCode =>
  made(
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

/** Shifts by an immediate: the destination is the first operand of the legacy form, VEX.vvvv of the other. */
function shifted(uop: DecodedUop): VectorCode | undefined {
  const count = Number(uop.immediate & 255n);
  const operation = vectorOperation(uop);
  const to = isVex(uop) ? firstOf(uop) : uop.rm;
  const shift = (operate: (code: FunctionWriter) => void): VectorCode =>
    made(
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
      return made(
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
      const [op, lanes] = mask;
      return made(
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
      return made(
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
      return made(
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
    case 'execVzeroupper':
      return made(
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
