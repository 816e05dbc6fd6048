import { describe, expect, it } from 'vitest';
import { type Code, EAX, EBX, ECX, EDX, ESI } from '../hostile/code.js';
import { START, tableGuest } from '../hostile/table-guest.js';
import { debugExitStatus, runToEnd } from './flat-guest.js';

const SIGNATURE = 0x564d5343;
const call = (code: Code, fn: number, rcx: number, rdx: number): Code =>
  code.mov(ECX, rcx).mov(EDX, rdx).mov(ESI, 100).mov(EBX, fn).mov(EAX, SIGNATURE).emit(0x0f, 0x01, 0xc1);
const [PIN, PRIMARY, SECONDARY, THRESHOLD] = [0x4000, 0x4002, 0x401e, 0x401c];
const bit = (n: number): number => (1 << n) >>> 0;

describe('no order of hypercalls makes a VM entry fail', () => {
  const cases: [string, (code: Code) => unknown][] = [
    ['virtual NMIs without NMI exiting', (code) => call(code, 1, PIN, bit(5))],
    [
      'NMI exiting taken from under virtual NMIs',
      (code) => {
        call(code, 1, PIN, bit(3));
        call(code, 1, PIN, bit(5));
        call(code, 2, PIN, bit(3));
      },
    ],
    [
      'virtual NMIs taken from under NMI-window exiting',
      (code) => {
        call(code, 1, PIN, bit(3) | bit(5));
        call(code, 1, PRIMARY, bit(22));
        call(code, 2, PIN, bit(5));
      },
    ],
    ['NMI-window exiting alone', (code) => call(code, 1, PRIMARY, bit(22))],
    [
      'a TPR threshold above the TPR',
      (code) => {
        call(code, 1, PRIMARY, bit(21));
        call(code, 1, THRESHOLD, 15);
      },
    ],
    [
      'a TPR threshold before the TPR shadow',
      (code) => {
        call(code, 1, THRESHOLD, 15);
        call(code, 1, PRIMARY, bit(21));
      },
    ],
    ['APIC accesses without a TPR shadow', (code) => call(code, 1, SECONDARY, bit(0))],
    [
      'APIC accesses and then all secondary bits',
      (code) => {
        call(code, 1, SECONDARY, 0x13c4d);
        call(code, 2, SECONDARY, 0x13c4d);
      },
    ],
    [
      'a threshold with APIC accesses, which then go',
      (code) => {
        call(code, 1, SECONDARY, 1);
        call(code, 1, PRIMARY, bit(21));
        call(code, 1, THRESHOLD, 15);
        call(code, 2, SECONDARY, 1);
      },
    ],
    [
      'every primary bit',
      (code) => {
        for (const n of [2, 7, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 27, 29, 30]) call(code, 1, PRIMARY, bit(n));
      },
    ],
    [
      'a failed entry and a SIPI',
      (code) => {
        call(code, 7, 3, 1);
        call(code, 4, 1, 0);
        call(code, 4, 0, 0);
      },
    ],
    [
      'SIPI while interrupts come',
      (code) => {
        call(code, 1, PIN, bit(0));
        for (let n = 0; n < 4; n++) call(code, 7, 3, n);
      },
    ],
  ];
  for (const [name, write] of cases) {
    it(name, () => {
      const guest = tableGuest((code) => {
        write(code.out8(0x21, 0xff));
        code.emit(0xfb, 0x90, 0x0f, 0xa2, 0xfa, 0xb0, 0x21, 0xe6, 0xf4);
      });
      expect(runToEnd(guest, 100_000)?.status).toBe(debugExitStatus(0x21));
    });
  }
});

void START;
