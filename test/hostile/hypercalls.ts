import { Rng } from '../../src/engine/difftest/rng.js';
import type { FlatGuest } from '../engine/flat-guest.js';
import { type Code, EAX, EBX, ECX, EDI, EDX, ESI } from './code.js';
import { START, type TableGuestOptions, tableGuest } from './table-guest.js';

const SIGNATURE = 0x564d5343;
const FIELDS = [0x4000, 0x4002, 0x4004, 0x401c, 0x401e, 0x6000, 0x6804, 0x4012, 0x400c, 0x681e, 0x201a, 0x2000];
/** Bits that the calls allow, by field. */
const BITS = new Map([
  [0x4000, [0, 3, 5, 6]],
  [0x4002, [2, 7, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 27, 29, 30]],
  [0x4004, [0, 1, 3, 6, 13, 14]],
  [0x401e, [0, 2, 3, 6, 10, 11, 12, 13, 16]],
  [0x401c, [0, 1, 2, 3]],
  [0x6000, [3]],
  [0x6804, [14, 18]],
]);
const WILD = [0, 1, 2, 3, 0x7f, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];
const PAGES = [
  START,
  START + 0x800,
  START + 0x1000,
  START + 0x2000,
  0,
  0xa0000,
  0xb8000,
  0x3ff000,
  0x400000,
  0xfee00000,
  0xfffff000,
];

/** What makes a guest exit, or shows what it did. */
const WORK: readonly (readonly number[])[] = [
  [0x0f, 0xa2],
  [0xf4],
  [0xfb, 0xf4],
  [0xe4, 0x40],
  [0xe6, 0x80],
  [0x0f, 0x31],
  [0x0f, 0x20, 0xc0],
  [0x0f, 0x22, 0xc0],
  [0x0f, 0x20, 0xd8],
  [0x0f, 0x20, 0xe0],
  [0x0f, 0x06],
  [0x0f, 0x01, 0xf9],
  [0x0f, 0x01, 0xe0],
  [0x0f, 0x01, 0xf0],
  [0x0f, 0x08],
  [0x0f, 0x09],
  [0xf3, 0x90],
  [0x0f, 0x0b],
  [0xcc],
  [0xcd, 0x03],
  [0x0f, 0x01, 0xc8],
  [0x0f, 0x01, 0xc9],
  [0x0f, 0x33],
  [0x0f, 0x32],
  [0x0f, 0x30],
  [0x0f, 0x01, 0x38],
  [0x0f, 0x21, 0xf8],
  [0x0f, 0x23, 0xf8],
  [0x0f, 0x01, 0x00],
  [0x0f, 0x01, 0x10],
  [0x0f, 0x00, 0xc8],
  [0x0f, 0xc7, 0xf0],
  [0x0f, 0xc7, 0xf8],
  [0x0f, 0x01, 0xd0],
  [0x0f, 0x01, 0xd1],
  [0x0f, 0x37],
  [0x0f, 0x01, 0xd4],
  [0x66, 0x0f, 0x38, 0x82, 0x00],
  [0x0f, 0xaa],
  [0x9c, 0x9d],
  [0xfa],
  [0xfb],
  [0xa1, 0x00, 0x00, 0x00, 0xff],
  [0xa1, 0x80, 0x00, 0xe0, 0xfe],
  [0xa3, 0x80, 0x00, 0xe0, 0xfe],
  [0xa3, 0x00, 0x00, 0x30, 0x00],
  [0xf3, 0x6c],
  [0xf3, 0x6e],
  [0x68, 0x02, 0x01, 0x00, 0x00, 0x9d],
  [0x0f, 0x20, 0xc2, 0x83, 0xf2, 0x08, 0x0f, 0x22, 0xc2],
];

/** A random guest of hypercalls with wild arguments among instructions that exit. The same seed gives the same guest. */
export function hypercallGuest(seed: number): FlatGuest {
  const rng = new Rng(seed);
  const value = (): number => {
    const kind = rng.below(5);
    if (kind === 0) return rng.pick(WILD);
    if (kind === 1) return (1 << rng.below(32)) >>> 0;
    if (kind === 2) return rng.pick(PAGES);
    return kind === 3 ? rng.below(256) : rng.u32();
  };
  const call = (code: Code): void => {
    const kind = rng.below(12);
    code.mov(ECX, kind === 1 || kind === 2 ? rng.pick(FIELDS) : value());
    code.mov(EDX, rng.oneIn(2) ? (1 << rng.below(32)) >>> 0 : value()).mov(ESI, value());
    if ((kind === 1 || kind === 2) && !rng.oneIn(4)) {
      const [field, bits] = rng.pick([...BITS]);
      let mask = 0;
      for (let n = 1 + rng.below(3); n > 0; n--) mask |= 1 << rng.pick(bits);
      code.mov(ECX, field).mov(EDX, mask >>> 0);
    }
    if (kind === 4 || kind === 7) code.mov(ECX, rng.below(5));
    if (kind === 3 || kind === 5) code.mov(ECX, rng.pick(PAGES)).mov(EDX, rng.below(10));
    code
      .mov(EBX, rng.oneIn(12) ? value() : kind)
      .mov(EAX, SIGNATURE)
      .emit(0x0f, 0x01, 0xc1);
  };
  const options: TableGuestOptions = {
    change: (view) => {
      // handlers go on behind the instruction, mostly two bytes long
      for (let vector = 0; vector < 32; vector++) {
        const at = 0xc00 + vector * 8;
        const coded = vector === 8 || (vector >= 10 && vector <= 14) || vector === 17;
        const bytes = coded ? [0x83, 0xc4, 0x04, 0xff, 0x04, 0x24, 0xcf] : [0xff, 0x04, 0x24, 0xcf];
        bytes.forEach((byte, n) => {
          view.setUint8(at + n, byte);
        });
      }
    },
  };
  return tableGuest((code) => {
    // mostly no timer interrupt takes the place of a double fault
    if (!rng.oneIn(4)) code.out8(0x21, 0xff);
    const steps = 2 + rng.below(30);
    for (let step = 0; step < steps && code.length < 0x680; step++) {
      if (rng.oneIn(2)) call(code);
      else {
        if (rng.oneIn(3)) code.mov(rng.pick([EAX, ECX, EDX, EDI, ESI]), value());
        code.emit(...rng.pick(WORK));
      }
    }
    code.emit(0xb0, 1, 0xe6, 0xf4, 0xeb, 0xfe);
  }, options);
}
