import { exceptionRow } from '../../spec/exceptions.js';
import { GPR, RAM_BASE } from '../core/layout.js';
import { translate } from '../debug/translate.js';
import { EVENT_ERROR_CODE, EVENT_TYPE } from './exit.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';
import { setSegment } from './vmcs-setup.js';

const TS = 10;
const GP = 13;
const NP = 11;
const SOURCE = { call: 0, iret: 1, jmp: 2, gate: 3 };
const NT = 0x4000n;
const RF = 0x10000n;
const SS_BIG = 0x4000n;
const BLOCKED_BY_NMI = 8;
const CR0_TS = 8n;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;
/** Offsets in a 32-bit TSS. @sdm 3A 7.2.1 "Task-State Segment (TSS)" */
const TSS32 = { link: 0, cr3: 28, eip: 32, eflags: 36, registers: 40, segments: 72, ldt: 96, minimum: 103 };
/** Offsets in a 16-bit TSS. @sdm 3A 7.6 "16-Bit Task-State Segment (TSS)" */
const TSS16 = { link: 0, ip: 14, flags: 16, registers: 18, segments: 34, ldt: 42, minimum: 43 };

interface Descriptor {
  base: number;
  limit: number;
  accessRights: number;
  address: number;
}

class TaskFault extends Error {
  constructor(
    readonly vector: number,
    readonly selector: number,
  ) {
    super(`task switch fault ${vector}`);
  }
}

/** Does the task switch of the current exit, or injects its fault. @sdm 3A 7.3 "Task Switching" */
export function switchTask(vcpu: Vcpu, vm: Vm): void {
  const qualification = vcpu.vmcs.qualificationLow;
  const selector = qualification & 0xffff;
  const source = (qualification >>> 30) & 3;
  try {
    perform(vcpu, vm, selector, source);
  } catch (error) {
    if (!(error instanceof TaskFault)) throw error;
    vcpu.exception(error.vector, error.selector & 0xfffc);
  }
}

function perform(vcpu: Vcpu, vm: Vm, selector: number, source: number): void {
  const { vmcs } = vcpu;
  const memory = new LinearMemory(vcpu, vm);
  const next = readDescriptor(vcpu, memory, selector, TS);
  const type = next.accessRights & 0x1f;
  const is32 = (type & 8) !== 0;
  if ((next.accessRights & 0x80) === 0) throw new TaskFault(NP, selector);
  if (next.limit < (is32 ? TSS32.minimum : TSS16.minimum)) throw new TaskFault(TS, selector);

  const event = source === SOURCE.gate ? vmcs.vectoringInfo : 0;
  // the switch is the event's delivery: it is not injected again
  if (event !== 0) vmcs.setEvent(0, 0, 0);
  // an instruction is complete for the old task: its saved EIP is the next one's
  if (event === 0 || isSoftwareEvent(event)) vcpu.complete();
  const oldSelector = Number(vmcs.get('GUEST_TR_SELECTOR'));
  const oldBase = Number(vmcs.get('GUEST_TR_BASE'));
  const old32 = (Number(vmcs.get('GUEST_TR_AR_BYTES')) & 8) !== 0;
  if (source === SOURCE.jmp || source === SOURCE.iret) setBusy(vcpu, memory, oldSelector, false);
  let flags = vmcs.get('GUEST_RFLAGS');
  if (source === SOURCE.iret) flags &= ~NT;
  if (isFault(event)) flags |= RF;
  saveTask(vcpu, memory, oldBase, old32, flags);

  if (source === SOURCE.call || source === SOURCE.gate) memory.write16(next.base + TSS32.link, oldSelector);
  if (source !== SOURCE.iret) setBusy(vcpu, memory, selector, true);
  vmcs.set('GUEST_CR0', vmcs.get('GUEST_CR0') | CR0_TS);
  setSegment(vmcs, 'TR', selector, BigInt(next.base), next.limit, (next.accessRights & ~0x1f) | (is32 ? 0x8b : 0x83));
  loadTask(vcpu, vm, memory, next.base, is32, source === SOURCE.call || source === SOURCE.gate);
  if ((event & EVENT_ERROR_CODE) !== 0) pushErrorCode(vcpu, memory, is32 ? 4 : 2, vmcs.vectoringError);
  if (eventType(event) === EVENT_TYPE.nmi)
    vmcs.set('GUEST_INTERRUPTIBILITY_INFO', vmcs.interruptibility | BLOCKED_BY_NMI);
}

const eventType = (info: number): number => (info >> 8) & 7;
const isSoftwareEvent = (info: number): boolean => [4, 5, 6].includes(eventType(info));

