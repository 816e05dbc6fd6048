import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';

/** Values of 8 and 16 bits at their edges, in each byte of a register. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x10];
const TABLE = 0x40000;
const ENTRIES = 256;

/** By what is written in a program one behind the other: operands in rax, rbx and cl, above all bits that must not count. */
const INSTRUCTIONS: Record<string, string[]> = {
  'of the low byte': ['00d8', '28d8', '20d8', '08d8', '30d8', '38d8', '84d8', '84c0', 'f6d0', 'f6d8', 'fec0', 'fec8'],
  'of the high byte': ['00fc', '28fc', '20fc', '30c4', '38e3', '84e4', 'f6d4', 'f6dc', 'fec4', '00c4', '28e0', '10fc'],
  'of 16 bits': ['6601d8', '6629d8', '6621d8', '6609d8', '6631d8', '6639d8', '6685c0', '6685d8', '66f7d0', '66f7d8'],
  'that carry, count and shift': ['6611d8', '18d8', '66ffc0', '66ffc8', '66c1e003', 'd2e0', '66d3f8', 'd2f8', 'c0f803'],
  'that widen and multiply': [
    '0fbec3',
    '0fbec7',
    '0fbfc3',
    '660fbec3',
    '660fafc3',
    'f6e3',
    'f6eb',
    '66f7e3',
    '660fb6c7',
  ],
  'that exchange': ['86d8', '86e0', '0fc0d8', '660fc1d8', '0fb0d8', '660fb1d8', '66c1c005', 'c0c803', '660fa4d803'],
  'behind each other': ['6601d86685c0', '00d884c0', '6601d800c484e4', '66ffc06631d8', '6689d86639c8', '6631d838dc'],
  'of registers whose upper half is clear': [
    '89d830d8',
    '89d800dc30dc',
    '89d86681f02110',
    '89d820d808c4',
    '89d80f92c00f93c4',
    '89d888c488d8',
  ],
  // mov eax,ebx; then mov rax,rbx; a branch over it; shl rax,cl; pdep rax,rcx,rbx; xor al,bl
  'of registers whose upper half was clear': [
    '89d84889d830d8',
    '84c9740289d830d8',
    '89d84869c37f01000030d8',
    '89d848d3e030d8',
    '89d8c4e2f3f5c330d8',
  ],
  'of memory': ['660306', '0206', '662306', '846601', '66850e', '3a06', '663b06', '226601'],
};

function pairOf(instructions: readonly string[]): Pair {
  return new Pair('long', (m) => {
    for (let n = 0; n < ENTRIES * 2; n++) {
      const byte = (k: number): bigint => BigInt(EDGES[(n * 5 + k * (3 + (n >> 3))) & 7]);
      let value = 0n;
      for (let k = 0; k < 8; k++) value |= byte(k) << BigInt(k * 8);
      m.set(L.RAM_BASE + TABLE + n * 8, value);
    }
    m.setReg('rsi', BigInt(TABLE));
    m.setReg('rsp', 0x98000n);
    // mov rax,[rsi]; mov rbx,[rsi+8]; mov ecx,[rsi+4]; ...; cmovs r10,rax; cmovl r11,rbx; setbe r12b; pushfq; pop rdx; add r8,rdx;
    // xor r9,rax; add r9,rbx
    const body = instructions.map(
      (one) => `488b06488b5e088b4e04 ${one} 4c0f48d0 4c0f4cdb 410f96c4 9c5a 4901d0 4931c1 4901d9`,
    );
    // L: ...; add esi,16; and esi,40ff0h; jmp L
    const code = `${body.join('')} 83c610 81e6f00f0400`;
    const bytes = code.replaceAll(' ', '').length / 2 + 5;
    const back = (0x1_0000_0000 - bytes).toString(16).match(/../g)!.reverse().join('');
    m.load(0x1000, `${code} e9${back}`);
    m.set(L.RIP, 0x1000n);
  });
}

describe('instructions of 8 and 16 bits', () => {
  for (const [name, instructions] of Object.entries(INSTRUCTIONS)) {
    it(`${name} mind no bits above`, () => {
      const pair = pairOf(instructions);
      for (let n = 0; n < 50; n++) pair.run(700 + n * 13);
      expect(pair.inRegions).toBeGreaterThan(20_000);
    });
  }
});
