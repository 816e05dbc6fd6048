import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { Machine } from '../harness.js';
import { BASE, BY_FEATURE, Random } from './random-code.js';

const CODE = 0x1000;
const DATA = 0x20000;
const INSTRUCTIONS = 60;
/** Instructions behind the random ones, so that the ends of slices, which run singly, are not among those. */
const TAIL = 40;

function start(machine: Machine, code: number[], random: Random): void {
  machine.load(CODE, code);
  for (let n = 0; n < 16; n++) machine.set(L.GPR + n * 8, random.value());
  machine.setReg('rsp', 0x30000);
  machine.setReg('rbp', DATA);
  machine.set(L.RFLAGS, 2 | (random.next() & 0x8d5));
  for (let n = 0; n < 8; n++) machine.set(L.RAM_BASE + DATA + n * 8, random.value());
  machine.set(L.RIP, CODE);
}

function state(machine: Machine): unknown {
  return {
    registers: Array.from({ length: 16 }, (_, n) => machine.get(L.GPR + n * 8).toString(16)),
    flags: machine.get(L.RFLAGS).toString(16),
    rip: machine.rip,
    icount: machine.icount,
    data: Buffer.from(machine.ram(DATA, 64)).toString('hex'),
  };
}

describe('the dispatcher and the handlers', () => {
  // Undefined flags are included: both ways must give the same machine, bit for bit.
  for (const mode of ['long', 'protected32'] as const) {
    it(`leave the same state after random code (${mode})`, () => {
      const random = new Random(mode === 'long' ? 0x1234567 : 0x7654321);
      const blocks = new Machine();
      const singles = new Machine();
      blocks.mode(mode);
      singles.mode(mode);
      const generators = [...BASE, ...BY_FEATURE.map(([, generator]) => generator)];
      for (let round = 0; round < 150; round++) {
        const code: number[] = [];
        for (let n = 0; n < INSTRUCTIONS; n++) {
          let instruction = random.pick(generators)(random);
          // Outside 64-bit mode REX bytes are INC and DEC: still random code, but C4 with a memory operand is LES.
          while (mode !== 'long' && instruction.bytes[0] === 0xc4) instruction = random.pick(BASE)(random);
          code.push(...instruction.bytes);
          if (random.below(4) === 0) code.push(0x70 + random.below(16), 0);
        }
        for (let n = 0; n < TAIL; n++) code.push(0x90);
        code.push(0xeb, 0xfe);
        const seed = random.next();
        start(blocks, code, new Random(seed));
        start(singles, code, new Random(seed));
        blocks.run(120);
        while (singles.icount < blocks.icount) {
          const before = singles.icount;
          singles.run(1);
          if (singles.icount === before) break;
        }
        expect(state(singles), `round ${round}, ${Buffer.from(code).toString('hex')}`).toEqual(state(blocks));
      }
      // Faults end some rounds early.
      expect(blocks.icount).toBeGreaterThan(3000n);
    });
  }

  // The SDM leaves #GP or a wrap to the processor; what it may not be is one when stepped and the other in a block.
  it('take the same fault past the end of a flat segment', () => {
    const end = (step: boolean): unknown => {
      const machine = new Machine();
      machine.mode('protected32');
      // the first 4 MiB are mapped, page fffff000 is not
      machine.set(L.CR4, 0x10);
      machine.set(L.CR0, 0x80000031);
      machine.set(L.RAM_BASE + 0x70000, 0x87);
      machine.core.updateMode();
      for (const vector of [13, 14]) {
        machine.set(L.RAM_BASE + 0x5000 + vector * 8, (0x8e00n << 32n) | (8n << 16n) | BigInt(0x6000 + vector * 16));
        machine.load(0x6000 + vector * 16, [0xeb, 0xfe]);
      }
      machine.set(L.RAM_BASE + 0x4008, 0x00cf9b000000ffffn);
      machine.set(L.GDTR_BASE, 0x4000);
      machine.set32(L.GDTR_LIMIT, 0xf);
      machine.set(L.IDTR_BASE, 0x5000);
      machine.set32(L.IDTR_LIMIT, 0x7ff);
      // mov eax, -1; nop; mov ecx, [eax]; then more, so that the access is no slice's end
      const code = [0xb8, 0xff, 0xff, 0xff, 0xff, 0x90, 0x8b, 0x08, ...new Array(TAIL).fill(0x90), 0xeb, 0xfe];
      start(machine, code, new Random(1));
      for (let left = 60; left > 0; left -= step ? 1 : 60) machine.run(step ? 1 : 60);
      return state(machine);
    };
    expect(end(true)).toMatchObject({ rip: 0x60d0n });
    expect(end(false)).toEqual(end(true));
  });
});
