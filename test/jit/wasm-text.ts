// Text of a function's WebAssembly, as far as the compiler writes it.
import { OP, SIMD } from '../../src/engine/jit/wasm-writer.js';

const PLAIN = new Map<number, string>(Object.entries(OP).map(([name, code]) => [code, name]));
const VECTOR = new Map<number, string>(Object.entries(SIMD).map(([name, code]) => [code, name]));
const LOCAL = ['get', 'set', 'tee'];
const BLOCK = ['block', 'loop', 'if'];

/** @param hidden constants that differ from run to run */
export function wasmText(bytes: readonly number[], hidden: (value: number) => boolean): string {
  let at = 0;
  const unsigned = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
  };
  const signed = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
      if (byte < 128) return BigInt.asIntN(Number(shift), value);
    }
  };
  const raw = (count: number): string => {
    const from = at;
    at += count;
    return bytes
      .slice(from, at)
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
  };
  const memory = (name: string): string => {
    unsigned();
    return `${name} +${unsigned().toString(16)}`;
  };
  const vector = (): string => {
    const op = unsigned();
    if (op === 0 || op === 92 || op === 93) return memory(`v128.load${op ? (op - 91) * 32 : ''}`);
    if (op === 11) return memory('v128.store');
    const name = op === 12 ? 'v128.const' : (VECTOR.get(op) as string);
    return op === 12 || op === 13 ? `${name} ${raw(16)}` : name.endsWith('_lane') ? `${name} ${raw(1)}` : name;
  };
  const one = (): string => {
    const op = bytes[at++];
    if (op >= 2 && op <= 4) {
      at++;
      return BLOCK[op - 2];
    }
    if (op === 0x0c || op === 0x0d) return `${op === 0x0c ? 'br' : 'br_if'} ${unsigned()}`;
    if (op === 0x0e) return `br_table ${Array.from({ length: unsigned() + 1 }, unsigned).join(' ')}`;
    if (op === 0x10) return `call ${unsigned()}`;
    if (op >= 0x20 && op <= 0x22) return `${LOCAL[op - 0x20]} ${unsigned()}`;
    if (op >= 0x28 && op <= 0x3b) return memory(`${op < 0x36 ? 'load' : 'store'}.${op.toString(16)}`);
    if (op === 0x41 || op === 0x42) {
      const value = signed();
      return hidden(Number(value)) ? 'micro-op' : value.toString();
    }
    if (op === 0x43) return `f32 ${raw(4)}`;
    if (op === 0x44) return `f64 ${raw(8)}`;
    return op === 0xfd ? vector() : (PLAIN.get(op) as string);
  };
  const out: string[] = [];
  while (at < bytes.length) out.push(one());
  return out.join('; ');
}
