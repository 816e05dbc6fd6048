// A vCPU of /dev/kvm: its registers, events and debug state, and KVM_RUN.
import { EAGAIN, EINTR, exitError, ioctlError, KvmError } from './errors.js';
import {
  KVM_GUESTDBG_BLOCKIRQ,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_SINGLESTEP,
  KVM_GUESTDBG_USE_HW_BP,
  KVM_GUESTDBG_USE_SW_BP,
  KVM_SYNC_X86_REGS,
  KVM_SYNC_X86_SREGS,
} from './exits.js';
import { IOCTLS, type IoctlName } from './ioctls.js';
import { type CpuidEntry, encodeCpuid, type KvmHandle } from './kvm.js';
import { libc, MAP_SHARED, PROT_READ, PROT_WRITE } from './libc.js';
import { KvmStats } from './stats.js';
import * as s from './structs.js';

/** run() was interrupted by a kick, a signal or immediate_exit; not an exit of the guest. */
export const INTERRUPTED = -1;

export interface GuestDebug {
  singleStep?: boolean;
  /** INT3 of the guest exits to the debugger. */
  softwareBreakpoints?: boolean;
  /** No interrupts while it steps (KVM_CAP_SET_GUEST_DEBUG2). */
  blockInterrupts?: boolean;
  /** DR0-DR3 and DR7 of the debugger, which the guest does not see. */
  hardware?: { addresses: readonly bigint[]; dr7: bigint };
}

export class KvmVcpu {
  /** The kvm_run mapping; all of its bytes, so that `io.data_offset` lies in it. */
  readonly page: s.KvmStruct;
  private readonly exitReason: number;
  private readonly immediateExit: number;
  private statsFile: KvmStats | undefined;
  /** KVM_RUN in the thread that this vCPU belongs to, where that is another one; answers as runRaw(). */
  runElsewhere: (() => number) | undefined;

  private constructor(
    readonly handle: KvmHandle,
    readonly id: number,
    private readonly address: number,
    private readonly size: number,
  ) {
    this.page = new s.KvmStruct(s.KVM_RUN_PAGE, new Uint8Array(libc().view(address, size)));
    this.exitReason = this.page.offset('exit_reason');
    this.immediateExit = this.page.offset('immediate_exit');
  }

