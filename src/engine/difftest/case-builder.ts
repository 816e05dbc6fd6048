// One case from a template: prefixes, encoding, then registers chosen after the bytes, so that memory
// operands land in the bed's pages, across their borders, or on the pages that fault.
import {
  CODE,
  DATA,
  FS_BASE,
  GS_BASE,
  is16,
  isReal,
  type Mode,
  NO_EXECUTE_PAGE,
  READ_ONLY_PAGE,
  SPECIAL_SELECTORS,
  STACK,
  SUPERVISOR_PAGE,
} from './bed.js';
import type { Case, Poke } from './case.js';
import { DF, IF, STATUS, TF } from './flags.js';
import { sparseBits } from './patterns.js';
import type { Rng } from './rng.js';
import type { Template } from './templates.js';

const RSP = 4;
const RBP = 5;

/** What the systematic run walks through; what is absent is drawn. */
export interface Form {
  /** Operand-size prefix, address-size prefix, REX.W. */
  p66?: boolean;
  p67?: boolean;
  rexW?: boolean;
  /** ModRM: mod and rm; mod 3 is a register. */
  mod?: number;
  rm?: number;
  /** Where a memory operand lies: 0 across pages, 1 into no page, 2 in a page that faults, 3 into such a one, 4 plain. */
  target?: number;
}

/** What a case came out as, for the report of what is covered. */
export interface Shape {
  operandBytes: number;
  addressBytes: number;
  /** `register`, or addressing size with mod and rm; '' without ModRM. */
  addressing: string;
  /** As Form.target; -1 without a memory operand. */
  target: number;
}

/** One case of a template. */
export function buildCase(rng: Rng, t: Template, mode: Mode, cpl: number, seed: number, form: Form = {}): Case {
  return buildShaped(rng, t, mode, cpl, seed, form).case;
}

export function buildShaped(
  rng: Rng,
  t: Template,
  mode: Mode,
  cpl: number,
  seed: number,
  form: Form,
): { case: Case; shape: Shape } {
  const b = new Builder(rng, t, mode, cpl, form);
  b.prefixes();
  b.opcode();
  b.operands();
  return { case: b.finish(seed), shape: b.shape };
}

class Builder {
  private readonly bytes: number[] = [];
  private readonly gpr = new BigUint64Array(16);
  private readonly pokes: Poke[] = [];
  private operandBytes: number;
  private addressBytes: number;
  private segment = -1; // override: 0 es .. 5 gs
  private rex = 0;
  private repeat = false;
  private addressing = '';
  private targetKind = -1;

  constructor(
    private readonly rng: Rng,
    private readonly t: Template,
    private readonly mode: Mode,
    private readonly cpl: number,
    private readonly form: Form,
  ) {
    this.operandBytes = is16(mode) ? 2 : 4;
    this.addressBytes = mode === 'long' ? 8 : is16(mode) ? 2 : 4;
    for (let i = 0; i < 16; i++) this.gpr[i] = rng.operand();
    if (mode !== 'long') for (let i = 0; i < 16; i++) this.gpr[i] = i < 8 ? this.gpr[i] & 0xffff_ffffn : 0n;
    const top = is16(mode) ? 0x800 : STACK + 0x800;
    const stack = rng.oneIn(16) ? top + 0x7f8 + rng.below(16) : top + rng.below(16) * 8;
    // a stack of 16 bits takes SP: what ESP holds above it is for the instruction to keep, or to take
    const above = (): bigint => (is16(mode) && rng.oneIn(2) ? (rng.operand() << 16n) & 0xffff_0000n : 0n);
    this.gpr[RSP] = above() | BigInt(stack);
    this.gpr[RBP] = above() | BigInt(stack + 64);
  }

  get shape(): Shape {
    const { operandBytes, addressBytes, addressing, targetKind } = this;
    return { operandBytes, addressBytes, addressing, target: targetKind };
  }

