// The embedded engine's machine as the debugger sees it.

import { vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import * as L from '../core/layout.js';
import type {
  AddressSpace,
  BreakpointSpec,
  EptRange,
  FaultStep,
  PageWalk,
  RegisterFile,
  StopReason,
  VmcsFieldValue,
} from '../debugger.js';
import type { BreakpointSink, MachineView, Watch } from '../machine-view.js';
import { hostReader } from '../memory/engine-frames.js';
import { eptRanges, walkEpt } from '../memory/ept-walk.js';
import { readHost, writeHost } from '../memory/host-access.js';
import { readLinear, readPhysical, writeLinear, writePhysical } from '../memory/physical.js';
import { linearRip, liveLinearRip } from '../vmm/code-address.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Viewer, Vm } from '../vmm/vm.js';
import { type EntryFailure, entryFailures } from './entry-failures.js';
import { faultChain } from './fault-chain.js';
import { LIVE, readNamedRegisters, readRegisters, writeRegister } from './register-access.js';
import { readRecord } from './trace-reader.js';
import { guestPhysical, guestWalk, vcpuMemory } from './translate.js';
import { controlsAt, viewVmcs, writeVmcs } from './vmcs-view.js';

const WATCH_FLAGS = { read: 1, write: 2, access: 3 } as const;
const WATCH_PHYSICAL = 4;
/** Registers that say where the next instruction is. */
const PLACES_CODE = new Set(['rip', 'cs_base', 'cs_ar', 'efer']);
const MAX_EXECUTE = Math.floor(L.BREAK_SET_ENTRIES / 2);

/** The tables from which the core reads breakpoints. */
class CoreBreakpoints implements BreakpointSink {
  /** What the core has. */
  #execute: ReadonlySet<bigint> = new Set();
  #watches = 0;

  constructor(private readonly vm: Vm) {}

  check(spec: BreakpointSpec, count: number): void {
    if (spec.kind === 'execute' && count >= MAX_EXECUTE) {
      throw new Error(`no room for more than ${MAX_EXECUTE} breakpoints; delete some`);
    }
    if (spec.kind === 'watch' && count >= L.MAX_WATCHPOINTS) {
      throw new Error(`no room for more than ${L.MAX_WATCHPOINTS} watchpoints; delete some, or watch one range`);
    }
  }

  write(execute: ReadonlySet<bigint>, watches: readonly Watch[]): void {
    const { core, host, vcpus } = this.vm;
    const before = this.#execute;
    this.#execute = new Set(execute);
    if (execute.size === 0) core.clearBreakpoints();
    else for (const address of before) if (!execute.has(address)) core.removeBreakpoint(address);
    for (const address of execute) if (!before.has(address)) core.addBreakpoint(address);
    if (watches.length === 0 && this.#watches === 0) return;
    this.#watches = watches.length;
    watches.forEach((watch, i) => {
      const at = L.WATCH_TABLE + i * L.WATCH_BYTES;
      host.set64(at, watch.address);
      host.set64(at + 8, watch.address + BigInt(watch.length - 1));
      host.set32(at + 16, WATCH_FLAGS[watch.access] | (watch.space === 'gpa' ? WATCH_PHYSICAL : 0));
      host.set32(at + 20, watch.id);
    });
    host.set32(L.WATCHPOINT_COUNT, watches.length);
    for (const vcpu of vcpus) this.vm.flushTlb(vcpu);
  }
}

/** Its state is the core's: it is in the guest, and the one that runs. */
const isLive = (vcpu: Vcpu): boolean => vcpu.inGuest && vcpu.active;

export class VtxView implements MachineView {
  readonly unavailable = {};
  readonly breakpoints: BreakpointSink;
  readonly ept: {
    walk(vcpu: number, gpa: bigint): PageWalk;
    ranges(): Promise<EptRange[]>;
  };
  readonly vmcs = {
    read: async (vcpu: number): Promise<VmcsFieldValue[]> => viewVmcs(this.settled(vcpu)),
    write: async (vcpu: number, encoding: number, value: bigint): Promise<void> => {
      const target = this.settled(vcpu);
      const before = linearRip(target);
      writeVmcs(target, encoding, value);
      if (linearRip(target) !== before) target.forgetTold();
      this.vm.flushTlb(this.vm.vcpus[vcpu]);
    },
  };

  constructor(
    private readonly vm: Vm,
    /** What a guest-physical address is, for the EPT view. */
    label: (gpa: number) => string,
  ) {
    this.breakpoints = new CoreBreakpoints(vm);
    const pointer = (vcpu: number): bigint => vm.vcpus[vcpu].vmcs.get('EPT_POINTER');
    this.ept = {
      walk: (vcpu, gpa) => walkEpt(pointer(vcpu), gpa, hostReader(vm.host)),
      ranges: async () => eptRanges(pointer(0), hostReader(vm.host), (gpa) => label(Number(gpa))),
    };
  }

  get memoryBytes(): number {
    return this.vm.memoryBytes;
  }

  get vcpus(): number {
    return this.vm.vcpus.length;
  }

  readRegisters(vcpu: number, names?: readonly string[]): RegisterFile {
    const target = this.settled(vcpu);
    return names === undefined ? readRegisters(this.vm, target) : readNamedRegisters(this.vm, target, names);
  }

  writeRegister(vcpu: number, name: string, value: bigint): void {
    const target = this.settled(vcpu);
    writeRegister(this.vm, target, name, value);
    if (PLACES_CODE.has(name)) target.forgetTold();
  }

  readMemory(vcpu: number, space: AddressSpace, address: bigint, length: number): Uint8Array {
    const target = this.settled(vcpu);
    const memory = vcpuMemory(this.vm, target);
    if (space === 'hpa') return readHost(this.vm.host, address, length);
    if (space === 'gpa') return readPhysical(memory, address, length);
    return readLinear(memory, (gva) => guestPhysical(target, this.vm, gva), address, length);
  }

  writeMemory(vcpu: number, space: AddressSpace, address: bigint, bytes: Uint8Array): number {
    const target = this.settled(vcpu);
    const memory = vcpuMemory(this.vm, target);
    if (space === 'hpa') return writeHost(this.vm, address, bytes);
    if (space === 'gpa') return writePhysical(memory, address, bytes);
    return writeLinear(memory, (gva) => guestPhysical(target, this.vm, gva), address, bytes);
  }

  translate(vcpu: number, gva: bigint): bigint | undefined {
    return guestPhysical(this.settled(vcpu), this.vm, gva);
  }

  vmcsField(vcpu: number, encoding: number): bigint | undefined {
    const field = vmcsFieldByEncoding(encoding);
    return field && this.settled(vcpu).vmcs.readField(field);
  }

  controlsAt(exit: number): { encoding: number; value: bigint }[] | undefined {
    const newest = this.vm.host.getNumber(L.TRACE_SEQUENCE);
    if (exit < 1 || exit > newest || exit <= newest - L.TRACE_RECORDS) return undefined;
    return controlsAt(this.settled(readRecord(this.vm.host, exit).vcpu), exit);
  }

  walk(vcpu: number, gva: bigint): PageWalk {
    return guestWalk(this.settled(vcpu), this.vm, gva);
  }

  linearRip(index: number): bigint {
    const vcpu = this.vm.vcpus[index];
    return isLive(vcpu) ? liveLinearRip(vcpu) : linearRip(this.settled(index));
  }

  liveRegister(index: number, name: string): bigint | undefined {
    if (!isLive(this.vm.vcpus[index])) return undefined;
    const address = LIVE.get(name);
    return address === undefined ? undefined : this.vm.host.get64(address);
  }

  /** By the core's TLBs: what is in them the guest itself could read there now, without any effect. */
  liveLoad(index: number, gva: bigint, bytes: number): bigint | undefined {
    if (!isLive(this.vm.vcpus[index])) return undefined;
    const { u8, u32 } = this.vm.host;
    const low = Number(BigInt.asUintN(32, gva));
    if ((low & 0xfff) + bytes > 4096) return undefined;
    const high = Number(gva >> 32n);
    const tag = ((low & ~0xfff) | u32[L.CTX >>> 2]) >>> 0;
    const entry = ((low >>> 12) & (L.TLB_ENTRIES - 1)) * 16;
    let slot = (L.TLB_READ + entry) >>> 2;
    if (u32[slot] !== tag || u32[slot + 1] !== high) slot = (L.TLB_WRITE + entry) >>> 2;
    if (u32[slot] !== tag || u32[slot + 1] !== high) return undefined;
    const at = (low + u32[slot + 2]) >>> 0;
    if (bytes === 8 && at % 8 === 0) return this.vm.host.u64[at / 8];
    let value = 0n;
    for (let byte = bytes - 1; byte >= 0; byte--) value = (value << 8n) | BigInt(u8[at + byte]);
    return value;
  }

  halted(vcpu: number): boolean {
    return this.vm.vcpus[vcpu].halted;
  }

  takeWatchHit(index: number): ReturnType<MachineView['takeWatchHit']> {
    const { host } = this.vm;
    const vcpu = this.vm.vcpus[index];
    host.set32(vcpu.at(L.WATCH_HIT), 0);
    const access = host.get32(vcpu.at(L.WATCH_WRITE)) !== 0 ? 'write' : 'read';
    const address = host.get64(vcpu.at(L.WATCH_ADDRESS));
    const length = host.get32(vcpu.at(L.WATCH_SIZE));
    const after = this.readMemory(index, 'gva', address, length);
    const known = host.get32(vcpu.at(L.WATCH_BEFORE_BYTES));
    const at = vcpu.at(L.WATCH_BEFORE);
    return {
      ...{ id: host.get32(vcpu.at(L.WATCH_ID)), access, address, length },
      ...(access === 'write' && known === length ? { before: host.u8.slice(at, at + known) } : {}),
      ...(after.length === length ? { after } : {}),
    };
  }

  faultChain(): FaultStep[] {
    return faultChain(this.vm);
  }

  entryFailures(vcpu: number): StopReason {
    return entryFailures(this.vm, this.vm.vcpus[vcpu]);
  }

  checkEntry(index: number): EntryFailure | undefined {
    const vcpu = this.settled(index);
    return this.vm.entryHolds(vcpu) ? undefined : entryFailures(this.vm, vcpu);
  }

  /** The vCPU with its guest state in the VMCS. */
  private settled(index: number): Vcpu {
    this.vm.synchronize();
    return this.vm.vcpus[index];
  }
}

export const viewOfVm: Viewer = (vm, label) => new VtxView(vm, label);
