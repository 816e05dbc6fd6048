/** An expression as the bytecode that the engine evaluates where the guest runs. */
import type { Condition } from '../../debugger.js';
import { meaningOf, type Names } from './names.js';
import { type Binary, type Expression, ExpressionError, isComparison, NEEDS_TYPES, partsOf } from './syntax.js';

/** Opcodes. @gdb "Bytecode Descriptions" */
const OP = {
  ...{
    add: 2,
    sub: 3,
    mul: 4,
    divSigned: 5,
    div: 6,
    remSigned: 7,
    rem: 8,
    lsh: 9,
    rshSigned: 10,
    rsh: 11,
    not: 14,
    and: 15,
    or: 16,
    xor: 17,
    invert: 18,
  },
  ...{ equal: 19, lessSigned: 20, less: 21, ext: 22, ref8: 23, ref16: 24, ref32: 25, ref64: 26, ifGoto: 32, goto: 33 },
  ...{ const8: 34, const64: 37, reg: 38, end: 39, zeroExt: 42, printf: 52 },
} as const;

const PLAIN: Readonly<Partial<Record<Binary, number>>> = {
  ...{ '*': OP.mul, '/': OP.div, '%': OP.rem, '+': OP.add, '-': OP.sub, '<<': OP.lsh, '>>': OP.rsh },
  ...{ '&': OP.and, '^': OP.xor, '|': OP.or, '==': OP.equal, '<': OP.less },
};
const SIGNED: Readonly<Partial<Record<Binary, number>>> = {
  ...{ '/': OP.divSigned, '%': OP.remSigned, '>>': OP.rshSigned },
};
const REFERENCES: Readonly<Record<number, number>> = { 1: OP.ref8, 2: OP.ref16, 4: OP.ref32, 8: OP.ref64 };
/** Names that the engine has for what is no register of the file. */
const LIVE: Readonly<Record<string, string>> = { pc: 'linear_rip' };

class Compiler {
  readonly code: number[] = [];
  readonly registers: string[] = [];
  space: 'gva' | 'gpa' | undefined;

  constructor(private readonly names: Names) {}

  expression(node: Expression): void {
    switch (node.kind) {
      case 'number':
        this.constant(node.value);
        break;
      case 'name':
        this.named(node);
        break;
      case 'unary':
        if (node.op === '-') this.constant(0n);
        this.expression(node.a);
        this.code.push(node.op === '-' ? OP.sub : node.op === '~' ? OP.invert : OP.not);
        break;
      case 'memory':
        if (this.space !== undefined && this.space !== node.space)
          throw new ExpressionError('linear and physical memory in one condition');
        this.space = node.space;
        this.expression(node.address);
        this.code.push(REFERENCES[node.bytes]!);
        if (node.signed) this.code.push(OP.ext, node.bytes * 8);
        break;
      case 'binary':
        if (node.op === 'and' || node.op === 'or') this.either(node.op, node.a, node.b);
        else if (isComparison(node.op)) this.comparison(node);
        else this.pair(node.a, node.b, ((node.signed ? SIGNED[node.op] : undefined) ?? PLAIN[node.op])!);
        break;
      case 'extend':
        this.expression(node.a);
        if (node.bits < 64) this.code.push(node.signed ? OP.ext : OP.zeroExt, node.bits);
        break;
      case 'choice': {
        this.expression(node.test);
        const first = this.jump(OP.ifGoto);
        this.expression(node.b);
        const end = this.jump(OP.goto);
        this.land(first);
        this.expression(node.a);
        this.land(end);
        break;
      }
      case 'entry':
        throw new ExpressionError('it was optimized out');
      default:
        throw new ExpressionError(NEEDS_TYPES);
    }
  }

  private pair(a: Expression, b: Expression, opcode: number): void {
    this.expression(a);
    this.expression(b);
    this.code.push(opcode);
  }

