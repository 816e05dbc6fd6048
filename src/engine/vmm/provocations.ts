/**
 * What a guest has provoked by hypercall (samples/exit-zoo/README.md): plain data, apart from the exit loop, so that a
 * reset undoes it and a saved state holds it.
 */
import { MSR } from '../../spec/msrs.js';
import { RAM_BASE, VIRTUAL_APIC_BASE } from '../core/layout.js';
import {
  count,
  flag,
  int,
  list,
  oneOf,
  optional,
  record,
  type StateOf,
  time,
  tuple,
  u32,
  u64,
} from '../state/schema.js';
import { EPT_MEMORY_TYPE } from './ept-builder.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const APIC_PAGE = 0xfee00000;
const PAGE_BYTES = 4096;
/** More pages than a machine of 4 GiB has. */
const MAX_SPOILT = 1 << 20;
/** VMCS fields whose bits guests may set. */
const MAX_FIELDS = 64;
/** The list of the failing MSR load lies in the unused upper part of the vCPU's virtual-APIC page. */
const MSR_LIST_OFFSET = 0xf00;

const ENTRY_FAILURE = oneOf('rflags', 'msr-load');
export type EntryFailure = StateOf<typeof ENTRY_FAILURE>;

/** Of one vCPU. */
export const VCPU_PROVOCATIONS = record({
  /** Bits that the guest set, by field encoding. */
  guestSet: list(tuple(u32, u64), { atMost: MAX_FIELDS }),
  /** Where a triple fault resumes, once. */
  surviveAt: optional(u64),
  /** An event of the host for the next instruction boundary. */
  hostEvent: optional(record({ kind: oneOf('interrupt', 'nmi', 'init', 'sipi'), vector: int(0, 255) })),
  /** Virtual time at which the guest asked for the VMX-preemption timer. */
  timerRequest: optional(time),
  /** The next VM entry is to fail; the guest state that makes it do so is put in just before it. */
  failEntry: optional(ENTRY_FAILURE),
  /** That state is in; it is taken out after the entry has failed. */
  failing: optional(ENTRY_FAILURE),
});
export type VcpuProvocations = StateOf<typeof VCPU_PROVOCATIONS>;

export function noProvocations(): VcpuProvocations {
  return {
    guestSet: [],
    surviveAt: undefined,
    hostEvent: undefined,
    timerRequest: undefined,
    failEntry: undefined,
    failing: undefined,
  };
}

/** Bits of a VMCS field that the guest set and has not cleared. */
export function guestSetBits({ guestSet }: VcpuProvocations, encoding: number): bigint {
  return guestSet.find(([field]) => field === encoding)?.[1] ?? 0n;
}

export function setGuestBits(provoked: VcpuProvocations, encoding: number, bits: bigint): void {
  provoked.guestSet = provoked.guestSet.filter(([field]) => field !== encoding);
  if (bits !== 0n) provoked.guestSet.push([encoding, bits]);
}

/** Puts in what makes the coming VM entry fail, where the guest asked for it: RFLAGS bit 1 clear, or an MSR that may not be loaded. */
export function spoilEntry(vcpu: Vcpu): void {
  const { provoked, vmcs, host } = vcpu;
  const kind = provoked.failEntry;
  if (kind === undefined) return;
  provoked.failEntry = undefined;
  provoked.failing = kind;
  if (kind === 'rflags') {
    vmcs.set('GUEST_RFLAGS', vmcs.get('GUEST_RFLAGS') & ~2n);
    return;
  }
  const msrs = VIRTUAL_APIC_BASE + vcpu.index * PAGE_BYTES + MSR_LIST_OFFSET;
  host.set32(msrs, MSR.IA32_FS_BASE);
  host.set32(msrs + 4, 0);
  host.set64(msrs + 8, 0n);
  vmcs.set('VM_ENTRY_MSR_LOAD_ADDR', msrs);
  vmcs.set('VM_ENTRY_MSR_LOAD_COUNT', 1);
}

