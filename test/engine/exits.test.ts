import { describe, expect, it } from 'vitest';
import { cpuModel } from '../../src/engine/vmm/cpu-models.js';
import { debugExitStatus, flatGuest, runToEnd } from './flat-guest.js';

describe('HLT', () => {
  it('is over at once when it is single-stepped', () => {
    // mov word [4], 7c14h; mov word [6], 0; pushf; pop ax; or ax, 100h; push ax; popf; hlt; handler: mov al, 21h; out 0f4h, al
    const guest = flatGuest('c7060400147c c70606000000 9c 58 0d0001 50 9d f4 b021 e6f4');
    expect(runToEnd(guest, 5000)).toMatchObject({ kind: 'debug-exit', status: debugExitStatus(0x21) });
  });

  it('waits for the timer that the BIOS left running', () => {
    // sti; hlt; mov al, [46ch]; out 0f4h, al
    const guest = flatGuest('fb f4 a06c04 e6f4');
    expect(runToEnd(guest)).toMatchObject({ kind: 'debug-exit', status: debugExitStatus(1) });
  });
});

describe('VMCALL', () => {
  it('answers -1000 for a number that it does not know', () => {
    // mov eax, 55h; vmcall; shr eax, 8; out 0f4h, al
    const guest = flatGuest('66b855000000 0f01c1 66c1e808 e6f4');
    expect(runToEnd(guest)).toMatchObject({ status: debugExitStatus((-1000 >> 8) & 0xff) });
  });
});

describe('MOV to CR4', () => {
  // vector 13 goes to 7c20h, which writes 13; mov eax, 1000h; mov cr4, eax; mov al, 1; out 0f4h, al
  const guest = () => flatGuest('c7063400207c c70636000000 66b800100000 0f22e0 b001 e6f4 f4 90909090909090 b00d e6f4');

  it('refuses LA57 unless the CPU model has it', () => {
    expect(runToEnd(guest())).toMatchObject({ status: debugExitStatus(13) });
    const max = guest();
    max.vm.cpu = cpuModel('max');
    expect(runToEnd(max)).toMatchObject({ status: debugExitStatus(1) });
  });
});