/** Faults leave RF in the saved flags, so that the instruction is not stopped again by its breakpoint. */
function isFault(info: number): boolean {
  return eventType(info) === EVENT_TYPE.hardwareException && exceptionRow(info & 0xff)?.class === 'fault';
}

/** The error code of the event goes to the new task's stack, in units of its TSS. */
function pushErrorCode(vcpu: Vcpu, memory: LinearMemory, bytes: 2 | 4, code: number): void {
  const { vmcs } = vcpu;
  const mask = (vmcs.get('GUEST_SS_AR_BYTES') & SS_BIG) !== 0n ? 0xffffffff : 0xffff;
  const old = Number(vmcs.get('GUEST_RSP') & 0xffffffffn);
  const offset = ((old - bytes) & mask) >>> 0;
  const at = (Number(vmcs.get('GUEST_SS_BASE')) + offset) >>> 0;
  if (bytes === 4) memory.write32(at, code);
  else memory.write16(at, code);
  vmcs.set('GUEST_RSP', ((old & ~mask) | offset) >>> 0);
}

function saveTask(vcpu: Vcpu, memory: LinearMemory, base: number, is32: boolean, flags: bigint): void {
  const { vmcs } = vcpu;
  const layout = is32 ? TSS32 : TSS16;
  const put = (offset: number, value: number) =>
    is32 ? memory.write32(base + offset, value) : memory.write16(base + offset, value);
  put(is32 ? TSS32.eip : TSS16.ip, Number(vmcs.rip & 0xffffffffn));
  put(is32 ? TSS32.eflags : TSS16.flags, Number(flags));
  const step = is32 ? 4 : 2;
  for (let i = 0; i < 8; i++)
    put(layout.registers + i * step, i === 4 ? Number(vmcs.get('GUEST_RSP') & 0xffffffffn) : vcpu.gprLow(i));
  const segments = is32 ? SEGMENTS : SEGMENTS.slice(0, 4);
  segments.forEach((name, i) =>
    memory.write16(base + layout.segments + i * step, Number(vmcs.get(`GUEST_${name}_SELECTOR`))),
  );
}

function loadTask(vcpu: Vcpu, vm: Vm, memory: LinearMemory, base: number, is32: boolean, nested: boolean): void {
  const { vmcs } = vcpu;
  const layout = is32 ? TSS32 : TSS16;
  const get = (offset: number) => (is32 ? memory.read32(base + offset) : memory.read16(base + offset));
  const step = is32 ? 4 : 2;
  const rip = get(is32 ? TSS32.eip : TSS16.ip);
  const flags = BigInt(get(is32 ? TSS32.eflags : TSS16.flags)) | 2n | (nested ? NT : 0n);
  const registers = Array.from({ length: 8 }, (_, i) => get(layout.registers + i * step));
  const names = is32 ? SEGMENTS : SEGMENTS.slice(0, 4);
  const selectors = names.map((_, i) => memory.read16(base + layout.segments + i * step));
  const ldt = memory.read16(base + layout.ldt);
  if (is32 && (vmcs.get('GUEST_CR0') & 0x80000000n) !== 0n) {
    vmcs.set('GUEST_CR3', memory.read32(base + TSS32.cr3));
    if ((vmcs.get('GUEST_CR4') & 0x20n) !== 0n && !vm.loadPdptes(vcpu)) throw new TaskFault(TS, 0);
    vm.flushTlb(vcpu);
  }
  vmcs.set('GUEST_RIP', rip);
  vmcs.set('GUEST_RFLAGS', flags & 0x3f7fd7n);
  registers.forEach((value, i) => {
    if (i === 4) vmcs.set('GUEST_RSP', value);
    vcpu.host.set64(vcpu.at(GPR) + i * 8, BigInt(value >>> 0));
  });
  loadLdt(vcpu, memory, ldt);
  if ((flags & 0x20000n) !== 0n) {
    names.forEach((name, i) => setSegment(vmcs, name, selectors[i], BigInt(selectors[i] << 4), 0xffff, 0xf3));
    return;
  }
  const cpl = selectors[1] & 3;
  names.forEach((name, i) => loadSegment(vcpu, memory, name, selectors[i], cpl));
  for (const name of SEGMENTS.slice(names.length)) setSegment(vmcs, name, 0, 0n, 0, 0x10000);
  vmcs.set('GUEST_DR7', vmcs.get('GUEST_DR7') & ~0x155n);
  if (vmcs.rip > vmcs.get('GUEST_CS_LIMIT')) vcpu.exception(GP, 0);
}

