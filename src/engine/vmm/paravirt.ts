/**
 * The paravirtual interface that KVM offers to its guests: clocks and steal time in guest memory, end of interrupt
 * without an exit, hypercalls. All of it follows from virtual time, so that it repeats in a repeated run.
 */
import {
  KVM_EFAULT,
  KVM_EINVAL,
  KVM_ENOSYS,
  KVM_EOPNOTSUPP,
  KVM_EPERM,
  KVM_FEATURES,
  KVM_HC,
  MSR_KVM_PV_EOI_EN,
  MSR_KVM_STEAL_TIME,
  MSR_KVM_SYSTEM_TIME,
  MSR_KVM_SYSTEM_TIME_NEW,
  MSR_KVM_WALL_CLOCK,
  MSR_KVM_WALL_CLOCK_NEW,
} from '../../spec/kvm-paravirt.js';
import { readDescriptorPrivilege } from './privilege.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const NS_PER_SECOND = 1_000_000_000n;
const ENABLED = 1n;
const STEAL_TIME_RESERVED = 0x3en;
const STEAL_TIME_BYTES = 64;
const PV_EOI_RESERVED = 2n;
/** The TSC counts ns: (ticks << 1) * 2^31 >> 32. */
const TSC_SHIFT = 1;
const TSC_MULTIPLIER = 0x80000000;
const TSC_STABLE = 1;
const RBX = 3;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const DELIVERY_FIXED = 0;
const DELIVERY_NMI = 4;
/** Vector and delivery mode of the interrupt command that SEND_IPI takes. */
const ICR_ALLOWED = 0x7ffn | 0x800n | 0x4000n | 0xc0000n;

/** EAX of leaf 40000001H. */
export const PARAVIRTUAL_FEATURES = Object.values(KVM_FEATURES).reduce<number>(
  (mask, bit) => (mask | (1 << bit)) >>> 0,
  0,
);

const MSRS = new Set([
  MSR_KVM_WALL_CLOCK,
  MSR_KVM_SYSTEM_TIME,
  MSR_KVM_WALL_CLOCK_NEW,
  MSR_KVM_SYSTEM_TIME_NEW,
  MSR_KVM_STEAL_TIME,
  MSR_KVM_PV_EOI_EN,
]);

export const isParavirtualMsr = (msr: number): boolean => MSRS.has(msr);

/** What the guest wrote last. The old and the new numbers of the clocks name the same registers. */
export function readParavirtualMsr(vcpu: Vcpu, msr: number): bigint {
  return vcpu.storedMsrs.get(newNumber(msr)) ?? 0n;
}

function newNumber(msr: number): number {
  if (msr === MSR_KVM_WALL_CLOCK) return MSR_KVM_WALL_CLOCK_NEW;
  return msr === MSR_KVM_SYSTEM_TIME ? MSR_KVM_SYSTEM_TIME_NEW : msr;
}

/** False: the value has reserved bits set (#GP). */
export function writeParavirtualMsr(vcpu: Vcpu, vm: Vm, msr: number, value: bigint): boolean {
  const number = newNumber(msr);
  if (number === MSR_KVM_STEAL_TIME && (value & STEAL_TIME_RESERVED) !== 0n) return false;
  if (number === MSR_KVM_PV_EOI_EN && (value & PV_EOI_RESERVED) !== 0n) return false;
  vcpu.storedMsrs.set(number, value);
  switch (number) {
    case MSR_KVM_WALL_CLOCK_NEW:
      writeWallClock(vm, value);
      break;
    case MSR_KVM_SYSTEM_TIME_NEW:
      updateClock(vcpu, vm);
      break;
    case MSR_KVM_STEAL_TIME:
      // vCPUs take turns in virtual time, which passes for all alike: none is ever stolen
      if ((value & ENABLED) !== 0n) put(vm, value & ~0x3fn, new Uint8Array(STEAL_TIME_BYTES));
      break;
    case MSR_KVM_PV_EOI_EN:
      vm.board.setParavirtualEoi(vcpu.index, (value & ENABLED) !== 0n ? Number(value & ~3n) : undefined);
      break;
  }
  return true;
}

/** Writes guest memory; an address outside RAM is ignored, as KVM does. */
function put(vm: Vm, gpa: bigint, bytes: Uint8Array): boolean {
  if (gpa + BigInt(bytes.length) > BigInt(vm.memoryBytes)) return false;
  vm.memory.write(Number(gpa), bytes);
  return true;
}

