/**
 * Asks the host for memory in fewer steps. A guest that boots touches a hundred MiB for the first time, and the threads in which
 * V8 compiles give back and take again what each function needed: page by page that was an eighth of a Linux boot. Needs Linux
 * and koffi; elsewhere memory comes as the host gives it.
 */
import { cLibrary } from '../../native/c-library.js';

/** @see madvise(2): pages of 2 MiB where there are any. */
const MADV_HUGEPAGE = 14;
/** @see mallopt(3). Setting one of them leaves all as they are set. */
const M_TRIM_THRESHOLD = -1;
const M_TOP_PAD = -2;
const M_MMAP_THRESHOLD = -3;
const MIB = 1 << 20;

/** Of Linux on x86: what may be advised begins there. */
const PAGE = 4096;

type NumbersCall = (...numbers: number[]) => number;

/** For a thread with a guest, before its memory is used. Whether it was heard makes no difference but in time. */
export function adviseMemory(memory: WebAssembly.Memory): void {
  if (process.platform !== 'linux') return;
  adviseBytes(new Uint8Array(memory.buffer));
  try {
    const { func } = cLibrary();
    // what is not of glibc has no such function
    const mallopt = func<NumbersCall>('mallopt', 'int', 'int', 'int');
    mallopt(M_TRIM_THRESHOLD, 64 * MIB);
    mallopt(M_TOP_PAD, MIB);
    mallopt(M_MMAP_THRESHOLD, 32 * MIB);
  } catch {
    // without koffi's binary, or without mallopt
  }
}

/** The same for one large buffer. */
export function adviseBytes(bytes: Uint8Array): void {
  if (process.platform !== 'linux') return;
  try {
    const { func, addressOf } = cLibrary();
    const madvise = func<NumbersCall>('madvise', 'int', 'uintptr_t', 'size_t', 'int');
    const first = Math.ceil(addressOf(bytes) / PAGE) * PAGE;
    madvise(first, addressOf(bytes) + bytes.length - first, MADV_HUGEPAGE);
  } catch {
    // without koffi's binary
  }
}
