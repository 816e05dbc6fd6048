/** One language of values: how it reads, what it computes, and that the engine's bytecode computes the same. */
import { describe, expect, it } from 'vitest';
import { SymbolTable } from '../../src/disasm/index.js';
import { programOf } from '../../src/engine/debug/agent-expression.js';
import { parseExitCondition } from '../../src/engine/debug/exit-condition.js';
import { compileExpression } from '../../src/engine/debug/expression/compile.js';
import { evaluateWith } from '../../src/engine/debug/expression/evaluate.js';
import type { Names } from '../../src/engine/debug/expression/names.js';
import { expressionText, firstExpression, parseExpression } from '../../src/engine/debug/expression/syntax.js';
import { exitMatches } from '../../src/engine/debug/trace-reader.js';
import type { ExitRecord } from '../../src/engine/debugger.js';

const names: Names = {
  symbols: new SymbolTable([
    { name: 'main', address: 0x1000n, size: 0x20n },
    { name: 'add', address: 0x2000n, size: 0n },
    { name: 'std::move', address: 0x3000n, size: 0n },
    { name: 'operator<', address: 0x4000n, size: 0n },
    { name: 'foo.isra.0', address: 0x5000n, size: 0n },
  ]),
  registers: { rsp: 0x8000n, rax: 0xffff_ffff_1234_85a6n, rbx: 3n, r8: 0xff00000008n, rflags: 0x246n, rip: 0x1004n },
  constant: (name) => (name === 'CPUID' ? 10n : undefined),
};
const MEMORY = Uint8Array.from({ length: 64 }, (_, n) => 0x80 + n);
/** Linear memory from 8000h; physical from 0, of zeros. */
const read = async (space: string, address: bigint, bytes: number): Promise<Uint8Array> => {
  if (space === 'gpa') return new Uint8Array(address < 0x100n ? bytes : 0);
  const at = Number(address) - 0x8000;
  return at < 0 || at > 64 ? new Uint8Array(0) : MEMORY.subarray(at, at + bytes);
};
const now = (text: string) => evaluateWith(text, names, ({ space, address, bytes }) => read(space, address, bytes));
const live = async (text: string): Promise<bigint> => {
  const condition = compileExpression(parseExpression(text), names);
  const known = new Map<string, Uint8Array>();
  for (let address = 0x8000n; address < 0x8040n; address++)
    for (const bytes of [1, 2, 4, 8]) known.set(`${address},${bytes}`, await read('gva', address, bytes));
  return programOf(condition.expressions[0]!).run({
    register: (number) => names.registers![condition.registers[number]!],
    memory: (address, bytes) =>
      condition.space === 'gpa' ? new Uint8Array(bytes) : (known.get(`${address},${bytes}`) ?? new Uint8Array(0)),
  });
};
const ALL = (1n << 64n) - 1n;