  prefixes(): void {
    const { rng, t, mode, form } = this;
    const legacy: number[] = [];
    if (t.vex === 0 && t.prefix !== 0x66 && (form.p66 ?? rng.oneIn(4))) {
      legacy.push(0x66);
      this.operandBytes = this.operandBytes === 2 ? 4 : 2;
    }
    if (form.p67 ?? rng.oneIn(6)) {
      legacy.push(0x67);
      this.addressBytes = mode === 'long' ? 4 : this.addressBytes === 2 ? 4 : 2;
    }
    if (rng.oneIn(6)) {
      this.segment = rng.below(6);
      legacy.push([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][this.segment]);
      if (mode === 'long' && this.segment < 4) this.segment = -1;
    }
    if (t.rep && rng.oneIn(2)) {
      legacy.push(rng.oneIn(2) ? 0xf2 : 0xf3);
      this.repeat = true;
    } else if (t.lock ? rng.oneIn(4) : rng.oneIn(t.vex ? 256 : 64)) {
      legacy.push(0xf0);
    }
    for (let i = legacy.length - 1; i > 0; i--) {
      const j = rng.below(i + 1);
      [legacy[i], legacy[j]] = [legacy[j], legacy[i]];
    }
    this.bytes.push(...legacy);
    if (mode === 'long' && (t.vex !== 0 || form.rexW || rng.oneIn(2))) {
      this.rex = 0x40 | rng.below(16);
      if (form.rexW !== undefined) this.rex = (this.rex & ~8) | (form.rexW ? 8 : 0);
      if (this.rex & 8) this.operandBytes = 8;
    }
  }

  opcode(): void {
    const { t, rex } = this;
    if (t.vex !== 0) {
      // VEX: C4, inverted R X B and the map, then W, inverted vvvv, L and pp. @sdm 2A 2.3.5 "The VEX Prefix"
      const vvvv = this.mode === 'long' ? this.rng.below(16) : 8 | this.rng.below(8);
      const pp = [0, 0x66, 0xf3, 0xf2].indexOf(t.prefix);
      const wide = this.mode === 'long' ? (rex & 8) << 4 : this.rng.below(2) << 7;
      const long = this.rng.oneIn(32) ? 4 : 0;
      this.bytes.push(0xc4, ((~rex & 7) << 5) | t.vex, wide | (vvvv << 3) | long | pp, t.opcode[0]);
      return;
    }
    if (t.prefix !== 0) this.bytes.push(t.prefix);
    if (rex !== 0) this.bytes.push(rex);
    this.bytes.push(...t.opcode);
  }

  operands(): void {
    const { t, rng } = this;
    if (t.modrm !== false) this.modrm(t.modrm === true ? rng.below(8) : t.modrm);
    if (t.rep) this.string();
    if (t.mnemonic === 'XLAT') {
      this.gpr[3] = this.offsetOf(this.target(1), this.dataSegment());
    }
    if (t.stack) this.stackContents();
    if (t.immediate) this.immediate(t.immediate);
    if (t.branch) this.branch(t.branch);
    if (/^I?DIV$/.test(t.mnemonic) && rng.oneIn(2)) this.dividend(t.mnemonic === 'IDIV');
  }

