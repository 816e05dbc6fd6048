// PTEST, VTESTPS and VTESTPD: flags from two vectors.
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX, uImm2, uOpcode, uReg } from '../uop';
import { CF, STATUS, ZF, setFlags } from '../exec/flags';
import { absent, high, low, source } from './operand';

/** ZF: no bit of the mask is in both; CF: none is in b alone. */
function testVectors(u: usize, mask: v128): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  const n = uReg(u);
  let b = v128.load(p);
  let both = v128.and(low(n), b);
  let alone = v128.andnot(b, low(n));
  if (whole) {
    b = v128.load(p, 16);
    both = v128.or(both, v128.and(high(n), b));
    alone = v128.or(alone, v128.andnot(b, high(n)));
  }
  setFlags(STATUS, (v128.any_true(v128.and(both, mask)) ? 0 : ZF) | (v128.any_true(v128.and(alone, mask)) ? 0 : CF));
  return XS_OK;
}

export function execPtest(u: usize): i32 { return testVectors(u, i64x2.splat(-1)); }

/** Sign bits only: 0E singles, 0F doubles. */
export function execVtestps(u: usize): i32 {
  return testVectors(u, uOpcode(u) == 0x0e ? i32x4.splat(i32.MIN_VALUE) : i64x2.splat(i64.MIN_VALUE));
}