/** The version word of a structure: odd while it is written, so even whenever a guest runs. */
function nextVersion(vm: Vm, gpa: bigint): number {
  if (gpa + 4n > BigInt(vm.memoryBytes)) return 2;
  const bytes = vm.memory.read(Number(gpa), 4);
  const old = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return ((old | 1) + 1) >>> 0;
}

/** struct pvclock_wall_clock: the wall-clock time at which system time was 0. */
function writeWallClock(vm: Vm, gpa: bigint): void {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint32(0, nextVersion(vm, gpa), true);
  view.setUint32(4, vm.board.bootSeconds, true);
  put(vm, gpa, new Uint8Array(view.buffer));
}

/** struct pvclock_vcpu_time_info: system time is virtual ns. Called anew when the guest's TSC jumps. */
export function updateClock(vcpu: Vcpu, vm: Vm): void {
  const msr = vcpu.storedMsrs.get(MSR_KVM_SYSTEM_TIME_NEW) ?? 0n;
  if ((msr & ENABLED) === 0n) return;
  const gpa = msr & ~1n;
  const view = new DataView(new ArrayBuffer(32));
  view.setUint32(0, nextVersion(vm, gpa), true);
  view.setBigUint64(8, vm.tsc(vcpu.index), true);
  view.setBigUint64(16, BigInt(vcpu.clock), true);
  view.setUint32(24, TSC_MULTIPLIER, true);
  view.setInt8(28, TSC_SHIFT);
  view.setUint8(29, TSC_STABLE);
  put(vm, gpa, new Uint8Array(view.buffer));
}

/** One of KVM's hypercalls, from kernel mode; the answer for RAX. */
export function paravirtualHypercall(vcpu: Vcpu, vm: Vm): bigint {
  const long = (vcpu.vmcs.get('GUEST_CS_AR_BYTES') & 0x2000n) !== 0n;
  const argument = (register: number): bigint => (long ? vcpu.gpr(register) : BigInt(vcpu.gprLow(register)));
  if (readDescriptorPrivilege(vcpu) !== 0) return KVM_EPERM;
  switch (vcpu.gprLow(0)) {
    case KVM_HC.VAPIC_POLL_IRQ:
      return 0n;
    case KVM_HC.SCHED_YIELD:
      vm.yieldTurn();
      return 0n;
    case KVM_HC.KICK_CPU:
      return kick(vm, Number(argument(RCX)));
    case KVM_HC.CLOCK_PAIRING:
      return clockPairing(vcpu, vm, argument(RBX), argument(RCX));
    case KVM_HC.SEND_IPI:
      return sendIpi(vm, long ? 64 : 32, [argument(RBX), argument(RCX)], argument(RDX), argument(RSI));
    default:
      return KVM_ENOSYS;
  }
}

/** Wakes the vCPU with an APIC ID from its HLT, or from the next one if it has not got there. */
function kick(vm: Vm, apicId: number): bigint {
  const target = vm.vcpus[apicId];
  if (!target) return 0n;
  if (target.halted && target.vmcs.activity === 0) target.halted = false;
  else target.unhalted = true;
  return 0n;
}

/** Wall-clock time and the TSC at one moment. */
function clockPairing(vcpu: Vcpu, vm: Vm, gpa: bigint, type: bigint): bigint {
  if (type !== 0n) return KVM_EOPNOTSUPP;
  const now = BigInt(vcpu.clock);
  const view = new DataView(new ArrayBuffer(64));
  view.setBigUint64(0, BigInt(vm.board.bootSeconds) + now / NS_PER_SECOND, true);
  view.setBigUint64(8, now % NS_PER_SECOND, true);
  view.setBigUint64(16, vm.tsc(vcpu.index), true);
  return put(vm, gpa, new Uint8Array(view.buffer)) ? 0n : KVM_EFAULT;
}

/** An interrupt command to the APIC IDs of a bitmap that begins at `least`; answers how many there are. */
function sendIpi(vm: Vm, width: number, bitmap: readonly bigint[], least: bigint, icr: bigint): bigint {
  if ((icr & ~ICR_ALLOWED) !== 0n) return KVM_EINVAL;
  const mode = Number((icr >> 8n) & 7n);
  if (mode !== DELIVERY_FIXED && mode !== DELIVERY_NMI) return KVM_EINVAL;
  const targets: number[] = [];
  bitmap.forEach((word, half) => {
    for (let bit = 0; bit < width; bit++) {
      const id = Number(least) + half * width + bit;
      if ((word >> BigInt(bit)) & 1n && id < vm.vcpus.length) targets.push(id);
    }
  });
  vm.board.sendInterrupt(targets, mode, Number(icr & 0xffn));
  return BigInt(targets.length);
}
