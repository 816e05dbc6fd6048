// The stack's top for instructions that compiled code carries out without a row.
import { binary, compare, type Expression, gpr, type Size, variable } from '../../spec/uops/expression.js';
import { SLOTS } from '../../spec/uops/index.js';
import { MODE_CODE64, MODE_FLAT, MODE_STACK32, TLB_WRITE } from '../core/layout.js';
import type { VectorScope } from './vector-code.js';
import { I64 } from './wasm-writer.js';

const RSP = 4;

/**
 * Finds bytes on the stack, below its top in TLB_WRITE, else at it: the host's address is in `pointer`. Gives up where SS has no
 * room. `commit` moves RSP.
 */
export function stackPlace(scope: VectorScope, bytes: number, table: number): { readonly commit: () => void } {
  const { code, mode, gpr: own, temporary, put, access, giveUpIf } = scope;
  const pushes = table === TLB_WRITE;
  const size = Math.log2(bytes) as Size;
  const long = (mode & MODE_CODE64) !== 0;
  const wide = (mode & MODE_STACK32) !== 0;
  const sp = temporary('sp', I64);
  const found = variable(3, 'sp');
  const cut = (e: Expression): Expression => (long ? e : binary('and', e, wide ? 0xffffffff : 0xffff));
  put(cut(pushes ? binary('sub', gpr(3, RSP), bytes) : gpr(3, RSP)));
  code.set(sp);
  let at: Expression = found;
  if (!long && (mode & (MODE_FLAT | MODE_STACK32)) !== (MODE_FLAT | MODE_STACK32)) {
    put(compare('gtu', binary('add', found, bytes), gpr(3, pushes ? SLOTS.ssWriteRoom : SLOTS.ssReadRoom)));
    giveUpIf();
    at = binary('and', binary('add', found, gpr(3, SLOTS.ssBase)), 0xffffffff);
  }
  access(table, size, at);
  return {
    commit: () => {
      const next = pushes ? found : cut(binary('add', found, bytes));
      if (long || wide) put(next);
      else {
        code.get(own(RSP)).i64(~0xffffn).op('i64.and');
        put(next);
        code.op('i64.or');
      }
      code.set(own(RSP));
    },
  };
}
