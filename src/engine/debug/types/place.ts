/** Parts of what variables lie in, and the numbers that are there. */
import type { VariablePlace } from '../../debugger.js';
import { type Expression, ExpressionError } from '../expression/syntax.js';
import { sum } from './location.js';

const number = (value: bigint): Expression => ({ kind: 'number', value, at: 0 });

function shifted(a: Expression, bits: number): Expression {
  return bits === 0 ? a : { kind: 'binary', op: '>>', a, b: number(BigInt(bits)), at: 0 };
}

const narrow = (a: Expression, bits: number, signed: boolean): Expression =>
  bits >= 64 ? a : { kind: 'extend', a, bits, signed, at: 0 };

/** What begins so many bytes behind the start of a place. */
export function placeFrom(place: VariablePlace, offset: number): VariablePlace {
  if (offset === 0) return place;
  switch (place.kind) {
    case 'memory':
      return { kind: 'memory', address: sum(place.address, BigInt(offset)) };
    case 'value':
      return offset < 8
        ? { kind: 'value', value: shifted(place.value, offset * 8) }
        : { kind: 'none', why: 'it is not whole' };
    case 'bytes':
      return { kind: 'bytes', bytes: place.bytes.subarray(offset) };
    case 'pieces': {
      let at = 0;
      for (const [index, piece] of place.pieces.entries()) {
        const bytes = piece.bits / 8;
        if (offset < at + bytes) {
          const inner = offset - at;
          const first = {
            bits: piece.bits - inner * 8,
            ...(piece.place ? { place: placeFrom(piece.place, inner) } : {}),
          };
          return { kind: 'pieces', pieces: [first, ...place.pieces.slice(index + 1)] };
        }
        at += bytes;
      }
      return { kind: 'none', why: 'optimized out' };
    }
    default:
      return place;
  }
}

/** The smallest number of bytes that memory is read by and that holds so many bits. */
function width(bits: number): 1 | 2 | 4 | 8 {
  return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

/**
 * The number of so many bits, from a bit of a place on. @throws ExpressionError where it lies nowhere, or is larger
 * than what is computed with
 */
export function loadBits(place: VariablePlace, from: number, bits: number, signed: boolean): Expression {
  const start = placeFrom(place, from >> 3);
  const shift = from & 7;
  if (shift + bits > 64) {
    if (bits > 64) throw new ExpressionError(`a number of ${bits} bits: numbers here have 64`);
    const low = loadBits(place, from, 56 - shift, false);
    const high = loadBits(place, from + 56 - shift, bits - 56 + shift, signed);
    return or(low, high, 56 - shift);
  }
  switch (start.kind) {
    case 'memory': {
      const bytes = width(shift + bits);
      const isWhole = shift === 0 && bytes * 8 === bits;
      const loaded: Expression = {
        ...{ kind: 'memory', space: 'gva', address: start.address, bytes, signed: isWhole && signed, at: 0 },
      };
      return isWhole ? loaded : narrow(shifted(loaded, shift), bits, signed);
    }
    case 'value':
      return narrow(shifted(start.value, shift), bits, signed);
    case 'bytes': {
      const bytes = start.bytes.subarray(0, 8);
      if (bytes.length * 8 < shift + bits) throw new ExpressionError('it is not whole');
      const all = bytes.reduceRight((total, byte) => (total << 8n) | BigInt(byte), 0n) >> BigInt(shift);
      return number(BigInt.asUintN(64, signed ? BigInt.asIntN(bits, all) : BigInt.asUintN(bits, all)));
    }
    case 'pieces': {
      const [first] = start.pieces;
      if (first?.place === undefined) throw new ExpressionError('optimized out');
      const own = first.bits - shift;
      if (own >= bits) return loadBits(first.place, shift, bits, signed);
      const low = loadBits(first.place, shift, own, false);
      const rest: VariablePlace = { kind: 'pieces', pieces: start.pieces.slice(1) };
      return or(low, loadBits(rest, 0, bits - own, signed), own);
    }
    case 'none':
      throw new ExpressionError(start.why);
  }
}

const or = (low: Expression, high: Expression, bits: number): Expression => ({
  kind: 'binary',
  op: '|',
  a: low,
  b: { kind: 'binary', op: '<<', a: high, b: number(BigInt(bits)), at: 0 },
  at: 0,
});
