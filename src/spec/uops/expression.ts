/** What micro-ops compute: a small tree that the interpreter's dispatcher and the compiler to WebAssembly are both made from. */

/** Log2 of a value's size in bytes; 4 is a vector of 128 bits. */
export type Size = 0 | 1 | 2 | 3 | 4;

/** Both sides have the size of the result. Counts of shifts and rotations lie below the size's bits. */
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'rotl'
  | 'rotr'
  | 'mulhu'
  | 'mulhs'
  | 'divu'
  | 'divs';
/** Comparisons answer 0 or 1 in 32 bits; u unsigned, s signed. overflows: the signed product of 64 bits does not fit. */
export type CompareOp = 'eq' | 'ne' | 'ltu' | 'leu' | 'gtu' | 'geu' | 'lts' | 'les' | 'gts' | 'ges' | 'overflows';
export type UnaryOp = 'not' | 'popcnt' | 'clz' | 'ctz' | 'bswap';

/**
 * r, rm: the register operands. gpr: a general register by number. imm: the immediate, cut to the size. mem: what the
 * last access found. address: the memory operand's effective address, not cut. next, target: RIP after the
 * instruction, and that of its branch. popped: bytes that RET n takes. carry: CF. condition: that of the opcode's low
 * bits, or a fixed one, on the flags as they stand at that step. status: all six flags in their places. direction: 1, or -1
 * with DF. vex: the register of VEX.vvvv. linear: an address cut to the mode's width. xmm: a vector register operand, `high` its bits 128-255.
 */
export type Expression =
  | { readonly op: 'const'; readonly size: Size; readonly value: number }
  | { readonly op: 'var'; readonly size: Size; readonly name: string }
  | { readonly op: 'r' | 'rm' | 'imm'; readonly size: Size }
  | { readonly op: 'mem'; readonly size: Size; readonly offset: number }
  | { readonly op: 'gpr'; readonly size: Size; readonly register: number }
  | { readonly op: 'address' | 'next' | 'target' | 'popped'; readonly size: 3 }
  | { readonly op: 'carry' | 'status'; readonly size: 2 }
  | { readonly op: 'direction'; readonly size: 3 }
  | { readonly op: 'vex'; readonly size: Size }
  | { readonly op: 'linear'; readonly size: 3; readonly a: Expression }
  | { readonly op: 'condition'; readonly size: 2; readonly cc: number | undefined }
  | { readonly op: 'xmm'; readonly size: 4; readonly operand: 'r' | 'rm'; readonly high: boolean }
  | { readonly op: BinaryOp; readonly size: Size; readonly a: Expression; readonly b: Expression }
  | { readonly op: CompareOp; readonly size: 2; readonly a: Expression; readonly b: Expression }
  | { readonly op: UnaryOp | 'zext' | 'sext' | 'wrap'; readonly size: Size; readonly a: Expression }
  | {
      readonly op: 'select';
      readonly size: Size;
      readonly test: Expression;
      readonly a: Expression;
      readonly b: Expression;
    };

export const constant = (size: Size, value: number): Expression => ({ op: 'const', size, value });
export const variable = (size: Size, name: string): Expression => ({ op: 'var', size, name });
export const r = (size: Size): Expression => ({ op: 'r', size });
export const rm = (size: Size): Expression => ({ op: 'rm', size });
export const imm = (size: Size): Expression => ({ op: 'imm', size });
export const mem = (size: Size, offset = 0): Expression => ({ op: 'mem', size, offset });
export const gpr = (size: Size, register: number): Expression => ({ op: 'gpr', size, register });
export const ADDRESS: Expression = { op: 'address', size: 3 };
export const NEXT_RIP: Expression = { op: 'next', size: 3 };
export const TARGET: Expression = { op: 'target', size: 3 };
export const POPPED: Expression = { op: 'popped', size: 3 };
export const CARRY: Expression = { op: 'carry', size: 2 };
export const STATUS: Expression = { op: 'status', size: 2 };
export const DIRECTION: Expression = { op: 'direction', size: 3 };
export const VEX = (size: Size): Expression => ({ op: 'vex', size });
export const linear = (a: Expression): Expression => ({ op: 'linear', size: 3, a });
export const condition = (cc?: number): Expression => ({ op: 'condition', size: 2, cc });

export const binary = (op: BinaryOp, a: Expression, b: Expression | number): Expression => {
  const right = typeof b === 'number' ? constant(a.size, b) : b;
  if (a.size !== right.size) throw new Error(`${op} of sizes ${a.size} and ${right.size}`);
  return { op, size: a.size, a, b: right };
};
export const compare = (op: CompareOp, a: Expression, b: Expression | number): Expression => {
  const right = typeof b === 'number' ? constant(a.size, b) : b;
  if (a.size !== right.size) throw new Error(`${op} of sizes ${a.size} and ${right.size}`);
  return { op, size: 2, a, b: right };
};
export const unary = (op: UnaryOp, a: Expression): Expression => ({ op, size: a.size, a });
export const zext = (size: Size, a: Expression): Expression => (a.size === size ? a : { op: 'zext', size, a });
export const sext = (size: Size, a: Expression): Expression => (a.size === size ? a : { op: 'sext', size, a });
export const wrap = (size: Size, a: Expression): Expression => (a.size === size ? a : { op: 'wrap', size, a });
export const select = (test: Expression, a: Expression, b: Expression): Expression => ({
  op: 'select',
  size: a.size,
  test,
  a,
  b,
});
