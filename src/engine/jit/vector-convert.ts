// Conversions between integers and floating point, and between the formats, in compiled code.
import type { DecodedUop } from './decoded.js';
import {
  clearHigh,
  firstOf,
  inMemory,
  isVex,
  isWhole,
  isWide,
  source,
  type VectorCode,
  vectorOperation,
} from './vector-code.js';
import {
  constant,
  DOUBLE,
  type Format,
  formatOf,
  isLarge,
  isOrdinary,
  isRoomy,
  made,
  op,
  SINGLE,
  scalarSource,
  setLowest,
} from './vector-number.js';
import { I64, type Op, V128 } from './wasm-writer.js';

/** From an integer: exact from 32 bits to double. */
function fromInteger(uop: DecodedUop, format: Format): VectorCode {
  const wide = isWide(uop);
  const memory = inMemory(uop);
  const rounds = wide || format === SINGLE;
  return made(uop, format, true, {
    bytes: wide ? 8 : 4,
    quick: rounds,
    reads: [firstOf(uop)],
    readsGeneral: memory ? [] : [uop.rm],
    write(scope) {
      const { code, gpr, pointer, temporary, giveUpIf } = scope;
      const value = temporary('whole', I64);
      const result = temporary(`${format.scalar} r`, format.type);
      if (memory) code.get(pointer).memory(wide ? 'i64.load' : 'i32.load', 0);
      else {
        code.get(gpr(uop.rm));
        if (!wide) code.op('i32.wrap');
      }
      if (!wide) code.op('i64.extend_s');
      code.set(value);
      if (rounds) {
        scope.whilePrecise(() => {
          // the bits from the highest that counts to the lowest
          code.i64(64n).get(value).get(value).i64(63n).op('i64.shr_s', 'i64.xor', 'i64.clz', 'i64.sub');
          code.get(value).op('i64.ctz', 'i64.sub').i64(BigInt(format.precision)).op('i64.gt_s');
          giveUpIf();
        });
      }
      code.get(value).op(op(format, 'convert_i64_s')).set(result);
      setLowest(scope, format, result);
    },
  });
}

/** To an integer, by cutting off or to the nearest. */
function toInteger(uop: DecodedUop, format: Format, cut: boolean): VectorCode {
  const wide = isWide(uop);
  return made(uop, format, true, {
    reads: inMemory(uop) ? [] : [uop.rm],
    writes: [],
    writesGeneral: [uop.r],
    write(scope) {
      const { code, temporary, giveUpIf, gpr } = scope;
      const [a, whole] = ['a', 'r'].map((one) => temporary(`${format.scalar} ${one}`, format.type));
      scalarSource(scope, format).set(a);
      isOrdinary(code, format, a);
      // with room for rounding to the nearest
      constant(code.get(a).op(op(format, 'abs')), format, wide ? 2 ** 62 : 2 ** 30).op(op(format, 'le'));
      code.op('i32.and', 'i32.eqz');
      giveUpIf();
      code
        .get(a)
        .op(op(format, cut ? 'trunc' : 'nearest'))
        .set(whole);
      scope.whilePrecise(() => {
        code.get(whole).get(a).op(op(format, 'ne'));
        giveUpIf();
      });
      code.get(whole).op(`${wide ? 'i64' : 'i32'}.trunc_${format.scalar}_s` as Op);
      if (!wide) code.op('i64.extend_u');
      code.set(gpr(uop.r));
    },
  });
}

function otherFormat(uop: DecodedUop): VectorCode {
  const from = formatOf(uop);
  const to = from === DOUBLE ? SINGLE : DOUBLE;
  return made(uop, from, true, {
    quick: from === DOUBLE,
    write(scope) {
      const { code, temporary, giveUpIf } = scope;
      const a = temporary(`${from.scalar} a`, from.type);
      const result = temporary(`${to.scalar} r`, to.type);
      scalarSource(scope, from).set(a);
      code
        .get(a)
        .op(from === DOUBLE ? 'f32.demote_f64' : 'f64.promote_f32')
        .set(result);
      // a zero, or normal and finite with room below
      isLarge(code.get(a), from);
      constant(code.get(a).op(op(from, 'abs')), from, from.greatest).op(op(from, 'le'), 'i32.and');
      isRoomy(code, to, result);
      code.op('i32.and');
      constant(code.get(a), from, 0).op(op(from, 'eq'), 'i32.or', 'i32.eqz');
      giveUpIf();
      if (from === DOUBLE) {
        scope.whilePrecise(() => {
          code.get(result).op('f64.promote_f32').get(a).op('f64.ne');
          giveUpIf();
        });
      }
      setLowest(scope, to, result);
    },
  });
}

/** CVTDQ2PD of 128 bits, which is exact, and CVTDQ2PS. */
function packedFromInteger(uop: DecodedUop): VectorCode | undefined {
  const operation = vectorOperation(uop);
  const memory = inMemory(uop);
  const reads = memory ? [] : [uop.rm];
  if (operation === 'CVTDQ2PD' && !isWhole(uop)) {
    return made(uop, DOUBLE, false, {
      bytes: 8,
      aligned: false,
      quick: false,
      reads,
      write(scope) {
        const { code, xmm, pointer } = scope;
        if (memory) code.get(pointer).v128LoadZero(8);
        else code.get(xmm(uop.rm));
        code.simd('f64x2.convert_low_i32x4_s').set(xmm(uop.r));
        clearHigh(scope);
      },
    });
  }
  if (operation !== 'CVTDQ2PS' || isWhole(uop)) return undefined;
  return made(uop, SINGLE, false, {
    aligned: !isVex(uop),
    reads,
    write(scope) {
      const { code, xmm, temporary, giveUpIf } = scope;
      const value = temporary('second', V128);
      source(scope);
      code.set(value);
      scope.whilePrecise(() => {
        // what has no more than 24 bits is not rounded; the least integer stays negative
        code.get(value).simd('i32x4.abs').i32(24).simd('i32x4.shr_u').v128Zero().simd('i32x4.eq');
        code.simd('i32x4.all_true').op('i32.eqz');
        giveUpIf();
      });
      code.get(value).simd('f32x4.convert_i32x4_s').set(xmm(uop.r));
      clearHigh(scope);
    },
  });
}

export function convertCode(name: string, uop: DecodedUop): VectorCode | undefined {
  const format = formatOf(uop);
  switch (name) {
    case 'execConvertFromInteger':
      return fromInteger(uop, format);
    case 'execConvertToInteger':
      return toInteger(uop, format, vectorOperation(uop).startsWith('CVTT'));
    case 'execConvertScalar':
      return otherFormat(uop);
    case 'execConvertPacked':
      return packedFromInteger(uop);
    default:
      return undefined;
  }
}
