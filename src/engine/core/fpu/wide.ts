// 128-bit integers: results in `high` and `low`, remainders in `remainder`.

/** Upper and lower half of the last 128-bit result. */
export let high: u64 = 0;
export let low: u64 = 0;
export let remainder: u64 = 0;

const HALF: u64 = 0xffffffff;

/** Upper half of a product. */
@inline export function upperProduct(a: u64, b: u64): u64 {
  const a0 = a & HALF;
  const a1 = a >> 32;
  const b0 = b & HALF;
  const b1 = b >> 32;
  const one = a1 * b0 + (a0 * b0 >> 32);
  const two = a0 * b1 + (one & HALF);
  return a1 * b1 + (one >> 32) + (two >> 32);
}

/** a times b. */
export function multiply64(a: u64, b: u64): void {
  low = a * b;
  high = upperProduct(a, b);
}

/** Quotient of n1:n0 by d; n1 < d and bit 63 of d is set. The rest is in `remainder`. */
export function divide128(n1: u64, n0: u64, d: u64): u64 {
  const d1 = d >> 32;
  const d0 = d & HALF;
  const second = n0 >> 32;
  let q1 = n1 / d1;
  let rest = n1 - q1 * d1;
  while (q1 > HALF || q1 * d0 > (rest << 32 | second)) {
    q1--;
    rest += d1;
    if (rest > HALF) break;
  }
  const n = (n1 << 32) + second - q1 * d;
  let q0 = n / d1;
  rest = n - q0 * d1;
  while (q0 > HALF || q0 * d0 > (rest << 32 | n0 & HALF)) {
    q0--;
    rest += d1;
    if (rest > HALF) break;
  }
  remainder = (n << 32) + (n0 & HALF) - q0 * d;
  return (q1 << 32) + q0;
}

/** hi:lo shifted right; what falls out leaves a 1 in the lowest bit. */
export function shiftRightJam(hi: u64, lo: u64, count: u32): void {
  if (count == 0) {
    high = hi;
    low = lo;
  } else if (count < 64) {
    high = hi >> count;
    low = hi << (64 - count) | lo >> count | u64(lo << (64 - count) != 0);
  } else if (count < 128) {
    const over = count - 64;
    const lost = over == 0 ? lo : hi << (64 - over) | lo;
    high = 0;
    low = hi >> over | u64(lost != 0);
  } else {
    high = 0;
    low = u64((hi | lo) != 0);
  }
}

/** hi:lo shifted left by less than 128. */
export function shiftLeft(hi: u64, lo: u64, count: u32): void {
  if (count == 0) {
    high = hi;
    low = lo;
  } else if (count < 64) {
    high = hi << count | lo >> (64 - count);
    low = lo << count;
  } else {
    high = lo << (count - 64);
    low = 0;
  }
}

/** ah:al plus bh:bl, modulo 2^128; true when it carries out. */
export function add128(ah: u64, al: u64, bh: u64, bl: u64): bool {
  low = al + bl;
  const carry = u64(low < al);
  const sum = ah + bh;
  high = sum + carry;
  return sum < ah || high < sum;
}

/** ah:al minus bh:bl, modulo 2^128. */
export function subtract128(ah: u64, al: u64, bh: u64, bl: u64): void {
  high = ah - bh - u64(al < bl);
  low = al - bl;
}

@inline export function less128(ah: u64, al: u64, bh: u64, bl: u64): bool {
  return ah < bh || (ah == bh && al < bl);
}