  /** What a register divides: a sparse quotient times it and a remainder, so that it fits, or just does not. */
  private dividend(signed: boolean): void {
    const { rng, bytes, rex } = this;
    const modrm = bytes[bytes.length - 1];
    if (modrm < 0xc0) return;
    const byte = this.t.name.includes('Eb');
    const register = (modrm & 7) | (rex & 1 ? 8 : 0);
    if (register === 0 || register === 2 || register === RSP || (byte && register >= 4)) return;
    const width = byte ? 8 : this.operandBytes * 8;
    const as = (value: bigint): bigint => (signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value));
    const divisor = as(this.gpr[register]);
    if (divisor === 0n) return;
    const rest = as(rng.operand()) % divisor;
    // one beyond the quotients that fit, now and then
    const quotient = as(sparseBits((n) => rng.below(n), width)) + (rng.oneIn(4) ? BigInt(rng.below(3) - 1) : 0n);
    const value = BigInt.asUintN(2 * width, quotient * divisor + (rng.oneIn(3) ? 0n : rest));
    const put = (n: number, mask: bigint, bits: bigint): void => {
      this.gpr[n] = (this.gpr[n] & ~mask) | (bits & mask);
    };
    const mask = (1n << BigInt(byte ? 16 : width)) - 1n;
    put(0, mask, value);
    if (!byte) put(2, mask, value >> BigInt(width));
  }

  finish(seed: number): Case {
    const { rng, mode } = this;
    // Code at the start, the middle, and across the border of the two pages.
    const length = this.bytes.length;
    const address = rng.oneIn(16) ? CODE + 0x1000 - rng.below(length + 1) : CODE + 0x100 + rng.below(0x800);
    let rflags = 2 | TF;
    rflags |= rng.u32() & STATUS;
    if (rng.oneIn(2)) rflags |= IF;
    if (rng.oneIn(4)) rflags |= DF;
    if (!isReal(mode) && rng.oneIn(8)) rflags |= rng.below(4) << 12;
    return {
      name: this.t.name,
      mode,
      cpl: this.cpl,
      seed,
      code: Uint8Array.from(this.bytes.slice(0, 15)),
      address,
      gpr: this.gpr,
      rflags,
      pokes: this.pokes,
    };
  }

  /** A linear address for an operand of some bytes. */
  private target(bytes: number): number {
    const { rng } = this;
    const kind = this.form.target ?? Math.min(rng.below(16), 4);
    this.targetKind = kind;
    switch (kind) {
      case 0:
        return DATA + 0x1000 - rng.below(bytes + 1); // across a border
      case 1:
        return DATA + 0x4000 - rng.below(bytes + 1); // into the page that is not present
      case 2:
        return rng.pick([READ_ONLY_PAGE, SUPERVISOR_PAGE, NO_EXECUTE_PAGE]) + rng.below(0xff0);
      case 3:
        return rng.pick([READ_ONLY_PAGE, SUPERVISOR_PAGE]) - rng.below(bytes + 1);
      default:
        return DATA + rng.below(0x3f00);
    }
  }

  private base(segment: number): number {
    const { mode } = this;
    if (segment === 4) return FS_BASE;
    if (mode === 'long') return segment === 5 ? GS_BASE : 0;
    if (!is16(mode)) return 0;
    return [DATA + 0x2000, CODE, STACK, DATA, FS_BASE, GS_BASE][segment];
  }

  private dataSegment(byDefault = 3): number {
    return this.segment >= 0 ? this.segment : byDefault;
  }

  private offsetOf(linear: number, segment: number): bigint {
    return BigInt.asUintN(this.addressBytes * 8, BigInt(linear - this.base(segment)));
  }

  /** Fills the bytes at a linear address with an operand now and then. */
  private pokeOperand(linear: number, bytes: number): void {
    if (this.rng.oneIn(2) || linear < DATA || linear + bytes > DATA + 0x4000) return;
    const value = new Uint8Array(bytes);
    let operand = this.rng.operand();
    for (let i = 0; i < bytes; i++) {
      value[i] = Number(operand & 0xffn);
      operand >>= 8n;
    }
    this.pokes.push({ address: linear, bytes: value });
  }

  private modrm(reg: number): void {
    const { rng, t } = this;
    const { mod } = this.form;
    const drawn = mod === undefined ? rng.oneIn(t.memory ? 32 : 2) : mod === 3;
    const register = t.register ? mod === 3 || !rng.oneIn(32) : drawn;
    if (/Sw|^(VERR|VERW|LAR|LSL)/.test(t.name)) this.selectorOperands();
    if (register) {
      this.addressing = 'register';
      this.bytes.push(0xc0 | (reg << 3) | (this.form.rm ?? rng.below(8)));
      return;
    }
    const linear = this.target(Math.max(this.operandBytes, 4));
    this.pokeOperand(linear, 8);
    if (/Mp$/.test(t.name)) this.pokeFarPointer(linear);
    if (this.addressBytes === 2) this.modrm16(reg, linear);
    else this.modrm32(reg, linear);
  }

  private memoryForm(): { mod: number; rm: number } {
    const { form, rng, addressBytes } = this;
    const mod = form.mod === undefined || form.mod === 3 ? rng.below(3) : form.mod;
    const rm = form.rm ?? rng.below(8);
    this.addressing = `${addressBytes * 8} mod ${mod} rm ${rm}`;
    return { mod, rm };
  }

  private modrm16(reg: number, linear: number): void {
    const { rng } = this;
    const { rm, mod } = this.memoryForm();
    const direct = mod === 0 && rm === 6;
    const segment = this.dataSegment(!direct && (rm === 2 || rm === 3 || rm === 6) ? 2 : 3);
    const offset = (linear - this.base(segment)) & 0xffff;
    this.bytes.push((mod << 6) | (reg << 3) | rm);
    let displacement = 0;
    if (mod === 1) displacement = (rng.u32() << 24) >> 24;
    if (mod === 2) displacement = rng.u32() & 0xffff;
    if (direct) {
      this.bytes.push(offset & 0xff, offset >> 8);
      return;
    }
    if (mod === 1) this.bytes.push(displacement & 0xff);
    if (mod === 2) this.bytes.push(displacement & 0xff, displacement >> 8);
    const [first, second] = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]][rm];
    let rest = offset - displacement;
    if (second !== undefined) rest -= Number(this.gpr[second] & 0xffffn);
    this.gpr[first] = (this.gpr[first] & ~0xffffn) | BigInt(rest & 0xffff);
  }

  private modrm32(reg: number, linear: number): void {
    const { rng, rex } = this;
    const { rm, mod } = this.memoryForm();
    const wide = this.addressBytes === 8;
    const mask = wide ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
    let base = rm | (rex & 1 ? 8 : 0);
    let index = -1;
    let scale = 0;
    let sib = -1;
    if (rm === 4) {
      scale = rng.below(4);
      const [b, x] = [rng.below(8), rng.below(8)];
      sib = (scale << 6) | (x << 3) | b;
      base = b | (rex & 1 ? 8 : 0);
      index = x | (rex & 2 ? 8 : 0);
      if (index === 4) index = -1;
      if (b === 5 && mod === 0) base = -1;
    } else if (mod === 0 && rm === 5) {
      base = this.mode === 'long' ? -2 : -1; // RIP-relative: the address stays what the bytes say
    }
    const stack = base === 4 || base === 5;
    const segment = this.dataSegment(stack ? 2 : 3);
    const offset = BigInt.asUintN(64, BigInt(linear - this.base(segment))) & mask;
    this.bytes.push((mod << 6) | (reg << 3) | rm);
    if (sib >= 0) this.bytes.push(sib);
    let displacement = mod === 1 ? (rng.u32() << 24) >> 24 : mod === 2 ? rng.u32() | 0 : 0;
    if (mod === 2 && rng.oneIn(2)) displacement >>= 16;
    const contribution = index >= 0 ? (this.gpr[index] << BigInt(scale)) & mask : 0n;
    if (base === -1) displacement = Number(BigInt.asIntN(32, offset - contribution));
    if (base === -2) displacement = linear - (CODE + 0x400);
    if (mod === 1) this.bytes.push(displacement & 0xff);
    else if (mod === 2 || base < 0) {
      for (let i = 0; i < 4; i++) this.bytes.push((displacement >> (8 * i)) & 0xff);
    }
    if (base < 0) return;
    let rest = offset - BigInt(displacement);
    if (index === base) {
      // base = index: base * (1 + 2^scale) is set as near as it goes.
      const factor = 1n + (1n << BigInt(scale));
      this.gpr[base] = (BigInt.asUintN(64, rest) / factor) & mask;
      return;
    }
    rest -= contribution;
    if (base === RSP && this.t.stack) return;
    this.gpr[base] = BigInt.asUintN(64, rest) & mask;
    if (!wide && this.mode === 'long' && rng.oneIn(4)) this.gpr[base] |= rng.u64() << 32n;
  }

  private string(): void {
    const { rng } = this;
    const size = this.operandBytes;
    this.setIndex(6, this.offsetOf(this.target(size), this.dataSegment()));
    this.setIndex(7, this.offsetOf(this.target(size), 0));
    if (this.repeat) this.setIndex(1, BigInt(rng.oneIn(4) ? rng.below(3) : rng.below(40)));
  }

  private setIndex(register: number, value: bigint): void {
    const bits = this.addressBytes * 8;
    const keep = this.rng.oneIn(2) ? (this.gpr[register] >> BigInt(bits)) << BigInt(bits) : 0n;
    this.gpr[register] = this.mode === 'long' ? BigInt.asUintN(64, keep | value) : (keep & 0xffff_ffffn) | value;
  }

  /** Registers that may be read as selectors. */
  private selectorOperands(): void {
    for (let i = 0; i < 8; i++) if (i !== RSP && this.rng.oneIn(2)) this.gpr[i] = BigInt(this.selector());
  }

  private selector(): number {
    const { rng } = this;
    const index = rng.oneIn(3) ? rng.pick(Object.values(SPECIAL_SELECTORS)) : (rng.below(64) << 3) & 0x1ff;
    return rng.oneIn(8) ? rng.below(4) : index | (rng.oneIn(4) ? rng.below(8) : this.cpl);
  }

  private pokeFarPointer(linear: number): void {
    if (linear < DATA || linear + 12 > DATA + 0x4000) return;
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.rng.oneIn(2) ? 0x180 : CODE + 0x180, true);
    view.setUint16(this.operandBytes, this.selector(), true);
    this.pokes.push({ address: linear, bytes });
  }

  /** Return addresses, flags and selectors for what pops them. */
  private stackContents(): void {
    const { rng, mode, t } = this;
    const linear = Number(this.gpr[RSP] & 0xffffn) + (is16(mode) ? STACK : STACK & ~0xffff);
    if (linear + 64 > STACK + 0x1000 || !/^(I?RETF?|POPF?)\b/.test(t.name)) return;
    const size =
      mode === 'long' && !/^(IRET|RETF)/.test(t.name) ? (this.operandBytes === 2 ? 2 : 8) : this.operandBytes;
    const bytes = new Uint8Array(size * 5);
    const view = new DataView(bytes.buffer);
    const put = (slot: number, value: number): void => {
      if (size === 2) view.setUint16(slot * 2, value & 0xffff, true);
      else view.setUint32(slot * size, value, true);
    };
    const offset = is16(mode) ? 0x180 : CODE + 0x180;
    if (t.mnemonic === 'POPF') {
      put(0, rng.u32() & 0x3f_7fff);
    } else if (/^POP .S$/.test(t.name)) {
      put(0, this.selector());
    } else if (t.mnemonic !== 'POP') {
      put(0, rng.oneIn(8) ? rng.u32() : offset);
      put(1, rng.oneIn(2) ? this.selector() : this.ownCode());
      put(2, (rng.u32() & 0x0cd5) | 2 | (rng.oneIn(2) ? TF : 0));
      put(3, Number(this.gpr[RSP] & 0xffff_ffffn));
      put(4, this.selector());
    } else {
      return;
    }
    this.pokes.push({ address: linear, bytes });
  }

  private ownCode(): number {
    if (isReal(this.mode)) return CODE >> 4;
    const kind = this.mode === 'long' ? 0 : is16(this.mode) ? 2 : 1;
    return ((8 + this.cpl * 8 + kind) << 3) | this.cpl;
  }

  private immediate(kind: string): void {
    const { rng } = this;
    const push = (value: bigint, bytes: number): void => {
      for (let i = 0; i < bytes; i++) this.bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
    };
    const z = this.operandBytes === 2 ? 2 : 4;
    switch (kind) {
      case 'b':
        push(this.t.mnemonic === 'INT' ? BigInt(0x80 + rng.below(32)) : rng.operand(), 1);
        break;
      case 'w':
        push(BigInt(rng.below(64)), 2);
        break;
      case 'z':
        push(rng.operand(), z);
        break;
      case 'v':
        push(rng.operand(), this.operandBytes);
        break;
      case 'moffs':
        push(this.offsetOf(this.target(this.operandBytes), this.dataSegment()), this.addressBytes);
        break;
      case 'far':
        push(BigInt(is16(this.mode) ? 0x180 : CODE + 0x180), z);
        push(BigInt(rng.oneIn(2) ? this.selector() : this.ownCode()), 2);
        break;
      case 'wb':
        push(BigInt(rng.below(256)), 2);
        push(BigInt(rng.oneIn(2) ? 0 : rng.below(40)), 1);
        break;
    }
  }

  private branch(kind: 'b' | 'z'): void {
    const { rng } = this;
    const displacement = rng.oneIn(16) ? rng.u32() : (rng.u32() << 24) >> 24;
    const wide = this.mode === 'long' || this.operandBytes !== 2;
    const bytes = kind === 'b' ? 1 : wide ? 4 : 2;
    for (let i = 0; i < bytes; i++) this.bytes.push((displacement >> (8 * i)) & 0xff);
    if (rng.oneIn(2)) this.gpr[1] = BigInt(rng.below(3));
  }
}
