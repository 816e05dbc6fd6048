/**
 * The kernel's ORC tables: for each piece of code where its caller's stack pointer, return address and RBP are.
 * Two tables of equal length: where a piece starts (32 bits from the number itself), and six bytes about it.
 * @linux arch/x86/include/asm/orc_types.h
 */
import type { OsFrameRow, OsUnwindTable } from '../../debugger.js';
import type { LinuxKernel } from './kernel.js';
import { endOf, type LinuxModule } from './modules.js';

const ENTRY_BYTES = 6;
/** DWARF number of the register behind each number, and its meaning beyond that. */
interface Registers {
  dwarf: Record<number, number>;
  bp: number;
  previousSp: number;
  spIndirect: number;
  bpIndirect: number;
  sp: number;
}
const UNDEFINED = 0;
const BEFORE_7: Registers = {
  dwarf: { 2: 1, 3: 5, 4: 6, 5: 7, 6: 10, 7: 13, 8: 6, 9: 7 },
  bp: 4,
  previousSp: 1,
  bpIndirect: 8,
  spIndirect: 9,
  sp: 5,
};
const SINCE_7: Registers = {
  dwarf: { 1: 0, 2: 1, 3: 7, 4: 6, 5: 5, 6: 10, 7: 13, 9: 7, 10: 6 },
  bp: 4,
  previousSp: 8,
  spIndirect: 9,
  bpIndirect: 10,
  sp: 3,
};

/** Entry of a row at which the code of the image or a module ends: what is behind it is not the table's. */
const OUTSIDE = new Uint8Array(ENTRY_BYTES).fill(0xff);
/** Rows that are no table of any kernel, nor of a module. */
const MAX_ROWS = 1 << 23;
const MAX_MODULE_ROWS = 1 << 19;

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
  const count = checked(Number(stop - start) / 4, MAX_ROWS);
  const places = kernel.image(start, count * 4);
  return { start, count, places, entries: kernel.image(entriesAt, count * ENTRY_BYTES) };
}

function modulePart(kernel: LinuxKernel, module: bigint): Part {
  const at = (member: string): bigint => module + BigInt(kernel.btf.offsetOf('module', `arch.${member}`));
  const count = checked(kernel.u32(at('num_orcs')), MAX_MODULE_ROWS);
  const start = kernel.u64(at('orc_unwind_ip'));
  const entries = kernel.read(kernel.u64(at('orc_unwind')), count * ENTRY_BYTES);
  return { start, count, places: kernel.read(start, count * 4), entries };
}

/** @throws Error when a table has more rows than one can have. */
function checked(count: number, max: number): number {
  if (!Number.isInteger(count) || count < 0 || count > max) throw new Error(`${count} rows are not an unwind table`);
  return count;
}

/** Where the code of each row starts. */
function addressesOf({ start, count, places }: Part): BigUint64Array {
  const data = new DataView(places.buffer, places.byteOffset);
  const base = Number(start & 0xffff_ffffn);
  const to = new BigUint64Array(count);
  for (let row = 0; row < count; row++) {
    const low = (base + row * 4 + data.getInt32(row * 4, true)) >>> 0;
    // image and modules lie in the last 2 GiB
    to[row] = 0xffff_ffff_0000_0000n | BigInt(low);
  }
  return to;
}

/** Rows of one area in the order of addresses, and how it ends. */
interface Area {
  start: bigint;
  rows: { addresses: BigUint64Array; entries: Uint8Array };
  end: bigint | undefined;
}

function imageArea(kernel: LinuxKernel, part: Part): Area {
  const end = kernel.has('_end') ? kernel.address('_end') : undefined;
  return { start: kernel.text, rows: { addresses: addressesOf(part), entries: part.entries }, end };
}

/**
 * The module first, then its rows, as the kernel looks them up: rows of an init part that has been freed stay in the
 * module's table, and its memory may hold another module's code by now.
 */
function moduleAreas(kernel: LinuxKernel, { module, areas }: LinuxModule): Area[] {
  const part = modulePart(kernel, module);
  const addresses = addressesOf(part);
  const order = Uint32Array.from(addresses.keys()).sort((a, b) =>
    addresses[a] < addresses[b] ? -1 : addresses[a] > addresses[b] ? 1 : 0,
  );
  return areas
    .filter(({ address, bytes }) => address !== 0n && bytes !== 0)
    .map((area) => {
      const end = endOf(area);
      const own = order.filter((row) => addresses[row] >= area.address && addresses[row] < end);
      const entries = new Uint8Array(own.length * ENTRY_BYTES);
      own.forEach((row, to) => {
        entries.set(part.entries.subarray(row * ENTRY_BYTES, (row + 1) * ENTRY_BYTES), to * ENTRY_BYTES);
      });
      return {
        start: area.address,
        rows: { addresses: own.length === 0 ? new BigUint64Array() : pick(addresses, own), entries },
        end,
      };
    })
    .filter(({ rows }) => rows.addresses.length > 0);
}

