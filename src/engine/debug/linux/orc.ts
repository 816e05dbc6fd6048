/**
 * The kernel's ORC tables: for each piece of code where its caller's stack pointer, return address and RBP are.
 * Two tables of equal length: where a piece starts (32 bits from the number itself), and six bytes about it.
 * @linux arch/x86/include/asm/orc_types.h
 */
import type { OsFrameRow, OsUnwindTable } from '../../debugger.js';
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
  return { addresses, entries, newer: isNewer(entries) };
}

/** Since 6.4 the kind of a frame counts from an undefined one; nearly all are calls. */
export function isNewer(entries: Uint8Array): boolean {
  const kinds = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = 5; at < entries.length; at += ENTRY_BYTES) kinds[entries[at] & 7]++;
  return kinds[2] > kinds[0];
}

const KINDS = {
  // bits 8 and 9; bit 10 marks the end of the stack
  older: ['call', 'registers', 'interrupt', 'call', 'none', 'none', 'none', 'none'],
  newer: ['none', 'none', 'call', 'registers', 'interrupt', 'none', 'none', 'none'],
} as const;

function readRow({ addresses, entries, newer }: OsUnwindTable, row: number): OsFrameRow {
  const at = row * ENTRY_BYTES;
  const data = new DataView(entries.buffer, entries.byteOffset + at, ENTRY_BYTES);
  const registers = entries[at + 4];
  const sp = registers & 15;
  const bp = registers >> 4;
  const register = DWARF[sp];
  const known = register !== undefined && (bp === REGISTER.undefined || bp === REGISTER.previousSp);
  return {
    address: addresses[row],
    frame: known ? KINDS[newer ? 'newer' : 'older'][entries[at + 5] & 7] : 'none',
    register: register ?? 0,
    offset: data.getInt16(0, true),
    ...(sp === REGISTER.spIndirect ? { load: 'first' as const } : {}),
    ...(sp === REGISTER.bpIndirect ? { load: 'last' as const } : {}),
    ...(bp === REGISTER.previousSp ? { rbp: data.getInt16(2, true) } : {}),
  };
}

/** The table's rows by address. */
export function* unwindRows(table: OsUnwindTable): Generator<OsFrameRow> {
  for (let row = 0; row < table.addresses.length; row++) yield readRow(table, row);
}

/** The row of the code at an address; undefined outside the table, whose last row only ends the one before it. */
export function unwindRow(table: OsUnwindTable, address: bigint): OsFrameRow | undefined {
  const { addresses } = table;
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addresses[middle] <= address) low = middle + 1;
    else high = middle;
  }
  return low === 0 || low === addresses.length ? undefined : readRow(table, low - 1);
}
