import { exceptionRow, VECTOR } from '../../spec/exceptions.js';
import { maskOf, RFLAGS as RFLAGS_ROWS } from '../../spec/flags.js';
import { ALWAYS_ONE, AR, CR0, CR4, DR6 as DR6_BITS, DR7, RFLAGS } from '../../spec/masks.js';
import { CR3, DR6, GPR, PDPTES } from '../core/layout.js';
import { EVENT_ERROR_CODE, EVENT_TYPE, EVENT_VALID } from './entry-events.js';
import type { Outcome } from './exit.js';
import { tripleFaultExit } from './exits/triple-fault.js';
import { loadPdptes } from './pdptes.js';
import { secondFault } from './second-fault.js';
import { SystemMemory, SystemPageFault } from './system-memory.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';
import { setSegment } from './vmcs-setup.js';

const { DB, DF, TS, NP, SS, GP, PF } = VECTOR;
const SOURCE = { call: 0, iret: 1, jmp: 2, gate: 3 };
const BLOCKED_BY_STI_OR_MOV_SS = 3;
const BLOCKED_BY_NMI = 8;
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;
const CODE_SEGMENT = 1;
const UNUSABLE = Number(AR.unusable);
const BIG = Number(AR['D/B']);
const DEFINED_FLAGS = maskOf(RFLAGS_ROWS) | ALWAYS_ONE.RFLAGS;
const LOCAL_BREAKPOINTS = DR7.L0 | DR7.L1 | DR7.L2 | DR7.L3 | DR7.LE;
const EXTERNAL = 1;
/** Offsets in a 32-bit TSS; `saved`: what the outgoing task's registers take. @sdm 3A 7.2.1 "Task-State Segment (TSS)" */
const TSS32 = {
  link: 0,
  cr3: 28,
  ip: 32,
  flags: 36,
  registers: 40,
  segments: 72,
  ldt: 96,
  trap: 100,
  limit: 103,
  saved: [32, 96],
} as const;
/** Offsets in a 16-bit TSS. @sdm 3A 7.6 "16-Bit Task-State Segment (TSS)" */
const TSS16 = { link: 0, ip: 14, flags: 16, registers: 18, segments: 34, ldt: 42, limit: 43, saved: [14, 42] } as const;

interface Descriptor {
  base: number;
  limit: number;
  accessRights: number;
  address: number;
}

/** What a TSS holds of its task. */
interface TaskState {
  ip: number;
  flags: bigint;
  registers: number[];
  selectors: number[];
  ldt: number;
  cr3: number | undefined;
  /** T: the task starts with a debug trap. */
  trap: boolean;
}

class TaskFault extends Error {
  constructor(
    readonly vector: number,
    readonly selector: number,
  ) {
    super(`task switch fault ${vector}`);
  }
}

/**
 * Does the task switch of the current exit, or injects its fault: up to the point where the outgoing task is saved it
 * belongs to that task, which then is as it was; after it to the new one. @sdm 3A 7.3 "Task Switching"
 */
export function switchTask(vcpu: Vcpu, vm: Vm): Outcome {
  const qualification = vcpu.vmcs.qualificationLow;
  const source = (qualification >>> 30) & 3;
  const event = source === SOURCE.gate ? vcpu.vmcs.vectoringInfo : 0;
  const error = vcpu.vmcs.vectoringError;
  try {
    perform(vcpu, vm, qualification & 0xffff, source, event, error);
  } catch (fault) {
    return raise(vcpu, vm, event, fault);
  }
  return (vcpu.vmcs.entryInfo & EVENT_VALID) !== 0 ? 'inject' : 'resume';
}

/** Injects a fault of the switch, with what it makes of the event that the switch was to deliver. */
function raise(vcpu: Vcpu, vm: Vm, event: number, fault: unknown): Outcome {
  const external = (event & EVENT_VALID) !== 0 && !isSoftwareEvent(event) ? EXTERNAL : 0;
  let vector = PF;
  let code: number;
  if (fault instanceof SystemPageFault) {
    code = fault.code;
    vm.setCr2(vcpu, fault.address);
  } else if (fault instanceof TaskFault) {
    vector = fault.vector;
    code = (fault.selector & 0xfffc) | external;
  } else throw fault;
  switch (secondFault(event, vector)) {
    case 'triple':
      return tripleFaultExit(vcpu, vm);
    case 'double':
      vcpu.exception(DF, 0);
      return 'inject';
    default:
      vcpu.exception(vector, code);
      return 'inject';
  }
}

