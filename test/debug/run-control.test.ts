/** The debugger's run control on the embedded engine: breakpoints, steps and watchpoints of small guests. */
import { describe, expect, it } from 'vitest';
import type { Debugger, RunState, StopReason } from '../../src/engine/debugger.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

const CODE = 0x100000n;

function guestOf(code: string, options: { vcpus?: number; at?: number } = {}): Guest {
  const { machine } = flatGuest(code, { at: Number(CODE), ...options });
  return new Guest(machine, { paced: false, waitForInput: true });
}

/** Lets the guest run to its next stop. */
async function go(guest: Debugger): Promise<RunState & { stop: StopReason }> {
  await new Promise<void>((resolve) => {
    const off = guest.onEvent((event) => {
      if (event.type !== 'stopped') return;
      off();
      resolve();
    });
    void guest.resume();
  });
  return (await guest.state()) as RunState & { stop: StopReason };
}

const rip = async (guest: Debugger, vcpu = 0): Promise<bigint> => (await guest.readRegisters(vcpu)).rip;

describe('a breakpoint on an instruction that accesses a device', () => {
  // mov edi, 0ff000100h; mov esi, 0ff000200h; mov dx, 0e9h; 1: then the instruction; jmp 1b
  const SETUP = 'bf000100ff be000200ff 66bae900 b9 03000000';
  const AT = CODE + 19n;
  const cases: [string, string][] = [
    ['a store', '8907'],
    ['a read-modify-write', '830f01'],
    ['a load', '8b07'],
    ['a move from device to device', 'a5'],
    ['outsb from device memory', '6e'],
    ['insb to device memory', '6c'],
    ['fxsave', '0fae07'],
    ['push', 'ff37'],
    ['rep movsb', 'f3a4'],
    ['rep outsb', 'f36e'],
    ['rep insb', 'f36c'],
  ];
  it.each(cases)('%s: stops once each time', async (_name, bytes) => {
    const length = bytes.length / 2;
    // the stack, for push, is in RAM; ecx is set anew each time
    const guest = guestOf(`${SETUP} ${bytes} b903000000 eb${(256 - length - 7).toString(16)}`);
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: AT });
    const seen = new Set<bigint>();
    for (let n = 1; n <= 4; n++) {
      const { stop, icount } = await go(guest);
      expect(stop).toEqual({ kind: 'breakpoint', id, gva: AT });
      expect(seen.has(icount)).toBe(false);
      seen.add(icount);
      expect((await guest.breakpoints())[0].hits).toBe(n);
    }
  });
});

it('steps off such an instruction at once', async () => {
  const guest = guestOf('bf000100ff 8907 8907 ebfa');
  await guest.addBreakpoint({ kind: 'execute', gva: CODE + 5n });
  await go(guest);
  for (const at of [7n, 9n, 5n, 7n]) {
    expect((await guest.step(0)).stop).toEqual({ kind: 'step' });
    expect(await rip(guest)).toBe(CODE + at);
  }
});

/**
 * Both vCPUs run `1: inc eax; jmp 1b` at 70000h: the bytes mean the same in 16 and in 32-bit code.
 * It is the first that starts the second.
 */
const BOTH = `bf00000700 c70740ebfd90 bb0000e0fe c783f0000000ff010000 c7831003000000000001 c7830003000000450000
  c7831003000000000001 c7830003000070460000 ffe7`;

it('a breakpoint that several vCPUs run lets each of them on', async () => {
  const guest = guestOf(BOTH, { vcpus: 2 });
  const gva = 0x70000n;
  const { id } = await guest.addBreakpoint({ kind: 'execute', gva });
  const counts = [0n, 0n];
  const places = new Set<string>();
  for (let n = 1; n <= 40; n++) {
    const { stop, vcpu, icount } = await go(guest);
    expect(stop).toEqual({ kind: 'breakpoint', id, gva });
    // the loop's turn is done once between two stops of the same vCPU
    const { rax } = await guest.readRegisters(vcpu);
    if (counts[vcpu] > 0n) expect(rax).toBe(counts[vcpu] + 1n);
    counts[vcpu] = rax;
    places.add(`${vcpu} ${icount}`);
  }
  expect(places.size).toBe(40);
  expect(counts.every((count) => count > 0n)).toBe(true);
});

it('a vCPU that was put onto a breakpoint stops there', async () => {
  // 1: nop; nop; nop; jmp 1b
  const guest = guestOf('909090ebfb');
  await guest.addBreakpoint({ kind: 'execute', gva: CODE + 1n });
  await go(guest);
  const before = await guest.state();
  await guest.writeRegister(0, 'rip', CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount);
  expect((await go(guest)).icount).toBe(before.icount + 4n);
  // from elsewhere, and by a field of the VMCS
  await guest.step(0);
  await guest.writeRegister(0, 'rip', CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount + 5n);
  await guest.step(0);
  await guest.vmcs?.write(0, 0x681e, CODE + 1n);
  expect((await go(guest)).icount).toBe(before.icount + 6n);
});

it('a breakpoint stops before a fetch that finds no page', async () => {
  // page tables: the first 4 MiB are mapped one to one, the rest is not; then jmp 80000000h, or call it
  const paging = `bf00000200 be03000300 8937 bf00000300 b803000000 b900040000 ab 0500100000 e2f8
    b800000200 0f22d8 0f20c0 0d00000080 0f22c0`;
  for (const there of ['b800000080 ffe0', 'b800000080 bc00000800 ffd0', '6800000080 c3']) {
    const guest = guestOf(`bc00000800 ${paging} ${there}`);
    const { id } = await guest.addBreakpoint({ kind: 'execute', gva: 0x80000000n });
    expect((await go(guest)).stop).toEqual({ kind: 'breakpoint', id, gva: 0x80000000n });
    expect(await rip(guest)).toBe(0x80000000n);
  }
});

describe('watchpoints', () => {
  const DATA = 0x200000n;
  // mov edi, 200000h; then the instruction twice; jmp to it
  const around = (bytes: string): string => {
    const length = bytes.length / 2;
    return `bf00002000 b805000000 ${bytes} 90 eb${(256 - length - 3).toString(16)}`;
  };
  const readers: [string, string][] = [
    ['mov', '8b0f'],
    ['add', '0107'],
    ['inc', 'ff07'],
    ['lock xadd', 'f00fc107'],
    ['xchg', '8707'],
    ['lock cmpxchg', 'f00fb107'],
    ['cmpxchg8b', '0fc70f'],
    ['bts', '0fab07'],
    ['shl', 'd127'],
    ['not', 'f717'],
    ['neg', 'f71f'],
  ];
  it.each(readers)('%s reads', async (_name, bytes) => {
    const guest = guestOf(around(bytes));
    const { id } = await guest.addBreakpoint({ kind: 'watch', space: 'gva', address: DATA, length: 4, access: 'read' });
    const { stop } = await go(guest);
    expect(stop).toMatchObject({ kind: 'watchpoint', id, access: 'read', address: DATA });
    expect(await rip(guest)).toBe(CODE + 10n + BigInt(bytes.length / 2));
  });

  it('a store does not read', async () => {
    const guest = guestOf(around('0f9407'));
    await guest.addBreakpoint({ kind: 'watch', space: 'gva', address: DATA, length: 4, access: 'read' });
    await guest.addBreakpoint({ kind: 'execute', gva: CODE + 13n });
    expect((await go(guest)).stop.kind).toBe('breakpoint');
  });
});
