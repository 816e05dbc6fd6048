// Ring 3 on a KVM that takes SYSCALL and INT n there for faults. The instructions run on the CPU, no exit tells of them;
// what tells is the guest's own handler of #UD, #GP or #PF: a breakpoint on its first instruction finds the frame, the
// exception is taken back, and the embedded core runs the instruction. It delivers the same exception where it was one.
import { VECTOR } from '../../../spec/exceptions.js';
import { EFER, RFLAGS } from '../../../spec/masks.js';
import { MSR } from '../../../spec/msrs.js';
import type { KvmStruct } from '../kvm/structs.js';
import type { KvmCpu } from './kvm-cpu.js';

const { UD, GP, PF } = VECTOR;
const VECTORS = [UD, GP, PF];
const GATE_BYTES = 16;
/** Interrupt and trap gates of 64 bits, present. */
const GATE_MASK = 0x9e;
const GATE = 0x8e;
const SYSCALL = 0x050f;
const SYSRET = 0x070f;
const IRET = 0xcf;
const RETF = 0xcb;
/** Handlers are looked up again after this time: no exit tells of LIDT. */
const FRESH_MS = 1;

/** Guest memory at linear addresses; undefined where it is not mapped. */
export type ReadLinear = (cpu: KvmCpu, gva: bigint, bytes: number) => DataView | undefined;

export class Ring3Repair {
  /** Vectors by the address of their handler. */
  private vectors = new Map<bigint, number>();
  private lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly read: ReadLinear) {}

  /** Where the handlers are that a breakpoint is needed on. */
  get handlers(): readonly bigint[] {
    return [...this.vectors.keys()];
  }

  isHandler(linear: bigint): boolean {
    return this.vectors.has(linear);
  }

  /** Looks for the handlers again, at most once a millisecond; true when they are others than before. */
  refresh(cpu: KvmCpu, nowMs: number): boolean {
    if (nowMs - this.lookedAtMs < FRESH_MS) return false;
    this.lookedAtMs = nowMs;
    const found = new Map<bigint, number>();
    if (canEnterRing3(cpu)) {
      const base = cpu.sregs.getBig('idt.base');
      for (const vector of VECTORS) {
        const handler = this.handlerOf(cpu, base + BigInt(vector * GATE_BYTES));
        if (handler !== undefined) found.set(handler, vector);
      }
    }
    const before = this.handlers;
    if (before.length === found.size && before.every((handler) => found.has(handler))) return false;
    this.vectors = found;
    return true;
  }

  private handlerOf(cpu: KvmCpu, gate: bigint): bigint | undefined {
    const view = this.read(cpu, gate, GATE_BYTES);
    if (!view || (view.getUint8(5) & GATE_MASK) !== GATE) return undefined;
    const low = BigInt(view.getUint16(0, true) | (view.getUint16(6, true) << 16)) & 0xffff_ffffn;
    return low | (BigInt(view.getUint32(8, true)) << 32n);
  }

  /**
   * Puts a vCPU that stands at a handler's first instruction back to before the exception, if that came from ring 3 of
   * long mode. False when it did not: nothing has changed.
   */
  takeBack(cpu: KvmCpu): boolean {
    const { regs, sregs } = cpu;
    const vector = this.vectors.get(cpu.linearRip);
    if (vector === undefined) return false;
    const frame = this.read(cpu, regs.getBig('rsp') + (vector === UD ? 0n : 8n), 40);
    if (!frame || (frame.getUint16(8, true) & 3) !== 3) return false;
    const rip = frame.getBigUint64(0, true);
    const [cs, ss] = [8, 32].map((at) => frame.getUint16(at, true));
    if (!this.loadSegment(cpu, 'cs', cs) || !this.loadSegment(cpu, 'ss', ss)) return false;
    const flags = frame.getBigUint64(16, true) & ~RFLAGS.RF;
    if (this.isSyscall(cpu, vector, rip)) {
      // R11 has the flags as the CPU had them, on which the host's interrupts are always on
      regs.set('rip', regs.getBig('rcx') - 2n);
      regs.set('rflags', (regs.getBig('r11') & ~RFLAGS.IF) | cpu.userInterruptFlag);
    } else {
      cpu.userInterruptFlag = flags & RFLAGS.IF;
      regs.set('rip', rip).set('rflags', flags);
    }
    regs.set('rsp', frame.getBigUint64(24, true));
    sregs.slice('interrupt_bitmap').fill(0);
    cpu.changed(true, true);
    return true;
  }

  /**
   * Before a step: counts one on the way to ring 3, and notes the interrupt flag once there, since no exit tells of either.
   * True when the next instruction may go there: KVM would run on in ring 3 at once.
   */
  returnsToRing3(cpu: KvmCpu): boolean {
    if (cpu.cpl === 3) {
      cpu.stepsToRing3 = 0;
      cpu.userInterruptFlag = cpu.regs.getBig('rflags') & RFLAGS.IF;
      return false;
    }
    if (cpu.stepsToRing3 > 0) cpu.stepsToRing3--;
    if (!canEnterRing3(cpu)) return false;
    const code = this.read(cpu, cpu.linearRip, 3);
    if (!code) return false;
    const at = (code.getUint8(0) & 0xf0) === 0x40 ? 1 : 0;
    const opcode = code.getUint8(at);
    return opcode === IRET || opcode === RETF || code.getUint16(at, true) === SYSRET;
  }

  /** Such a KVM goes to IA32_LSTAR and stays in ring 3, so that the fetch there is refused. */
  private isSyscall(cpu: KvmCpu, vector: number, rip: bigint): boolean {
    if (vector !== PF || rip !== cpu.sregs.getBig('cr2') || rip !== cpu.vcpu.msrs([MSR.IA32_LSTAR])[0]) return false;
    return this.read(cpu, cpu.regs.getBig('rcx') - 2n, 2)?.getUint16(0, true) === SYSCALL;
  }

  /** What the CPU has cached of a descriptor that is loaded already. */
  private loadSegment(cpu: KvmCpu, name: 'cs' | 'ss', selector: number): boolean {
    const { sregs } = cpu;
    const table = (selector & 4) !== 0 ? 'ldt' : 'gdt';
    const descriptor = this.read(cpu, sregs.getBig(`${table}.base`) + BigInt(selector & ~7), 8);
    if (!descriptor) return false;
    setSegment(sregs, name, selector, descriptor);
    return true;
  }
}

/** An exception in ring 3 needs a TSS for its stack: a guest that has loaded none has no ring 3 yet. */
function canEnterRing3(cpu: KvmCpu): boolean {
  return (cpu.sregs.getBig('efer') & EFER.LMA) !== 0n && (cpu.sregs.get('tr.selector') & ~3) !== 0;
}

/** @sdm 3A 3.4.5 "Segment Descriptors" */
function setSegment(sregs: KvmStruct, name: string, selector: number, descriptor: DataView): void {
  const high = descriptor.getUint32(4, true);
  const base = (descriptor.getUint32(0, true) >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
  const limit = descriptor.getUint16(0, true) | (high & 0xf0000);
  const bit = (at: number): number => (high >> at) & 1;
  const values = {
    selector,
    base: base >>> 0,
    limit: bit(23) ? ((limit << 12) | 0xfff) >>> 0 : limit,
    type: ((high >> 8) & 15) | 1,
    s: bit(12),
    dpl: (high >> 13) & 3,
    present: bit(15),
    avl: bit(20),
    l: bit(21),
    db: bit(22),
    g: bit(23),
    unusable: 0,
  };
  for (const [part, value] of Object.entries(values)) sregs.set(`${name}.${part}`, value);
}