const pick = (from: BigUint64Array, rows: Uint32Array): BigUint64Array => BigUint64Array.from(rows, (row) => from[row]);

/** Tables of the image and of modules; undefined when the kernel has none (CONFIG_UNWINDER_FRAME_POINTER). */
export function readUnwindTable(kernel: LinuxKernel, modules: readonly LinuxModule[]): OsUnwindTable | undefined {
  const image = imagePart(kernel);
  if (image === undefined) return undefined;
  const areas = [imageArea(kernel, image)];
  for (const module of modules) {
    try {
      areas.push(...moduleAreas(kernel, module));
    } catch {
      // one that is just loaded or unloaded
    }
  }
  areas.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const count = areas.reduce((sum, { rows }) => sum + rows.addresses.length + 1, 0);
  const addresses = new BigUint64Array(count);
  const entries = new Uint8Array(count * ENTRY_BYTES);
  let done = 0;
  areas.forEach(({ rows, end }, index) => {
    addresses.set(rows.addresses, done);
    entries.set(rows.entries, done * ENTRY_BYTES);
    done += rows.addresses.length;
    const next = areas[index + 1]?.start;
    if (end === undefined || (next !== undefined && next <= end)) return;
    addresses[done] = end;
    entries.set(OUTSIDE, done++ * ENTRY_BYTES);
  });
  return {
    addresses: addresses.subarray(0, done),
    entries: entries.subarray(0, done * ENTRY_BYTES),
    form: formOf(image.entries),
  };
}

/**
 * The form of entries, told by what nearly all of them are: calls found from RSP. Since 6.4 the kind of a frame counts
 * from an undefined one, since 7.0 the registers have other numbers.
 */
export function formOf(entries: Uint8Array): OsUnwindTable['form'] {
  const kinds = [0, 0, 0, 0, 0, 0, 0, 0];
  const bases = new Array<number>(16).fill(0);
  for (let at = 5; at < entries.length; at += ENTRY_BYTES) {
    kinds[entries[at] & 7]++;
    bases[entries[at - 1] & 15]++;
  }
  if (kinds[2] <= kinds[0]) return 'before 6.4';
  return bases[SINCE_7.sp] > bases[BEFORE_7.sp] ? 'since 7.0' : 'since 6.4';
}

const KINDS = {
  // bits 8 and 9; bit 10 marks the end of the stack
  older: ['call', 'registers', 'interrupt', 'call', 'none', 'none', 'none', 'none'],
  newer: ['none', 'none', 'call', 'registers', 'interrupt', 'none', 'none', 'none'],
} as const;

function readRow({ addresses, entries, form }: OsUnwindTable, row: number): OsFrameRow {
  const at = row * ENTRY_BYTES;
  const outside: OsFrameRow = { address: addresses[row], frame: 'outside', register: 0, offset: 0 };
  if (OUTSIDE.every((byte, index) => entries[at + index] === byte)) return outside;
  const data = new DataView(entries.buffer, entries.byteOffset + at, ENTRY_BYTES);
  const kind = KINDS[form === 'before 6.4' ? 'older' : 'newer'][entries[at + 5] & 7];
  const { dwarf, previousSp, spIndirect, bpIndirect, bp: ownBp } = form === 'since 7.0' ? SINCE_7 : BEFORE_7;
  const sp = entries[at + 4] & 15;
  const bp = entries[at + 4] >> 4;
  const register = dwarf[sp];
  // code that realigns its stack keeps RBP where RBP points to; the kernel's own unwinder knows no other place
  if (bp !== UNDEFINED && bp !== previousSp && bp !== ownBp) return outside;
  return {
    address: addresses[row],
    frame: register === undefined ? 'none' : kind,
    register: register ?? 0,
    offset: data.getInt16(0, true),
    ...(sp === spIndirect ? { load: 'first' as const } : {}),
    ...(sp === bpIndirect ? { load: 'last' as const } : {}),
    ...(bp === UNDEFINED ? {} : { rbp: data.getInt16(2, true) }),
    ...(bp === ownBp ? { rbpFrom: 'rbp' as const } : {}),
  };
}

/** The table's rows by address. */
export function* unwindRows(table: OsUnwindTable): Generator<OsFrameRow> {
  for (let row = 0; row < table.addresses.length; row++) yield readRow(table, row);
}

/** The row of the code at an address; undefined outside the code of the table, whose last row ends the one before it. */
export function unwindRow(table: OsUnwindTable, address: bigint): OsFrameRow | undefined {
  const { addresses } = table;
  let low = 0;
  let high = addresses.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addresses[middle] <= address) low = middle + 1;
    else high = middle;
  }
  if (low === 0 || low === addresses.length) return undefined;
  const row = readRow(table, low - 1);
  return row.frame === 'outside' ? undefined : row;
}
