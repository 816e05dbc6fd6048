// Which host pages and 128-byte lines hold decoded code: writes there must find the blocks.
import { CODE_LINES, CODE_PAGES } from '../layout';
import { protectCodePage } from '../mmu/tlb';

/** True when decoded code lies in the page of this host address. */
@inline export function pageHasCode(hpa: usize): bool { return load<u8>((hpa >> 12) + CODE_PAGES) != 0; }

/** Records decoded code and takes the page's entries out of the write TLB. */
export function markCode(hpa: usize, bytes: u32): void {
  const first = u32(hpa >> 7) & 31;
  const last = u32((hpa + bytes - 1) >> 7) & 31;
  const slot = ((hpa >> 12) << 2) + CODE_LINES;
  store<u32>(slot, load<u32>(slot) | ((u32(0xffffffff) << first) & (u32(0xffffffff) >> (31 - last))));
  if (pageHasCode(hpa)) return;
  store<u8>((hpa >> 12) + CODE_PAGES, 1);
  protectCodePage(hpa & ~0xfff);
}

export function clearCode(hpa: usize): void {
  store<u8>((hpa >> 12) + CODE_PAGES, 0);
  store<u32>(((hpa >> 12) << 2) + CODE_LINES, 0);
}
