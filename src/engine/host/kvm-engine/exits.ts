// What a machine does about each exit of KVM_RUN, and what the trace tells of it.

import { VECTOR } from '../../../spec/exceptions.js';
import { MSR } from '../../../spec/msrs.js';
import { EXIT_REASONS as KVM, KVM_EXIT_IO_OUT } from '../kvm/exits.js';
import type { KvmStruct } from '../kvm/structs.js';
import { type ExitTrace, REASON } from './exit-record.js';
import { type KvmCpu, RUN } from './kvm-cpu.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';
import { MAYBE_KVMS_FAULT } from './paravirtual-notes.js';

/** What came of an exit: the datum that moved, or the exception that the guest gets. */
export interface Result {
  value: number;
  inject?: number;
}

const { GP } = VECTOR;
/** A guest that has set it enters ring 3 within so many instructions, or is not waited for. */
const STEPS_TO_RING3 = 20_000;
/** Exit qualification of an I/O instruction. @sdm 3C 27.2.1 table 27-5 */
const QUALIFICATION_IN = 8;
const QUALIFICATION_STRING = 16;
/** Exit qualification of an EPT violation: the access, and that there is a linear address. @sdm 3C 27.2.1 table 27-7 */
const QUALIFICATION_READ = 1;
const QUALIFICATION_WRITE = 2;

/** Puts the exit that the page holds into the trace. */
export function traceExit(trace: ExitTrace, cpu: KvmCpu, reason: number, clock: number): void {
  const { view } = cpu.vcpu.page;
  let qualification = 0;
  let gpa = 0;
  let elements: number | undefined;
  if (reason === REASON.IO_INSTRUCTION) {
    const count = view.getUint32(RUN.ioCount, true);
    if (count > 1) elements = count;
    qualification =
      ((view.getUint8(RUN.ioSize) - 1) |
        (view.getUint8(RUN.ioDirection) === KVM_EXIT_IO_OUT ? 0 : QUALIFICATION_IN) |
        (count > 1 ? QUALIFICATION_STRING : 0) |
        (view.getUint16(RUN.ioPort, true) << 16)) >>>
      0;
  } else if (reason === REASON.EPT_VIOLATION) {
    qualification = view.getUint8(RUN.mmioIsWrite) ? QUALIFICATION_WRITE : QUALIFICATION_READ;
    gpa = getNumber(view, RUN.mmioAddress);
  }
  trace.add(view, { reason, qualification, gpa, clock, elements, vcpu: cpu.index });
}

/** 64 bits as a double: guest-physical addresses have 52. */
const getNumber = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;

export function handleExit(vm: KvmHypervisor, cpu: KvmCpu, reason: number): Result {
  switch (reason) {
    case KVM.KVM_EXIT_IO:
      return portAccess(vm, cpu.index, cpu.vcpu.page);
    case KVM.KVM_EXIT_MMIO:
      return memoryAccess(vm, cpu.index, cpu.vcpu.page);
    case KVM.KVM_EXIT_HLT:
      cpu.halted = true;
      return { value: 0 };
    case KVM.KVM_EXIT_SHUTDOWN: {
      const rip = cpu.regs.getBig('rip').toString(16);
      vm.finish({
        kind: 'triple-fault',
        status: 1,
        message: `triple fault on vCPU ${cpu.index} at RIP 0x${rip}${vm.paravirtual ? MAYBE_KVMS_FAULT : ''}`,
      });
      return { value: 0 };
    }
    case KVM.KVM_EXIT_X86_RDMSR:
    case KVM.KVM_EXIT_X86_WRMSR:
      return accessMsr(cpu, reason === KVM.KVM_EXIT_X86_WRMSR);
    default:
      return { value: 0 };
  }
}

/** An MSR that the engine has asked exits for, or one that KVM does not know. */
function accessMsr(cpu: KvmCpu, write: boolean): Result {
  const { vcpu } = cpu;
  const { page } = vcpu;
  const index = page.get('exit.msr.index');
  const value = write ? page.getBig('exit.msr.data') : index === MSR.IA32_LSTAR ? vcpu.msrs([index])[0] : undefined;
  if (index !== MSR.IA32_LSTAR || value === undefined || (write && vcpu.setMsrs([[index, value]]) !== undefined)) {
    page.set('exit.msr.error', 1);
    return { value: GP, inject: GP };
  }
  page.set('exit.msr.data', value).set('exit.msr.error', 0);
  if (write) cpu.stepsToRing3 = STEPS_TO_RING3;
  return { value: Number(value & 0xffff_ffffn) };
}

/** KVM_EXIT_IO: `count` items, for the string forms with a REP prefix. */
function portAccess(vm: KvmHypervisor, cpu: number, page: KvmStruct): Result {
  const { view } = page;
  const bytes = view.getUint8(RUN.ioSize);
  const port = view.getUint16(RUN.ioPort, true);
  const count = view.getUint32(RUN.ioCount, true);
  const out = view.getUint8(RUN.ioDirection) === KVM_EXIT_IO_OUT;
  let at = view.getUint32(RUN.ioData, true);
  let first = 0;
  for (let i = 0; i < count; i++, at += bytes) {
    let value: number;
    if (out) {
      value = bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
      vm.portWrite(cpu, port, bytes, value);
    } else {
      value = vm.portRead(cpu, port, bytes);
      if (bytes === 1) view.setUint8(at, value);
      else if (bytes === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
    }
    if (i === 0) first = value;
  }
  return { value: first };
}

function memoryAccess(vm: KvmHypervisor, cpu: number, page: KvmStruct): Result {
  const { view } = page;
  const gpa = getNumber(view, RUN.mmioAddress);
  const bytes = view.getUint32(RUN.mmioLength, true);
  if (view.getUint8(RUN.mmioIsWrite)) {
    const value = BigInt.asUintN(bytes * 8, view.getBigUint64(RUN.mmioData, true));
    vm.mmioWrite(cpu, gpa, bytes, value);
    return { value: Number(value & 0xffff_ffffn) };
  }
  const value = vm.mmioRead(cpu, gpa, bytes);
  view.setBigUint64(RUN.mmioData, value, true);
  return { value: Number(value & 0xffff_ffffn) };
}
