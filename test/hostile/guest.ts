import { Rng } from '../../src/engine/difftest/rng.js';
import { Code, EAX, ECX, EDI, EDX, ESP } from './code.js';

/** Where the image is loaded and starts: 32-bit protected mode, flat. */
export const LOAD_AT = 0x100000;
export const RAM_BYTES = 4 << 20;
const IMAGE_BYTES = 0x18000;
const GDT = 0x2000;
const IDT = 0x3000;
const TSS = 0x5000;
const HANDLERS = 0x6000;
const PAGES = 0x8000;
const STACK = 0x17000;
const VGA = 0xb8000;
const TESTDEV = 0xff000000;

/** Guest-physical places of every kind: RAM, its end, ROM and VGA memory, devices, holes, beyond 4 GiB. */
const PLACES = [
  0x200000,
  0x300ff8,
  RAM_BYTES - 8,
  RAM_BYTES - 4096,
  RAM_BYTES,
  0x8000000,
  0x40000000,
  0xa0000,
  VGA,
  VGA + 0x7ffc,
  0xc0000,
  0xf0000,
  0xfec00000,
  0xfed00000,
  0xfee00000,
  0xfee00ff8,
  TESTDEV,
  TESTDEV + 0x800,
  0xfffffff8,
  0xfffff000,
  0,
  0x1000,
  0xe0000000,
] as const;

const SELECTORS = [
  0, 3, 0x08, 0x10, 0x18, 0x1b, 0x20, 0x23, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60, 0x0c, 0x7c, 0xfff8,
];