describe('an expression', () => {
  it.each([
    ['0x1F', 0x1fn],
    ['0b101', 5n],
    ['42', 42n],
    ['fee00000', 0xfee00000n],
    ['7c00', 0x7c00n],
    ["'a'", 97n],
    ["'\\n'", 10n],
    ['add', 0x2000n],
    ['std::move+1', 0x3001n],
    ['`operator<` + 8', 0x4008n],
    ['foo.isra.0', 0x5000n],
    ['CPUID', 10n],
    ['$rsp + 8', 0x8008n],
    ['%rsp%3', 2n],
    ['RSP', 0x8000n],
    ['eax', 0x123485a6n],
    ['ax', 0x85a6n],
    ['al', 0xa6n],
    ['ah', 0x85n],
    ['r8d', 8n],
    ['r8b + r8w', 16n],
    ['-1', ALL],
    ['rax*2', 0xfffffffe24690b4cn],
    ['rbx - 4', ALL],
    ['~0', ALL],
    ['1 + 2 * 3', 7n],
    ['(1 + 2) * 3', 9n],
    ['7 / 2 % 2', 1n],
    ['1 << 4 | 1', 17n],
    ['1 << 64', 0n],
    ['rax >> 60', 15n],
    ['0xff ^ 0xf & 3', 0xfcn],
    // bits bind tighter than comparisons: C would read rflags & (0x200 == 0x200)
    ['rflags & 0x200 == 0x200', 1n],
    ['rbx == 3 and rsp != 0', 1n],
    ['rbx == 4 || rsp >= 0x8000', 1n],
    ['not rbx == 3', 0n],
    ['!rbx', 0n],
    ['(1 < 2) == 1', 1n],
    ['-1 > 1', 1n],
    ['[rsp]', 0x8786858483828180n],
    ['[rsp+8]:u32', 0x8b8a8988n],
    ['[rsp+1]:u16 + 1', 0x8282n],
    ['[rsp]:s8', ALL - 0x7fn],
    ['*rsp & 0xff', 0x80n],
    ['[0x7f80 + [rsp]:u8]:u8', 0x80n],
    ['[gpa 0x10]:u8', 0n],
    // what stands behind does not matter where the first decides
    ['rbx == 3 or [0] == 1', 1n],
    ['rbx == 4 and 1/0', 0n],
  ])('%s, in the engine too', async (text, value) => {
    expect(await now(text)).toBe(value);
    expect(await live(text)).toBe(value);
    expect(await now(expressionText(parseExpression(text)).replaceAll('operator<', '`operator<`'))).toBe(value);
  });

  it.each([
    ['', 'an address or value is missing'],
    ['main+', 'a value is missing at column 6 of "main+"'],
    ['1 + * )', 'a value is missing before ")" at column 7 of "1 + * )"'],
    ['main main', 'unexpected "main" at column 6 of "main main"'],
    ['rax = 5', 'unexpected "=" ("==" compares) at column 5 of "rax = 5"'],
    ['(1', 'a ) for the sign at column 1 is missing at column 3 of "(1"'],
    ['[rsp', 'a ] for the sign at column 1 is missing'],
    ['[rsp]:u7', 'what is in memory is :u8, :u16, :u32, :u64, or with s for signs, at column 6'],
    ['0x', '0x is not a number at column 1'],
    ['0b12x', '0b12x is not a number'],
    ['1 < 2 < 3', 'two comparisons in a row: join them with "and" at column 7'],
    ['rax and', 'a value is missing at column 8'],
    ['and 1', 'a value is missing before "and" at column 1'],
    ['nothing', 'no symbol, register or number "nothing"'],
    ['$nothing', 'no register $nothing'],
    ['99999999999999999999', '99999999999999999999 does not fit in 64 bits'],
    ['0xffffffffffffffff*2', 'the product does not fit in 64 bits at column 19'],
    ['1/0', 'division by zero'],
    ['[0]', 'nothing is mapped at gva 0x0'],
    ['1;2', 'unexpected ";" at column 2'],
    ['main()', 'unexpected "("'],
    ['__proto__', 'no symbol, register or number "__proto__"'],
    ['$constructor', 'no register $constructor'],
  ])('%s is refused with the place', async (text, message) => {
    await expect(now(text)).rejects.toThrow(message);
  });

  it('is bounded', async () => {
    const deep = 'too many parentheses or signs at column 102 of "…(((';
    await expect(now(`${'('.repeat(20_000)}1`)).rejects.toThrow(deep);
    await expect(now(`${'-'.repeat(20_000)}rax`)).rejects.toThrow('too many parentheses or signs');
    await expect(now(`${'[1]+'.repeat(3000)}1`)).rejects.toThrow('more than 1000 signs and names');
  });

  it('ends where it ends, for arguments behind it', () => {
    expect(firstExpression('[rsp + 8]:u32 4 w').rest).toBe('4 w');
    expect(firstExpression('main if rax == 1').rest).toBe('if rax == 1');
    expect(firstExpression('0x7ff00 "Hi"').rest).toBe('"Hi"');
  });
});

describe('a condition on exits', () => {
  const exit = (reason: number, more: Partial<ExitRecord> = {}): ExitRecord =>
    ({ reason, qualification: 0n, rax: 0n, rcx: 0n, interruptionInfo: 0, gpa: 0n, ...more }) as ExitRecord;
  const holds = (text: string, record: ExitRecord) => exitMatches(record, parseExitCondition(text, {}));

  it('takes the whole language, on what the exit was about', () => {
    const out = exit(30, { qualification: 0x3f80003n });
    for (const text of [
      'port == 0x3f8 or msr == 1',
      '(port & ~7) == 0x3f8',
      'port - 0x3f0 == size * 2',
      'port',
      'not msr == 5',
    ])
      expect(holds(`any if ${text}`, out), text).toBe(true);
    for (const text of ['not port == 0x3f8', 'port + 0 != 0x3f8', 'msr != 5 and port == 0x3f8', 'msr + 1 == 1', 'msr'])
      expect(holds(`any if ${text}`, out), text).toBe(false);
    expect(() => parseExitCondition('any if rbx == 1', {})).toThrow('an exit has no field "rbx"; it has port, size,');
    expect(() => parseExitCondition('any if port == 1 or banana', {})).toThrow('an exit has no field "banana"');
    expect(() => parseExitCondition('CPUID if', {})).toThrow('a condition is missing');
  });

  it('keeps registers and memory for the engine', () => {
    const condition = parseExitCondition('CPUID if rbx == 3 and [rsp]:u8 == leaf', names);
    expect(condition.reasons).toEqual([10]);
    expect(condition.test).toMatchObject({ registers: ['rbx', 'exit?leaf', 'rsp', 'exit:leaf'], space: 'gva' });
    expect(condition.test!.text).toBe('rbx == 3 and [rsp]:u8 == leaf');
  });
});
