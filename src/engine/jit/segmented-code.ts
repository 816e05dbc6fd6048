// Instructions of 16-bit code in compiled code: segment registers in real-address mode, single LODS, STOS and MOVS through
// segments, products and quotients of 8 and 16 bits. Whatever is not usual is the handler's.
import { bitsOf, CR0 as CR0_BITS } from '../../spec/flags.js';
import { binary, compare, type Expression, gpr, rm, type Size, zext } from '../../spec/uops/expression.js';
import {
  CR0,
  GPR,
  READ_ROOMS,
  RFLAGS,
  SEG_AR,
  SEG_BASE,
  SEG_DS,
  SEG_ES,
  SEG_GS,
  SEG_SELECTOR,
  SEGMENT_BYTES,
  SEGMENTS,
  TLB_READ,
  TLB_WRITE,
  WRITE_ROOMS,
} from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { stackPlace } from './stack-place.js';
import { inMemory, inPlace, type VectorCode, type VectorScope } from './vector-code.js';
import { I32, I64, type MemoryOp } from './wasm-writer.js';

const RAX = 0;
const RDX = 2;
const RSP = 4;
const RSI = 6;
const RDI = 7;
const CR0_PE = bitsOf(CR0_BITS, 'PE');
/** UF_REP and UF_REPNE of core/uop.ts. */
const REPEATED = 0x60;
const DIRECTION = 10;
const CARRY_AND_OVERFLOW = 0x801;

const operandBytes = ({ flags }: DecodedUop): number => flags & 15;
const addressBytes = ({ flags }: DecodedUop): number => (flags >> 8) & 15;
const segmentOf = ({ flags }: DecodedUop): number => (flags >>> 24) & 7;

const made = (write: VectorCode['write'], general: readonly number[], more: Partial<VectorCode> = {}): VectorCode =>
  inPlace(2, write, { readsGeneral: general, writesGeneral: general, ...more });

/** Puts the low bits of an i64 in a local into a register, as an operand of that many bytes. */
function setRegister({ code, gpr: own }: VectorScope, register: number, bytes: number, value: number): void {
  if (bytes < 4) {
    const mask = (1n << BigInt(bytes * 8)) - 1n;
    code.get(own(register)).i64(~mask).op('i64.and').get(value).i64(mask).op('i64.and', 'i64.or');
  } else code.get(value).i64(0xffffffffn).op('i64.and');
  code.set(own(register));
}

/** ES, DS, FS and GS: no shadow follows them. */
const isPlain = (segment: number): boolean => segment === SEG_ES || (segment >= SEG_DS && segment <= SEG_GS);

/**
 * Loads the selector in a local. In real-address mode: selector, base, rights; the limit stays. In protected mode the core does it
 * where the descriptor is at hand.
 */
function load({ code, long, giveUpIf }: VectorScope, segment: number, selector: number): void {
  const at = SEGMENTS + segment * SEGMENT_BYTES;
  const byDescriptor = (): void => {
    code.i32(segment).get(selector).callImport('callSegment').op('i32.eqz');
    giveUpIf();
  };
  if (long) {
    byDescriptor();
    return;
  }
  code.i32(0).memory('i32.load', CR0).i32(CR0_PE).op('i32.and').open('if');
  byDescriptor();
  code.op('else');
  code
    .i32(0)
    .get(selector)
    .memory('i32.store16', at + SEG_SELECTOR);
  code.i32(0).i32(0);
  code
    .memory('i32.load', at + SEG_AR)
    .i32(0xf000)
    .op('i32.and')
    .i32(0x93)
    .op('i32.or');
  code.memory('i32.store', at + SEG_AR);
  code
    .i32(0)
    .get(selector)
    .i32(4)
    .op('i32.shl', 'i64.extend_u')
    .memory('i64.store', at + SEG_BASE);
  code.close();
}

/** MOV to ES, DS, FS or GS. */
function loadedSegment(uop: DecodedUop): VectorCode | undefined {
  const segment = segmentOf(uop);
  if (!isPlain(segment)) return undefined;
  const memory = inMemory(uop);
  return made(
    (scope) => {
      const { code, gpr: own, pointer, temporary } = scope;
      const selector = temporary('low', I32);
      if (memory) code.get(pointer).memory('i32.load16_u', 0);
      else code.get(own(uop.rm)).op('i32.wrap').i32(0xffff).op('i32.and');
      code.set(selector);
      load(scope, segment, selector);
    },
    memory ? [] : [uop.rm],
    { writesGeneral: [] },
  );
}