function perform(vcpu: Vcpu, vm: Vm, selector: number, source: number, event: number, error: number): void {
  const { vmcs } = vcpu;
  const memory = new SystemMemory(vcpu, vm);
  const nests = source === SOURCE.call || source === SOURCE.gate;
  const ends = source === SOURCE.jmp || source === SOURCE.iret;
  const next = readDescriptor(vcpu, memory, selector, TS);
  const type = next.accessRights & 0x1f;
  const is32 = (type & 8) !== 0;
  const layout = is32 ? TSS32 : TSS16;
  if ((next.accessRights & 0x80) === 0) throw new TaskFault(NP, selector);
  if (next.limit < layout.limit) throw new TaskFault(TS, selector);
  const oldSelector = Number(vmcs.get('GUEST_TR_SELECTOR'));
  const oldBase = Number(vmcs.get('GUEST_TR_BASE'));
  const old = (Number(vmcs.get('GUEST_TR_AR_BYTES')) & 8) !== 0 ? TSS32 : TSS16;

  // all pages that the switch writes or reads, before anything changes
  const oldDescriptor = ends ? descriptorAddress(vcpu, oldSelector, TS) : undefined;
  if (oldDescriptor !== undefined) memory.probe(oldDescriptor + 5, 1, true);
  if (source !== SOURCE.iret) memory.probe(next.address + 5, 1, true);
  memory.probe(oldBase + old.saved[0], old.saved[1] - old.saved[0], true);
  if (nests) memory.probe(next.base + layout.link, 2, true);
  const task = readTask(memory, next.base, is32);

  // the switch is the event's delivery: it is not injected again
  if (event !== 0) vmcs.setEvent(0, 0, 0);
  // an instruction is complete for the old task: its saved EIP is the next one's
  if (event === 0 || isSoftwareEvent(event)) vcpu.complete();
  if (oldDescriptor !== undefined) setBusy(memory, oldDescriptor, false);
  let flags = vmcs.get('GUEST_RFLAGS');
  if (source === SOURCE.iret) flags &= ~RFLAGS.NT;
  if (isFault(event)) flags |= RFLAGS.RF;
  saveTask(vcpu, memory, oldBase, old, flags);
  if (nests) memory.write(next.base + layout.link, 2, oldSelector);
  if (source !== SOURCE.iret) setBusy(memory, next.address, true);
  vmcs.set('GUEST_CR0', vmcs.get('GUEST_CR0') | CR0.TS);
  setSegment(vmcs, 'TR', selector, BigInt(next.base), next.limit, (next.accessRights & ~0x1f) | (is32 ? 0x8b : 0x83));
  const blocking = eventType(event) === EVENT_TYPE.nmi ? BLOCKED_BY_NMI : 0;
  vmcs.set('GUEST_INTERRUPTIBILITY_INFO', (vmcs.interruptibility & ~BLOCKED_BY_STI_OR_MOV_SS) | blocking);

  // from here on faults are the new task's
  startTask(vcpu, vm, task, nests);
  loadSegments(vcpu, memory, task);
  if ((event & EVENT_ERROR_CODE) !== 0) pushErrorCode(vcpu, memory, is32 ? 4 : 2, error);
  if (vmcs.rip > vmcs.get('GUEST_CS_LIMIT')) throw new TaskFault(GP, 0);
  if (task.trap) trapTask(vcpu);
}

/** The T flag of the new task's TSS: #DB before its first instruction. @sdm 3B 18.3.1.5 "Task-Switch Exception Condition" */
function trapTask(vcpu: Vcpu): void {
  const { vmcs, host } = vcpu;
  const at = vcpu.at(DR6);
  host.set64(at, host.get64(at) | DR6_BITS.BT);
  vmcs.set('GUEST_DR7', vmcs.get('GUEST_DR7') & ~DR7.GD);
  vcpu.exception(DB);
}

const eventType = (info: number): number => (info >> 8) & 7;
const isSoftwareEvent = (info: number): boolean => [4, 5, 6].includes(eventType(info));

/** Faults leave RFLAGS.RF in the saved flags, so that the instruction is not stopped again by its breakpoint. */
function isFault(info: number): boolean {
  return eventType(info) === EVENT_TYPE.hardwareException && exceptionRow(info & 0xff)?.class === 'fault';
}

