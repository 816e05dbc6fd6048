/** Agent expressions that a hostile or mistaken client may send, and what breakpoints print and collect by them. */
import { describe, expect, test } from 'vitest';
import {
  type AgentContext,
  AgentExpressionError,
  checkAgentExpression,
  evaluateAgentExpression,
} from '../../src/engine/debug/agent-expression.js';
import { formatText } from '../../src/engine/debug/agent-format.js';
import { TraceFrames } from '../../src/engine/debug/trace-frames.js';
import type { TraceFrame } from '../../src/engine/debugger.js';

const code = (hex: string): Uint8Array => Buffer.from(hex.replace(/\s/g, ''), 'hex');
const nothing: AgentContext = { register: () => undefined, memory: () => new Uint8Array(0) };
const run = (hex: string, context: Partial<AgentContext> = {}): bigint =>
  evaluateAgentExpression(code(hex), { ...nothing, ...context });

describe('an expression', () => {
  test.each([
    ['const8 -1; ext 8: sign', '22ff 1608 27', (1n << 64n) - 1n],
    ['ext 64 changes nothing', '22ff 1640 27', 255n],
    ['zero_ext', '22ff 1608 2a10 27', 0xffffn],
    ['goto over a pop', '2201 210007 2929 27', 1n],
    ['if_goto not taken', '2205 2200 200009 2207 27', 7n],
    ['rot', '2201 2202 2203 33 27', 2n],
    ['pick', '2209 2208 3201 27', 9n],
  ])('%s', (_what, hex, value) => {
    expect(run(hex)).toBe(value);
  });

  test.each([
    ['an opcode of floats', '01 27', /agent opcode 0x1 at offset 0 is not supported/],
    ['an operand that is cut', '2211 24 00', /agent expression ends inside offset 2/],
    ['a format that is cut', '34 00 0005 6100', /agent expression ends inside offset 0/],
    ['a format without its end', '34 00 0001 61', /agent expression ends inside offset 0/],
    ['an empty stack', '02 27', /stack underflow/],
    ['no value', '27', /stack underflow/],
    ['a jump into an operand', '210001 27', /no opcode at offset 1/],
    ['no end', '2201', /runs past its end/],
    ['a loop', '210000', /more than 10000 steps/],
    ['a stack without end', '2201 28 210002', /stack overflow/],
    ['division by zero', '2201 2200 05 27', /division by zero/],
    ['memory that is not there', '2210 17 27', /no memory at 0x10/],
    ['an unknown register', '260005 27', /register 5 is unknown/],
    ['an unknown variable', '2c0005 27', /trace state variable 5 is unknown/],
    ['all of memory', '2200 25 0000000100000000 0c 27', /more than 65536 bytes are collected/],
    ['a printf without its arguments', '2200 2200 34 02 0001 00 27', /stack underflow/],
  ])('with %s fails by name', (_what, hex, message) => {
    expect(() => run(hex)).toThrow(AgentExpressionError);
    expect(() => run(hex)).toThrow(message);
  });

  test.each(['2200 2201 0c 27', '2201 2d0001 27', '2201 0d04 27', '2200 2200 34 00 0001 00 27'])(
    'that has an effect is no condition: %s',
    (hex) => {
      expect(() => checkAgentExpression(code(hex))).toThrow(
        /^agent opcode 0x[0-9a-f]+ at offset \d+ is not supported in a condition/,
      );
    },
  );

  test('counts in a variable, prints and collects', () => {
    const variables = new Map([[1, 41n]]);
    const seen: unknown[] = [];
    const context: Partial<AgentContext> = {
      variable: (number) => variables.get(number),
      setVariable: (number, value) => void variables.set(number, value),
      collect: {
        memory: (address, bytes) => void seen.push([address, bytes]),
        variable: (number, value) => void seen.push([number, value]),
      },
      print: (text) => void seen.push(text),
    };
    run('2c0001 2201 02 2d0001 29 2e0001 2310002204 0c 27', context);
    // printf("%d %d", 7, 8): the first argument lies on top
    run('2208 2207 2200 2200 34 02 0006 2564202564 00 27', context);
    expect(variables.get(1)).toBe(42n);
    expect(seen).toEqual([[1, 42n], [0x1000n, 4], '7 8']);
  });
});

test.each([
  ['%d|%5d|%-5d|%05d|%+d', [-1n, 42n, 42n, 42n, 42n], '-1|   42|42   |00042|+42'],
  ['%x|%#x|%#06x|%X|%o|%#o', [255n, 255n, 255n, 255n, 8n, 8n], 'ff|0xff|0x00ff|FF|10|010'],
  ['%d %ld %lld %hhd %hu', [1n << 32n, 1n << 32n, -1n, 0x181n, 0x1ffffn], '0 4294967296 -1 -127 65535'],
  ['%u|%.3d|%5.3d', [(1n << 64n) - 1n, 5n, 5n], '4294967295|005|  005'],
  ['%c%c %p %%', [65n, 27n, 0xffffffff81000000n], 'A\\x1b 0xffffffff81000000 %'],
  ['%s|%.2s|%6s', [1n, 1n, 1n], 'text|te|  text'],
  ['%f', [3n], '<%f: 0x3>'],
  ['%d %d', [1n], '1 %d'],
  ['%99999999d', [1n], `${' '.repeat(255)}1`],
  ['a\\tb\\n\\\\n\\101\\"', [], 'a\tb\n\\nA"'],
])('the format %j', (format, values, text) => {
  expect(formatText(format, values, () => 'text')).toBe(text);
});

describe('frames', () => {
  const frame = (tracepoint: number, bytes: number): TraceFrame => ({
    ...{ tracepoint, address: BigInt(tracepoint), vcpu: 0, icount: 0n, variables: [] },
    memory: [{ address: 0n, bytes: new Uint8Array(bytes) }],
  });

  test('stay within their buffer: the trace ends, or the oldest give way', () => {
    const frames = new TraceFrames();
    frames.start({ bytes: 1000, circular: false, variables: [] });
    for (let n = 0; n < 100; n++) frames.add(frame(n, 200), 0);
    expect(frames.status).toMatchObject({ running: false, stopped: { why: 'full' }, frames: 4, created: 4 });
    frames.start({ bytes: 1000, circular: true, variables: [] });
    for (let n = 0; n < 100; n++) frames.add(frame(n, 200), 0);
    expect(frames.status).toMatchObject({ running: true, frames: 4, created: 100 });
    expect(frames.list().map(({ tracepoint }) => tracepoint)).toEqual([96, 97, 98, 99]);
    frames.add(frame(0, 5000), 0);
    expect(frames.status).toMatchObject({ running: false, stopped: { why: 'full' } });
    expect(() => frames.start({ bytes: 2 ** 40, circular: false, variables: [] })).toThrow(
      /is too large: set trace-buffer/,
    );
  });

  test('end with a pass count, and with what cannot be collected', () => {
    const frames = new TraceFrames();
    frames.start({ bytes: 1e6, circular: false, variables: [] });
    for (let n = 0; n < 5; n++) frames.add(frame(7, 1), 3);
    expect(frames.status).toMatchObject({ stopped: { why: 'passes', tracepoint: 7 }, frames: 3 });
    frames.start({ bytes: 1e6, circular: false, variables: [] });
    frames.add({ ...frame(7, 1), failure: 'no memory at 0x10' }, 0);
    expect(frames.status).toMatchObject({ stopped: { why: 'error', text: 'no memory at 0x10' }, frames: 1 });
  });
});
