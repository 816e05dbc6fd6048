// Writes to frames that hold decoded code.
import { CODE_LINES, JIT_INSIDE, SINGLE } from '../layout';
import { holdsBlock, invalidatePageCode, runningPage } from '../decode/cache';

/** True when the bytes at host belong to decoded code: their 128-byte lines tell quickly that most do not. */
function codeCovers(host: usize, bytes: u32): bool {
  const lines = load<u32>(host >> 12 << 2, CODE_LINES);
  const first = <u32>host >> 7 & 31;
  const last = (<u32>host + bytes - 1) >> 7 & 31;
  return ((lines >> first & 1) != 0 || (lines >> last & 1) != 0) && holdsBlock(host, bytes);
}

/** The page holds decoded code, but not in the 128-byte lines of these bytes, which lie in one page: a variable beside its function. */
export function besideCode(host: usize, bytes: u32): bool {
  const lines = load<u32>(host >> 12 << 2, CODE_LINES);
  return lines != 0 && ((lines >> (<u32>host >> 7 & 31) | lines >> ((<u32>host + bytes - 1) >> 7 & 31)) & 1) == 0;
}

/** Drops the page's decoded code when the bytes about to change belong to it. */
export function codeTouched(host: usize, bytes: u32): void {
  if (codeCovers(host, bytes)) invalidatePageCode(host & ~0xfff);
}

/** A write to the frame of the running block, or to code of any while a region runs: the instruction must run alone, so that no stale one follows it. */
export function mustRunAlone(host: usize, bytes: u32): bool {
  if (load<u32>(SINGLE) != 0 || (load<u32>(JIT_INSIDE) == 0 && runningPage() != <u32>(host & ~0xfff))) return false;
  return codeCovers(host, bytes);
}
