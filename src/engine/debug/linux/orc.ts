/**
 * The kernel's ORC tables: for each piece of code where its caller's stack pointer, return address and RBP are.
 * Two tables of equal length: where a piece starts (32 bits from the number itself), and six bytes about it.
 * @linux arch/x86/include/asm/orc_types.h
 */
import type { OsFrameRow, OsUnwindTable } from '../../debugger.js';
import type { LinuxKernel } from './kernel.js';
import type { LinuxModule } from './modules.js';

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

/** Tables of one piece of code: `places` of `count` numbers at address `start`, and the entries. */
interface Part {
  start: bigint;
  count: number;
  places: Uint8Array;
  entries: Uint8Array;
}

function imagePart(kernel: LinuxKernel): Part | undefined {
  const names = ['__start_orc_unwind_ip', '__stop_orc_unwind_ip', '__start_orc_unwind'];
  if (!names.every((name) => kernel.has(name))) return undefined;
  const [start, stop, entriesAt] = names.map((name) => kernel.address(name));
  const count = Number(stop - start) / 4;
  const places = kernel.image(start, count * 4);
  return { start, count, places, entries: kernel.image(entriesAt, count * ENTRY_BYTES) };
}

function modulePart(kernel: LinuxKernel, module: bigint): Part {
  const at = (member: string): bigint => module + BigInt(kernel.btf.offsetOf('module', `arch.${member}`));
  const count = kernel.u32(at('num_orcs'));
  const start = kernel.u64(at('orc_unwind_ip'));
  const entries = kernel.read(kernel.u64(at('orc_unwind')), count * ENTRY_BYTES);
  return { start, count, places: kernel.read(start, count * 4), entries };
}

function readAddresses({ start, count, places }: Part, to: BigUint64Array): void {
  const data = new DataView(places.buffer, places.byteOffset);
  const base = Number(start & 0xffff_ffffn);
  for (let row = 0; row < count; row++) {
    const low = (base + row * 4 + data.getInt32(row * 4, true)) >>> 0;
    // image and modules lie in the last 2 GiB
    to[row] = 0xffff_ffff_0000_0000n | BigInt(low);
  }
}

/** By address, in place: the code that starts a module lies apart from the rest of it. */
function sortRows(addresses: BigUint64Array, entries: Uint8Array): void {
  const was = { addresses: addresses.slice(), entries: entries.slice() };
  const order = Uint32Array.from(addresses.keys()).sort((a, b) =>
    was.addresses[a] < was.addresses[b] ? -1 : was.addresses[a] > was.addresses[b] ? 1 : 0,
  );
  order.forEach((from, to) => {
    addresses[to] = was.addresses[from];
    entries.set(was.entries.subarray(from * ENTRY_BYTES, (from + 1) * ENTRY_BYTES), to * ENTRY_BYTES);
  });
}

/** Tables of the image and of modules; undefined when the kernel has none (CONFIG_UNWINDER_FRAME_POINTER). */
export function readUnwindTable(kernel: LinuxKernel, modules: readonly LinuxModule[]): OsUnwindTable | undefined {
  const image = imagePart(kernel);
  if (image === undefined) return undefined;
  const parts = [image];
  for (const { module } of modules) {
    try {
      parts.push(modulePart(kernel, module));
    } catch {
      // one that is just loaded or unloaded
    }
  }
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const addresses = new BigUint64Array(count);
  const entries = new Uint8Array(count * ENTRY_BYTES);
  let done = 0;
  for (const part of parts) {
    readAddresses(part, addresses.subarray(done, done + part.count));
    entries.set(part.entries, done * ENTRY_BYTES);
    done += part.count;
  }
  sortRows(addresses.subarray(image.count), entries.subarray(image.count * ENTRY_BYTES));
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
