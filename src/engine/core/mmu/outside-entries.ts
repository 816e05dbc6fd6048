// Paging-structure entries that lie in no frame: in device memory, in a hole, or in ROM while the CPU would write
// accessed flags there. The VMM reads and writes them for the core, one at a time (ASSIST_KIND 3); a walk that is
// stopped so runs again. What it has read is kept by address until the instruction has completed.
import {
  ASSIST_ADDRESS, ASSIST_BYTES, ASSIST_DATA, ASSIST_KIND, ASSIST_STRUCTURE, ASSIST_WRITE, ICOUNT, MAX_OUTSIDE_ENTRIES,
  OUTSIDE_COUNT, OUTSIDE_ENTRIES, OUTSIDE_ENTRY_BYTES, OUTSIDE_ICOUNT,
} from '../layout';

const VALUE = 8;

/** Where the entry at this guest-physical address is kept; 0: the VMM has to read it. */
export function outsideEntry(gpa: u64): usize {
  if (load<u64>(OUTSIDE_ICOUNT) != load<u64>(ICOUNT)) {
    store<u32>(OUTSIDE_COUNT, 0);
    store<u64>(OUTSIDE_ICOUNT, load<u64>(ICOUNT));
  }
  const count = min<u32>(load<u32>(OUTSIDE_COUNT), MAX_OUTSIDE_ENTRIES);
  for (let n: u32 = 0; n < count; n++) {
    const at: usize = OUTSIDE_ENTRIES + n * OUTSIDE_ENTRY_BYTES;
    if (load<u64>(at) == gpa) return at + VALUE;
  }
  return 0;
}

/** Is this host address one of a kept entry? */
@inline export function isOutside(host: usize): bool {
  return host - OUTSIDE_ENTRIES < <usize>(MAX_OUTSIDE_ENTRIES * OUTSIDE_ENTRY_BYTES);
}

/** Describes to the VMM what the exit that follows asks for. */
export function askForEntry(gpa: u64, bytes: u32, write: bool, data: u64): void {
  store<u32>(ASSIST_KIND, ASSIST_STRUCTURE);
  store<u32>(ASSIST_WRITE, write ? 1 : 0);
  store<u32>(ASSIST_BYTES, bytes);
  store<u64>(ASSIST_ADDRESS, gpa);
  store<u64>(ASSIST_DATA, data);
}
