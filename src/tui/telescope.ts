/** What a value points at, and what that points at: code and data by name, text, the stack. */
import type { Model } from './model.js';
import { hex } from './screen/text.js';

/** Pointers followed one behind the other. */
const DEPTH = 3;
/** Bytes looked at for text, and how many must print for it to be some. */
const TEXT_BYTES = 24;
const LEAST_TEXT = 4;
/** No pointer: what small numbers and the first page would be. */
const LEAST_POINTER = 0x1000n;

/** Printable characters at the start, up to a NUL; undefined where they are too few to be meant. */
function textOf(bytes: Uint8Array): string | undefined {
  const end = bytes.findIndex((byte) => byte < 0x20 || byte >= 0x7f);
  const length = end < 0 ? bytes.length : end;
  if (length < LEAST_TEXT || (end >= 0 && bytes[end] !== 0 && bytes[end] !== 10)) return undefined;
  return JSON.stringify(Buffer.from(bytes.subarray(0, length)).toString('latin1')) + (end < 0 ? '…' : '');
}

function pointerOf(bytes: Uint8Array, width: number): bigint | undefined {
  if (bytes.length < width) return undefined;
  return bytes.subarray(0, width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** `rw-`: what the guest's tables permit at an address; undefined where nothing is mapped or paging is off. */
function rights(model: Model, address: bigint): string | undefined {
  const walk = model.walkPage(address);
  if (walk?.output === undefined || walk.levels.length === 0) return undefined;
  const every = (flag: string) => walk.levels.every(({ flags }) => flags.includes(flag));
  const never = walk.levels.some(({ flags }) => flags.includes('NX'));
  return `r${every('W') ? 'w' : '-'}${never ? '-' : 'x'}`;
}

/**
 * `→ rw- 7ff00 → main+0x4`, `→ r-- "text"`; empty for a value that is no pointer into memory.
 * @param skip a name for the value itself stands there already
 */
export function telescope(model: Model, value: bigint, skip = false): string {
  // it would be read anew at each look, and mean nothing by then
  if (model.state.running) return '';
  const width = model.bits() === 64 ? 8 : 4;
  const seen = new Set<bigint>();
  let text = '';
  let at = value;
  for (let depth = 0; depth < DEPTH && at >= LEAST_POINTER && !seen.has(at); depth++) {
    seen.add(at);
    const { bytes } = model.memory('gva', at, TEXT_BYTES);
    if (bytes.length < width) break;
    const label = skip && depth === 0 ? undefined : model.symbols.label(at);
    const permissions = rights(model, at);
    const place = [permissions, label ?? (depth > 0 ? hex(at) : undefined)].filter(Boolean).join(' ');
    const string = textOf(bytes);
    text += ` → ${[place, string].filter(Boolean).join(' ')}`.trimEnd();
    // Code is no pointer.
    if (string !== undefined || label !== undefined) break;
    const next = pointerOf(bytes, width);
    if (next === undefined) break;
    at = next;
  }
  return text.trim() === '→' ? '' : text.trim();
}