function loadLdt(vcpu: Vcpu, memory: LinearMemory, selector: number): void {
  if ((selector & 0xfffc) === 0) {
    setSegment(vcpu.vmcs, 'LDTR', selector, 0n, 0, 0x10000);
    return;
  }
  if ((selector & 4) !== 0) throw new TaskFault(TS, selector);
  const descriptor = readDescriptor(vcpu, memory, selector, TS);
  if ((descriptor.accessRights & 0x9f) !== 0x82) throw new TaskFault(TS, selector);
  setSegment(vcpu.vmcs, 'LDTR', selector, BigInt(descriptor.base), descriptor.limit, descriptor.accessRights);
}

/** A segment register of the new task with the checks that a task switch makes. */
function loadSegment(vcpu: Vcpu, memory: LinearMemory, name: string, selector: number, cpl: number): void {
  const code = name === 'CS';
  const stack = name === 'SS';
  if ((selector & 0xfffc) === 0) {
    if (code || stack) throw new TaskFault(TS, selector);
    setSegment(vcpu.vmcs, name, selector, 0n, 0, 0x10000);
    return;
  }
  const descriptor = readDescriptor(vcpu, memory, selector, TS);
  const { accessRights } = descriptor;
  const dpl = (accessRights >> 5) & 3;
  const executable = (accessRights & 8) !== 0;
  const conformingOrDown = (accessRights & 4) !== 0;
  const rpl = selector & 3;
  const bad =
    (accessRights & 0x10) === 0 ||
    (code && (!executable || (conformingOrDown ? dpl > rpl : dpl !== rpl))) ||
    (stack && (executable || (accessRights & 2) === 0 || rpl !== cpl || dpl !== cpl)) ||
    (!code && !stack && executable && (accessRights & 2) === 0) ||
    (!code && !stack && !(executable && conformingOrDown) && (dpl < cpl || dpl < rpl));
  if (bad) throw new TaskFault(TS, selector);
  if ((accessRights & 0x80) === 0) throw new TaskFault(stack ? 12 : NP, selector);
  memory.write8(descriptor.address + 5, memory.read8(descriptor.address + 5) | 1);
  setSegment(vcpu.vmcs, name, selector, BigInt(descriptor.base), descriptor.limit, accessRights | 1);
}

function descriptorAddress(vcpu: Vcpu, selector: number, vector: number): number {
  const { vmcs } = vcpu;
  const local = (selector & 4) !== 0;
  const base = Number(vmcs.get(local ? 'GUEST_LDTR_BASE' : 'GUEST_GDTR_BASE'));
  const limit = Number(vmcs.get(local ? 'GUEST_LDTR_LIMIT' : 'GUEST_GDTR_LIMIT'));
  const at = selector & 0xfff8;
  if (at + 7 > limit) throw new TaskFault(vector, selector);
  return base + at;
}

function readDescriptor(vcpu: Vcpu, memory: LinearMemory, selector: number, vector: number): Descriptor {
  const address = descriptorAddress(vcpu, selector, vector);
  const low = memory.read32(address);
  const high = memory.read32(address + 4);
  const granular = (high & 0x800000) !== 0;
  const limit = (low & 0xffff) | (high & 0xf0000);
  return {
    address,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit,
    accessRights: ((high >>> 8) & 0xf0ff) >>> 0,
  };
}

function setBusy(vcpu: Vcpu, memory: LinearMemory, selector: number, busy: boolean): void {
  const at = descriptorAddress(vcpu, selector, TS) + 5;
  const type = memory.read8(at);
  memory.write8(at, busy ? type | 2 : type & ~2);
}

/** Supervisor accesses to linear memory by the VMM; an address that is not mapped gives #TS. */
class LinearMemory {
  constructor(
    readonly vcpu: Vcpu,
    readonly vm: Vm,
  ) {}

  read8(address: number): number {
    return this.vm.host.u8[this.#at(address)];
  }

  read16(address: number): number {
    return this.read8(address) | (this.read8(address + 1) << 8);
  }

  read32(address: number): number {
    return (this.read16(address) | (this.read16(address + 2) << 16)) >>> 0;
  }

  write8(address: number, value: number): void {
    this.vm.host.u8[this.#at(address)] = value;
  }

  write16(address: number, value: number): void {
    this.write8(address, value & 0xff);
    this.write8(address + 1, (value >> 8) & 0xff);
  }

  write32(address: number, value: number): void {
    this.write16(address, value & 0xffff);
    this.write16(address + 2, value >>> 16);
  }

  #at(address: number): number {
    const gpa = translate(this.vcpu, this.vm, BigInt(address >>> 0));
    if (gpa === undefined || gpa >= BigInt(this.vm.memoryBytes)) throw new TaskFault(TS, 0);
    return RAM_BASE + Number(gpa);
  }
}
