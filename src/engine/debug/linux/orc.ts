/**
 * The kernel's ORC tables: for each piece of code where its caller's stack pointer, return address and RBP are.
 * Two tables of equal length: where a piece starts (32 bits from the number itself), and six bytes about it.
 * @linux arch/x86/include/asm/orc_types.h
 */
import type { OsUnwindTable } from '../../debugger.js';
import type { LinuxKernel } from './kernel.js';

const ENTRY_BYTES = 6;
const REGISTER = {
  undefined: 0,
  previousSp: 1,
  dx: 2,
  di: 3,
  bp: 4,
  sp: 5,
  r10: 6,
  r13: 7,
  bpIndirect: 8,
  spIndirect: 9,
};
/** Numbers of the x86-64 ABI. */
const DWARF: Record<number, number> = { 2: 1, 3: 5, 4: 6, 5: 7, 6: 10, 7: 13, 8: 6, 9: 7 };

/** One piece of code, which reaches to the next. */
export interface UnwindRow {
  address: bigint;
  /** What stands there: a return address, all registers (`struct pt_regs`), or an interrupt's frame; none: the end. */
  frame: 'call' | 'registers' | 'interrupt' | 'none';
  /**
   * Where: register (DWARF number) + offset, with one load before (`first`) or after the sum (`last`). For a call the
   * address behind the return address.
   */
  register: number;
  offset: number;
  load?: 'first' | 'last';
  /** RBP's place from there; absent: it is unchanged. */
  rbp?: number;
}

/** The image's tables; undefined when the kernel has none (CONFIG_UNWINDER_FRAME_POINTER). */
export function readUnwindTable(kernel: LinuxKernel): OsUnwindTable | undefined {
  const names = ['__start_orc_unwind_ip', '__stop_orc_unwind_ip', '__start_orc_unwind'];
  if (!names.every((name) => kernel.has(name))) return undefined;
  const [start, stop, entriesAt] = names.map((name) => kernel.address(name));
  const count = Number(stop - start) / 4;
  const places = kernel.image(start, count * 4);
  const entries = kernel.image(entriesAt, count * ENTRY_BYTES).slice();
  const data = new DataView(places.buffer, places.byteOffset);
  const addresses = new BigUint64Array(count);
  const base = Number(start & 0xffff_ffffn);
  for (let row = 0; row < count; row++) {
    const low = (base + row * 4 + data.getInt32(row * 4, true)) >>> 0;
    // the image lies in the last 2 GiB
    addresses[row] = 0xffff_ffff_0000_0000n | BigInt(low);
  }
  return { addresses, entries };
}

/** Since 6.4 the kind of a frame counts from an undefined one; nearly all are calls. */
function isNewer(entries: Uint8Array): boolean {
  const kinds = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = 5; at < entries.length; at += ENTRY_BYTES) kinds[entries[at] & 7]++;
  return kinds[2] > kinds[0];
}

const KINDS = {
  // bits 8 and 9; bit 10 marks the end of the stack
  older: ['call', 'registers', 'interrupt', 'call', 'none', 'none', 'none', 'none'],
  newer: ['none', 'none', 'call', 'registers', 'interrupt', 'none', 'none', 'none'],
} as const;

/** The table's rows by address. */
export function* unwindRows({ addresses, entries }: OsUnwindTable): Generator<UnwindRow> {
  const kinds = KINDS[isNewer(entries) ? 'newer' : 'older'];
  const data = new DataView(entries.buffer, entries.byteOffset, entries.length);
  for (let row = 0; row < addresses.length; row++) {
    const at = row * ENTRY_BYTES;
    const registers = entries[at + 4];
    const sp = registers & 15;
    const bp = registers >> 4;
    const register = DWARF[sp];
    const known = register !== undefined && (bp === REGISTER.undefined || bp === REGISTER.previousSp);
    yield {
      address: addresses[row],
      frame: known ? kinds[entries[at + 5] & 7] : 'none',
      register: register ?? 0,
      offset: data.getInt16(at, true),
      ...(sp === REGISTER.spIndirect ? { load: 'first' as const } : {}),
      ...(sp === REGISTER.bpIndirect ? { load: 'last' as const } : {}),
      ...(bp === REGISTER.previousSp ? { rbp: data.getInt16(at + 2, true) } : {}),
    };
  }
}