/** The error code of the event goes to the new task's stack, in units of its TSS. @throws TaskFault @throws SystemPageFault */
function pushErrorCode(vcpu: Vcpu, memory: SystemMemory, bytes: 2 | 4, code: number): void {
  const { vmcs } = vcpu;
  const rights = Number(vmcs.get('GUEST_SS_AR_BYTES'));
  const limit = Number(vmcs.get('GUEST_SS_LIMIT'));
  const mask = (rights & BIG) !== 0 ? 0xffffffff : 0xffff;
  const old = Number(vmcs.get('GUEST_RSP') & 0xffffffffn);
  const offset = ((old - bytes) & mask) >>> 0;
  const down = (rights & 0xc) === 4 && (rights & 0x10) !== 0;
  const last = offset + bytes - 1;
  if (last > mask || (down ? offset <= limit : last > limit)) throw new TaskFault(SS, 0);
  memory.write((Number(vmcs.get('GUEST_SS_BASE')) + offset) >>> 0, bytes, code);
  vmcs.set('GUEST_RSP', ((old & ~mask) | offset) >>> 0);
}

function saveTask(
  vcpu: Vcpu,
  memory: SystemMemory,
  base: number,
  layout: typeof TSS32 | typeof TSS16,
  flags: bigint,
): void {
  const { vmcs } = vcpu;
  const step = layout === TSS32 ? 4 : 2;
  const put = (offset: number, value: number) => memory.write(base + offset, step, value);
  put(layout.ip, Number(vmcs.rip & 0xffffffffn));
  put(layout.flags, Number(flags));
  for (let i = 0; i < 8; i++)
    put(layout.registers + i * step, i === 4 ? Number(vmcs.get('GUEST_RSP') & 0xffffffffn) : vcpu.gprLow(i));
  const segments = layout === TSS32 ? SEGMENTS : SEGMENTS.slice(0, 4);
  segments.forEach((name, i) => {
    memory.write(base + layout.segments + i * step, 2, Number(vmcs.get(`GUEST_${name}_SELECTOR`)));
  });
}

function readTask(memory: SystemMemory, base: number, is32: boolean): TaskState {
  const layout = is32 ? TSS32 : TSS16;
  const step = is32 ? 4 : 2;
  const get = (offset: number) => memory.read(base + offset, step);
  // what a 16-bit TSS does not hold of a register becomes ones, as on the 386; the SDM calls it "modified and not maintained"
  const upper = is32 ? 0 : 0xffff0000;
  return {
    ip: get(layout.ip),
    flags: BigInt(get(layout.flags)),
    registers: Array.from({ length: 8 }, (_, i) => (get(layout.registers + i * step) | upper) >>> 0),
    selectors: Array.from({ length: is32 ? 6 : 4 }, (_, i) => memory.read(base + layout.segments + i * step, 2)),
    ldt: memory.read(base + layout.ldt, 2),
    cr3: is32 ? memory.read(base + TSS32.cr3, 4) : undefined,
    trap: is32 && (memory.read(base + TSS32.trap, 2) & 1) !== 0,
  };
}

/**
 * Registers, flags, page tables of the new task, and segment registers of which only the selectors are loaded yet: a
 * descriptor that cannot be loaded then faults in the new task, whose segment it leaves without contents.
 * @throws TaskFault
 */
function startTask(vcpu: Vcpu, vm: Vm, task: TaskState, nested: boolean): void {
  const { vmcs } = vcpu;
  const flags = task.flags | ALWAYS_ONE.RFLAGS | (nested ? RFLAGS.NT : 0n);
  vmcs.set('GUEST_RIP', task.ip);
  vmcs.set('GUEST_RFLAGS', flags & DEFINED_FLAGS);
  task.registers.forEach((value, i) => {
    if (i === 4) vmcs.set('GUEST_RSP', value);
    vcpu.host.set64(vcpu.at(GPR) + i * 8, BigInt(value >>> 0));
  });
  vmcs.set('GUEST_DR7', vmcs.get('GUEST_DR7') & ~LOCAL_BREAKPOINTS);
  const virtual = (flags & RFLAGS.VM) !== 0n;
  const cpl = virtual ? 3 : task.selectors[CODE_SEGMENT] & 3;
  for (const [i, name] of SEGMENTS.entries()) {
    const selector = task.selectors[i] ?? 0;
    if (virtual) setSegment(vmcs, name, selector, BigInt(selector << 4), 0xffff, 0xf3);
    else if (name === 'CS') setSegment(vmcs, name, selector, 0n, 0, 0x9b | (cpl << 5));
    else setSegment(vmcs, name, selector, 0n, 0, UNUSABLE | (name === 'SS' ? cpl << 5 : 0));
  }
  setSegment(vmcs, 'LDTR', task.ldt, 0n, 0, UNUSABLE);
  if (task.cr3 !== undefined && (vmcs.get('GUEST_CR0') & CR0.PG) !== 0n) loadPageTables(vcpu, vm, task.cr3);
}

