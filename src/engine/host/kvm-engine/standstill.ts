// An instruction at which KVM_RUN makes no progress, though it reports nothing: the vCPU stands with the same registers
// whenever it is called back. A single step tells it from a loop, and then the embedded core runs it.
import type { KvmCpu } from './kvm-cpu.js';

/** Called back this soon after a standstill: where there is one, more follow. */
const SHORTEST_PATIENCE_MS = 0.1;
const LONGEST_PATIENCE_MS = 4;
const SUSPICIOUS = 2;

export class Standstill {
  /** KVM_RUN comes back after this time at the latest. */
  patienceMs = LONGEST_PATIENCE_MS;
  /** Call-backs in a row with the same registers: one may have come before the guest ran at all. */
  private same = 0;
  /** Registers at the last call-back, and where a step has shown a loop. */
  private before: Uint8Array | undefined;
  private loopAt: bigint | undefined;
  /** The present KVM_RUN is a step that decides. */
  private deciding = false;

  /** The next KVM_RUN is to be a single step. */
  get wantsStep(): boolean {
    return this.deciding;
  }

  /** Before KVM_RUN. */
  entering(cpu: KvmCpu): void {
    if (cpu.stepping) this.before = cpu.regs.bytes.slice();
  }

  /** KVM_RUN was called back without an exit. */
  calledBack(cpu: KvmCpu): void {
    this.same = this.isSame(cpu) ? this.same + 1 : 0;
    this.before = cpu.regs.bytes.slice();
    this.patienceMs = Math.min(LONGEST_PATIENCE_MS, this.patienceMs * 2);
    this.deciding = this.same >= SUSPICIOUS && cpu.linearRip !== this.loopAt;
  }

  /** A single step is done; true when it did nothing and the core is to run the instruction. */
  stepped(cpu: KvmCpu): boolean {
    const stands = this.isSame(cpu) && cpu.linearRip !== this.loopAt;
    if (this.deciding && !stands) this.loopAt = cpu.entryRip;
    this.deciding = false;
    return stands;
  }

  /** The core has run it. */
  repaired(cpu: KvmCpu): void {
    // a jump to itself stands still and is none of KVM's faults
    if (this.isSame(cpu)) this.loopAt = cpu.linearRip;
    else this.patienceMs = SHORTEST_PATIENCE_MS;
    this.before = undefined;
  }

  /** An exit came: the guest gets on. */
  exited(): void {
    this.same = 0;
    this.before = undefined;
    this.deciding = false;
  }

  private isSame(cpu: KvmCpu): boolean {
    return this.before !== undefined && Buffer.compare(this.before, cpu.regs.bytes) === 0;
  }
}
