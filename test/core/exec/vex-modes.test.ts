// VEX does not exist in real mode: each instruction on general registers that it encodes is undefined there, in blocks too, where
// some have rows of their own.
import { expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { VEX_HANDLERS } from '../../../src/spec/opcodes/handlers.js';
import { OPCODES, type OpcodeRow } from '../../../src/spec/opcodes/index.js';
import { UOP_ROWS } from '../../../src/spec/uops/index.js';
import { Machine } from '../harness.js';

const CODE = 0x1000;
const UD = 0x6000;
const PREFIXES = ['NP', '66', 'F3', 'F2'];

/** The instruction with registers of 32 bits: ECX in ModRM, EBX in VEX.vvvv where it has such an operand. */
function encoded({ bytes, operands }: OpcodeRow): number[] {
  const [vex, , map, opcode, reg] = bytes.split(' ');
  const vvvv = /,By|By,/.test(operands) ? 0b1100 : 0b1111;
  const digit = /\/[0-7]/.test(reg) ? Number(reg.slice(1)) : 0;
  return [
    ...[0xc4, 0xe0 | (map === '38' ? 2 : 3), (vvvv << 3) | PREFIXES.indexOf(vex.slice(4)), Number.parseInt(opcode, 16)],
    ...[0xc1 | (digit << 3), ...(operands.endsWith('Ib') ? [5] : [])],
  ];
}

const rows = OPCODES.filter((row) => VEX_HANDLERS.has(row.handler));

it('handlers of VEX are those with rows of their own and others', () => {
  const withRows = new Set(UOP_ROWS.map((row) => row.handler));
  const [own, others] = [true, false].map((is) => [...VEX_HANDLERS].filter((name) => withRows.has(name) === is));
  expect(own).toContain('execBzhi');
  expect(others).toContain('execPext');
});

it.each(rows.map((row) => [row.mnemonic, row] as const))(
  '%s is undefined in real mode, and runs in long mode',
  (_, row) => {
    for (const mode of ['real', 'long'] as const) {
      const machine = new Machine();
      machine.mode(mode);
      machine.set32(L.IDTR_LIMIT, 0x3ff);
      machine.set32(L.RAM_BASE + 6 * 4, UD);
      machine.load(UD, [0xeb, 0xfe]);
      const code = encoded(row);
      machine.load(CODE, [...code, ...new Array(40).fill(0x90), 0xeb, 0xfe]);
      machine.setReg('rsp', 0x8000);
      machine.set(L.RIP, CODE);
      // as a block, not singly as at the end of a slice
      machine.run(mode === 'real' ? 60 : 100);
      if (mode === 'real') {
        expect(machine.rip).toBe(BigInt(UD));
        expect(machine.get(L.RAM_BASE + 0x8000 - 6) & 0xffffn).toBe(BigInt(CODE));
      } else expect(machine.rip).toBe(BigInt(CODE + code.length + 40));
    }
  },
);
