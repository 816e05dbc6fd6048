/** What `wrote`, `became` and `reads` are asked about: people who leave out a `$` or a word are told which it was. */
import { describe, expect, it } from 'vitest';
import { counted } from '../../src/engine/counted.js';
import { registerHint, wroteTarget } from '../../src/engine/debug/written-what.js';

const value = async (text: string): Promise<bigint> => {
  if (/^0x/.test(text) || /^\d+$/.test(text)) return BigInt(text);
  if (/^[a-z]{2,3}x?$/i.test(text)) return 0x1000n;
  throw new Error(`no symbol, register or number "${text}"`);
};

describe('what was written', () => {
  it.each(['rax', 'rax 8', 'eax', 'CR3', 'rax == 5', 'rsp has 1', ' rdi '])(
    '%s: the memory that a register points to, and the answer says so',
    (text) => {
      const [name] = /\w+/.exec(text)!;
      expect(registerHint(text)).toBe(
        `this was about the memory that ${name} points to; $${name} is the register itself`,
      );
    },
  );

  it.each(['$rax', '$rax == 5', '0x1000', 'main', '[rax]', 'rax+8', 'phys rax', 'msr efer', 'pte rsp'])(
    '%s: means nothing else',
    (text) => {
      expect(registerHint(text)).toBeUndefined();
    },
  );

  it.each([
    ['GUEST_RIP', 'no symbol, register or number "GUEST_RIP"; vmcs GUEST_RIP is the VMCS field'],
    ['IA32_LSTAR', 'no symbol, register or number "IA32_LSTAR"; msr IA32_LSTAR is the MSR'],
    ['banana', 'no symbol, register or number "banana"'],
  ])('%s: the word that is missing is named', async (text, message) => {
    await expect(wroteTarget(text, value)).rejects.toThrow(new Error(message));
  });
});

it('counts in words: one of a thing is one', () => {
  expect([counted(1, 'exit'), counted(0, 'exit'), counted(2n, 'exit')]).toEqual(['1 exit', '0 exits', '2 exits']);
  expect([counted('1', 'access', 'accesses'), counted('1,024', 'access', 'accesses')]).toEqual([
    '1 access',
    '1,024 accesses',
  ]);
});
