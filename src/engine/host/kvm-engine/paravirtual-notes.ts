// What a user should know about a guest on a paravirtual KVM, which raises faults and takes time of its own.
import type { KvmCpu } from './kvm-cpu.js';

/** So long without an exit, a device and the guest's own words: said once. */
const SILENT_MS = 10_000;

export const MAYBE_KVMS_FAULT =
  "; this host's KVM is paravirtual and raises faults where it lacks an instruction: --engine vtx shows which it is";

/** Tells of a guest that runs for long without an exit: such a KVM runs ring 0 by its emulator, a million instructions a second. */
export class SilenceNote {
  private since = performance.now();
  private told = false;

  constructor(private readonly tell: (text: string) => void) {}

  /** The guest made an exit, or halted. */
  heard(): void {
    if (!this.told) this.since = performance.now();
  }

  /** KVM_RUN was called back without an exit. */
  calledBack(cpu: KvmCpu): void {
    if (this.told || performance.now() - this.since < SILENT_MS) return;
    this.told = true;
    this.tell(
      `vCPU ${cpu.index} has run for ${SILENT_MS / 1000} s without an exit, now at RIP 0x${cpu.regs.getBig('rip').toString(16)}: ` +
        'the paravirtual KVM of this host emulates much of a guest, slowly; --engine vtx is faster there',
    );
  }
}
