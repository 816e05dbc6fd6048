import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';

// Selectors of the rig's GDT.
export const CODE64 = 0x08;
export const DATA = 0x10;
export const CODE32 = 0x18;
export const USER_CODE32 = 0x20;
export const USER_DATA = 0x28;
export const USER_CODE64 = 0x30;
export const TSS = 0x38;
export const CODE16 = 0x48;
export const ABSENT = 0x50;
export const CONFORMING = 0x58;
export const GATE = 0x60;
export const DATA16 = 0x70;
export const ABSENT_GATE = 0x78;

export const IDT = 0x4000;
export const GDT = 0x5000;
export const TSS_BASE = 0x6000;
export const CODE = 0x1000;
/** Top of the ring-0 stack in the TSS, of IST 1, and of the stack that tests start on. */
export const STACK0 = 0x9000;
export const IST1 = 0xa000;
export const STACK = 0x8000;
/** Handler of a vector: a row of NOPs, so that one more instruction shows where delivery went. */
export const handler = (vector: number): number => 0x20000 + vector * 16;

const DESCRIPTORS: Record<number, bigint> = {
  [CODE64]: 0x00af9b000000ffffn,
  [DATA]: 0x00cf93000000ffffn,
  [CODE32]: 0x00cf9b000000ffffn,
  [USER_CODE32]: 0x00cffb000000ffffn,
  [USER_DATA]: 0x00cff3000000ffffn,
  [USER_CODE64]: 0x00affb000000ffffn,
  [TSS]: 0x0000890060000067n,
  [CODE16]: 0x00009b000000ffffn,
  [ABSENT]: 0x00cf13000000ffffn,
  [CONFORMING]: 0x00cf9f000000ffffn,
  [DATA16]: 0x000093000000ffffn,
};

/** A machine with GDT, IDT, TSS and a handler for each vector, at CPL 0 or 3. */
export class Rig extends Machine {
  readonly long: boolean;

  constructor(mode: 'protected32' | 'long' | 'real', level: 0 | 3 = 0) {
    super();
    this.long = mode === 'long';
    this.mode(mode);
    this.setReg('rsp', STACK);
    this.load(handler(0), new Uint8Array(256 * 16).fill(0x90));
    if (mode === 'real') {
      for (let v = 0; v < 256; v++) {
        this.set32(L.RAM_BASE + v * 4, ((handler(v) >> 4) << 16) | 0);
      }
      this.set32(L.IDTR_LIMIT, 0x3ff);
      return;
    }
    for (const [selector, value] of Object.entries(DESCRIPTORS)) this.descriptor(Number(selector), value);
    for (let v = 0; v < 256; v++) this.gate(v, {});
    this.set(L.GDTR_BASE, GDT);
    this.set32(L.GDTR_LIMIT, 0x7f);
    this.set(L.IDTR_BASE, IDT);
    this.set32(L.IDTR_LIMIT, 0xfff);
    this.segment(L.SEG_TR, TSS, TSS_BASE, 0x67, 0x8b);
    if (this.long) {
      this.set(L.RAM_BASE + TSS_BASE + 4, STACK0);
      this.set(L.RAM_BASE + TSS_BASE + 36, IST1);
    } else {
      this.set32(L.RAM_BASE + TSS_BASE + 4, STACK0);
      this.set32(L.RAM_BASE + TSS_BASE + 8, DATA);
    }
    const code = this.long ? CODE64 : CODE32;
    this.segment(L.SEG_CS, code, 0, 0xffffffff, this.long ? 0xa09b : 0xc09b);
    if (level === 3) this.user();
    this.core.updateMode();
  }

  /** Moves to ring 3. */
  user(): void {
    this.segment(L.SEG_CS, (this.long ? USER_CODE64 : USER_CODE32) | 3, 0, 0xffffffff, this.long ? 0xa0fb : 0xc0fb);
    for (const seg of [L.SEG_SS, L.SEG_DS, L.SEG_ES, L.SEG_FS, L.SEG_GS]) {
      this.segment(seg, USER_DATA | 3, 0, 0xffffffff, 0xc0f3);
    }
    this.core.updateMode();
  }

  descriptor(selector: number, value: bigint): void {
    this.set(L.RAM_BASE + GDT + selector, value);
  }

  /** Type 14 interrupt gate, 15 trap gate; `present` false: #NP. */
  gate(v: number, { dpl = 0, type = 14, ist = 0, present = true, selector = this.long ? CODE64 : CODE32 }): void {
    const offset = BigInt(handler(v));
    const rights = BigInt((present ? 0x80 : 0) | (dpl << 5) | type);
    const low =
      (offset & 0xffffn) |
      (BigInt(selector) << 16n) |
      (BigInt(ist) << 32n) |
      (rights << 40n) |
      ((offset >> 16n) << 48n);
    if (this.long) {
      this.set(L.RAM_BASE + IDT + v * 16, low);
      this.set(L.RAM_BASE + IDT + v * 16 + 8, 0n);
    } else this.set(L.RAM_BASE + IDT + v * 8, low);
  }

  /** Stack slots from RSP up, in units of the mode's pushes. */
  slots(count: number): number[] {
    const top = Number(this.reg('rsp'));
    return Array.from({ length: count }, (_, i) =>
      this.long ? Number(this.ram64(top + i * 8)) : this.get32(L.RAM_BASE + top + i * 4),
    );
  }

  /** Vector whose handler has run its first NOP, or -1. */
  get handled(): number {
    const at = Number(this.rip) - 1 - handler(0);
    return at >= 0 && at % 16 === 0 ? at / 16 : -1;
  }

  get flags(): number {
    return Number(this.get(L.RFLAGS));
  }

  selector(seg: number): number {
    return this.view.getUint16(L.SEGMENTS + seg * L.SEGMENT_BYTES + L.SEG_SELECTOR, true);
  }

  get cpl(): number {
    return this.get32(L.CPL);
  }

  setFlags(value: number): void {
    this.set(L.RFLAGS, value);
    this.core.updateMode();
  }
}