  /** Maps kvm_run of a new vCPU. @throws KvmError `memory` */
  static map(handle: KvmHandle, id: number, size: number): KvmVcpu {
    const address = libc().mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, handle.fd, 0);
    if (address < 0) {
      const errno = libc().errno();
      handle.close();
      throw new KvmError('memory', 'the kvm_run page cannot be mapped', '', errno, 'mmap');
    }
    return new KvmVcpu(handle, id, address, size);
  }

  /**
   * Runs the guest until it exits; blocks this thread. Answers kvm_run.exit_reason (see EXIT_REASONS), or
   * INTERRUPTED. @throws KvmError for an exit that KVM itself cannot get over (internal error, failed entry).
   */
  run(): number {
    const reason = this.runRaw();
    if (reason === INTERRUPTED) return reason;
    const error = exitError(this.page, reason, 0n);
    if (error) throw exitError(this.page, reason, this.regs().getBig('rip')) ?? error;
    return reason;
  }

  /** As run(), but answers every exit reason. The hot call: one ioctl and one load. */
  runRaw(): number {
    if (this.runElsewhere) return this.runElsewhere();
    const c = libc();
    if (c.ioctlValue(this.live(), IOCTLS.KVM_RUN, 0) < 0) {
      const errno = c.errno();
      if (errno === EINTR || errno === EAGAIN) return INTERRUPTED;
      throw ioctlError('KVM_RUN', errno);
    }
    return this.lastExit;
  }

  /** kvm_run.exit_reason of the last KVM_RUN that was not interrupted. */
  get lastExit(): number {
    return this.page.view.getUint32(this.exitReason, true);
  }

  /** With true, KVM_RUN finishes the pending I/O or MMIO and comes back INTERRUPTED before any guest instruction. */
  setImmediateExit(on: boolean): void {
    this.live();
    this.page.view.setUint8(this.immediateExit, on ? 1 : 0);
  }

  /** From now on KVM_RUN leaves its registers in the shared page: these, which are up to date. (KVM_CAP_SYNC_REGS) */
  shareRegisters(): { regs: s.KvmStruct; sregs: s.KvmStruct } {
    const { page } = this;
    const [current, currentSystem] = [this.regs(), this.sregs()];
    page.set('kvm_valid_regs', KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
    const regs = new s.KvmStruct(s.KVM_REGS, page.slice('s.regs.regs'));
    const sregs = new s.KvmStruct(s.KVM_SREGS, page.slice('s.regs.sregs'));
    regs.bytes.set(current.bytes);
    sregs.bytes.set(currentSystem.bytes);
    return { regs, sregs };
  }

  /** Makes registers that were changed in the shared page take effect now, before a request that reads or sets others. */
  flushRegisters(): void {
    if (this.page.getBig('kvm_dirty_regs') === 0n) return;
    this.setImmediateExit(true);
    this.runRaw();
    this.setImmediateExit(false);
  }

  /** Port-I/O data of the current KVM_EXIT_IO: size x count bytes, in place. */
  ioData(): Uint8Array {
    const start = Number(this.page.getBig('exit.io.data_offset'));
    const bytes = this.page.get('exit.io.size') * this.page.get('exit.io.count');
    return this.page.bytes.subarray(start, start + bytes);
  }

  regs(): s.KvmStruct {
    return this.read('KVM_GET_REGS', s.KVM_REGS);
  }
  setRegs(regs: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_REGS', regs.bytes);
  }

  sregs(): s.KvmStruct {
    return this.read('KVM_GET_SREGS', s.KVM_SREGS);
  }
  setSregs(sregs: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_SREGS', sregs.bytes);
  }

  /** x87 and XMM without MXCSR; Linux keeps XSTATE_BV when it sets them, so setXsave() is the call that always holds. */
  fpu(): s.KvmStruct {
    return this.read('KVM_GET_FPU', s.KVM_FPU);
  }
  setFpu(fpu: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_FPU', fpu.bytes);
  }

  /** The XSAVE area in the standard format of CPUID leaf 0xD. */
  xsave(): s.KvmStruct {
    return this.read('KVM_GET_XSAVE', s.KVM_XSAVE);
  }
  setXsave(xsave: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_XSAVE', xsave.bytes);
  }

  xcr0(): bigint {
    const xcrs = this.read('KVM_GET_XCRS', s.KVM_XCRS);
    for (let i = 0; i < xcrs.get('nr_xcrs'); i++) {
      const at = xcrs.offset('xcrs') + i * s.KVM_XCR.size;
      if (xcrs.view.getUint32(at, true) === 0) return xcrs.view.getBigUint64(at + 8, true);
    }
    return 1n;
  }
  setXcr0(value: bigint): void {
    const xcrs = new s.KvmStruct(s.KVM_XCRS).set('nr_xcrs', 1);
    xcrs.view.setBigUint64(xcrs.offset('xcrs') + 8, value, true);
    this.handle.pointer('KVM_SET_XCRS', xcrs.bytes);
  }

  events(): s.KvmStruct {
    return this.read('KVM_GET_VCPU_EVENTS', s.KVM_VCPU_EVENTS);
  }
  setEvents(events: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_VCPU_EVENTS', events.bytes);
  }

  debugRegs(): s.KvmStruct {
    return this.read('KVM_GET_DEBUGREGS', s.KVM_DEBUGREGS);
  }
  setDebugRegs(regs: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_DEBUGREGS', regs.bytes);
  }

  lapic(): s.KvmStruct {
    return this.read('KVM_GET_LAPIC', s.KVM_LAPIC_STATE);
  }
  setLapic(state: s.KvmStruct): void {
    this.handle.pointer('KVM_SET_LAPIC', state.bytes);
  }

  /** One of MP_STATES. */
  mpState(): number {
    return this.read('KVM_GET_MP_STATE', s.KVM_MP_STATE).get('mp_state');
  }
  setMpState(state: number): void {
    this.handle.pointer('KVM_SET_MP_STATE', new s.KvmStruct(s.KVM_MP_STATE).set('mp_state', state).bytes);
  }

  /** Values of MSRs in the order asked; undefined from the first one that KVM does not know, and for that one only. */
  msrs(indices: readonly number[]): (bigint | undefined)[] {
    const values: (bigint | undefined)[] = [];
    while (values.length < indices.length) {
      const rest = indices.slice(values.length);
      const request = encodeMsrs(rest.map((index) => [index, 0n]));
      const done = this.handle.pointer('KVM_GET_MSRS', request.bytes);
      for (let i = 0; i < done; i++) values.push(request.view.getBigUint64(msrOffset(i) + 8, true));
      if (done < rest.length) values.push(undefined);
    }
    return values;
  }

  /** Sets MSRs in order; answers the index of the first that KVM refused, or undefined. */
  setMsrs(entries: readonly (readonly [index: number, value: bigint])[]): number | undefined {
    const done = this.handle.pointer('KVM_SET_MSRS', encodeMsrs(entries).bytes);
    return done < entries.length ? entries[done][0] : undefined;
  }

  /** The CPUID table that the guest sees; before the first run. */
  setCpuid(entries: readonly CpuidEntry[]): void {
    this.handle.pointer('KVM_SET_CPUID2', encodeCpuid(entries));
  }

  /** Turns the debugger's stepping and breakpoints on, or off with {}. */
  setGuestDebug(debug: GuestDebug): void {
    let control = 0;
    if (debug.singleStep) control |= KVM_GUESTDBG_SINGLESTEP;
    if (debug.softwareBreakpoints) control |= KVM_GUESTDBG_USE_SW_BP;
    if (debug.hardware) control |= KVM_GUESTDBG_USE_HW_BP;
    if (debug.blockInterrupts) control |= KVM_GUESTDBG_BLOCKIRQ;
    if (control !== 0) control |= KVM_GUESTDBG_ENABLE;
    const request = new s.KvmStruct(s.KVM_GUEST_DEBUG).set('control', control);
    debug.hardware?.addresses.forEach((address, i) => {
      request.setBig('arch.debugreg', address, i);
    });
    if (debug.hardware) request.setBig('arch.debugreg', debug.hardware.dr7, 7);
    this.handle.pointer('KVM_SET_GUEST_DEBUG', request.bytes);
  }

  /** Queues an external interrupt; without in-kernel irqchip only, when ready_for_interrupt_injection is 1. */
  interrupt(vector: number): void {
    this.handle.pointer('KVM_INTERRUPT', new s.KvmStruct(s.KVM_INTERRUPT).set('irq', vector).bytes);
  }

  nmi(): void {
    this.handle.value('KVM_NMI');
  }

  /** Guest-physical address of a linear one by the guest's page tables; undefined when not mapped. */
  translate(gva: bigint): bigint | undefined {
    const request = new s.KvmStruct(s.KVM_TRANSLATION).set('linear_address', gva);
    this.handle.pointer('KVM_TRANSLATE', request.bytes);
    return request.get('valid') === 0 ? undefined : request.getBig('physical_address');
  }

  /** Signals let in while the guest runs: all but those in `blocked` (bit n-1 for signal n). */
  setSignalMask(blocked: bigint): void {
    const request = new s.KvmStruct(s.KVM_SIGNAL_MASK, 8).set('len', 8);
    request.view.setBigUint64(4, blocked, true);
    this.handle.pointer('KVM_SET_SIGNAL_MASK', request.bytes);
  }

  /** This vCPU's counters (exits by kind and more). */
  stats(): KvmStats {
    this.statsFile ??= KvmStats.open(this.handle);
    return this.statsFile;
  }

  close(): void {
    if (this.handle.closed) return;
    this.statsFile?.close();
    this.handle.close();
    libc().munmap(this.address, this.size);
  }

  /** The descriptor. @throws KvmError when the vCPU is closed */
  live(): number {
    if (this.handle.closed) throw new KvmError('ioctl', `vCPU ${this.id} is closed`, '', 0, 'KVM_RUN');
    return this.handle.fd;
  }

  private read(name: IoctlName, layout: s.Layout): s.KvmStruct {
    const value = new s.KvmStruct(layout);
    this.handle.pointer(name, value.bytes);
    return value;
  }
}

const msrOffset = (i: number): number => s.KVM_MSRS.size + i * s.KVM_MSR_ENTRY.size;

function encodeMsrs(entries: readonly (readonly [index: number, value: bigint])[]): s.KvmStruct {
  const request = new s.KvmStruct(s.KVM_MSRS, entries.length * s.KVM_MSR_ENTRY.size).set('nmsrs', entries.length);
  entries.forEach(([index, value], i) => {
    request.view.setUint32(msrOffset(i), index, true);
    request.view.setBigUint64(msrOffset(i) + 8, value, true);
  });
  return request;
}
