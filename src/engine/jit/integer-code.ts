// Integer instructions that have no row of their own, in compiled code: bits of a string in memory or of a mask, ENTER, CRC32,
// CMPXCHG16B.
import { ADDRESS, binary, gpr, r, rm, type Size, STATUS, sext, VEX, zext } from '../../spec/uops/expression.js';
import { TLB_READ, TLB_WRITE } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { vexRegister } from './operand-code.js';
import { inMemory, inPlace, opcodeOf, type VectorCode } from './vector-code.js';
import { I32, I64, type MemoryOp } from './wasm-writer.js';

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];
const RSP = 4;
const RBP = 5;
/** UF_IMM and UF_PREFIX_66 of core/uop.ts. */
const IMMEDIATE = 0x10000000;
const PREFIX_66 = 0x80000000;

const ZF_PLACE = 6;
const ZF = 1 << ZF_PLACE;

const operandBytes = ({ flags }: DecodedUop): number => flags & 15;

const LOADS: Record<number, MemoryOp> = { 1: 'i32.load8_u', 2: 'i32.load16_u', 4: 'i32.load', 8: 'i64.load' };
const STORES: Record<number, MemoryOp> = { 2: 'i32.store16', 4: 'i32.store', 8: 'i64.store' };

const made = (write: VectorCode['write'], more: Partial<VectorCode>): VectorCode =>
  inPlace(8, write, { findsOwn: true, ...more });

/** BT, BTS, BTR and BTC of a bit string in memory: a register counts from its address, in both directions. */
function bitOfString(uop: DecodedUop): VectorCode | undefined {
  if (!inMemory(uop) || (uop.flags & IMMEDIATE) !== 0) return undefined;
  const bytes = operandBytes(uop);
  const size = Math.log2(bytes) as Size;
  const operation = (opcodeOf(uop) >> 3) & 3;
  return made(
    ({ code, pointer, temporary, put, access, setCarry }) => {
      const [value, bit] = ['element', 'count'].map((name) => temporary(name, I64));
      const steps = binary('shl', binary('sar', sext(3, r(size)), size + 3), size);
      access(operation === 0 ? TLB_READ : TLB_WRITE, size, binary('add', ADDRESS, steps));
      code.get(pointer).memory(LOADS[bytes], 0);
      if (bytes < 8) code.op('i64.extend_u');
      code.set(value);
      put(zext(3, r(size)));
      code
        .i64(BigInt(bytes * 8 - 1))
        .op('i64.and')
        .set(bit);
      if (operation !== 0) {
        code.get(pointer).get(value).i64(1n).get(bit).op('i64.shl');
        if (operation === 1) code.op('i64.or');
        else if (operation === 2) code.i64(-1n).op('i64.xor', 'i64.and');
        else code.op('i64.xor');
        if (bytes < 8) code.op('i32.wrap');
        code.memory(STORES[bytes], 0);
      }
      code.get(value).get(bit).op('i64.shr_u', 'i32.wrap').i32(1).op('i32.and');
      setCarry();
    },
    { readsGeneral: [uop.r] },
  );
}

/** ENTER of 64-bit mode without nested frames. */
function enter(uop: DecodedUop): VectorCode | undefined {
  if (operandBytes(uop) !== 8 || (uop.target & 31) !== 0) return undefined;
  const below = 8 + Number(uop.immediate & 0xffffn);
  return made(
    ({ code, pointer, gpr: own, access }) => {
      // the new top must be writable, though nothing is written there
      access(TLB_WRITE, 3, binary('sub', gpr(3, RSP), below));
      access(TLB_WRITE, 3, binary('sub', gpr(3, RSP), 8));
      code.get(pointer).get(own(RBP)).memory('i64.store', 0);
      code.get(own(RSP)).i64(8n).op('i64.sub').set(own(RBP));
      code.get(own(RSP)).i64(BigInt(below)).op('i64.sub').set(own(RSP));
    },
    { readsGeneral: [RSP, RBP], writesGeneral: [RSP, RBP] },
  );
}

