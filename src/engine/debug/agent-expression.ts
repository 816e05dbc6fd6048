/**
 * Agent expressions: the bytecode in which GDB sends conditions, what is printed at a breakpoint and what a tracepoint
 * collects, a stack machine on 64-bit values. They are decoded once, and run where the guest runs.
 * @gdb appendix "The GDB Agent Expression Mechanism"
 */
import { printableLines } from '../printable.js';
import { formatText } from './agent-format.js';

export interface AgentContext {
  /** Value of a register by its number in the target description; undefined when it is unknown. */
  register(number: number): bigint | undefined;
  /** Short where memory ends. */
  memory(address: bigint, length: number): Uint8Array;
  /** The `bytes` at an address, 1 to 8, as a number; undefined where that is not known without asking memory(). */
  load?(address: bigint, bytes: number): bigint | undefined;
  /** A trace state variable by its number; undefined when there is none. */
  variable?(number: number): bigint | undefined;
  setVariable?(number: number, value: bigint): void;
  /** What the expression collects: memory, or a variable. */
  collect?: { memory(address: bigint, bytes: number): void; variable(number: number, value: bigint): void };
  print?(text: string): void;
}

/** The expression is malformed, uses an opcode that a condition cannot have, or failed while it ran. */
export class AgentExpressionError extends Error {}

/** Opcode -> bytes of operands. Those of floats are refused. */
const OPERAND_BYTES: Record<number, number> = {
  2: 0, // add
  3: 0, // sub
  4: 0, // mul
  5: 0, // div_signed
  6: 0, // div_unsigned
  7: 0, // rem_signed
  8: 0, // rem_unsigned
  9: 0, // lsh
  10: 0, // rsh_signed
  11: 0, // rsh_unsigned
  12: 0, // trace
  13: 1, // trace_quick
  14: 0, // log_not
  15: 0, // bit_and
  16: 0, // bit_or
  17: 0, // bit_xor
  18: 0, // bit_not
  19: 0, // equal
  20: 0, // less_signed
  21: 0, // less_unsigned
  22: 1, // ext
  23: 0, // ref8
  24: 0, // ref16
  25: 0, // ref32
  26: 0, // ref64
  32: 2, // if_goto
  33: 2, // goto
  34: 1, // const8
  35: 2, // const16
  36: 4, // const32
  37: 8, // const64
  38: 2, // reg
  39: 0, // end
  40: 0, // dup
  41: 0, // pop
  42: 1, // zero_ext
  43: 0, // swap
  44: 2, // getv
  45: 2, // setv
  46: 2, // tracev
  47: 0, // tracenz
  48: 2, // trace16
  50: 1, // pick
  51: 0, // rot
  52: 3, // printf: arguments, bytes of the format that follows
};

const GOTO = 33;
const IF_GOTO = 32;
const PRINTF = 52;
/** What a condition cannot have: it has no effect. */
const EFFECTS: ReadonlySet<number> = new Set([12, 13, 45, 46, 47, 48, PRINTF]);
/** Bytes that one expression may collect or print. */
const MAX_COLLECTED = 0x10000;
const MAX_TEXT = 4096;

/** A client may send a loop; a condition that needs more steps than this is an error. */
const MAX_STEPS = 10_000;
const MAX_STACK = 1_000;

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new AgentExpressionError('division by zero');
  return value;
}

/** A shift of 64 or more moves everything out. */
function shiftCount(value: bigint): bigint {
  return value > 64n ? 64n : value;
}

const BINARY: Record<number, (a: bigint, b: bigint) => bigint> = {
  2: (a, b) => a + b,
  3: (a, b) => a - b,
  4: (a, b) => a * b,
  5: (a, b) => signed(a) / nonZero(signed(b)),
  6: (a, b) => a / nonZero(b),
  7: (a, b) => signed(a) % nonZero(signed(b)),
  8: (a, b) => a % nonZero(b),
  9: (a, b) => a << shiftCount(b),
  10: (a, b) => signed(a) >> shiftCount(b),
  11: (a, b) => a >> shiftCount(b),
  15: (a, b) => a & b,
  16: (a, b) => a | b,
  17: (a, b) => a ^ b,
  19: (a, b) => truth(a === b),
  20: (a, b) => truth(signed(a) < signed(b)),
  21: (a, b) => truth(a < b),
};

interface Step {
  opcode: number;
  /** Of the opcode in the code. */
  offset: number;
  value: bigint;
  /** The operand as a number; of a jump the step that it leads to. */
  number: number;
  /** Of printf. */
  format?: string;
}

/** A jump's target in the middle of an instruction, or outside. */
const NOWHERE = -1;

