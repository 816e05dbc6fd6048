// A virtual machine of /dev/kvm: memory slots, interrupt controllers, vCPUs, statistics.
import { CAPABILITIES, type CapabilityName } from './capabilities.js';
import {
  KVM_IRQ_ROUTING_IRQCHIP,
  KVM_IRQ_ROUTING_MSI,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MSR_EXIT_REASON_FILTER,
  KVM_MSR_FILTER_READ,
  KVM_MSR_FILTER_WRITE,
} from './exits.js';
import { type Kvm, KvmHandle } from './kvm.js';
import { libc } from './libc.js';
import type { GuestMemory } from './memory.js';
import { KvmStats } from './stats.js';
import * as s from './structs.js';
import { KvmVcpu } from './vcpu.js';

export interface MemorySlot {
  slot: number;
  /** Guest-physical address of the first byte. */
  gpa: number;
  memory: GuestMemory;
  flags: number;
}

/** Where a global system interrupt goes: to a pin of a controller in the kernel, or out as a message. */
export type IrqRoute = { gsi: number } & ({ chip: number; pin: number } | { address: number; data: number });

export class KvmVm {
  private readonly slots = new Map<number, MemorySlot>();
  private readonly vcpus: KvmVcpu[] = [];
  private statsFile: KvmStats | undefined;

  constructor(
    readonly kvm: Kvm,
    readonly handle: KvmHandle,
  ) {}

  /** Value of a capability for this machine, which may differ from the system's. */
  capability(name: CapabilityName): number {
    return this.handle.value('KVM_CHECK_EXTENSION', CAPABILITIES[name]);
  }

  /** Maps memory at a guest-physical address; `flags` are KVM_MEM_*. */
  mapMemory(slot: number, gpa: number, memory: GuestMemory, flags = 0): void {
    this.setRegion(slot, flags, gpa, memory.size, memory.address);
    this.slots.set(slot, { slot, gpa, memory, flags });
  }

  /** Maps a part of a WebAssembly memory, given from the start of its guest memory. */
  mapPart(slot: number, gpa: number, memory: GuestMemory, offset: number, bytes: number, flags = 0): void {
    this.setRegion(slot, flags, gpa, bytes, memory.address + offset);
    this.slots.set(slot, { slot, gpa, memory, flags });
  }

  unmapMemory(slot: number): void {
    const region = this.slots.get(slot);
    if (!region) return;
    this.setRegion(slot, 0, region.gpa, 0, 0);
    this.slots.delete(slot);
  }

