/** A machine's state, frames apart, as bytes for a file or a peer: JSON, deflated. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { StateError } from '../state/schema.js';
import type { MachineState } from '../vmm/machine-state.js';

/** A tree is some 100 KiB; more than this no machine has. */
const MAX_TREE_BYTES = 1 << 26;
const FASTEST = { level: 1 };

/** What JSON has no word for: 64-bit numbers, bytes and 32-bit words. */
const U64 = '$u64';
const BYTES = '$bytes';
const WORDS = '$words';

export function toJson(tree: unknown): string {
  return JSON.stringify(tree, function (this: Record<string, unknown>, name, converted: unknown) {
    // a Buffer has converted itself already
    const value = this[name] instanceof Uint8Array ? this[name] : converted;
    if (typeof value === 'bigint') return { [U64]: value.toString(16) };
    if (value instanceof Uint8Array) return { [BYTES]: base64(value) };
    return value instanceof Uint32Array
      ? { [WORDS]: base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) }
      : value;
  });
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const [[name, content] = [], ...more] = Object.entries(value);
    if (more.length > 0 || typeof content !== 'string') return value;
    if (name === U64 && /^[0-9a-f]{1,16}$/.test(content)) return BigInt(`0x${content}`);
    if (name === BYTES) return Uint8Array.from(Buffer.from(content, 'base64'));
    return name === WORDS ? new Uint32Array(Uint8Array.from(Buffer.from(content, 'base64')).buffer) : value;
  });
}

export function deflateTree(state: MachineState): Buffer {
  return deflateRawSync(toJson(state), FASTEST);
}

/** Its `identity` and `parts` are still to be checked by `loadMachine`. @throws StateError */
export function inflateTree(tree: Uint8Array): MachineState {
  let value: unknown;
  try {
    value = fromJson(inflateRawSync(tree, { maxOutputLength: MAX_TREE_BYTES }).toString());
  } catch (error) {
    throw new StateError(`is damaged: ${(error as Error).message}`);
  }
  const { identity, parts } = (value ?? {}) as Partial<MachineState>;
  if (typeof identity !== 'object' || typeof parts !== 'object' || identity === null || parts === null)
    throw new StateError('is damaged: its tree has no identity or no parts');
  return { identity, parts };
}
