// FCOM, FUCOM, FCOMI and FUCOMI in compiled code: of numbers that are normal or zeros.
import type { DecodedUop } from './decoded.js';
import { inMemory, opcodeOf, type VectorCode, type VectorScope } from './vector-code.js';
import { I32 } from './wasm-writer.js';
import {
  bytesOf,
  CONDITIONS,
  EXPONENT,
  type Extended,
  formOf,
  loadMemory,
  made,
  SIGN,
  Stack,
  wantOrdinary,
} from './x87-stack.js';

const C0_PLACE = 8;
const C3_PLACE = 14;
const ZF_PLACE = 6;

/** Puts into locals whether a is less than b, and whether they are equal. */
function order({ code, temporary }: VectorScope, a: Extended, b: Extended): { less: number; equal: number } {
  const [less, equal] = ['swapped', 'differ'].map((one) => temporary(`x87 ${one}`, I32));
  const [ea, eb] = ['ea', 'eb'].map((one) => temporary(`x87 ${one}`, I32));
  code.get(a.upper).get(b.upper).op('i32.eq').get(a.significand).get(b.significand).op('i64.eq', 'i32.and');
  // two zeros are equal, whatever their signs
  code.get(a.significand).get(b.significand).op('i64.or', 'i64.eqz', 'i32.or').set(equal);
  code.get(a.upper).i32(EXPONENT).op('i32.and').set(ea);
  code.get(b.upper).i32(EXPONENT).op('i32.and').set(eb);
  code.get(ea).get(eb).op('i32.lt_u');
  code.get(ea).get(eb).op('i32.eq').get(a.significand).get(b.significand).op('i64.lt_u', 'i32.and', 'i32.or');
  // magnitudes count where the signs are alike, the other way round of negative numbers
  code.get(a.upper).get(b.upper).op('i32.xor').i32(SIGN).op('i32.and', 'i32.eqz', 'i32.and');
  code.get(a.upper).i32(15).op('i32.shr_u', 'i32.xor');
  code.get(equal).op('i32.eqz', 'i32.and').set(less);
  return { less, equal };
}

/** How often the instruction pops. */
function popsOf(uop: DecodedUop): number {
  const opcode = opcodeOf(uop);
  const form = formOf(uop);
  if (inMemory(uop)) return form === 3 ? 1 : 0;
  // FUCOMPP, FCOMPP
  if (opcode === 0xda || (opcode === 0xde && form === 3)) return 2;
  return (form & 1) !== 0 || opcode === 0xde ? 1 : 0;
}

function operands(scope: VectorScope, stack: Stack): readonly [Extended, Extended] {
  const { uop } = scope;
  const top = stack.register(0);
  stack.want(top, true);
  const memory = inMemory(uop);
  const other = memory ? top : stack.register(uop.rm);
  if (other.bit !== top.bit) stack.want(other, true);
  stack.settled();
  const a = stack.load(top, 'a');
  wantOrdinary(scope, a);
  if (memory) return [a, loadMemory(scope)];
  if (other.bit === top.bit) return [a, a];
  const b = stack.load(other, 'b');
  wantOrdinary(scope, b);
  return [a, b];
}

/** FCOM and FUCOM: C3, C2 and C0. */
export function compare(uop: DecodedUop): VectorCode {
  const memory = inMemory(uop);
  return made(
    (scope) => {
      const { code } = scope;
      const stack = new Stack(scope);
      const { less, equal } = order(scope, ...operands(scope, stack));
      const marks = (): void => {
        code.get(less).i32(C0_PLACE).op('i32.shl').get(equal).i32(C3_PLACE).op('i32.shl', 'i32.or');
      };
      stack.pop(popsOf(uop));
      stack.end(marks, CONDITIONS);
    },
    memory ? { bytes: bytesOf(uop) } : {},
  );
}

/** FCOMI and FUCOMI: ZF when equal, CF when less. */
export const compareFlags = (uop: DecodedUop): VectorCode =>
  made((scope) => {
    const { code } = scope;
    const stack = new Stack(scope);
    const { less, equal } = order(scope, ...operands(scope, stack));
    stack.pop(opcodeOf(uop) === 0xdf ? 1 : 0);
    stack.end();
    code.get(less).get(equal).i32(ZF_PLACE).op('i32.shl', 'i32.or');
    scope.setStatus();
  });
