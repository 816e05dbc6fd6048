import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { Code, ESP } from './code.js';

/** Where the guest starts, in flat 32-bit protected mode. */
export const START = 0x100000;
/** Where the image has its tables: 8-byte descriptors and gates. */
export const TABLES = {
  gdt: START + 0x800,
  idt: START + 0x900,
  tss: START + 0xb00,
  task: START + 0xb80,
  pages: START + 0x2000,
};
/** Memory of pc-testdev: 64 KiB of device memory that keeps what is written. */
export const DEVICE = 0xff000000;
/** Neither RAM nor a device. */
export const HOLE = 0x20000000;
/** Selectors of the image's GDT. */
export const SELECTOR = {
  code: 0x08,
  data: 0x10,
  tss: 0x18,
  task: 0x20,
  userCode: 0x2b,
  userData: 0x33,
  ldt: 0x38,
  spare: 0x40,
};

const VECTORS = 32;
const HANDLER_BYTES = 8;
const HANDLERS = 0xc00;

export interface TableGuestOptions {
  /** Changes the image before it is loaded: offsets from START. */
  change?: (image: DataView) => void;
}

/** Descriptor of a segment. */
export function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base >>> 0);
  const l = BigInt(limit);
  const low = (l & 0xffffn) | ((b & 0xffffffn) << 16n) | (BigInt(access) << 40n);
  return low | ((l >> 16n) << 48n) | (BigInt(flags) << 52n) | ((b >> 24n) << 56n);
}

/** Offset of the image's handler of an exception, which ends the guest with the vector: `out 0f4h, al`. */
export const handlerOf = (vector: number): number => START + HANDLERS + vector * HANDLER_BYTES;

/** A guest with a GDT, an IDT whose handlers end it with their vector, and two TSSes; then what `write` emits. */
export function tableGuest(write: (code: Code) => void, { change }: TableGuestOptions = {}): FlatGuest {
  const image = new Uint8Array(0x4000);
  const view = new DataView(image.buffer);
  const at = (address: number): number => address - START;
  const gdt = [
    0n,
    descriptor(0, 0xfffff, 0x9b, 0xc),
    descriptor(0, 0xfffff, 0x93, 0xc),
    descriptor(TABLES.tss, 0x67, 0x89, 0),
    descriptor(TABLES.task, 0x67, 0x89, 0),
    descriptor(0, 0xfffff, 0xfb, 0xc),
    descriptor(0, 0xfffff, 0xf3, 0xc),
    descriptor(TABLES.gdt, 0x7f, 0x82, 0),
    0n,
  ];
  for (const [n, entry] of gdt.entries()) view.setBigUint64(at(TABLES.gdt) + 8 * n, entry, true);
  for (let vector = 0; vector < VECTORS; vector++) {
    const handler = handlerOf(vector);
    view.setUint16(at(TABLES.idt) + 8 * vector, handler & 0xffff, true);
    view.setUint16(at(TABLES.idt) + 8 * vector + 2, SELECTOR.code, true);
    view.setUint16(at(TABLES.idt) + 8 * vector + 4, 0xee00, true);
    view.setUint16(at(TABLES.idt) + 8 * vector + 6, handler >>> 16, true);
    image.set([0xb0, vector, 0xe6, 0xf4, 0xeb, 0xfe], at(handler));
  }
  for (const tss of [TABLES.tss, TABLES.task]) {
    view.setUint32(at(tss) + 4, START + 0x1800, true);
    view.setUint32(at(tss) + 8, SELECTOR.data, true);
  }
  // the second one is a task that ends the guest with 77h
  const task = at(TABLES.task);
  view.setUint32(task + 32, START + 0x700, true);
  view.setUint32(task + 36, 2, true);
  view.setUint32(task + 56, START + 0x1c00, true);
  for (const segment of [72, 80, 84, 88, 92]) view.setUint32(task + segment, SELECTOR.data, true);
  view.setUint32(task + 76, SELECTOR.code, true);
  image.set([0xb0, 0x77, 0xe6, 0xf4, 0xeb, 0xfe], 0x700);
  const code = new Code();
  tableRegister(code, 2, TABLES.gdt, 0x7f);
  tableRegister(code, 3, TABLES.idt, VECTORS * 8 - 1);
  code
    .emit(0x66, 0xb8)
    .imm(SELECTOR.data, 2)
    .emit(0x8e, 0xd0, 0x8e, 0xd8, 0x8e, 0xc0)
    .mov(ESP, START + 0x1400);
  code.emit(0x66, 0xb8).imm(SELECTOR.tss, 2).emit(0x0f, 0x00, 0xd8);
  code
    .emit(0xea)
    .imm(START + code.length + 6)
    .imm(SELECTOR.code, 2);
  // CR4.OSFXSR
  code.emit(0xb8).imm(0x600).emit(0x0f, 0x22, 0xe0);
  write(code);
  if (code.length > 0x700) throw new Error(`the guest's code takes ${code.length} bytes`);
  image.set(code.bytes, 0);
  change?.(view);
  return flatGuest(Buffer.from(image).toString('hex'), { at: START });
}

/** LGDT (digit 2) or LIDT (digit 3). */
export function tableRegister(code: Code, digit: 2 | 3, base: number, limit: number): void {
  const place = START + 0x7f0;
  code.emit(0x66, 0xc7, 0x05).imm(place).imm(limit, 2);
  code
    .emit(0xc7, 0x05)
    .imm(place + 2)
    .imm(base);
  code.emit(0x0f, 0x01, 0x05 | (digit << 3)).imm(place);
}