/** @throws TaskFault when PAE page-directory pointers have reserved bits set: the old ones stay. */
function loadPageTables(vcpu: Vcpu, vm: Vm, cr3: number): void {
  const { vmcs, host } = vcpu;
  const old = vmcs.get('GUEST_CR3');
  vmcs.set('GUEST_CR3', cr3);
  if ((vmcs.get('GUEST_CR4') & CR4.PAE) !== 0n) {
    if (!loadPdptes(vcpu, vm)) {
      vmcs.set('GUEST_CR3', old);
      throw new TaskFault(GP, 0);
    }
    for (let i = 0; i < 4; i++) host.set64(vcpu.at(PDPTES) + 8 * i, vmcs.get(`GUEST_PDPTR${i}`));
  }
  // the VMM's own accesses go through the new tables at once
  host.set64(vcpu.at(CR3), BigInt(cr3));
  vm.flushTlb(vcpu);
}

/** LDTR, then the segment registers, with the checks of a task switch. @throws TaskFault @throws SystemPageFault */
function loadSegments(vcpu: Vcpu, memory: SystemMemory, { ldt, selectors, flags }: TaskState): void {
  loadLdt(vcpu, memory, ldt);
  if ((flags & RFLAGS.VM) !== 0n) return;
  const cpl = selectors[CODE_SEGMENT] & 3;
  // CS and SS first: they make the privilege level
  for (const name of ['CS', 'SS', 'ES', 'DS', 'FS', 'GS'] as const) {
    const selector = selectors[SEGMENTS.indexOf(name)];
    if (selector !== undefined) loadSegment(vcpu, memory, name, selector, cpl);
  }
}

function loadLdt(vcpu: Vcpu, memory: SystemMemory, selector: number): void {
  if ((selector & 0xfffc) === 0) {
    setSegment(vcpu.vmcs, 'LDTR', selector, 0n, 0, UNUSABLE);
    return;
  }
  if ((selector & 4) !== 0) throw new TaskFault(TS, selector);
  const descriptor = readDescriptor(vcpu, memory, selector, TS);
  if ((descriptor.accessRights & 0x9f) !== 0x82) throw new TaskFault(TS, selector);
  setSegment(vcpu.vmcs, 'LDTR', selector, BigInt(descriptor.base), descriptor.limit, descriptor.accessRights);
}

/** A segment register of the new task with the checks that a task switch makes. */
function loadSegment(vcpu: Vcpu, memory: SystemMemory, name: string, selector: number, cpl: number): void {
  const code = name === 'CS';
  const stack = name === 'SS';
  if ((selector & 0xfffc) === 0) {
    if (code || stack) throw new TaskFault(TS, selector);
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
  if ((accessRights & 0x80) === 0) throw new TaskFault(stack ? SS : NP, selector);
  if ((accessRights & 1) === 0) memory.write(descriptor.address + 5, 1, (accessRights & 0xff) | 1);
  setSegment(vcpu.vmcs, name, selector, BigInt(descriptor.base), descriptor.limit, accessRights | 1);
}

function descriptorAddress(vcpu: Vcpu, selector: number, vector: number): number {
  const { vmcs } = vcpu;
  const local = (selector & 4) !== 0;
  const base = Number(vmcs.get(local ? 'GUEST_LDTR_BASE' : 'GUEST_GDTR_BASE'));
  const limit = Number(vmcs.get(local ? 'GUEST_LDTR_LIMIT' : 'GUEST_GDTR_LIMIT'));
  const usable = !local || (Number(vmcs.get('GUEST_LDTR_AR_BYTES')) & UNUSABLE) === 0;
  const at = selector & 0xfff8;
  if (!usable || at + 7 > limit) throw new TaskFault(vector, selector);
  return (base + at) >>> 0;
}

function readDescriptor(vcpu: Vcpu, memory: SystemMemory, selector: number, vector: number): Descriptor {
  const address = descriptorAddress(vcpu, selector, vector);
  const low = memory.read(address, 4);
  const high = memory.read(address + 4, 4);
  const granular = (high & 0x800000) !== 0;
  const limit = (low & 0xffff) | (high & 0xf0000);
  return {
    address,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit,
    accessRights: ((high >>> 8) & 0xf0ff) >>> 0,
  };
}

/** Changes the busy bit in the type of a TSS descriptor. */
function setBusy(memory: SystemMemory, descriptor: number, busy: boolean): void {
  const type = memory.read(descriptor + 5, 1);
  memory.write(descriptor + 5, 1, busy ? type | 2 : type & ~2);
}
