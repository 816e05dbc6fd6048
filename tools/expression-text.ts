// Expressions of micro-ops as AssemblyScript.
import type { Expression, Size } from '../src/spec/uops/expression.js';

export const TYPES = ['u8', 'u16', 'u32', 'u64', 'v128'] as const;
const SIGNED = ['i8', 'i16', 'i32', 'i64', 'v128'] as const;

const OPERATORS: Record<string, string> = {
  add: '+',
  sub: '-',
  mul: '*',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  shr: '>>',
  divu: '/',
  eq: '==',
  ne: '!=',
  ltu: '<',
  leu: '<=',
  gtu: '>',
  geu: '>=',
};
const SIGNED_OPERATORS: Record<string, string> = { lts: '<', les: '<=', gts: '>', ges: '>=' };

/** Offset from GPR of a register operand. */
export const registerAt = (what: 'r' | 'rm', size: Size): string =>
  size === 0 ? (what === 'r' ? 'byteR(u)' : 'byteRm(u)') : `(${what === 'r' ? 'uReg' : 'uRm'}(u) << 3)`;

const signed = (e: Expression, flagsSet: boolean): string => `<${SIGNED[e.size]}>${text(e, flagsSet)}`;

/**
 * @param flagsSet the body has set the flags already: conditions come from a comparison
 */
export function text(e: Expression, flagsSet = false): string {
  const type = TYPES[e.size];
  switch (e.op) {
    case 'const':
      return e.size === 4 ? 'i64x2.splat(0)' : `<${type}>${e.value}`;
    case 'var':
      return e.name;
    case 'r':
    case 'rm':
      return `load<${type}>(${registerAt(e.op, e.size)}, GPR)`;
    case 'imm':
      return `load<${type}>(u, 16)`;
    case 'mem':
      return e.size === 4 ? `v128.load(p, ${e.offset})` : `load<${type}>(p, ${e.offset})`;
    case 'gpr':
      return `load<${type}>(GPR + ${e.register * 8})`;
    case 'address':
      return 'address(u)';
    case 'next':
      return '((load<u64>(RIP_BASE) + uNext(u)) & mask)';
    case 'target':
      return '((load<u64>(RIP_BASE) + u64(i64(load<i32>(u, 28)))) & mask)';
    case 'popped':
      return '(load<u64>(u, 16) & 0xffff)';
    case 'carry':
      return 'carryOf(k, fr, fs)';
    case 'status':
      return 'statusOf(k, fr, fs)';
    case 'direction':
      return '(load<u32>(RFLAGS) & 0x400 ? <u64>-1 : <u64>1)';
    case 'vex':
      return `load<${type}>(uImm2(u) << 3, GPR)`;
    case 'linear':
      return `(${text(e.a, flagsSet)} & mask)`;
    case 'condition':
      return conditionText(e.cc, flagsSet);
    case 'xmm':
      return `v128.load(${e.operand === 'r' ? 'uReg' : 'uRm'}(u) << 5, YMM${e.high ? ' + 16' : ''})`;
    case 'not':
      return `<${type}>(~${text(e.a, flagsSet)})`;
    case 'popcnt':
    case 'clz':
    case 'ctz':
    case 'bswap':
      return `${e.op}<${type}>(${text(e.a, flagsSet)})`;
    case 'zext':
    case 'wrap':
      return `<${type}>(${text(e.a, flagsSet)})`;
    case 'sext':
      return `<${type}>(<${SIGNED[e.size]}>(${signed(e.a, flagsSet)}))`;
    case 'select':
      return `(${text(e.test, flagsSet)} ? ${text(e.a, flagsSet)} : ${text(e.b, flagsSet)})`;
    case 'sar':
      return `<${type}>(${signed(e.a, flagsSet)} >> ${signed(e.b, flagsSet)})`;
    case 'divs':
      return `<${type}>(${signed(e.a, flagsSet)} / ${signed(e.b, flagsSet)})`;
    case 'rotl':
    case 'rotr':
      return `${e.op}<${type}>(${text(e.a, flagsSet)}, ${text(e.b, flagsSet)})`;
    case 'mulhu':
      return `mulHigh(${text(e.a, flagsSet)}, ${text(e.b, flagsSet)})`;
    case 'mulhs':
      return `<u64>mulHighSigned(${signed(e.a, flagsSet)}, ${signed(e.b, flagsSet)})`;
    case 'overflows': {
      const [a, b] = [signed(e.a, flagsSet), signed(e.b, flagsSet)];
      return `(!(i64(i32(${a})) == ${a} && i64(i32(${b})) == ${b}) && signedOverflow(${a}, ${b}, 8))`;
    }
    case 'lts':
    case 'les':
    case 'gts':
    case 'ges':
      return `(${signed(e.a, flagsSet)} ${SIGNED_OPERATORS[e.op]} ${signed(e.b, flagsSet)})`;
    default: {
      const plain = `(${text(e.a, flagsSet)} ${OPERATORS[e.op]} ${text(e.b, flagsSet)})`;
      return e.size < 2 ? `<${type}>${plain}` : plain;
    }
  }
}

/** The usual conditions have a short way. */
function conditionText(cc: number | undefined, flagsSet: boolean): string {
  if (cc === undefined) {
    return flagsSet ? 'fusedTaken(uFusedCondition(u), k, fr, fs)' : 'testCondition(uOpcode(u) & 15, k, fr, fs)';
  }
  const quick: Record<number, string> = {
    4: '(k ? fr == 0 : (load<u32>(RFLAGS) & 0x40) != 0)',
    5: '(k ? fr != 0 : (load<u32>(RFLAGS) & 0x40) == 0)',
    8: '(k ? fr < 0 : (load<u32>(RFLAGS) & 0x80) != 0)',
    9: '(k ? fr >= 0 : (load<u32>(RFLAGS) & 0x80) == 0)',
  };
  return quick[cc] ?? `testCondition(${cc}, k, fr, fs)`;
}

/** A value as it is kept in `fr`: sign-extended. */
export const extended = (e: Expression, flagsSet: boolean): string => `i64(${signed(e, flagsSet)})`;
