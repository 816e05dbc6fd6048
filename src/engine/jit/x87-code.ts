// x87 instructions in compiled code, in their usual case: no exception is met, none is pending. Moves between registers are
// written out here; x87-arithmetic.ts, x87-compare.ts and x87-memory.ts have the rest.
import { ALWAYS_ONE, bitsOf, FCW } from '../../spec/flags.js';
import { CR0, X87, X87_FCW, X87_FSW } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { inMemory, opcodeOf, type VectorCode, type VectorScope } from './vector-code.js';
import { I32 } from './wasm-writer.js';
import { arithmetic, squareRoot } from './x87-arithmetic.js';
import { compare, compareFlags } from './x87-compare.js';
import { x87Memory } from './x87-memory.js';
import { CR0_EM_TS, EXCEPTIONS, FSW_ES, formOf, INTEGER_BIT, made, SIGN, Stack } from './x87-stack.js';

const RAX = 0;
const ONE = 0x3fff;

function exchange(scope: VectorScope): void {
  const stack = new Stack(scope);
  const [top, other] = [stack.register(0), stack.register(scope.uop.rm)];
  stack.want(top, true).want(other, true).settled();
  const [a, b] = [stack.load(top, 'a'), stack.load(other, 'b')];
  stack.store(top, b);
  stack.store(other, a);
  stack.end();
}

/** FCHS, and FABS where the last bit is 1. */
function sign(scope: VectorScope): void {
  const { code, uop } = scope;
  const stack = new Stack(scope);
  const top = stack.register(0);
  stack.want(top, true).settled();
  stack.place(top);
  stack
    .place(top)
    .memory('i32.load16_u', X87 + 8)
    .i32(uop.rm & 1 ? ~SIGN : SIGN);
  code.op(uop.rm & 1 ? 'i32.and' : 'i32.xor').memory('i32.store16', X87 + 8);
  stack.end();
}

function loadRegister(scope: VectorScope): void {
  const stack = new Stack(scope);
  const next = stack.register(-1);
  const from = stack.register(scope.uop.rm);
  stack.want(from, true).want(next, false).settled();
  stack.store(next, stack.load(from, 'a'));
  stack.push();
  stack.end();
}

function storeRegister(scope: VectorScope): void {
  const { uop } = scope;
  const stack = new Stack(scope);
  const [top, to] = [stack.register(0), stack.register(uop.rm)];
  stack.want(top, true).settled();
  stack.store(to, stack.load(top, 'a'));
  stack.tag(to, true);
  if (formOf(uop) === 3 || opcodeOf(uop) === 0xdf) stack.pop();
  stack.end();
}

/** FLD1 and FLDZ, which no rounding mode changes. */
function constant(scope: VectorScope): void {
  const { uop } = scope;
  const one = (uop.rm & 7) === 0;
  const stack = new Stack(scope);
  const next = stack.register(-1);
  stack.want(next, false).settled();
  stack
    .place(next)
    .i64(one ? INTEGER_BIT : 0n)
    .memory('i64.store', X87);
  stack
    .place(next)
    .i32(one ? ONE : 0)
    .memory('i32.store16', X87 + 8);
  stack.push();
  stack.end();
}

/** Leaves it to the handler while CR0 keeps x87 instructions from running: control instructions ask for nothing else. */
function wantPresent({ code, giveUpIf, x87 }: VectorScope): void {
  if (x87.known) return;
  code.i32(0).memory('i32.load', CR0).i32(CR0_EM_TS).op('i32.and');
  giveUpIf();
}

function statusToAx(scope: VectorScope): void {
  const { code, gpr } = scope;
  wantPresent(scope);
  code.get(gpr(RAX)).i64(~0xffffn).op('i64.and');
  code.i32(0).memory('i32.load16_u', X87_FSW).op('i64.extend_u', 'i64.or').set(gpr(RAX));
}

/** FLDCW where no exception is pending then. */
function loadControl(scope: VectorScope): void {
  const { code, pointer, temporary, giveUpIf } = scope;
  const control = temporary('x87 new control', I32);
  const status = temporary('x87 old status', I32);
  wantPresent(scope);
  code.get(pointer).memory('i32.load16_u', 0).i32(bitsOf(FCW)).op('i32.and');
  code.i32(ALWAYS_ONE.FCW).op('i32.or').set(control);
  code.i32(0).memory('i32.load16_u', X87_FSW).tee(status).i32(FSW_ES).op('i32.and');
  code.get(status).get(control).i32(-1).op('i32.xor', 'i32.and').i32(EXCEPTIONS).op('i32.and', 'i32.or');
  giveUpIf();
  code.i32(0).get(control).memory('i32.store16', X87_FCW);
  scope.x87.control = 0;
}

function storeControl(scope: VectorScope): void {
  const { code, pointer } = scope;
  wantPresent(scope);
  code.get(pointer).i32(0).memory('i32.load16_u', X87_FCW).memory('i32.store16', 0);
}

export function x87Code(name: string, uop: DecodedUop): VectorCode | undefined {
  const memory = inMemory(uop);
  switch (name) {
    case 'execX87Arithmetic':
    case 'execX87ArithmeticMemory':
      return arithmetic(uop);
    case 'execX87Unary':
      return (uop.rm & 7) === 2 ? made(squareRoot) : undefined;
    case 'execX87Compare':
    case 'execX87CompareMemory':
      return compare(uop);
    case 'execX87CompareFlags':
      return compareFlags(uop);
    case 'execX87LoadRegister':
      return made(loadRegister);
    case 'execX87StoreRegister':
      return made(storeRegister);
    case 'execX87Constant':
      return (uop.rm & 7) === 0 || (uop.rm & 7) === 6 ? made(constant) : undefined;
    case 'execX87Sign':
      return made(sign);
    case 'execFwait':
      return made((scope) => {
        new Stack(scope).settled();
      });
    case 'execFxch':
      return made(exchange);
    case 'execFnstsw':
      return memory ? undefined : made(statusToAx, { readsGeneral: [RAX], writesGeneral: [RAX] });
    case 'execFldcw':
      return made(loadControl, { bytes: 2 });
    case 'execFnstcw':
      return made(storeControl, { bytes: 2, writesMemory: true });
    default:
      return x87Memory(name, uop);
  }
}
