/**
 * Agent expressions: the bytecode in which GDB sends breakpoint conditions, a stack machine on 64-bit values.
 * @gdb appendix "The GDB Agent Expression Mechanism"
 */

export interface AgentContext {
  /** Value of a register by its number in the target description; undefined when it is unknown. */
  register(number: number): bigint | undefined;
  /** Short where memory ends. */
  memory(address: bigint, length: number): Uint8Array;
}

/** The expression is malformed, uses an opcode that a condition cannot have, or failed while it ran. */
export class AgentExpressionError extends Error {}

/** Opcode -> bytes of operands. Those of trace, tracepoint variables, floats and printf are refused. */
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
  50: 1, // pick
  51: 0, // rot
};

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

/**
 * Checks that each opcode is one that evaluateAgentExpression knows and that operands are complete.
 * @throws AgentExpressionError naming the opcode and its offset.
 */
export function checkAgentExpression(code: Uint8Array): void {
  for (let at = 0; at < code.length; ) {
    const operands = OPERAND_BYTES[code[at]];
    if (operands === undefined) {
      throw new AgentExpressionError(`agent opcode 0x${code[at].toString(16)} at offset ${at} is not supported`);
    }
    if (at + 1 + operands > code.length) throw new AgentExpressionError(`agent expression ends inside offset ${at}`);
    at += 1 + operands;
  }
}

/**
 * Runs a checked expression.
 * @returns the top of the stack as an unsigned 64-bit value.
 * @throws AgentExpressionError on stack underflow, division by zero, unreadable memory or too many steps.
 */
export function evaluateAgentExpression(code: Uint8Array, context: AgentContext): bigint {
  const stack: bigint[] = [];
  const pop = (): bigint => {
    const value = stack.pop();
    if (value === undefined) throw new AgentExpressionError('stack underflow');
    return value;
  };
  const peek = (depth: number): bigint => {
    const value = stack[stack.length - 1 - depth];
    if (value === undefined) throw new AgentExpressionError('stack underflow');
    return value;
  };
  const operand = (at: number, bytes: number): bigint => {
    let value = 0n;
    for (let byte = 0; byte < bytes; byte++) value = (value << 8n) | BigInt(code[at + byte]);
    return value;
  };

  let at = 0;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const opcode = code[at];
    const bytes = OPERAND_BYTES[opcode];
    if (bytes === undefined) throw new AgentExpressionError(`no opcode at offset ${at}`);
    if (at + 1 + bytes > code.length) throw new AgentExpressionError(`expression ends inside offset ${at}`);
    if (stack.length > MAX_STACK) throw new AgentExpressionError('stack overflow');
    const value = operand(at + 1, bytes);
    at += 1 + bytes;

    const binary = BINARY[opcode];
    if (binary !== undefined) {
      const right = pop();
      stack.push(unsigned(binary(pop(), right)));
      continue;
    }
    switch (opcode) {
      case 14:
        stack.push(truth(pop() === 0n));
        break;
      case 18:
        stack.push(unsigned(~pop()));
        break;
      case 22:
        stack.push(unsigned(BigInt.asIntN(Number(value), pop())));
        break;
      case 42:
        stack.push(BigInt.asUintN(Number(value), pop()));
        break;
      case 23:
      case 24:
      case 25:
      case 26: {
        const length = 1 << (opcode - 23);
        const address = pop();
        const data = context.memory(address, length);
        if (data.length < length) throw new AgentExpressionError(`no memory at 0x${address.toString(16)}`);
        stack.push(data.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
        break;
      }
      case 32:
        if (pop() !== 0n) at = Number(value);
        break;
      case 33:
        at = Number(value);
        break;
      case 34:
      case 35:
      case 36:
      case 37:
        stack.push(value);
        break;
      case 38: {
        const register = context.register(Number(value));
        if (register === undefined) throw new AgentExpressionError(`register ${value} is unknown`);
        stack.push(unsigned(register));
        break;
      }
      case 39:
        return peek(0);
      case 40:
        stack.push(peek(0));
        break;
      case 41:
        pop();
        break;
      case 43: {
        const top = pop();
        const below = pop();
        stack.push(top, below);
        break;
      }
      case 50:
        stack.push(peek(Number(value)));
        break;
      case 51: {
        // ( a b c => c a b )
        const c = pop();
        const b = pop();
        const a = pop();
        stack.push(c, a, b);
        break;
      }
    }
  }
  throw new AgentExpressionError(`more than ${MAX_STEPS} steps`);
}
