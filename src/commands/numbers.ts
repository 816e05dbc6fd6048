/** Numbers as text. */

/** Lower-case hexadecimal without a prefix, at least `digits` long. */
export function hex(value: bigint | number, digits = 0): string {
  return (typeof value === 'bigint' ? BigInt.asUintN(64, value) : value >>> 0).toString(16).padStart(digits, '0');
}

/** `48213` as `48,213`. */
export function grouped(value: bigint | number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}
