import { expect, it } from 'vitest';
import { Guest } from '../../src/engine/host/guest.js';
import { hypercall } from '../../src/engine/vmm/hypercall.js';
import type { Vcpu } from '../../src/engine/vmm/vcpu.js';
import { VCPU_STATE } from '../../src/engine/vmm/vcpu.js';
import { flatGuest, runToEnd } from '../engine/flat-guest.js';

const SECONDARY_CONTROLS = 0x401e;
/** mov ax, [9000h] by DS 900h; mov al, 1; out 0f4h, al. */
const READS_9000 = 'b80009 8ed8 a10000 b001 e6f4';

function call(guest: ReturnType<typeof flatGuest>, number: number, rcx: number, rdx = 0): bigint | undefined {
  const [vcpu] = guest.vm.vcpus;
  vcpu.setGpr(0, 0x564d5343n);
  vcpu.setGpr(3, BigInt(number));
  vcpu.setGpr(1, BigInt(rcx));
  vcpu.setGpr(2, BigInt(rdx));
  return hypercall(vcpu, guest.vm);
}

it.each([
  ['misconfigured', 3, 0],
  ['without permissions', 5, 7],
])('a reset repairs an EPT leaf that a guest made %s', (_, number, permissions) => {
  const guest = flatGuest(READS_9000);
  expect(call(guest, number, 0x9000, permissions)).toBe(0n);
  guest.machine.reset();
  expect(runToEnd(guest)).toMatchObject({ kind: 'debug-exit', status: 3 });
  expect(guest.vm.exitCount(48) + guest.vm.exitCount(49)).toBe(0);
});

it('a reset gives the APIC page back to the devices', () => {
  const guest = flatGuest(READS_9000);
  const leaf = () => guest.vm.host.get64(guest.vm.ept.entryAddress(0xfee00000, 1, true)!);
  expect(call(guest, 1, SECONDARY_CONTROLS, 1)).toBe(0n);
  expect(leaf()).not.toBe(0n);
  guest.machine.reset();
  expect(leaf()).toBe(0n);
});

/** The hypercall that makes the VM entry behind it fail; CPUID; HLT. */
const FAILS_ENTRY = (kind: number): string =>
  `66b843534d56 66bb04000000 66b90${kind}000000 6631d2 0f01c1 6631c0 0fa2 f4`;
const [CPUID, INVALID_STATE, MSR_LOAD_FAIL] = [10, 33, 34];

it.each([
  ['guest state', 0, INVALID_STATE],
  ['MSR loading', 1, MSR_LOAD_FAIL],
])('an entry that fails for %s and goes on is an exit to who waits for it, and to limits', async (_, kind, reason) => {
  const guest = (options = {}) =>
    new Guest(flatGuest(FAILS_ENTRY(kind)).machine, { paced: false, waitForInput: false, ...options });
  const debug = guest();
  const { stop } = await debug.stepToExit({ reasons: [reason] });
  expect(stop).toMatchObject({ kind: 'exit', exit: { sequence: 2 } });
  expect((await debug.stepToExit()).stop).toMatchObject({ kind: 'exit', exit: { sequence: 3, reason: CPUID } });
  const limited = guest({ untilExits: 2 });
  const ended = new Promise((resolve) => limited.onEvent((event) => event.type === 'stopped' && resolve(event.stop)));
  await limited.resume();
  expect(await ended).toEqual({ kind: 'limit', message: '2 VM exits' });
  expect((await limited.exits!.records(-1, 100)).map(({ sequence }) => sequence)).toEqual([1, 2]);
});

it('a vCPU’s saved state holds each field of it that changes', () => {
  const [vcpu] = flatGuest('f4').vm.vcpus;
  /** Wiring, the machine's clock, the debugger's, and what only holds between VM entry and VM exit or follows from which vCPU is current. */
  const wiring = ['vmcs', 'index', 'host', 'instructionNs'];
  const apart = [...wiring, 'active', 'inGuest', 'entered', 'stepGoal', 'held', 'holdsInterrupts'];
  const fields = Object.keys(vcpu).filter((name) => !apart.includes(name));
  const saved = (vcpu as Vcpu).save();
  expect(Object.keys(saved).sort()).toEqual(fields.sort());
  VCPU_STATE.check(saved, 'vcpu0');
});
