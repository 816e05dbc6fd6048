// Tells another thread whether KVM_RUN comes back, and where the vCPU stood when it went in: while it is there nobody
// can ask KVM.
import type { KvmStruct } from '../kvm/structs.js';

/** Cells: the beat, odd while KVM_RUN lasts; the vCPU, or -1; its registers in the order of struct kvm_regs, 64 bits each. */
const BEAT = 0;
const VCPU = 1;
const REGISTERS_AT = 2;
const NAMES = 'rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags'.split(' ');
/** Those that fit one line. */
const SHOWN = ['rflags', 'rsp', 'rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'];
const NOBODY = -1;

/** A signalled KVM_RUN is back within microseconds: one that is not after this time never comes. */
export const STUCK_MS = 5000;
const WATCH_MS = 500;

export function heartbeatCells(): Int32Array {
  return new Int32Array(new SharedArrayBuffer((REGISTERS_AT + 2 * NAMES.length) * 4));
}

/** The side of the thread that runs vCPUs, or drives those who do. */
export class Heartbeat {
  private readonly registers: Uint8Array;

  constructor(private readonly cells: Int32Array) {
    this.registers = new Uint8Array(cells.buffer, cells.byteOffset + REGISTERS_AT * 4, NAMES.length * 8);
  }

  /** Before KVM_RUN, or before what tries it where no vCPU of the guest is. */
  entering(vcpu?: { index: number; regs: KvmStruct }): void {
    if (vcpu) this.registers.set(vcpu.regs.bytes.subarray(0, this.registers.length));
    Atomics.store(this.cells, VCPU, vcpu?.index ?? NOBODY);
    Atomics.store(this.cells, BEAT, Atomics.load(this.cells, BEAT) | 1);
  }

  returned(): void {
    Atomics.store(this.cells, BEAT, (Atomics.load(this.cells, BEAT) | 1) + 1);
  }

  /** Told now and then while other threads run the vCPUs: with the one that is overdue, the beat stands still. */
  driving(overdue: { index: number; regs: KvmStruct } | undefined): void {
    if (overdue) this.entering(overdue);
    else this.returned();
  }
}

/** The side of the thread that watches. `stuck` is told once, in one line, when KVM_RUN has not come back for long. */
export function watchHeartbeat(cells: Int32Array, stuck: (message: string) => void): NodeJS.Timeout {
  let last = NOBODY;
  let since = performance.now();
  const timer = setInterval(() => {
    const beat = Atomics.load(cells, BEAT);
    const now = performance.now();
    if (beat !== last || (beat & 1) === 0) {
      last = beat;
      since = now;
    } else if (now - since > STUCK_MS) {
      clearInterval(timer);
      stuck(
        `the vCPU has not come back from KVM_RUN for ${STUCK_MS / 1000} s, though it was signalled${whereItWentIn(cells)}: ` +
          "the host's KVM is stuck on an instruction; run with --engine vtx",
      );
    }
  }, WATCH_MS);
  return timer;
}

function whereItWentIn(cells: Int32Array): string {
  const vcpu = Atomics.load(cells, VCPU);
  if (vcpu === NOBODY) return '';
  const view = new DataView(cells.buffer, cells.byteOffset + REGISTERS_AT * 4);
  const hex = (name: string): string => `0x${view.getBigUint64(NAMES.indexOf(name) * 8, true).toString(16)}`;
  const others = SHOWN.map((name) => `${name.toUpperCase()} ${hex(name)}`).join(', ');
  return ` (vCPU ${vcpu} went in at RIP ${hex('rip')}, ${others})`;
}
