/**
 * Guests of random pieces that interrupt themselves by their local APIC: self-IPIs, the timer by count and by deadline, ends of
 * interrupts early, late and never, task priorities, HLT, windows that open, nested handlers and single steps.
 */
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000;
const HANDLERS = 0x200000;
const HANDLER_BYTES = 64;
const IDT = 0x3000;
const KVM_PV_EOI = 0x4b564d04;

const REGISTER = { tpr: 0x80, eoi: 0xb0, icr: 0x300, lvt: 0x320, count: 0x380, divide: 0x3e0 } as const;

/** `window`: registers in memory; `msrs`: x2APIC mode; `word`: as `window`, with KVM's paravirtual end of interrupt. */
export type Access = 'window' | 'msrs' | 'word';

const u32 = (value: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes.toString('hex');
};

class Pieces {
  #seed: number;

  constructor(
    seed: number,
    private readonly access: Access,
  ) {
    this.#seed = seed;
  }

  below(bound: number): number {
    this.#seed = (Math.imul(this.#seed, 1103515245) + 12345) >>> 0;
    return (this.#seed >>> 12) % bound;
  }

  /** mov dword [ebx + register], value; or mov ecx, eax, edx and wrmsr */
  write(register: number, value: number): string {
    if (this.access !== 'msrs') return `c783${u32(register)}${u32(value)}`;
    return wrmsr(0x800 + (register >> 4), value);
  }

  read(register: number): string {
    return this.access === 'msrs' ? `b9${u32(0x800 + (register >> 4))}0f32` : `8b83${u32(register)}`;
  }

  vector(): number {
    return 0x31 + this.below(0xc0);
  }

  selfIpi(): string {
    const { access } = this;
    if (access === 'msrs' && this.below(3) === 0) return wrmsr(0x83f, this.vector());
    // now and then one that is none: to others, of another mode, or with a vector that does not exist
    const odd = [0x400f0, 0x44031, 0x40400, 0xc0045, 0x40001, 0x40131][this.below(6)];
    return this.write(REGISTER.icr, this.below(8) === 0 ? odd : 0x44000 | this.vector());
  }

  lvt(): string {
    const mode = [0, 0, 0x20000, 0x20000, 0x40000, 0x60000, 0x10000][this.below(this.access === 'msrs' ? 5 : 7)];
    return this.write(REGISTER.lvt, mode | (0x40 + 16 * this.below(4)));
  }

  count(): string {
    const counts = [0, 1, 30, 200 + this.below(3000), 20_000 + this.below(100_000), 0x4000_0000, 0xffff_ffff];
    return this.write(REGISTER.count, counts[this.below(counts.length)]);
  }

  /** rdtsc; add eax, n; adc edx, 0; mov ecx, 6e0h; wrmsr; or no deadline, or one that is over */
  deadline(): string {
    const ahead = [0, 100, 5000, 60_000, 0x1000_0001][this.below(5)];
    return this.below(5) === 0 ? wrmsr(0x6e0, this.below(2)) : `0f3105${u32(ahead)}83d200b9e00600000f30`;
  }

  priority(): string {
    return this.write(REGISTER.tpr, this.below(3) === 0 ? this.below(256) : 0);
  }

  end(): string {
    return this.write(REGISTER.eoi, 0);
  }

  body(): string {
    const pieces: (() => string)[] = [
      () => 'fb',
      () => 'fb90',
      () => 'fa',
      () => (this.below(3) === 0 ? 'fbf4' : 'fb90'),
      () => this.selfIpi(),
      () => `${this.selfIpi()}90`,
      () => `fa${this.selfIpi()}fbf4`,
      () => `fa${this.selfIpi()}${this.selfIpi()}fb90`,
      () => this.end(),
      () => this.priority(),
      () => this.lvt(),
      () => this.count(),
      () => `fa${this.count()}fb${this.below(3) === 0 ? 'f4' : '90'}`,
      () => this.deadline(),
      () => this.write(REGISTER.divide, [0xb, 0, 3, 0xa][this.below(4)]),
      () =>
        this.read([0x80, 0xa0, 0x100 + 16 * this.below(8), 0x200 + 16 * this.below(8), 0x380, 0x390][this.below(6)]),
      // or dword [ebx + 300h], 0 sends again; rep movsd from and to the window; push to it
      () => (this.access === 'msrs' ? '0fa2' : `838b${u32(REGISTER.icr)}00`),
      () => (this.access === 'msrs' ? 'e480' : 'be00500000c70644400400bf0003e0feb901000000f3a5'),
      () => (this.access === 'msrs' ? 'e680' : 'fab80510040089e1bc0403e0fe5089cc'),
      () => '9c9d',
      () => 'e680',
      () => '0fa2',
      () => 'f390',
      () => `cd${(0x30 + this.below(0xc0)).toString(16)}`,
      // pushfd; or dword [esp], 100h; popfd: a step
      () => '9c810c24000100009d90',
    ];
    return Array.from({ length: 70 }, () => pieces[this.below(pieces.length)]()).join('');
  }

  /** test byte [6000h + 4 * vector], 7; jnz over it: handlers that ask for each other come to an end */
  nowAndThen(vector: number, code: string): string {
    return `f605${u32(0x6000 + 4 * vector)}0775${(code.length / 2).toString(16).padStart(2, '0')}${code}`;
  }

  /** inc dword [6000h + 4 * vector], the end of the interrupt in one of several ways, iretd; 64 bytes at most. */
  handler(vector: number): string {
    // and dword [esp + 8], ~100h
    if (vector === 1) return '81642408fffeffffcf';
    const seen = `60ff05${u32(0x6000 + 4 * vector)}`;
    if (vector === 0x20) return `${seen}b020e62061cf`;
    const ways = [
      () => this.end(),
      () => this.end(),
      () => `${this.end()}fb90`,
      () => `fb90${this.end()}`,
      () => `${this.nowAndThen(vector, this.selfIpi())}${this.end()}`,
      () => '',
      () => this.priority() + this.end(),
    ];
    return `${seen}${ways[this.below(ways.length)]()}61cf`;
  }
}

/** mov ecx, msr; mov eax, value; xor edx, edx; wrmsr */
function wrmsr(msr: number, value: number): string {
  return `b9${u32(msr)}b8${u32(value)}31d20f30`;
}

/** As of `guest`, by its seed. */
export function interruptingGuest(seed: number, access: Access): FlatGuest {
  const pieces = new Pieces(seed, access);
  const mode = access === 'msrs' ? wrmsr(0x1b, 0xfee00d00) : access === 'word' ? wrmsr(KVM_PV_EOI, 0x5801) : '';
  const pic = 'b011e620b020e621b004e621b001e621b0fee621b034e643b064e640b000e640';
  return guest(`${pic}${mode}`, pieces.body(), (vector) => ({
    code: pieces.handler(vector),
    // now and then a trap gate, which leaves interrupts on
    type: vector > 0x30 && pieces.below(6) === 0 ? 0x8f : 0x8e,
  }));
}

/** A guest whose loop is these bytes, in hexadecimal, with EBX at the window; each vector's handler ends its interrupt. */
export function loopingGuest(body: string): FlatGuest {
  const end = `c783${u32(REGISTER.eoi)}00000000cf`;
  return guest('b0ffe621', body, () => ({ code: end, type: 0x8e }));
}

/** In flat 32-bit protected mode, with the PIT at 12 kHz by the 8259 beside where `setup` has it so. */
function guest(setup: string, body: string, handlerOf: (vector: number) => { code: string; type: number }): FlatGuest {
  // lidt [2ff0h]; mov ebx, 0fee00000h
  const start = `0f011df02f0000bb0000e0fe${setup}`;
  const around = -(body.length / 2 + 5);
  const made = flatGuest(`${start}${body}e9${u32(around)}`, { at: CODE });
  const { memory, vcpus } = made.vm;
  const selector = Number(vcpus[0].vmcs.get('GUEST_CS_SELECTOR'));
  for (let vector = 0; vector < 256; vector++) {
    const at = HANDLERS + vector * HANDLER_BYTES;
    const { code, type } = handlerOf(vector);
    const gate = Buffer.alloc(8);
    gate.writeUInt16LE(at & 0xffff, 0);
    gate.writeUInt16LE(selector, 2);
    gate.writeUInt16LE(type << 8, 4);
    gate.writeUInt16LE(at >>> 16, 6);
    memory.write(IDT + vector * 8, gate);
    memory.write(at, Buffer.from(code, 'hex'));
  }
  memory.write(0x2ff0, Buffer.from(`ff07${u32(IDT)}`, 'hex'));
  return made;
}
