import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { VmxRig } from '../mmu/vmx-rig.js';
import { CODE, CODE64 } from './rig.js';

const VMX_TRIPLE_FAULT = 2;

/** Entries of the log as [vector, error or none, address, how it arose]. */
function log(m: VmxRig): [number, number | undefined, bigint, 'first' | 'nested'][] {
  return Array.from({ length: m.get32(L.FAULT_LOG) }, (_, n) => {
    const at = L.FAULT_LOG + 16 + (n % L.FAULT_LOG_ENTRIES) * L.FAULT_LOG_BYTES;
    const flags = m.get32(at + 32);
    return [
      m.get32(at),
      flags & L.FAULT_LOG_ERROR ? m.get32(at + 4) : undefined,
      m.get(at + 16),
      flags & L.FAULT_LOG_NESTED ? 'nested' : 'first',
    ];
  });
}

const newest = (m: VmxRig): number =>
  L.FAULT_LOG + 16 + ((m.get32(L.FAULT_LOG) - 1) % L.FAULT_LOG_ENTRIES) * L.FAULT_LOG_BYTES;

describe('log of events', () => {
  it('tells the way from a page fault to the triple fault', () => {
    const m = new VmxRig();
    m.gate(14, { selector: 0x1f0 });
    m.gate(8, { present: false });
    m.setReg('rbx', 0x8040000000n);
    expect(m.exec('90 8903', 2)).toBe(L.RUN_VMEXIT);
    expect(m.exit[0]).toBe(VMX_TRIPLE_FAULT);
    // the external-event bit of the error codes: the faults arose in delivery
    expect(log(m)).toEqual([
      [14, 2, 0x8040000000n, 'first'],
      [13, 0x1f1, 0n, 'nested'],
      [8, 0, 0n, 'nested'],
      [11, 0x43, 0n, 'nested'],
    ]);
    const at = newest(m);
    expect([m.get(at + 8), m.get(at + 24), m.get32(at + 36)]).toEqual([BigInt(CODE + 1), 1n, CODE64]);
  });

  it('has delivered events also, and INT n that fails', () => {
    const m = new VmxRig();
    m.exec('0f0b', 1);
    expect(log(m)).toEqual([[6, undefined, 0n, 'first']]);
    const n = new VmxRig();
    n.gate(0x40, { present: false });
    n.exec('cd40', 1);
    expect(log(n)).toEqual([
      [0x40, undefined, 0n, 'first'],
      [11, 0x202, 0n, 'nested'],
    ]);
  });

  it('leaves out what exits by the exception bitmap', () => {
    const m = new VmxRig();
    m.write('EXCEPTION_BITMAP', 1n << 14n);
    m.setReg('rbx', 0x8040000000n);
    m.exec('8903', 1);
    expect(log(m)).toEqual([]);
    const d = new VmxRig();
    d.write('EXCEPTION_BITMAP', 1n << 8n);
    d.set32(L.IDTR_LIMIT, 0);
    d.exec('0f0b', 1);
    expect(log(d)).toEqual([
      [6, undefined, 0n, 'first'],
      [13, 0x33, 0n, 'nested'],
      [13, 0x6b, 0n, 'nested'],
    ]);
  });

  it('keeps the newest entries', () => {
    const m = new VmxRig();
    m.load(0x20000 + 6 * 16, Uint8Array.of(0xeb, 0xfe));
    for (let n = 0; n < 20; n++) m.exec('0f0b', 1);
    expect(m.get32(L.FAULT_LOG)).toBe(20);
    expect(m.get32(newest(m))).toBe(6);
  });
});
