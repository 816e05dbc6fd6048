// Power series in fixed point, for the transcendental functions. Arguments are fractions of 2^128.
import { divideSmall, multiplyHigh } from './wide-float';
import { add128, high, low, subtract128 } from './wide';

const ONE: u64 = 0x8000000000000000; // with 127 bits below the point
const ONE_126: u64 = 0x4000000000000000;

/** sin(r) / r (`from` 2) or cos(r) (`from` 1) of z = r * r: 1 with 127 bits below the point. */
export function trigonometric(zh: u64, zl: u64, from: u64): void {
  let ph = ONE;
  let pl: u64 = 0;
  for (let k: i32 = 17; k >= 0; k--) {
    const n = u64(k) * 2 + from;
    multiplyHigh(zh, zl, ph, pl);
    divideSmall(high, low, n * (n + 1));
    subtract128(ONE, 0, high, low);
    ph = high;
    pl = low;
  }
}

/** (e^y - 1) / y for |y| < 1, with 126 bits below the point. */
export function exponential(yh: u64, yl: u64, negative: bool): void {
  let ph = ONE_126;
  let pl: u64 = 0;
  for (let n: u64 = 32; n >= 2; n--) {
    multiplyHigh(yh, yl, ph, pl);
    divideSmall(high, low, n);
    if (negative) subtract128(ONE_126, 0, high, low);
    else add128(ONE_126, 0, high, low);
    ph = high;
    pl = low;
  }
}

/** atanh(s) / s, or atan(s) / s when `alternating`, of z = s * s: 127 bits below the point. */
export function inverseTangent(zh: u64, zl: u64, alternating: bool): void {
  const terms: i32 = alternating ? 13 : 25;
  let ph: u64 = 0;
  let pl: u64 = 0;
  for (let k = terms; k >= 0; k--) {
    multiplyHigh(zh, zl, ph, pl);
    const th = high;
    const tl = low;
    divideSmall(ONE, 0, u64(k) * 2 + 1);
    if (alternating) subtract128(high, low, th, tl);
    else add128(high, low, th, tl);
    ph = high;
    pl = low;
  }
}
