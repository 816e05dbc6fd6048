/** The language of values that all commands share: how a text is read. What its names mean is told elsewhere. */
import { type TypeName, takeType, typeNameText } from './type-name.js';

export type { TypeName } from './type-name.js';

export type Unary = '-' | '~' | 'not';
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type Binary = '*' | '/' | '%' | '+' | '-' | '<<' | '>>' | '&' | '^' | '|' | Comparison | 'and' | 'or';

/** Where in the text, from 0. */
interface Placed {
  readonly at: number;
}

export type Expression = Placed &
  (
    | { readonly kind: 'number'; readonly value: bigint }
    /** `sign`: written as `$rax` or `%rax`, so no symbol is meant. `or`: the number that it is where nothing has that name. */
    | { readonly kind: 'name'; readonly name: string; readonly sign?: string; readonly or?: bigint }
    | { readonly kind: 'unary'; readonly op: Unary; readonly a: Expression }
    /** `signed`: of two's complement numbers. */
    | {
        readonly kind: 'binary';
        readonly op: Binary;
        readonly a: Expression;
        readonly b: Expression;
        readonly signed?: boolean;
      }
    /** The low bits of a number, with their sign or without. */
    | { readonly kind: 'extend'; readonly a: Expression; readonly bits: number; readonly signed: boolean }
    /** The first number where the test is not zero, else the second; the other one is not looked at. */
    | { readonly kind: 'choice'; readonly test: Expression; readonly a: Expression; readonly b: Expression }
    /** What a register was when the function was called. */
    | { readonly kind: 'entry'; readonly register: string }
    | {
        readonly kind: 'memory';
        readonly space: 'gva' | 'gpa';
        readonly address: Expression;
        readonly bytes: number;
        readonly signed: boolean;
        /** Written as `*address`: what it points at, where its type says. */
        readonly star?: true;
      }
    | TypedExpression
  );

/** What needs types to be known: each becomes one of the others before anything is evaluated. */
export type TypedExpression =
  | { readonly kind: 'member'; readonly a: Expression; readonly name: string; readonly arrow: boolean }
  | { readonly kind: 'index'; readonly a: Expression; readonly index: Expression }
  | { readonly kind: 'address'; readonly a: Expression }
  | { readonly kind: 'cast'; readonly type: TypeName; readonly a: Expression }
  | { readonly kind: 'sizeof'; readonly type?: TypeName; readonly a?: Expression };

/** A text that is no expression, or cannot be evaluated. Its message is one line that tells the place. */
export class ExpressionError extends Error {}

/** What is said where types matter and nobody has looked at them. */
export const NEEDS_TYPES = 'types are not known here, so -> . [N] & and casts do not work';

