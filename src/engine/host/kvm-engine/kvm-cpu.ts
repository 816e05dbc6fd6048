// One vCPU of a machine on KVM, with its registers in the page that it shares with the kernel.
import { EFER, RFLAGS } from '../../../spec/masks.js';
import type { VirtualCpu } from '../../vmm/hypervisor.js';
import { KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS } from '../kvm/exits.js';
import { KVM_RUN_PAGE, type KvmStruct } from '../kvm/structs.js';
import type { KvmVcpu } from '../kvm/vcpu.js';
import type { RealClock } from './clock.js';
import type { Standstill } from './standstill.js';
import type { VcpuThread } from './vcpu-threads.js';

/** Places in the shared page of what every entry and exit touches: names are looked up once. */
const at = (name: string): number => {
  const found = KVM_RUN_PAGE.fields[name];
  if (!found) throw new TypeError(`kvm_run has no field ${name}`);
  return found.offset;
};
export const RUN = {
  requestInterruptWindow: at('request_interrupt_window'),
  readyForInterruptInjection: at('ready_for_interrupt_injection'),
  ifFlag: at('if_flag'),
  cr8: at('cr8'),
  exitReason: at('exit_reason'),
  rip: at('s.regs.regs.rip'),
  rax: at('s.regs.regs.rax'),
  rcx: at('s.regs.regs.rcx'),
  csBase: at('s.regs.sregs.cs.base'),
  cr3: at('s.regs.sregs.cr3'),
  apicBase: at('s.regs.sregs.apic_base'),
  ioDirection: at('exit.io.direction'),
  ioSize: at('exit.io.size'),
  ioPort: at('exit.io.port'),
  ioCount: at('exit.io.count'),
  ioData: at('exit.io.data_offset'),
  mmioAddress: at('exit.mmio.phys_addr'),
  mmioData: at('exit.mmio.data'),
  mmioLength: at('exit.mmio.len'),
  mmioIsWrite: at('exit.mmio.is_write'),
} as const;

export class KvmCpu implements VirtualCpu {
  /** KVM does not count instructions. */
  readonly icount = 0;
  halted = false;
  held = false;
  holdsInterrupts = false;
  woken = false;
  /** After INIT: only a start-up IPI makes it run. */
  waitsForSipi = false;
  pendingInit = false;
  pendingSipi: number | undefined;
  /** An exit is recorded and not yet handled. */
  pendingExit: number | undefined;
  /** The kernel has the answer to an I/O or MMIO exit still to take in. */
  unfinished = false;
  /** Steps that a debugger still wants. */
  steps: number | undefined;
  /** Leave a breakpoint at this linear address alone until the guest has moved. */
  stepOff: bigint | undefined;
  /** State was set since the last run. */
  fresh = true;
  /** What KVM_SET_GUEST_DEBUG was given last. */
  debugState = 'off';
  /** The present KVM_RUN: single-stepping, from where, and with which TPR. */
  stepping = false;
  entryRip = 0n;
  entryTpr = 0;
  /** IA32_APIC_BASE as the controllers in the program know it. */
  apicBase = { low: 0, high: 0 };
  /** The present KVM_RUN comes back when an interrupt can be given. */
  windowOpen = false;
  /** It is single-stepped to its first instruction in ring 3, so many instructions at most. */
  stepsToRing3 = 0;
  /** RFLAGS.IF as it was last seen in ring 3. */
  userInterruptFlag = RFLAGS.IF;
  /** An exit of its own raised an interrupt that it has not taken: times still to look ahead for when it can. */
  windowSeeks = 0;
  /** Looks for instructions at which KVM stands still; only where this host's KVM has such. */
  standstill: Standstill | undefined;
  /** Its own thread, where it has one. */
  thread: VcpuThread | undefined;
  readonly regs: KvmStruct;
  readonly sregs: KvmStruct;

  constructor(
    readonly index: number,
    readonly vcpu: KvmVcpu,
    private readonly realClock: RealClock,
  ) {
    ({ regs: this.regs, sregs: this.sregs } = vcpu.shareRegisters());
  }

  get clock(): number {
    return this.realClock.now();
  }

  get runnable(): boolean {
    return !this.halted || this.woken;
  }

  get interruptsEnabled(): boolean {
    return (this.regs.getBig('rflags') & RFLAGS.IF) !== 0n;
  }

  /** The kernel takes these in at the next run. */
  changed(regs: boolean, sregs: boolean): void {
    const { page } = this.vcpu;
    page.set(
      'kvm_dirty_regs',
      page.getBig('kvm_dirty_regs') | (regs ? KVM_SYNC_X86_REGS : 0n) | (sregs ? KVM_SYNC_X86_SREGS : 0n),
    );
    // what the page says of the last exit holds no longer: the interrupt flag may be another
    if (regs) page.view.setUint8(RUN.readyForInterruptInjection, 0);
    this.fresh = true;
  }

  get linearRip(): bigint {
    const rip = this.regs.getBig('rip');
    if ((this.sregs.getBig('efer') & EFER.LMA) !== 0n && this.sregs.get('cs.l') === 1) return rip;
    return BigInt.asUintN(32, rip + this.sregs.getBig('cs.base'));
  }

  get longMode(): boolean {
    return this.sregs.get('cs.l') === 1 && (this.sregs.getBig('efer') & EFER.LMA) !== 0n;
  }

  /** Width of the code at RIP. */
  get codeBits(): 16 | 32 | 64 {
    if (this.longMode) return 64;
    return this.sregs.get('cs.db') === 1 ? 32 : 16;
  }

  get cpl(): number {
    return this.sregs.get('ss.dpl');
  }

  /** Lets the kernel finish the instruction that an I/O or MMIO exit interrupted; no other runs. */
  finishInstruction(): void {
    if (!this.unfinished) return;
    this.unfinished = false;
    this.vcpu.setImmediateExit(true);
    this.vcpu.runRaw();
    this.vcpu.setImmediateExit(false);
  }
}
