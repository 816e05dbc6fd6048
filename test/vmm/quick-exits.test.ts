/** Exits that the core completes by itself: nobody can tell them from those that the VMM handles. */
import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';

/**
 * Real mode, the PIT at 12 kHz: CPUID, RDMSR of 1Bh and 2FFh, OUT to 80h, EDh and where nobody is, PAUSE, IN from 80h, with STI and CLI
 * between, in the handler too; HLT now and then.
 */
const EXITS = `fa31c08ed88ed0bc0070c7062000877ca32200b011e620b008e621b004e621b001e621b0fee621b034e643b064e640b000e640
  fb6631c00fa266b91b0000000f32e680fae7ed66b80400000066b9010000000fa2e680f390e480a20405ba0a1f66ef66b8010000000fa2
  66b9ff0200000f32fb0fa2ff060205f7060205ff0375b2f40f20c3ebac 50b020e620ff0600050fa258cf`;

/** Everything that somebody may see of the machine. */
function state({ vm, machine }: FlatGuest): Record<string, unknown> {
  vm.synchronize();
  const [vcpu] = vm.vcpus;
  const { host } = vm;
  const sequence = host.getNumber(L.TRACE_SEQUENCE);
  const registers = Array.from({ length: 16 }, (_, n) => vcpu.gpr(n));
  const reasons = Array.from({ length: 64 }, (_, n) => vm.exitCount(n));
  const { icount, clock } = vcpu;
  const vmcs = Buffer.from(host.u8.subarray(vcpu.vmcs.region, vcpu.vmcs.region + 4096)).toString('base64');
  return { icount, clock, exits: vm.exits, sequence, registers, reasons, vmcs, devices: machine.devices() };
}

function ring({ vm: { host } }: FlatGuest): Buffer {
  return Buffer.from(host.u8.slice(L.TRACE_RING, L.TRACE_RING + L.TRACE_RECORDS * L.TRACE_RECORD_BYTES));
}

function slice({ vm }: FlatGuest, instructions: number): string {
  const end = vm.runSlice(vm.vcpus[0], instructions);
  if (end.kind === 'idle' && end.deadline !== undefined) vm.warpTo(end.deadline);
  return end.kind;
}

describe('exits that the core completes', () => {
  it('leave state, clock and trace of those that the VMM handles', () => {
    const [quick, slow] = [flatGuest(EXITS), flatGuest(EXITS)];
    slow.vm.quick.on = false;
    let seed = 7;
    let completed = 0;
    const { take } = quick.vm.quick;
    quick.vm.quick.take = (...args) => {
      const count = take.apply(quick.vm.quick, args);
      completed += count;
      return count;
    };
    for (let n = 0; n < 200; n++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const instructions = 1 + ((seed >>> 16) % (n < 100 ? 40 : 3000));
      expect(slice(quick, instructions)).toBe(slice(slow, instructions));
      expect(state(quick)).toEqual(state(slow));
    }
    expect(ring(quick).equals(ring(slow))).toBe(true);
    expect(slow.vm.exits).toBeGreaterThan(20_000);
    expect(completed).toBeGreaterThan(slow.vm.exits * 0.4);
  });

  it('are seen by who asks for each exit', () => {
    const guest = flatGuest(EXITS);
    slice(guest, 5000);
    let seen = 0;
    guest.vm.exitFilter = () => {
      seen++;
      return false;
    };
    const before = guest.vm.exits;
    slice(guest, 5000);
    expect(seen).toBe(guest.vm.exits - before);
    expect(seen).toBeGreaterThan(1000);
  });

  it('do not fill the ring of the trace in one slice', () => {
    // 1: cpuid; out 80h, al; jmp 1b
    const guest = flatGuest('0fa2 e680 ebfa');
    for (let n = 0; n < 5; n++) {
      const before = guest.vm.host.getNumber(L.TRACE_SEQUENCE);
      expect(slice(guest, 100_000)).toBe('limit');
      expect(guest.vm.host.getNumber(L.TRACE_SEQUENCE) - before).toBeLessThanOrEqual(L.TRACE_RECORDS);
    }
  });

  it('tell the new answer after CR4, XCR0 or the APIC base have changed', () => {
    // mov eax,1; cpuid; push ecx; cpuid again; mov eax,cr4; xor eax,40000h (OSXSAVE); mov cr4,eax; mov eax,1; cpuid
    const guest = flatGuest(
      '66b801000000 0fa2 66b801000000 0fa2 6689ce 0f20e0 6635 00000400 0f22e0 66b801000000 0fa2 ebfe',
    );
    slice(guest, 12);
    guest.vm.synchronize();
    const [vcpu] = guest.vm.vcpus;
    expect(vcpu.gpr(1) ^ vcpu.gpr(6)).toBe(1n << 27n);
  });
});