/** Operators from the loosest to the tightest; those of a row bind alike, from the left. Bits bind tighter than comparisons. */
const LEVELS: readonly (readonly string[])[] = [
  ['or', '||'],
  ['and', '&&'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const COMPARISONS = 2;
const WORDS: Readonly<Record<string, Binary>> = { '||': 'or', '&&': 'and', '=': '==' };

const MAX = (1n << 64n) - 1n;
/** Parentheses, brackets and signs inside one another, and signs and names in one text. */
const MAX_DEPTH = 100;
const MAX_TOKENS = 1000;
/** Of the text, in a message. */
const SHOWN = 40;

/** A member, and members of it. */
const MEMBER = /[a-z_]\w*(?:\.[a-z_]\w*)*/iy;
const SPACE = /\s*/y;
const NUMBER = /(?:0x[0-9a-f]*|\d\w*)/iy;
const CHARACTER = /'([^'\\]|\\.)'/y;
/** Symbols have dots and such; `std::move` has colons, `[rsp]:u8` is something else. */
const NAME = /[$%]?[a-z_.@][\w.$@]*(?:::[\w.$@~]+)*/iy;
const QUOTED = /`([^`]+)`/y;
const OPERATOR = /\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%&|^~!<>()[\]=]/y;
const SIZE = /:([us])(8|16|32|64)\b/y;
const SPACES = /(gva|gpa)\s+(?=\S)/iy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', 0: '\0', e: '\x1b' };

/** An error at a place of a text. */
export function errorAt(what: string, text: string, at: number): ExpressionError {
  const from = Math.max(0, at - SHOWN / 2);
  const shown = text.slice(from, from + SHOWN);
  const whole = `${from > 0 ? '…' : ''}${shown}${from + SHOWN < text.length ? '…' : ''}`;
  return new ExpressionError(`${what} at column ${at + 1} of "${whole}"`);
}

class Parser {
  private at = 0;
  private tokens = 0;

  /** Those that stand between parentheses. */
  private readonly closed = new WeakSet<Expression>();

  constructor(
    private readonly text: string,
    private readonly equals: boolean,
  ) {}

  /** The expression that the text begins with, and what is behind it. */
  first(): { expression: Expression; rest: string } {
    if (this.text.trim() === '') throw new ExpressionError('an address or value is missing');
    const expression = this.level(0, 0);
    return { expression, rest: this.text.slice(this.at).trim() };
  }

  whole(): Expression {
    if (this.text.trim() === '') throw new ExpressionError('an address or value is missing');
    const value = this.level(0, 0);
    this.skip();
    if (this.at === this.text.length) return value;
    const rest = /^(?:[\w.$@]+|\S)/.exec(this.text.slice(this.at))![0];
    const hint = rest === '=' ? ' ("==" compares)' : '';
    throw this.error(`unexpected "${rest.slice(0, SHOWN)}"${hint}`);
  }

  private error(what: string, at = this.at): ExpressionError {
    return errorAt(what, this.text, at);
  }

  private take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match;
  }

  private skip(): void {
    this.take(SPACE);
  }

  /** The operator at the place, not taken. */
  private operator(row: number): string | undefined {
    this.skip();
    OPERATOR.lastIndex = this.at;
    const sign = OPERATOR.exec(this.text)?.[0] ?? /^(?:and|or)\b/i.exec(this.text.slice(this.at, this.at + 4))?.[0];
    if (sign === '=' && row === COMPARISONS && this.equals) return sign;
    return sign !== undefined && LEVELS[row]!.includes(sign.toLowerCase()) ? sign : undefined;
  }

  private level(row: number, depth: number): Expression {
    if (row === LEVELS.length) return this.operand(depth);
    let a = this.level(row + 1, depth);
    for (let sign = this.operator(row); sign !== undefined; sign = this.operator(row)) {
      const { at } = this;
      this.count();
      this.at += sign.length;
      const op = (WORDS[sign] ?? sign.toLowerCase()) as Binary;
      const b = this.level(row + 1, depth);
      if (row === COMPARISONS && a.kind === 'binary' && isComparison(a.op) && !this.closed.has(a))
        throw this.error(`two comparisons in a row: join them with "and"`, at);
      a = this.joined(op, a, b, at);
    }
    return a;
  }

  /** Of numbers as they are written their sum or product, which is to fit. */
  private joined(op: Binary, a: Expression, b: Expression, at: number): Expression {
    if (a.kind === 'number' && b.kind === 'number' && (op === '+' || op === '-' || op === '*')) {
      const value = op === '+' ? a.value + b.value : op === '-' ? a.value - b.value : a.value * b.value;
      if (op === '*' && (value > MAX || value < -MAX)) throw this.error('the product does not fit in 64 bits', at);
      return { kind: 'number', value: value > MAX || value < -MAX ? BigInt.asUintN(64, value) : value, at: a.at };
    }
    return { kind: 'binary', op, a, b, at };
  }

  private count(): void {
    if (++this.tokens > MAX_TOKENS) throw this.error(`more than ${MAX_TOKENS} signs and names`);
  }

  /** A value and what is written behind it: members, elements. */
  private operand(depth: number): Expression {
    let a = this.primary(depth);
    while (a.kind !== 'number' && a.kind !== 'unary') {
      const { at } = this;
      if (this.text[at] === '[') {
        this.count();
        this.at++;
        const index = this.level(0, depth + 1);
        this.close(']', at);
        a = { kind: 'index', a, index, at };
        continue;
      }
      const sign = this.take(/\s*->\s*|\.(?=[a-z_])/iy)?.[0];
      if (sign === undefined) return a;
      this.count();
      const name = this.take(MEMBER)?.[0];
      if (name === undefined) throw this.error(`a member's name is missing`);
      for (const [n, part] of name.split('.').entries())
        a = { kind: 'member', a, name: part, arrow: n === 0 && sign.trim() === '->', at };
    }
    return a;
  }

  /** A type behind an opening parenthesis, with the closing one, where that is what stands there. */
  private cast(): TypeName | undefined {
    const { at } = this;
    const type = takeType(this.text, at);
    if (type === undefined) return undefined;
    const behind = /\s*\)/y;
    behind.lastIndex = type.end;
    if (!behind.test(this.text)) return undefined;
    // `(name)` alone may be a value between parentheses
    const sure = type.sure || type.name.stars > 0 || /[\w$`']/.test(this.text[behind.lastIndex] ?? '');
    if (!sure) return undefined;
    this.at = behind.lastIndex;
    return type.name;
  }

  private sizeOf(at: number, depth: number): Expression {
    this.skip();
    const open = this.at;
    if (this.text[open] === '(') {
      this.at++;
      const type = takeType(this.text, this.at);
      if (type?.sure || (type && type.name.stars > 0)) {
        this.at = type.end;
        this.close(')', open);
        return { kind: 'sizeof', type: type.name, at };
      }
      this.at = open;
    }
    return { kind: 'sizeof', a: this.operand(depth + 1), at };
  }

  private primary(depth: number): Expression {
    this.skip();
    const { at } = this;
    this.count();
    if (depth > MAX_DEPTH) throw this.error('too many parentheses or signs');
    const number = this.take(NUMBER)?.[0];
    if (number !== undefined) return this.number(number, at);
    const character = this.take(CHARACTER)?.[1];
    if (character !== undefined) {
      const meant = character.length > 1 ? (ESCAPES[character[1]!] ?? character[1]!) : character;
      return { kind: 'number', value: BigInt(meant.codePointAt(0)!), at };
    }
    const quoted = this.take(QUOTED)?.[1];
    if (quoted !== undefined) return { kind: 'name', name: quoted, at };
    const name = this.take(NAME)?.[0];
    if (name !== undefined) return this.name(name, at, depth);
    const sign = this.take(OPERATOR)?.[0];
    switch (sign) {
      case '-':
        return this.negative(this.operand(depth + 1), at);
      case '+':
        return this.operand(depth + 1);
      case '~':
        return { kind: 'unary', op: '~', a: this.operand(depth + 1), at };
      case '!':
        return { kind: 'unary', op: 'not', a: this.operand(depth + 1), at };
      case '*': {
        const address = this.operand(depth + 1);
        const sized = this.text[this.at] === ':';
        return { kind: 'memory', space: 'gva', address, ...this.size(), ...(sized ? {} : { star: true as const }), at };
      }
      case '&':
        return { kind: 'address', a: this.operand(depth + 1), at };
      case '(': {
        const type = this.cast();
        if (type) return { kind: 'cast', type, a: this.operand(depth + 1), at };
        const value = this.level(0, depth + 1);
        this.close(')', at);
        this.closed.add(value);
        return value;
      }
      case '[': {
        this.skip();
        const space = (this.take(SPACES)?.[1]?.toLowerCase() ?? 'gva') as 'gva' | 'gpa';
        const address = this.level(0, depth + 1);
        this.close(']', at);
        return { kind: 'memory', space, address, ...this.size(), at };
      }
    }
    this.at = at;
    const found = this.text.slice(at, at + 1);
    throw this.error(found === '' ? 'a value is missing' : `a value is missing before "${found}"`);
  }

  /** `:u32` behind memory; 8 bytes without. */
  private size(): { bytes: number; signed: boolean } {
    const match = this.take(SIZE);
    if (match === undefined && this.text[this.at] === ':')
      throw this.error('what is in memory is :u8, :u16, :u32, :u64, or with s for signs,');
    return match ? { bytes: Number(match[2]) / 8, signed: match[1] === 's' } : { bytes: 8, signed: false };
  }

  private negative(a: Expression, at: number): Expression {
    return a.kind === 'number' ? { kind: 'number', value: -a.value, at } : { kind: 'unary', op: '-', a, at };
  }

  private close(sign: ')' | ']', from: number): void {
    this.skip();
    if (this.text[this.at] !== sign) throw this.error(`a ${sign} for the sign at column ${from + 1} is missing`);
    this.at++;
  }

  private name(written: string, at: number, depth: number): Expression {
    if (/^not$/i.test(written)) return { kind: 'unary', op: 'not', a: this.level(COMPARISONS, depth + 1), at };
    if (/^(?:and|or)$/i.test(written)) {
      this.at = at;
      throw this.error(`a value is missing before "${written}"`);
    }
    if (written === 'sizeof') return this.sizeOf(at, depth);
    const sign = /^[$%]/.exec(written)?.[0];
    const name = sign === undefined ? written : written.slice(1);
    const hex = sign === undefined && /^[0-9a-f]+$/i.test(name);
    return {
      kind: 'name',
      name,
      at,
      ...(sign ? { sign: written } : {}),
      ...(hex ? { or: this.fit(`0x${name}`) } : {}),
    };
  }

  /** `0x1f`, `0b101`, `42`; with a letter in it hexadecimal, unless something has that name. */
  private number(written: string, at: number): Expression {
    if (/^(?:0x[0-9a-f]+|0b[01]+|\d+)$/i.test(written)) return { kind: 'number', value: this.fit(written, at), at };
    if (/^[0-9a-f]+$/i.test(written)) return { kind: 'name', name: written, or: this.fit(`0x${written}`, at), at };
    this.at = at;
    throw this.error(`${written.slice(0, SHOWN)} is not a number`);
  }

  private fit(written: string, at = this.at): bigint {
    if (written.length > 80) throw this.error('a number does not fit in 64 bits', at);
    const value = BigInt(written);
    if (value > MAX) throw new ExpressionError(`${written} does not fit in 64 bits`);
    return value;
  }
}

/**
 * Reads `0x1f`, `0b101`, `42`, `fee00000` (hexadecimal if it has a letter and nothing has that name), `'a'`, names of
 * registers and symbols (`$rax` and `%rax` are registers; a symbol of odd letters stands between backquotes), memory
 * `[rsp+8]:u32` (u8 to u64, s8 to s64 with sign; 8 bytes without; `[gpa 1000]` of a physical address; `*rsp` is `[rsp]`),
 * members and elements `p->next`, `s.name`, `list[3]`, `&x`, casts `(struct foo *)rdi`, `sizeof(struct foo)`,
 * and, from the tightest to the loosest, `- ~ !`, `* / %`, `+ -`, `<< >>`, `&`, `^`, `|`, comparisons, `not`, `and` (`&&`),
 * `or` (`||`).
 * @param equals `=` compares too
 * @throws ExpressionError that tells the place
 */
export function parseExpression(text: string, equals = false): Expression {
  return new Parser(text, equals).whole();
}

/** The expression that a text begins with, as long as it goes, and the rest: `main 4 w` is `main` and `4 w`. */
export function firstExpression(text: string): { expression: Expression; rest: string } {
  return new Parser(text, false).first();
}

/** Each part of an expression, itself first. */
export function* partsOf(expression: Expression): Generator<Expression> {
  yield expression;
  if (expression.kind === 'memory') yield* partsOf(expression.address);
  if ('a' in expression && expression.a !== undefined) yield* partsOf(expression.a);
  if (expression.kind === 'choice') yield* partsOf(expression.test);
  if (expression.kind === 'binary' || expression.kind === 'choice') yield* partsOf(expression.b);
  if (expression.kind === 'index') yield* partsOf(expression.index);
}

export const isComparison = (op: Binary): op is Comparison => LEVELS[COMPARISONS]!.includes(op);

/** An expression as text again, with the parentheses that it needs. */
export function expressionText(node: Expression, row = 0): string {
  switch (node.kind) {
    case 'number':
      return node.value < 10n ? String(node.value) : `0x${node.value.toString(16)}`;
    case 'name':
      return node.sign ?? node.name;
    case 'unary':
      return node.op === 'not'
        ? `not ${expressionText(node.a, LEVELS.length)}`
        : `${node.op}${expressionText(node.a, LEVELS.length)}`;
    case 'extend':
      return expressionText(node.a, row);
    case 'choice':
      return `${expressionText(node.test, LEVELS.length)} ? ${expressionText(node.a, LEVELS.length)} : ${expressionText(node.b, LEVELS.length)}`;
    case 'entry':
      return `$${node.register}`;
    case 'member':
      return `${expressionText(node.a, LEVELS.length)}${node.arrow ? '->' : '.'}${node.name}`;
    case 'index':
      return `${expressionText(node.a, LEVELS.length)}[${expressionText(node.index)}]`;
    case 'address':
      return `&${expressionText(node.a, LEVELS.length)}`;
    case 'cast':
      return `(${typeNameText(node.type)})${expressionText(node.a, LEVELS.length)}`;
    case 'sizeof':
      return `sizeof(${node.type ? typeNameText(node.type) : expressionText(node.a!)})`;
    case 'memory': {
      if (node.star) return `*${expressionText(node.address, LEVELS.length)}`;
      const space = node.space === 'gpa' ? 'gpa ' : '';
      return `[${space}${expressionText(node.address)}]:${node.signed ? 's' : 'u'}${node.bytes * 8}`;
    }
    case 'binary': {
      const own = LEVELS.findIndex((signs) => signs.includes(node.op));
      const text = `${expressionText(node.a, own + (own === COMPARISONS ? 1 : 0))} ${node.op} ${expressionText(node.b, own + 1)}`;
      return own < row ? `(${text})` : text;
    }
  }
}