/** An expression whose operands and jumps are decoded. */
export class AgentProgram {
  readonly #steps: Step[] = [];
  readonly #stack: bigint[] = [];

  /** @throws AgentExpressionError naming the opcode and its offset */
  constructor(code: Uint8Array) {
    const stepAt = new Map<number, number>();
    for (let at = 0; at < code.length; ) {
      const opcode = code[at];
      const operands = OPERAND_BYTES[opcode];
      if (operands === undefined)
        throw new AgentExpressionError(`agent opcode 0x${opcode.toString(16)} at offset ${at} is not supported`);
      let end = at + 1 + operands;
      if (end > code.length) throw new AgentExpressionError(`agent expression ends inside offset ${at}`);
      let value = 0n;
      for (let byte = at + 1; byte < end; byte++) value = (value << 8n) | BigInt(code[byte]);
      stepAt.set(at, this.#steps.length);
      const step: Step = { opcode, offset: at, value, number: Number(value) };
      if (opcode === PRINTF) {
        step.number = code[at + 1];
        const format = code.subarray(end, end + ((code[at + 2] << 8) | code[at + 3]));
        end += (code[at + 2] << 8) | code[at + 3];
        if (end > code.length || format.at(-1) !== 0)
          throw new AgentExpressionError(`agent expression ends inside offset ${at}`);
        step.format = Buffer.from(format.subarray(0, -1)).toString('latin1');
      }
      this.#steps.push(step);
      at = end;
    }
    for (const step of this.#steps)
      if (step.opcode === GOTO || step.opcode === IF_GOTO) step.number = stepAt.get(step.number) ?? NOWHERE;
  }

  /** @throws AgentExpressionError naming what prints, collects or sets something, as no condition may */
  mustOnlyCompute(): void {
    const step = this.#steps.find(({ opcode }) => EFFECTS.has(opcode));
    if (step === undefined) return;
    const opcode = `agent opcode 0x${step.opcode.toString(16)} at offset ${step.offset}`;
    throw new AgentExpressionError(`${opcode} is not supported in a condition, which only computes`);
  }

  /**
   * @returns the top of the stack as an unsigned 64-bit value; 0 where one that collects or prints has left none.
   * @throws AgentExpressionError on stack underflow, division by zero, unreadable memory or too many steps.
   */
  run(context: AgentContext): bigint {
    const steps = this.#steps;
    const stack = this.#stack;
    let depth = 0;
    let at = 0;
    for (let count = 0; count < MAX_STEPS; count++) {
      const step = steps[at++];
      if (step === undefined) throw new AgentExpressionError('the expression runs past its end');
      const { opcode } = step;
      if (depth > MAX_STACK) throw new AgentExpressionError('stack overflow');
      const needs = NEEDS[opcode] ?? 0;
      if (depth < needs) throw new AgentExpressionError('stack underflow');
      switch (opcode) {
        case 38: {
          const register = context.register(step.number);
          if (register === undefined) throw new AgentExpressionError(`register ${step.number} is unknown`);
          stack[depth++] = unsigned(register);
          break;
        }
        case 34:
        case 35:
        case 36:
        case 37:
          stack[depth++] = step.value;
          break;
        case 22:
          // a sign extension to all 64 bits changes nothing
          if (step.number < 64) stack[depth - 1] = unsigned(BigInt.asIntN(step.number, stack[depth - 1]));
          break;
        case 42:
          stack[depth - 1] = BigInt.asUintN(step.number, stack[depth - 1]);
          break;
        case 19:
          depth--;
          stack[depth - 1] = stack[depth - 1] === stack[depth] ? 1n : 0n;
          break;
        case 39:
          if (depth > 0) return stack[depth - 1];
          // who asks for a value is to get one
          if (context.collect === undefined && context.print === undefined)
            throw new AgentExpressionError('stack underflow');
          return 0n;
        case 14:
          stack[depth - 1] = truth(stack[depth - 1] === 0n);
          break;
        case 18:
          stack[depth - 1] = unsigned(~stack[depth - 1]);
          break;
        case 23:
        case 24:
        case 25:
        case 26:
          stack[depth - 1] = loaded(context, stack[depth - 1], 1 << (opcode - 23));
          break;
        case IF_GOTO:
        case GOTO:
          if (opcode === IF_GOTO && stack[--depth] === 0n) break;
          at = step.number;
          if (at === NOWHERE) throw new AgentExpressionError(`no opcode at offset ${step.value}`);
          break;
        case 40:
          stack[depth] = stack[depth - 1];
          depth++;
          break;
        case 41:
          depth--;
          break;
        case 43: {
          const top = stack[depth - 1];
          stack[depth - 1] = stack[depth - 2];
          stack[depth - 2] = top;
          break;
        }
        case 50:
          if (step.number >= depth) throw new AgentExpressionError('stack underflow');
          stack[depth] = stack[depth - 1 - step.number];
          depth++;
          break;
        case 51: {
          // ( a b c => c a b )
          const c = stack[depth - 1];
          stack[depth - 1] = stack[depth - 2];
          stack[depth - 2] = stack[depth - 3];
          stack[depth - 3] = c;
          break;
        }
        case 12:
          depth -= 2;
          collect(context, stack[depth], stack[depth + 1]);
          break;
        case 13:
        case 48:
          collect(context, stack[depth - 1], step.value);
          break;
        case 47:
          depth -= 2;
          collect(context, stack[depth], BigInt(textAt(context, stack[depth], stack[depth + 1]).length));
          break;
        case 44:
          stack[depth++] = variable(context, step.number);
          break;
        case 45:
          variable(context, step.number);
          context.setVariable?.(step.number, stack[depth - 1]);
          break;
        case 46:
          context.collect?.variable(step.number, variable(context, step.number));
          break;
        case PRINTF: {
          // function and channel are gdb's own; the arguments lie below them, the first on top
          depth -= 2;
          if (depth < step.number) throw new AgentExpressionError('stack underflow');
          const values = Array.from({ length: step.number }, () => stack[--depth]);
          context.print?.(formatText(step.format as string, values, (address) => stringAt(context, address)));
          break;
        }
        default: {
          depth--;
          stack[depth - 1] = unsigned(BINARY[opcode](stack[depth - 1], stack[depth]));
        }
      }
    }
    throw new AgentExpressionError(`more than ${MAX_STEPS} steps`);
  }
}

/** Opcode -> values that it takes from the stack, or looks at. */
const NEEDS: Readonly<Record<number, number>> = {
  ...Object.fromEntries(Object.keys(BINARY).map((opcode) => [opcode, 2])),
  ...{ 14: 1, 18: 1, 22: 1, 23: 1, 24: 1, 25: 1, 26: 1, 32: 1, 40: 1, 41: 1, 42: 1, 43: 2, 51: 3 },
  ...{ 12: 2, 13: 1, 45: 1, 47: 2, 48: 1, [PRINTF]: 2 },
};

function loaded(context: AgentContext, address: bigint, bytes: number): bigint {
  const value = context.load?.(address, bytes);
  if (value !== undefined) return value;
  const data = context.memory(address, bytes);
  if (data.length < bytes) throw new AgentExpressionError(`no memory at 0x${address.toString(16)}`);
  return data.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function collect(context: AgentContext, address: bigint, bytes: bigint): void {
  if (bytes > BigInt(MAX_COLLECTED)) throw new AgentExpressionError(`more than ${MAX_COLLECTED} bytes are collected`);
  context.collect?.memory(address, Number(bytes));
}

function variable(context: AgentContext, number: number): bigint {
  const value = context.variable?.(number);
  if (value === undefined) throw new AgentExpressionError(`trace state variable ${number} is unknown`);
  return unsigned(value);
}

/** Bytes up to a zero, that included; `limit` at most, 0: as many as a text may have. */
function textAt(context: AgentContext, address: bigint, limit: bigint): Uint8Array {
  const most = limit > 0n && limit < BigInt(MAX_TEXT) ? Number(limit) : MAX_TEXT;
  const bytes = context.memory(address, most);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end + 1);
}

function stringAt(context: AgentContext, address: bigint): string {
  const bytes = textAt(context, address, 0n);
  if (bytes.length === 0) return `<no memory at 0x${address.toString(16)}>`;
  // it goes to a terminal
  return printableLines(Buffer.from(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes).toString('utf8'));
}

const programs = new WeakMap<Uint8Array, AgentProgram>();

/** The decoded form of an expression, made at its first use. @throws AgentExpressionError as the constructor */
export function programOf(code: Uint8Array): AgentProgram {
  let program = programs.get(code);
  if (program === undefined) {
    program = new AgentProgram(code);
    programs.set(code, program);
  }
  return program;
}

/**
 * Checks that each opcode is one that a condition may have and that operands are complete.
 * @throws AgentExpressionError naming the opcode and its offset.
 */
export function checkAgentExpression(code: Uint8Array): void {
  programOf(code).mustOnlyCompute();
}

/** Runs an expression. @throws AgentExpressionError as AgentProgram */
export function evaluateAgentExpression(code: Uint8Array, context: AgentContext): bigint {
  return programOf(code).run(context);
}