/** Takes it out again after the entry has failed; false: nobody asked for this failure. */
export function repairEntry({ provoked, vmcs }: Vcpu): boolean {
  const kind = provoked.failing;
  if (kind === undefined) return false;
  provoked.failing = undefined;
  if (kind === 'rflags') vmcs.set('GUEST_RFLAGS', vmcs.get('GUEST_RFLAGS') | 2n);
  else vmcs.set('VM_ENTRY_MSR_LOAD_COUNT', 0);
  return true;
}

/** Of the machine. */
export const EPT_PROVOCATIONS = record({
  /** GPA of each page whose EPT leaf is spoilt, address of the leaf and its right value. */
  spoilt: list(tuple(count, count, u64), { atMost: MAX_SPOILT }),
  /** The APIC page is the APIC-access page. */
  apicPage: flag,
});

/** The EPT leaves that guests had changed, and who knows the right ones. */
export class EptProvocations {
  readonly #spoilt = new Map<number, { entry: number; value: bigint }>();
  #apicPage = false;

  constructor(private readonly vm: Vm) {}

  /** Changes the EPT leaf of a page until the exit that this causes repairs it; false outside RAM. */
  spoil(gpa: number, change: (entry: bigint) => bigint): boolean {
    const page = gpa - (gpa % PAGE_BYTES);
    if (!(page >= 0 && page + PAGE_BYTES <= this.vm.memoryBytes)) return false;
    const entry = this.vm.ept.entryAddress(page, 1, true)!;
    const value = this.vm.host.get64(entry);
    if (!this.#spoilt.has(page)) this.#spoilt.set(page, { entry, value });
    this.vm.host.set64(entry, change(value));
    this.#flush();
    return true;
  }

  /** The right leaf of a page whose leaf is spoilt now. */
  rightLeaf(page: number): bigint | undefined {
    return this.#spoilt.get(page)?.value;
  }

  /** The leaf of the page is spoilt now. */
  isSpoilt(gpa: number): boolean {
    return this.#spoilt.size > 0 && this.#spoilt.has(gpa - (gpa % PAGE_BYTES));
  }

  /** Puts the right leaf of a page back; false: it was not spoilt. */
  repair(gpa: number): boolean {
    if (!this.isSpoilt(gpa)) return false;
    const page = gpa - (gpa % PAGE_BYTES);
    const spoilt = this.#spoilt.get(page)!;
    this.#spoilt.delete(page);
    this.vm.host.set64(spoilt.entry, spoilt.value);
    this.#flush();
    return true;
  }

  /** An area is mapped anew: its leaves are no longer the ones to put back. */
  forget(gpa: number, bytes: number): void {
    for (const page of this.#spoilt.keys()) if (page >= gpa && page < gpa + bytes) this.#spoilt.delete(page);
  }

  /** Lets the APIC page be the APIC-access page: mapped to the frame behind guest RAM, which only it uses. */
  mapApicPage(vcpu: Vcpu, on: boolean): void {
    const { vm } = this;
    const frame = RAM_BASE + vm.memoryBytes;
    this.#apicPage = on;
    if (on) {
      vcpu.vmcs.set('APIC_ACCESS_ADDR', frame);
      vm.ept.map(APIC_PAGE, frame, PAGE_BYTES, { read: true, write: true, execute: false }, EPT_MEMORY_TYPE.UC);
    } else vm.ept.unmap(APIC_PAGE, PAGE_BYTES);
    vm.flushTlb(vcpu);
  }

  save(): StateOf<typeof EPT_PROVOCATIONS> {
    const spoilt = [...this.#spoilt].map(([page, { entry, value }]): [number, number, bigint] => [page, entry, value]);
    return { spoilt, apicPage: this.#apicPage };
  }

  /** The leaves themselves are part of the EPT. */
  load({ spoilt, apicPage }: StateOf<typeof EPT_PROVOCATIONS>): void {
    this.#spoilt.clear();
    for (const [page, entry, value] of spoilt) this.#spoilt.set(page, { entry, value });
    this.#apicPage = apicPage;
  }

  #flush(): void {
    for (const vcpu of this.vm.vcpus) this.vm.flushTlb(vcpu);
  }
}
