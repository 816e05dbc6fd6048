/** Results as JSON: numbers of 64 bits are strings `0x...`, since a JSON reader rounds them; bytes are hexadecimal digits. */
export function toJson(result: unknown): string {
  return JSON.stringify(result ?? null, (_key, value: unknown) => {
    if (typeof value === 'bigint') return `0x${BigInt.asUintN(64, value).toString(16)}`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (ArrayBuffer.isView(value)) return [...(value as unknown as Iterable<number | bigint>)].map(Number);
    return value;
  });
}