  /** One with what this exit has not does not hold. */
  private comparison(node: Expression & { kind: 'binary' }): void {
    const needed = new Set<string>();
    for (const part of partsOf(node)) {
      const meaning = part.kind === 'name' ? meaningOf(part, this.names) : undefined;
      if (meaning?.kind === 'later' && meaning.has !== undefined) needed.add(meaning.has);
    }
    const nowhere: number[] = [];
    for (const has of needed) {
      this.register(has);
      this.code.push(OP.not);
      nowhere.push(this.jump(OP.ifGoto));
    }
    const { op, a, b } = node;
    const less = node.signed ? OP.lessSigned : OP.less;
    if (op === '==' || op === '!=') this.pair(a, b, OP.equal);
    else if (op === '<' || op === '>=') this.pair(a, b, less);
    else this.pair(b, a, less);
    if (op === '!=' || op === '>=' || op === '<=') this.code.push(OP.not);
    if (nowhere.length === 0) return;
    const end = this.jump(OP.goto);
    for (const at of nowhere) this.land(at);
    this.constant(0n);
    this.land(end);
  }

  private either(op: 'and' | 'or', a: Expression, b: Expression): void {
    this.expression(a);
    if (op === 'and') this.code.push(OP.not);
    const decided = this.jump(OP.ifGoto);
    this.expression(b);
    this.code.push(OP.not, OP.not);
    const end = this.jump(OP.goto);
    this.land(decided);
    this.constant(op === 'and' ? 0n : 1n);
    this.land(end);
  }

  /** @returns where its target is to be written */
  private jump(opcode: number): number {
    return this.code.push(opcode, 0, 0) - 2;
  }

  private land(at: number): void {
    const target = this.code.length;
    if (target > 0xffff) throw new ExpressionError('the condition is too long');
    this.code[at] = target >> 8;
    this.code[at + 1] = target & 0xff;
  }

  private named(node: Expression & { kind: 'name' }): void {
    const meaning = meaningOf(node, this.names);
    if (meaning.kind === 'constant') this.constant(meaning.value);
    else if (meaning.kind === 'later') this.register(meaning.live);
    else {
      this.register(LIVE[meaning.name] ?? meaning.name);
      if (meaning.shift) {
        this.constant(BigInt(meaning.shift));
        this.code.push(OP.rsh);
      }
      if (meaning.bits < 64) this.code.push(OP.zeroExt, meaning.bits);
    }
  }

  private register(name: string): void {
    const there = this.registers.indexOf(name);
    const number = there < 0 ? this.registers.push(name) - 1 : there;
    this.code.push(OP.reg, number >> 8, number & 0xff);
  }

  constant(value: bigint): void {
    const number = BigInt.asUintN(64, value);
    if (number < 256n) this.code.push(OP.const8, Number(number));
    else
      this.code.push(OP.const64, ...Array.from({ length: 8 }, (_, n) => Number((number >> BigInt(56 - n * 8)) & 255n)));
  }

  finish(): Condition {
    this.code.push(OP.end);
    return {
      expressions: [Uint8Array.from(this.code)],
      registers: this.registers,
      space: this.space ?? 'gva',
    };
  }
}

/** What a breakpoint's condition is in the engine. @throws ExpressionError, UnknownName */
export function compileExpression(node: Expression, names: Names): Condition {
  const compiler = new Compiler(names);
  compiler.expression(node);
  return compiler.finish();
}

/** Bytes of a format, and values in one line. */
const MAX_FORMAT = 1000;
const MAX_ARGUMENTS = 32;

/** A line to be printed, with values as in printf. @throws ExpressionError, UnknownName */
export function compilePrint(format: string, values: readonly Expression[], names: Names): Condition {
  const text = new TextEncoder().encode(`${format}\0`);
  if (text.length > MAX_FORMAT) throw new ExpressionError(`a format of more than ${MAX_FORMAT} bytes`);
  if (values.length > MAX_ARGUMENTS) throw new ExpressionError(`more than ${MAX_ARGUMENTS} values`);
  const compiler = new Compiler(names);
  // the first lies on top, below the two that are gdb's own
  for (const value of [...values].reverse()) compiler.expression(value);
  compiler.constant(0n);
  compiler.constant(0n);
  compiler.code.push(OP.printf, values.length, text.length >> 8, text.length & 0xff, ...text);
  return compiler.finish();
}
