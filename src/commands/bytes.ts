/** Bytes as people type them. */

/** `48 89 e5` or `4889e5` as bytes; `"text"` as its characters. */
export function parseBytes(text: string): Uint8Array {
  const quoted = /^"(.*)"$/.exec(text.trim());
  if (quoted) return new TextEncoder().encode(quoted[1]);
  const digits = text.replace(/\s+|0x/gi, '');
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new Error(`"${text.trim()}" is not a list of bytes such as 48 89 e5`);
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}
