/** Numbers as WebAssembly has them in code, and room for as many bytes as come. @wasm 5.2.2 "Integers" */
import { expect, test } from 'vitest';
import { CodeBytes } from '../../src/engine/jit/code-bytes.js';

function written(write: (code: CodeBytes) => void): number[] {
  const code = new CodeBytes();
  write(code);
  return [...code.written];
}

/** What the bytes of a LEB128 number mean, as the definition has it. */
function meant(bytes: readonly number[], signed: boolean): bigint {
  const value = bytes.reduce((sum, byte, n) => sum | (BigInt(byte & 127) << BigInt(7 * n)), 0n);
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
}

const POWERS = Array.from({ length: 63 }, (_, n) => 1n << BigInt(n));
const EDGES = POWERS.flatMap((one) => [one - 1n, one, -one, -one - 1n]);

test.each(EDGES)('%d', (value) => {
  const bytes = written((code) => code.signed64(value));
  expect(meant(bytes, true)).toBe(value);
  if (BigInt.asIntN(32, value) === value) expect(written((code) => code.signed32(Number(value)))).toEqual(bytes);
  if (BigInt.asUintN(32, value) === value) {
    expect(
      meant(
        written((code) => code.unsigned(Number(value))),
        false,
      ),
    ).toBe(value);
  }
});

test('bytes beyond the first room', () => {
  const bytes = Array.from({ length: 70_000 }, (_, n) => (n * 7) & 255);
  expect(written((code) => code.putAll(bytes))).toEqual(bytes);
});
