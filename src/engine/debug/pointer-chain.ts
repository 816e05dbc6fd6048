/** What a value points at, and what that points at: by name, with rights, as text. */

/** Pointers followed one behind the other, by default. */
const DEPTH = 3;
/** Bytes looked at for text, and how many must print for it to be some. */
export const TEXT_BYTES = 24;
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

export function pointerOf(bytes: Uint8Array, width: number): bigint | undefined {
  if (bytes.length < width) return undefined;
  return bytes.subarray(0, width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** What is known of a place that a pointer leads to. */
export interface Pointed {
  /** TEXT_BYTES from there, fewer where memory ends. */
  readonly bytes: Uint8Array;
  /** `main+0x4` */
  readonly label?: string | undefined;
  /** `rw-`: what the guest's tables permit there; absent where paging is off. */
  readonly rights?: string | undefined;
}

export interface ChainOptions {
  /** Of a pointer, in bytes. */
  readonly width: 4 | 8;
  /** A name for the value itself stands there already. */
  readonly skip?: boolean;
  readonly depth?: number;
}

/**
 * `→ rw- 7ff00 → main+0x4`, `→ r-- "text"`; empty for a value that is no pointer into memory. Asks for what is known of each
 * place on the way.
 */
export function* pointerChain(
  value: bigint,
  { width, skip = false, depth: most = DEPTH }: ChainOptions,
): Generator<bigint, string, Pointed> {
  const seen = new Set<bigint>();
  let text = '';
  let at = value;
  for (let depth = 0; depth < most && at >= LEAST_POINTER && !seen.has(at); depth++) {
    seen.add(at);
    const { bytes, label: name, rights } = yield at;
    if (bytes.length < width) break;
    const label = skip && depth === 0 ? undefined : name;
    const place = [rights, label ?? (depth > 0 ? at.toString(16) : undefined)].filter(Boolean).join(' ');
    const string = textOf(bytes);
    text += ` → ${[place, string].filter(Boolean).join(' ')}`.trimEnd();
    // code is no pointer
    if (string !== undefined || label !== undefined) break;
    const next = pointerOf(bytes, width);
    if (next === undefined) break;
    at = next;
  }
  return text.trim() === '→' ? '' : text.trim();
}
