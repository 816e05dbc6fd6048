/** JSON as recordings have it: deflated, with `$bytes` for bytes and `$u64` for 64-bit numbers. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { StateError } from '../../state/schema.js';
import { fromJson, toJson } from '../state-tree.js';

const MAX_TEXT_BYTES = 1 << 28;

export function deflateJson(value: unknown): Buffer {
  return deflateRawSync(toJson(value));
}

/** @throws StateError */
export function inflateJson(body: Uint8Array): unknown {
  try {
    return fromJson(inflateRawSync(body, { maxOutputLength: MAX_TEXT_BYTES }).toString());
  } catch (error) {
    throw new StateError(`is damaged: ${(error as Error).message}`);
  }
}