/** CRC32 in 64-bit mode: elsewhere the prefix 66 has another meaning. */
function checksum(uop: DecodedUop): VectorCode {
  const bytes = (opcodeOf(uop) & 1) === 0 ? 1 : operandBytes(uop) === 8 ? 8 : (uop.flags & PREFIX_66) !== 0 ? 2 : 4;
  const size = Math.log2(bytes) as Size;
  const memory = inMemory(uop);
  const from = uop.highRm && bytes === 1 ? uop.rm - 4 : uop.rm;
  return made(
    ({ code, long, gpr: own, pointer, put, giveUpIf, temporary }) => {
      if (!long) {
        code.i32(1);
        giveUpIf();
      }
      code.get(own(uop.r)).op('i32.wrap');
      if (!memory) put(zext(3, rm(size)));
      else {
        code.get(pointer).memory(LOADS[bytes], 0);
        if (bytes < 8) code.op('i64.extend_u');
      }
      const answer = temporary('low', I32);
      code.i32(bytes).callImport('crc32').set(answer);
      code.get(answer).op('i64.extend_u').set(own(uop.r));
    },
    {
      bytes,
      findsOwn: false,
      readsGeneral: memory ? [uop.r] : [uop.r, from],
      writesGeneral: [uop.r],
    },
  );
}

/** PEXT gathers the bits of a mask, PDEP scatters to them: a round for each of its bits. */
function bitsOfMask(uop: DecodedUop, gathers: boolean): VectorCode {
  const bytes = operandBytes(uop);
  const size = Math.log2(bytes) as Size;
  const memory = inMemory(uop);
  return made(
    ({ code, long, gpr: own, pointer, put, temporary, giveUpIf }) => {
      if (!long) {
        code.i32(1);
        giveUpIf();
      }
      const [mask, value, place, result] = ['element', 'count', 'place', 'result'].map((name) => temporary(name, I64));
      if (!memory) put(zext(3, rm(size)));
      else {
        code.get(pointer).memory(LOADS[bytes], 0);
        if (bytes < 8) code.op('i64.extend_u');
      }
      code.set(mask);
      put(zext(3, VEX(size)));
      code.set(value).i64(1n).set(place).i64(0n).set(result);
      const end = code.open('block');
      code.get(mask).op('i64.eqz').branch(end, true);
      const again = code.open('loop');
      // the lowest bit of the mask, or nothing
      const lowest = (): void => {
        code.i64(0n).get(mask).op('i64.sub').get(mask).op('i64.and');
      };
      code.get(result);
      if (gathers) {
        code.get(place).i64(0n).get(value);
        lowest();
        code.op('i64.and').i64(0n).op('i64.ne', 'select');
      } else {
        lowest();
        code.i64(0n).get(value).get(place).op('i64.and').i64(0n).op('i64.ne', 'select');
      }
      code.op('i64.or').set(result);
      code.get(place).i64(1n).op('i64.shl').set(place);
      code.get(mask).i64(1n).op('i64.sub').get(mask).op('i64.and').tee(mask);
      code.op('i64.eqz', 'i32.eqz').branch(again, true);
      code.close();
      code.close();
      code.get(result).set(own(uop.r));
    },
    {
      bytes: bytes as 4 | 8,
      findsOwn: false,
      readsGeneral: memory ? [vexRegister(uop)] : [uop.rm, vexRegister(uop)],
      writesGeneral: [uop.r],
    },
  );
}

/** CMPXCHG16B. Of the status flags only ZF changes. */
function exchange16(uop: DecodedUop): VectorCode | undefined {
  if (operandBytes(uop) !== 8) return undefined;
  return made(
    ({ code, gpr: own, pointer, put, temporary, setStatus }) => {
      const [low, high] = ['element', 'count'].map((name) => temporary(name, I64));
      const equal = temporary('low', I32);
      code.get(pointer).memory('i64.load', 0).set(low);
      code.get(pointer).memory('i64.load', 8).set(high);
      code.get(low).get(own(RAX)).op('i64.eq').get(high).get(own(RDX)).op('i64.eq', 'i32.and').set(equal);
      for (const [at, given, found] of [
        [0, own(RBX), low],
        [8, own(RCX), high],
      ]) {
        code.get(pointer).get(given).get(found).get(equal).op('select').memory('i64.store', at);
      }
      code.get(low).set(own(RAX)).get(high).set(own(RDX));
      put(STATUS);
      code.i32(~ZF).op('i32.and').get(equal).i32(ZF_PLACE).op('i32.shl', 'i32.or');
      setStatus();
    },
    {
      bytes: 16,
      findsOwn: false,
      aligned: true,
      writesMemory: true,
      readsGeneral: [RAX, RDX, RBX, RCX],
      writesGeneral: [RAX, RDX],
    },
  );
}

export function integerInstruction(name: string, uop: DecodedUop): VectorCode | undefined {
  switch (name) {
    case 'execBt':
      return bitOfString(uop);
    case 'execEnter':
      return enter(uop);
    case 'execCrc32':
      return checksum(uop);
    case 'execPext':
    case 'execPdep':
      return bitsOfMask(uop, name === 'execPext');
    case 'execCmpxchg8b':
      return exchange16(uop);
    default:
      return undefined;
  }
}
