/** Numbers of the monitor as QEMU reads them: sums, products and bits of numbers and `$registers`. */

/** Operators by how tightly they bind, loosest first: those of a row equally, from the left. */
const LEVELS: Record<string, (a: bigint, b: bigint) => bigint>[] = [
  { '&': (a, b) => a & b, '|': (a, b) => a | b, '^': (a, b) => a ^ b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': (a, b) => a / nonZero(b), '%': (a, b) => a % nonZero(b) },
];
const TOKEN = /\s*(0x[0-9a-f]+|\d+|\$[a-z_][a-z0-9_]*|'.'|[-+*/%&|^~()])/iy;
/** Parentheses and signs inside one another. */
const MAX_DEPTH = 100;

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new Error('division by zero');
  return value;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  let at = 0;
  while (text.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`${text.slice(at).trim()} is not a number`);
    tokens.push(match[1]);
    at = TOKEN.lastIndex;
  }
  return tokens;
}

/**
 * Value of an expression, modulo 2^64.
 * @param register value of a register by its name; undefined when there is none
 * @throws Error that names what cannot be read
 */
export function evaluateNumber(text: string, register: (name: string) => bigint | undefined): bigint {
  const tokens = tokensOf(text);
  let at = 0;
  const atom = (depth: number): bigint => {
    if (depth > MAX_DEPTH) throw new Error('too many parentheses');
    const token = tokens[at++];
    if (token === undefined) throw new Error('a number is missing');
    if (token === '-') return -atom(depth + 1);
    if (token === '+') return atom(depth + 1);
    if (token === '~') return ~atom(depth + 1);
    if (token === '(') {
      const value = level(0, depth + 1);
      if (tokens[at++] !== ')') throw new Error('a ) is missing');
      return value;
    }
    if (token.startsWith("'")) return BigInt(token.charCodeAt(1));
    if (token.startsWith('$')) {
      const value = register(token.slice(1));
      if (value === undefined) throw new Error(`no register ${token}`);
      return value;
    }
    if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(token)) throw new Error(`${token} is not a number`);
    return BigInt(token);
  };
  const level = (row: number, depth: number): bigint => {
    if (row === LEVELS.length) return atom(depth);
    let value = level(row + 1, depth);
    for (let apply = LEVELS[row][tokens[at]]; apply !== undefined; apply = LEVELS[row][tokens[at]]) {
      at++;
      value = BigInt.asUintN(64, apply(value, level(row + 1, depth)));
    }
    return value;
  };
  const value = level(0, 0);
  if (at < tokens.length) throw new Error(`${tokens.slice(at).join(' ')} is left over`);
  return BigInt.asUintN(64, value);
}