  /** Starts or stops dirty logging on a slot. */
  logDirtyPages(slot: number, on: boolean): void {
    const region = this.slot(slot);
    this.mapMemory(slot, region.gpa, region.memory, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
  }

  /** @throws RangeError when there is none of that number */
  slot(slot: number): MemorySlot {
    const region = this.slots.get(slot);
    if (!region) throw new RangeError(`no memory slot ${slot}`);
    return region;
  }

  /** PIC pair, IOAPIC and local APICs in the kernel; before the first vCPU. */
  createIrqchip(): void {
    this.handle.value('KVM_CREATE_IRQCHIP');
  }

  /** 8254 in the kernel; needs the irqchip. */
  createPit(): void {
    this.handle.pointer('KVM_CREATE_PIT2', new s.KvmStruct(s.KVM_PIT_CONFIG).bytes);
  }

  /** Level of an input of the in-kernel irqchip. */
  irqLine(irq: number, level: boolean): void {
    const request = new s.KvmStruct(s.KVM_IRQ_LEVEL).set('irq', irq).set('level', level ? 1 : 0);
    this.handle.pointer('KVM_IRQ_LINE', request.bytes);
  }

  /** Replaces all routes. */
  setRouting(routes: readonly IrqRoute[]): void {
    const { size } = s.KVM_IRQ_ROUTING_ENTRY;
    const request = new s.KvmStruct(s.KVM_IRQ_ROUTING, routes.length * size).set('nr', routes.length);
    routes.forEach((route, i) => {
      const start = s.KVM_IRQ_ROUTING.size + i * size;
      const entry = new s.KvmStruct(s.KVM_IRQ_ROUTING_ENTRY, request.bytes.subarray(start, start + size));
      entry.set('gsi', route.gsi);
      if ('chip' in route) {
        entry.set('type', KVM_IRQ_ROUTING_IRQCHIP).set('u.irqchip.irqchip', route.chip).set('u.irqchip.pin', route.pin);
      } else {
        entry.set('type', KVM_IRQ_ROUTING_MSI).set('u.msi.address_lo', route.address).set('u.msi.data', route.data);
      }
    });
    this.handle.pointer('KVM_SET_GSI_ROUTING', request.bytes);
  }

  signalMsi(address: number, data: number): void {
    const request = new s.KvmStruct(s.KVM_MSI).set('address_lo', address).set('data', data);
    this.handle.pointer('KVM_SIGNAL_MSI', request.bytes);
  }

  /** @param chip KVM_IRQCHIP_* */
  irqchip(chip: number): s.KvmStruct {
    const state = new s.KvmStruct(s.KVM_IRQCHIP).set('chip_id', chip);
    this.handle.pointer('KVM_GET_IRQCHIP', state.bytes);
    return state;
  }

  setIrqchip(state: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_IRQCHIP', state.bytes);
  }

  pit(): s.KvmStruct {
    const state = new s.KvmStruct(s.KVM_PIT_STATE2);
    this.handle.pointer('KVM_GET_PIT2', state.bytes);
    return state;
  }

  setPit(state: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_PIT2', state.bytes);
  }

  /** Three guest-physical pages that VT-x needs for real mode on old CPUs; must not overlap memory. */
  setTssAddress(gpa: number): void {
    this.handle.value('KVM_SET_TSS_ADDR', gpa);
  }

  setIdentityMapAddress(gpa: number): void {
    const argument = new Uint8Array(8);
    new DataView(argument.buffer).setBigUint64(0, BigInt(gpa), true);
    this.handle.pointer('KVM_SET_IDENTITY_MAP_ADDR', argument);
  }

  enableCapability(name: CapabilityName, ...args: number[]): void {
    const request = new s.KvmStruct(s.KVM_ENABLE_CAP).set('cap', CAPABILITIES[name]);
    args.forEach((value, i) => {
      request.setBig('args', BigInt(value), i);
    });
    this.handle.pointer('KVM_ENABLE_CAP', request.bytes);
  }

  /** The guest's accesses to one MSR exit from now on. */
  exitOnMsr(index: number): void {
    this.enableCapability('KVM_CAP_X86_USER_SPACE_MSR', KVM_MSR_EXIT_REASON_FILTER);
    const request = new s.KvmStruct(s.KVM_MSR_FILTER);
    const bitmap = new Uint8Array(1);
    const range = new s.KvmStruct(s.KVM_MSR_FILTER_RANGE).set('flags', KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
    range.set('nmsrs', 1).set('base', index).set('bitmap', libc().addressOf(bitmap));
    request.bytes.set(range.bytes, request.offset('ranges'));
    this.handle.pointer('KVM_X86_SET_MSR_FILTER', request.bytes);
  }

  /** The thread that creates a vCPU is the one that runs it. */
  createVcpu(id: number): KvmVcpu {
    const handle = new KvmHandle(this.handle.value('KVM_CREATE_VCPU', id), `vCPU ${id}`);
    const vcpu = KvmVcpu.map(handle, id, this.kvm.vcpuMmapSize());
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** The machine's own counters; undefined where KVM has no KVM_CAP_BINARY_STATS_FD. */
  stats(): KvmStats | undefined {
    if (this.kvm.capability('KVM_CAP_BINARY_STATS_FD') === 0) return undefined;
    this.statsFile ??= KvmStats.open(this.handle);
    return this.statsFile;
  }

  /** Ends the machine: vCPUs, statistics, descriptor, and the pages of its memory. */
  close(): void {
    if (this.handle.closed) return;
    for (const vcpu of this.vcpus) vcpu.close();
    this.statsFile?.close();
    this.handle.close();
    for (const { memory } of this.slots.values()) memory.release();
    this.slots.clear();
  }

  private setRegion(slot: number, flags: number, gpa: number, size: number, address: number): void {
    const region = new s.KvmStruct(s.KVM_USERSPACE_MEMORY_REGION).set('slot', slot).set('flags', flags);
    region.set('guest_phys_addr', gpa).set('memory_size', size).set('userspace_addr', address);
    this.handle.pointer('KVM_SET_USER_MEMORY_REGION', region.bytes);
  }
}
