/** What a value points at, of what is on its way to the screen. */

import { pageRights } from '../engine/debug/page-rights.js';
import { pointerChain, TEXT_BYTES } from '../engine/debug/pointer-chain.js';
import type { Model } from './model.js';

/**
 * `→ rw- 7ff00 → main+0x4`, `→ r-- "text"`; empty for a value that is no pointer into memory.
 * @param skip a name for the value itself stands there already
 */
export function telescope(model: Model, value: bigint, skip = false): string {
  // it would be read anew at each look, and mean nothing by then
  if (model.state.running) return '';
  const chain = pointerChain(value, { width: model.bits() === 64 ? 8 : 4, skip });
  let step = chain.next();
  while (!step.done) {
    const at = step.value;
    const { bytes } = model.memory('gva', at, TEXT_BYTES);
    const walk = bytes.length > 0 ? model.walkPage(at) : undefined;
    step = chain.next({ bytes, label: model.symbols.label(at), rights: walk && pageRights(walk) });
  }
  return step.value;
}