function put(image: Uint8Array, at: number, value: bigint, bytes: number): void {
  for (let i = 0; i < bytes; i++) image[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function segment(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base >>> 0);
  const l = BigInt(limit);
  return (
    (l & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(access) << 40n) |
    ((l >> 16n) << 48n) |
    (BigInt(flags) << 52n) |
    ((b >> 24n) << 56n)
  );
}

/** A random guest whose tables and stacks lie anywhere, as a flat binary for LOAD_AT. The same seed gives the same guest. */
export function hostileGuest(seed: number): Uint8Array {
  const rng = new Rng(seed);
  const image = new Uint8Array(IMAGE_BYTES);
  const place = (): number => (rng.oneIn(3) ? LOAD_AT + rng.below(IMAGE_BYTES) : rng.pick(PLACES));
  /** Mostly the table of the image, now and then anywhere. */
  const table = (own: number, often = 3): number => (rng.oneIn(often) ? place() : LOAD_AT + own);
  const long = rng.oneIn(3);
  writeGdt(image, rng, table);
  writeIdt(image, rng, long, place);
  writeTss(image, rng, table, place);
  writePages(image, rng, long, place);
  const handlers = new Code();
  for (let n = 0; n < 8; n++) {
    while (handlers.length < n * 32) handlers.emit(0x90);
    handlers.emit(
      ...rng.pick([
        [0xcf],
        [0x48, 0xcf],
        [0x83, 0xc4, 0x04, 0xcf],
        [0x0f, 0x0b],
        [0xf4, 0xeb, 0xfd],
        [0xb0, 0x01, 0xe6, 0xf4, 0xeb, 0xfe],
        [0xa1, 0, 0, 0, 0xff, 0xcf],
        [0xcd, 0x20],
        [0xb0, 0x20, 0xe6, 0x20, 0xcf],
        [0xfb, 0xf4, 0xcf],
        [0xff, 0xff],
      ]),
    );
  }
  image.set(handlers.bytes, HANDLERS);
  image.set(program(rng, long, table, place).bytes.slice(0, GDT), 0);
  return image;
}

function writeGdt(image: Uint8Array, rng: Rng, table: (own: number) => number): void {
  const gdt = [
    0n,
    segment(0, 0xfffff, 0x9b, 0xc), // 08 code
    segment(0, 0xfffff, 0x9b, 0xc), // 10 code
    segment(0, 0xfffff, 0x93, 0xc), // 18 data
    segment(0, 0xfffff, 0xf3, 0xc), // 20 data, ring 3
    segment(0, 0xfffff, 0xfb, 0xc), // 28 code, ring 3
    segment(0, 0xfffff, 0x9b, 0xa), // 30 code, 64 bits
    segment(table(TSS), 0x67, 0x89, 0), // 38 TSS (40: its upper half in long mode)
    rng.oneIn(2) ? 0n : segment(table(TSS + 0x100), 0x67, 0x89, 0),
    segment(table(TSS + 0x100), 0x67, rng.pick([0x89, 0x8b, 0x81]), 0), // 48
    segment(table(GDT), 0xff, 0x82, 0), // 50 LDT
    segment(0, 0, 0x85, 0) | 0x48_0000n, // 58 task gate
    segment(rng.u32(), rng.below(0xfffff), rng.below(256), rng.below(16)), // 60
  ];
  for (const [n, descriptor] of gdt.entries()) {
    const damaged = rng.oneIn(25) ? descriptor ^ (1n << BigInt(rng.below(64))) : descriptor;
    put(image, GDT + n * 8, damaged, 8);
  }
}

function writeIdt(image: Uint8Array, rng: Rng, long: boolean, place: () => number): void {
  const bytes = long ? 16 : 8;
  for (let vector = 0; vector < 64; vector++) {
    const target = rng.oneIn(8) ? place() : LOAD_AT + HANDLERS + 32 * rng.below(8);
    const good = long ? 0x30 : 0x08;
    const selector = rng.oneIn(8) ? rng.pick(SELECTORS) : good;
    const access = rng.oneIn(8) ? rng.below(256) : rng.pick([0x8e, 0x8f, 0xee, 0xef, 0x8e, 0x8e, long ? 0x8e : 0x85]);
    const taskGate = (access & 0x1f) === 5;
    const gate =
      BigInt(target & 0xffff) |
      (BigInt(taskGate ? rng.pick([0x48, 0x38, 0x40]) : selector) << 16n) |
      (BigInt(long && rng.oneIn(4) ? rng.below(8) : 0) << 32n) |
      (BigInt(access) << 40n) |
      (BigInt(target >>> 16) << 48n);
    put(image, IDT + vector * bytes, gate, 8);
    if (long && rng.oneIn(20)) put(image, IDT + vector * bytes + 8, BigInt(rng.u32()), 4);
  }
}

function writeTss(image: Uint8Array, rng: Rng, table: (own: number) => number, place: () => number): void {
  const stack = (): number => (rng.oneIn(2) ? place() : LOAD_AT + STACK + 16 * rng.below(64));
  for (const at of [TSS, TSS + 0x100]) {
    for (let i = 0; i < 0x68; i += 4) put(image, at + i, BigInt(stack() >>> 0), 4);
    for (const ss of [8, 16, 24]) if (!rng.oneIn(4)) put(image, at + ss, 0x18n, 4);
    // as a task: CR3, EIP, EFLAGS, segments, LDT
    put(
      image,
      at + 28,
      BigInt(rng.oneIn(4) ? rng.pick([0x2000000, 0xfee00000, RAM_BYTES]) : table(PAGES) & ~0xfff) & 0xffffffffn,
      4,
    );
    put(image, at + 32, BigInt(LOAD_AT + HANDLERS + 32 * rng.below(8)), 4);
    put(image, at + 36, BigInt(rng.pick([2, 2, 0x202, 0x20002, 0x102])), 4);
    for (let i = 72; i < 96; i += 4) put(image, at + i, BigInt(i === 76 ? 0x08 : 0x18), 4);
    for (let i = 72; i <= 96; i += 4) if (rng.oneIn(6)) put(image, at + i, BigInt(rng.pick(SELECTORS)), 4);
    put(image, at + 96, BigInt(rng.pick([0, 0, 0x50, rng.pick(SELECTORS)])), 4);
    put(image, at + 100, BigInt(rng.pick([0, 0x680000, 1])), 4);
  }
}

/** Identity maps for each paging mode, one after the other, with damage. */
function writePages(image: Uint8Array, rng: Rng, long: boolean, place: () => number): void {
  const base = LOAD_AT + PAGES;
  const flags = rng.pick([3n, 7n, 7n, 7n, 0x67n]);
  if (long) {
    put(image, PAGES, BigInt(base + 0x1000) | flags, 8);
    for (let i = 0; i < 4; i++) put(image, PAGES + 0x1000 + i * 8, BigInt(base + 0x2000 + i * 0x1000) | flags, 8);
  } else {
    // PAE: the PDPT has no flags but P
    for (let i = 0; i < 4; i++) put(image, PAGES + i * 8, BigInt(base + 0x2000 + i * 0x1000) | 1n, 8);
  }
  for (let i = 0; i < 2048; i++) put(image, PAGES + 0x2000 + i * 8, BigInt(i * 0x200000) | flags | 0x80n, 8);
  // 32-bit paging with 4-MByte pages
  for (let i = 0; i < 1024; i++) put(image, PAGES + 0x7000 + i * 4, BigInt(i * 0x400000) | flags | 0x80n, 4);
  const damage = rng.pick([0, 0, 1, 3, 10]);
  for (let n = 0; n < damage; n++) {
    const at = rng.pick([0, 0x1000, 0x2000, 0x2000, 0x5000, 0x7000]) + 8 * rng.below(rng.oneIn(2) ? 4 : 512);
    const entry = (BigInt(place() >>> 0) & 0xfffff000n) | BigInt(rng.pick([1, 3, 7, 0x83, 0x87, 0]));
    put(image, PAGES + at, rng.oneIn(3) ? entry ^ (1n << BigInt(rng.below(64))) : entry, 8);
  }
}

function program(rng: Rng, long: boolean, table: (own: number, often?: number) => number, place: () => number): Code {
  const code = new Code();
  const pseudo = 0x1f00;
  const loadTable = (digit: number, base: number, limit: number): void => {
    const at = LOAD_AT + pseudo;
    code.emit(0x66, 0xc7, 0x05).imm(at).imm(limit, 2);
    code
      .emit(0xc7, 0x05)
      .imm(at + 2)
      .imm(base);
    code.emit(0x0f, 0x01, 0x05 | (digit << 3)).imm(at);
  };
  // tables that lie in device memory are real ones there
  if (rng.oneIn(2))
    code.copy(rng.pick([VGA, TESTDEV]), LOAD_AT + rng.pick([GDT, IDT, TSS, PAGES]), rng.pick([0x100, 0x400]));
  if (rng.oneIn(2)) code.copy(TESTDEV, LOAD_AT + GDT, 0x80);
  code.mov(ESP, LOAD_AT + STACK + 0x800);
  loadTable(2, table(GDT, 5), rng.oneIn(8) ? rng.below(0x80) : 0xff);
  loadTable(3, table(IDT, 4), rng.oneIn(6) ? rng.below(0x400) : 0x3ff);
  if (rng.oneIn(2)) code.emit(0x66, 0xb8).imm(0x18, 2).emit(0x8e, 0xd0, 0x8e, 0xd8, 0x8e, 0xc0);
  if (!long && rng.oneIn(2))
    code
      .emit(0x66, 0xb8)
      .imm(rng.pick([0x38, 0x38, 0x48]), 2)
      .emit(0x0f, 0x00, 0xd8);
  if (rng.oneIn(6)) code.emit(0x66, 0xb8).imm(rng.pick(SELECTORS), 2).emit(0x0f, 0x00, 0xd0);
  // PIC and PIT or APIC timer: interrupts
  if (rng.oneIn(3)) {
    code
      .out8(0x20, 0x11)
      .out8(0x21, 0x20)
      .out8(0x21, 4)
      .out8(0x21, rng.pick([1, 3]))
      .out8(0x21, 0xfe);
    code
      .out8(0x43, 0x34)
      .out8(0x40, rng.below(256))
      .out8(0x40, rng.pick([0, 1]));
  } else if (rng.below(3) === 0) {
    const set = (register: number, value: number) =>
      code
        .emit(0xc7, 0x05)
        .imm(0xfee00000 + register)
        .imm(value);
    set(0xf0, 0x1ff);
    set(0x320, rng.pick([0x20020, 0x20, 0x20002]));
    set(0x3e0, rng.pick([0, 0xb]));
    set(0x380, rng.pick([1, 100, 10000, 0xffffffff]));
  }
  const paging = long || rng.oneIn(2);
  const pae = long || rng.oneIn(2);
  let cr4 = 0x600 | (pae ? 0x20 : 0x10);
  for (const bit of [3, 7, 18, 20, 21]) if (rng.oneIn(5)) cr4 |= 1 << bit;
  code.mov(EAX, cr4).emit(0x0f, 0x22, 0xe0);
  const root = pae ? PAGES : PAGES + 0x7000;
  if (paging || rng.oneIn(4)) code.mov(EAX, table(root, 4)).emit(0x0f, 0x22, 0xd8);
  if (long)
    code
      .mov(ECX, 0xc0000080)
      .mov(EDX, 0)
      .mov(EAX, rng.pick([0x100, 0x901, 0x101]))
      .emit(0x0f, 0x30);
  let cr0 = paging ? 0x80000011 : 0x11;
  for (const bit of [1, 2, 3, 16, 18, 30]) if (rng.oneIn(6)) cr0 |= 1 << bit;
  code.mov(EAX, cr0).emit(0x0f, 0x22, 0xc0);
  const wide = long && !rng.oneIn(6);
  if (wide)
    code
      .emit(0xea)
      .imm(LOAD_AT + code.length + 6)
      .imm(0x30, 2);
  if (wide) {
    if (rng.oneIn(2)) code.emit(0x66, 0xb8).imm(0x38, 2).emit(0x0f, 0x00, 0xd8);
    if (rng.oneIn(4))
      code.mov64(ESP, rng.pick([0xffff_8000_0000_0000n, 0x8000_0000_0000n, 0x7fff_ffff_fffcn, 0xffff_ffff_ffff_fff0n]));
  }
  if (rng.oneIn(2)) code.mov(ESP, rng.pick([place(), 2, 0xfee00100]));
  if (rng.oneIn(3)) ring3(code, wide);
  const actions = 1 + rng.below(10);
  for (let n = 0; n < actions; n++) action(code, rng, wide, place);
  code.emit(
    ...rng.pick([[0xf4], [0xeb, 0xfe], [0xfa, 0xf4], [0xb0, 3, 0xe6, 0xf4], [0xfb, 0xf4, 0xeb, 0xfd], [0x0f, 0x0b]]),
  );
  return code;
}

/** IRET to ring 3 of the code that follows. */
function ring3(code: Code, wide: boolean): void {
  code.emit(0x6a, 0x23, 0x54, 0x9c, 0x6a, 0x2b);
  const target = LOAD_AT + code.length + (wide ? 7 : 6);
  code.emit(0x68).imm(target);
  if (wide) code.emit(0x48);
  code.emit(0xcf);
}

/** One thing that a guest may do to itself. */
function action(code: Code, rng: Rng, wide: boolean, place: () => number): void {
  const at = place();
  const kind = rng.below(24);
  if (kind === 0) code.emit(0xcd, rng.below(64));
  else if (kind === 1) code.emit(0x0f, 0x0b);
  else if (kind === 2) code.emit(0xcc);
  else if (kind === 3)
    code.mov(EAX, at + rng.below(32)).emit(0x0f, 0xae, rng.pick([0x00, 0x08, 0x20, 0x28, 0x18, 0x10, 0x38, 0x30]));
  else if (kind === 4) code.mov(EAX, at).emit(rng.pick([0x8b, 0x89, 0x01, 0x87, 0x86, 0x31]), 0x00);
  else if (kind === 5) code.mov(EAX, at).emit(0xf0, 0x0f, rng.pick([0xb1, 0xc1]), 0x08);
  else if (kind === 6)
    code
      .mov(EDI, at)
      .mov(ECX, rng.pick([1, 5, 100]))
      .emit(0xf3, rng.pick([0xaa, 0xab, 0xa4, 0xae, 0xa6]));
  else if (kind === 7) code.emit(0xfb);
  else if (kind === 8) code.emit(0xfb, 0xf4);
  else if (kind === 9) code.mov(ESP, at);
  else if (kind === 10) code.emit(0xcf);
  else if (kind === 11) code.mov(EAX, at).emit(0x0f, 0x22, 0xd8);
  else if (kind === 12) {
    if (wide) code.mov(EAX, at).emit(0xff, 0x28);
    else
      code
        .emit(rng.pick([0xea, 0x9a]))
        .imm(rng.oneIn(2) ? at : LOAD_AT + HANDLERS)
        .imm(rng.pick(SELECTORS), 2);
  } else if (kind === 13)
    code
      .mov(ECX, rng.pick([0x1b, 0x174, 0x175, 0x176, 0xc0000080, 0xc0000082, 0x277, 0x1d9, 0x800, 0x80b, 0x6e0]))
      .mov(EAX, rng.u32())
      .mov(EDX, rng.pick([0, rng.u32()]))
      .emit(0x0f, rng.pick([0x30, 0x32]));
  else if (kind === 14) code.emit(0x0f, rng.pick([0x34, 0x05, 0x35, 0x07, 0xa2, 0x31, 0x08, 0x09, 0x06]));
  else if (kind === 15) code.mov(EAX, rng.u32()).emit(0x0f, 0x22, rng.pick([0xc0, 0xe0, 0xd0]));
  else if (kind === 16)
    code
      .mov(EAX, rng.pick([at, LOAD_AT + code.length]))
      .emit(0x0f, 0x23, 0xc0)
      .mov(EAX, rng.pick([0x401, 0x10401, 0x30401, 0xf0402, 0xffffffff]))
      .emit(0x0f, 0x23, 0xf8);
  else if (kind === 17)
    code
      .emit(0x68)
      .imm(rng.pick([0x102, 0x202, 0x40102, 0x40002, 0x4002, 0x20002, 0x10202]))
      .emit(0x9d);
  else if (kind === 18)
    code
      .emit(0x66, 0xba)
      .imm(
        rng.pick([
          0x20,
          0x21,
          0x40,
          0x43,
          0x60,
          0x64,
          0x70,
          0x71,
          0x80,
          0xcf8,
          0xcfc,
          0x92,
          0x604,
          0xb2,
          0x1f7,
          rng.below(0x10000),
        ]),
        2,
      )
      .mov(EAX, rng.u32())
      .emit(rng.pick([0xee, 0xef, 0xec, 0xed]));
  else if (kind === 19)
    code
      .emit(0x66, 0xb8)
      .imm(rng.pick(SELECTORS), 2)
      .emit(0x8e, rng.pick([0xd0, 0xd8, 0xc0, 0xe0]));
  else if (kind === 20)
    code
      .mov(EAX, at)
      .emit(0xc5, 0xf5, 0x76, 0xc9, 0xc4, 0xe2, 0x75, rng.pick([0x90, 0x92]), 0x14, rng.pick([0xa8, 0x28]));
  else if (kind === 21) for (let n = rng.below(12); n > 0; n--) code.emit(rng.below(256));
  else if (kind === 22) code.emit(0x31, 0xd2, 0x31, 0xc9, 0xf7, 0xf1);
  else code.mov(EAX, at).emit(0x0f, 0x01, rng.pick([0x10, 0x18, 0x38, 0x00, 0x08]));
}
