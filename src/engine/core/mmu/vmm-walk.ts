// Translations for the VMM, which does task switches in the processor's place: with accessed and dirty flags,
// permissions and page faults, but without VM exits, since the guest has left already.
import { ASSIST_ADDRESS, CTX_SYSTEM, XS_OK } from '../layout';
import { decided } from '../state';
import { recordOnly } from './access';
import { ACCESS_READ, ACCESS_WRITE } from './ept';
import { walk, walkGpa } from './walk';

/**
 * Translates a linear address for a supervisor access, in the paging state of the core. XS_OK: ASSIST_ADDRESS holds the
 * guest-physical address. XS_FAULT: FAULT_*. XS_EXIT: ASSIST_* asks for a paging-structure entry that lies in no frame.
 */
export function translateForVmm(la: u64, write: i32): i32 {
  recordOnly(true);
  const done = walk(la & 0xffffffff, write ? ACCESS_WRITE : ACCESS_READ, load<u32>(CTX_SYSTEM));
  recordOnly(false);
  if (!done) return decided();
  store<u64>(ASSIST_ADDRESS, walkGpa);
  return XS_OK;
}
