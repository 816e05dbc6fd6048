import { expect, it } from 'vitest';
import { readNamedRegisters, readRegisters, writeRegister } from '../../src/engine/debug/register-access.js';
import { flatGuest, runToEnd } from './flat-guest.js';

const EXIT = 'b007e6f4'; // mov al, 7; out 0f4h, al
const PI = 0x4000c90fdaa22168c235n;
const ONE = 0x3fff8000000000000000n;

it('the debugger reads the x87 registers of a guest', () => {
  // fninit; fldpi; fld1; end
  const guest = flatGuest(`dbe3 d9eb d9e8 ${EXIT}`);
  runToEnd(guest);
  guest.vm.synchronize();
  const file = readRegisters(guest.vm, guest.vm.vcpus[0]);
  expect([file.st0, file.st1, file.st2]).toEqual([ONE, PI, 0n]);
  expect([file.fctrl, file.fstat, file.ftag]).toEqual([0x37fn, 0x3000n, 0x0fffn]);
  // FIP of FLD1, the last instruction; no exception, so no operand and no opcode
  expect([file.fioff, file.fiseg, file.fooff, file.fop]).toEqual([0x7c04n, 0n, 0n, 0n]);
});

it('the debugger writes them', () => {
  // fninit; fld1; nop; fstp tbyte [3000h]; end
  const guest = flatGuest(`dbe3 d9e8 90 db3e0030 ${EXIT}`);
  const [vcpu] = guest.vm.vcpus;
  guest.vm.runSlice(vcpu, 3);
  guest.vm.synchronize();
  writeRegister(guest.vm, vcpu, 'st0', PI);
  runToEnd(guest);
  const bytes = [...guest.vm.memory.read(0x3000, 10)].reverse();
  expect(BigInt(`0x${Buffer.from(bytes).toString('hex')}`)).toBe(PI);
});

it('registers that are asked for by name are those of the whole file', () => {
  // fldpi; movd xmm3, eax; end
  const guest = flatGuest(`dbe3 d9eb 660f6ed8 ${EXIT}`);
  runToEnd(guest);
  guest.vm.synchronize();
  const [vcpu] = guest.vm.vcpus;
  writeRegister(guest.vm, vcpu, 'xmm15', (0x1234n << 64n) | 0xfedc_ba98_7654_3210n);
  writeRegister(guest.vm, vcpu, 'ymm7h', (1n << 127n) | 5n);
  writeRegister(guest.vm, vcpu, 'fiseg', 0xffffn);
  const file = readRegisters(guest.vm, vcpu);
  expect([file.xmm15, file.ymm7h, file.fiseg, file.st0]).toEqual([
    (0x1234n << 64n) | 0xfedc_ba98_7654_3210n,
    (1n << 127n) | 5n,
    0xffffn,
    PI,
  ]);
  for (const [name, value] of Object.entries(file))
    expect(readNamedRegisters(guest.vm, vcpu, [name])).toEqual({ [name]: value });
  expect(readNamedRegisters(guest.vm, vcpu, ['rax', 'nonsense'])).toEqual(file);
});