function pushedSegment(uop: DecodedUop): VectorCode {
  const bytes = operandBytes(uop);
  return made(
    (scope) => {
      const { code, pointer } = scope;
      const place = stackPlace(scope, bytes, TLB_WRITE);
      code.get(pointer).i32(0);
      code.memory('i32.load16_u', SEGMENTS + uop.r * SEGMENT_BYTES + SEG_SELECTOR);
      if (bytes === 8) code.op('i64.extend_u').memory('i64.store', 0);
      else code.memory(STORES[bytes], 0);
      place.commit();
    },
    [RSP],
  );
}

function poppedSegment(uop: DecodedUop): VectorCode | undefined {
  if (!isPlain(uop.r)) return undefined;
  return made(
    (scope) => {
      const { code, pointer, temporary } = scope;
      const selector = temporary('low', I32);
      const place = stackPlace(scope, operandBytes(uop), TLB_READ);
      code.get(pointer).memory('i32.load16_u', 0).set(selector);
      load(scope, uop.r, selector);
      place.commit();
    },
    [RSP],
  );
}

/** MOV from a segment register. */
function storedSegment(uop: DecodedUop): VectorCode | undefined {
  const segment = segmentOf(uop);
  if (inMemory(uop) || segment > SEG_GS) return undefined;
  return made(
    (scope) => {
      const { code, temporary } = scope;
      const selector = temporary('selector', I64);
      code.i32(0).memory('i32.load16_u', SEGMENTS + segment * SEGMENT_BYTES + SEG_SELECTOR);
      code.op('i64.extend_u').set(selector);
      setRegister(scope, uop.rm, operandBytes(uop), selector);
    },
    [uop.rm],
  );
}

const LOADS: Record<number, MemoryOp> = { 1: 'i32.load8_u', 2: 'i32.load16_u', 4: 'i32.load' };
const STORES: Record<number, MemoryOp> = { 1: 'i32.store8', 2: 'i32.store16', 4: 'i32.store' };

/** Finds bytes at a 16-bit offset in a segment: the host's address is in `pointer`. */
function find(
  { put, access, giveUpIf }: VectorScope,
  register: number,
  segment: number,
  bytes: number,
  table: number,
): void {
  const slot = (at: number): Expression => gpr(3, (at - GPR) >> 3);
  const offset = binary('and', gpr(3, register), 0xffff);
  const room = (table === TLB_READ ? READ_ROOMS : WRITE_ROOMS) + segment * 8;
  put(compare('gtu', binary('add', offset, bytes), slot(room)));
  giveUpIf();
  const base = slot(SEGMENTS + segment * SEGMENT_BYTES + SEG_BASE);
  access(table, Math.log2(bytes) as Size, binary('and', binary('add', offset, base), 0xffffffff));
}

/** Moves an index register of 16 bits by the direction flag. */
function advance(scope: VectorScope, register: number, bytes: number): void {
  const { code, gpr: own, temporary } = scope;
  const moved = temporary('index', I64);
  code.get(own(register)).i64(BigInt(bytes)).op('i64.add');
  code
    .i32(0)
    .memory('i32.load', RFLAGS)
    .i32(DIRECTION)
    .op('i32.shr_u')
    .i32(1)
    .op('i32.and')
    .i32(bytes * 2)
    .op('i32.mul');
  code.op('i64.extend_u', 'i64.sub').set(moved);
  setRegister(scope, register, 2, moved);
}

function string(uop: DecodedUop, reads: boolean, writes: boolean): VectorCode | undefined {
  const bytes = operandBytes(uop);
  if (addressBytes(uop) !== 2 || bytes > 4 || (uop.flags & REPEATED) !== 0) return undefined;
  const general = [...(reads && writes ? [] : [RAX]), ...(reads ? [RSI] : []), ...(writes ? [RDI] : [])];
  return made((scope) => {
    const { code, gpr: own, pointer, temporary } = scope;
    const value = temporary('element', I64);
    if (reads) {
      find(scope, RSI, uop.segment, bytes, TLB_READ);
      code.get(pointer).memory(LOADS[bytes], 0).op('i64.extend_u').set(value);
    } else code.get(own(RAX)).set(value);
    if (writes) {
      find(scope, RDI, SEG_ES, bytes, TLB_WRITE);
      code.get(pointer).get(value).op('i32.wrap').memory(STORES[bytes], 0);
    } else setRegister(scope, RAX, bytes, value);
    if (reads) advance(scope, RSI, bytes);
    if (writes) advance(scope, RDI, bytes);
  }, general);
}

/** Pushes the operand of 8 or 16 bits, an i64. */
function operand({ code, uop, pointer, put }: VectorScope, bytes: number): void {
  if (inMemory(uop)) code.get(pointer).memory(LOADS[bytes], 0).op('i64.extend_u');
  else put(zext(3, rm((bytes - 1) as Size)));
}

const generalOf = (uop: DecodedUop): number[] => (inMemory(uop) ? [] : [uop.highRm ? uop.rm - 4 : uop.rm]);

/** MUL: flags that are undefined follow the low half. */
function product(uop: DecodedUop): VectorCode | undefined {
  const bytes = operandBytes(uop);
  if (bytes > 2) return undefined;
  const results = bytes === 1 ? [RAX] : [RAX, RDX];
  return made(
    (scope) => {
      const { code, gpr: own, temporary, setStatus } = scope;
      const whole = temporary('product', I64);
      const low = temporary('low', I32);
      const bits = bytes * 8;
      operand(scope, bytes);
      code
        .get(own(RAX))
        .i64((1n << BigInt(bits)) - 1n)
        .op('i64.and', 'i64.mul')
        .set(whole);
      setRegister(scope, RAX, 2, whole);
      if (bytes === 2) {
        const high = temporary('high', I64);
        code.get(whole).i64(16n).op('i64.shr_u').set(high);
        setRegister(scope, RDX, 2, high);
      }
      code
        .get(whole)
        .op('i32.wrap')
        .i32(2 ** bits - 1)
        .op('i32.and')
        .set(low);
      code.i32(CARRY_AND_OVERFLOW).i32(0).get(whole).i64(BigInt(bits)).op('i64.shr_u', 'i64.eqz', 'i32.eqz', 'select');
      // ZF, SF, PF
      code.get(low).op('i32.eqz').i32(6).op('i32.shl', 'i32.or');
      code
        .get(low)
        .i32(bits - 8)
        .op('i32.shr_u')
        .i32(0x80)
        .op('i32.and', 'i32.or');
      code
        .get(low)
        .i32(0xff)
        .op('i32.and', 'i32.popcnt')
        .i32(1)
        .op('i32.and', 'i32.eqz')
        .i32(2)
        .op('i32.shl', 'i32.or');
      setStatus();
    },
    [...new Set([...results, ...generalOf(uop)])],
    { bytes: bytes as 1 | 2, writesGeneral: results },
  );
}

/** DIV; a quotient that does not fit is the handler's. */
function quotient(uop: DecodedUop): VectorCode | undefined {
  const bytes = operandBytes(uop);
  if (bytes > 2) return undefined;
  const results = bytes === 1 ? [RAX] : [RAX, RDX];
  return made(
    (scope) => {
      const { code, gpr: own, temporary, giveUpIf } = scope;
      const [divisor, dividend, found] = ['divisor', 'product', 'high'].map((name) => temporary(name, I64));
      operand(scope, bytes);
      code.set(divisor);
      code.get(divisor).op('i64.eqz');
      giveUpIf();
      code.get(own(RAX)).i64(0xffffn).op('i64.and');
      if (bytes === 2) code.get(own(RDX)).i64(0xffffn).op('i64.and').i64(16n).op('i64.shl', 'i64.or');
      code.set(dividend);
      code.get(dividend).get(divisor).op('i64.div_u').set(found);
      code
        .get(found)
        .i64((1n << BigInt(bytes * 8)) - 1n)
        .op('i64.gt_u');
      giveUpIf();
      code.get(dividend).get(divisor).op('i64.rem_u').set(dividend);
      if (bytes === 2) {
        setRegister(scope, RAX, 2, found);
        setRegister(scope, RDX, 2, dividend);
        return;
      }
      code.get(dividend).i64(8n).op('i64.shl').get(found).op('i64.or').set(found);
      setRegister(scope, RAX, 2, found);
    },
    [...new Set([...results, ...generalOf(uop)])],
    { bytes: bytes as 1 | 2, writesGeneral: results },
  );
}

export function segmentedCode(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execMovSegReg':
      return loadedSegment(uop);
    case 'execPushSeg':
      return pushedSegment(uop);
    case 'execPopSeg':
      return poppedSegment(uop);
    case 'execMovRegSeg':
      return storedSegment(uop);
    case 'execLods':
      return string(uop, true, false);
    case 'execStos':
      return string(uop, false, true);
    case 'execMovs':
      return string(uop, true, true);
    case 'execMul':
      return product(uop);
    case 'execDiv':
      return quotient(uop);
    default:
      return undefined;
  }
}
