// Runs test cases on a raw vCPU of /dev/kvm: registers go in and out through the shared page, so a
// case costs one KVM_RUN (10 us and less).
import { bitsOf, RFLAGS as RFLAGS_BITS } from '../../../spec/flags.js';
import { type BedState, bedState, RAM_BYTES, type Ranges, type Segment } from '../../difftest/bed.js';
import type { Case, CaseRunner, Ending, Outcome } from '../../difftest/case.js';
import { normalise, notRun } from '../../difftest/outcome.js';
import { failedInstruction } from '../kvm/errors.js';
import { EXIT_REASONS, exitName, KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS, MP_STATES } from '../kvm/exits.js';
import { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { probeKvm } from '../kvm/probe.js';
import { KVM_REGS, KVM_VCPU_EVENTS, KvmStruct } from '../kvm/structs.js';
import { INTERRUPTED, type KvmVcpu } from '../kvm/vcpu.js';
import type { KvmVm } from '../kvm/vm.js';
import { RunTimer } from '../kvm-engine/run-timer.js';
import { BedMemory } from './bed-memory.js';

/** Places of the hardware's register numbers in kvm_regs (rax rbx rcx rdx rsi rdi rsp rbp r8-r15). */
const KVM_ORDER = [0, 2, 3, 1, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
const RIP = 16;
const RFLAGS = 17;
const IOPL = bitsOf(RFLAGS_BITS, 'IOPL');
const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
/** KVM_RUNs without an end after which a case counts as stuck. */
const MAX_RUNS = 8;
/** A case that runs for longer goes round in circles. */
const CASE_MS = 100;

export class KvmCaseRunner implements CaseRunner {
  readonly name = 'kvm';
  private readonly memory: BedMemory;
  private readonly regs: BigUint64Array;
  private readonly sregs: KvmStruct;
  private readonly timer: RunTimer;
  private readonly states = new Map<string, { bytes: Uint8Array; csBase: bigint }>();
  private readonly selectorOffsets: number[];
  private readonly paravirtual = probeKvm().paravirtual;

  private constructor(
    private readonly kvm: Kvm,
    private readonly vm: KvmVm,
    private readonly vcpu: KvmVcpu,
  ) {
    const memory = new GuestMemory(RAM_BYTES);
    this.memory = new BedMemory(Buffer.from(memory.bytes.buffer, 0, RAM_BYTES));
    vm.mapMemory(0, 0, memory);
    vcpu.setCpuid(kvm.supportedCpuid());
    this.timer = new RunTimer(vcpu);
    const { regs, sregs } = vcpu.shareRegisters();
    this.regs = new BigUint64Array(regs.bytes.buffer, regs.bytes.byteOffset, KVM_REGS.size / 8);
    this.sregs = sregs;
    this.selectorOffsets = SEGMENT_NAMES.map((name) => this.sregs.offset(`${name}.selector`));
  }

  /** @throws KvmError when this host has no usable KVM */
  static open(): KvmCaseRunner {
    const kvm = Kvm.open();
    const vm = kvm.createVm();
    return new KvmCaseRunner(kvm, vm, vm.createVcpu(0));
  }

  run(cases: readonly Case[]): Outcome[] {
    return this.memory.runAll(cases, (c, ranges) => this.one(c, ranges));
  }

  close(): void {
    this.timer.close();
    this.vm.close();
    this.kvm.close();
  }

  /**
   * Runs a case of ring 3 of long mode, which a paravirtual KVM leaves to the CPU, and answers whether it did so.
   * The HLT of the handler is one emulated instruction; a second one is the case's.
   */
  ranEmulated(c: Case): boolean {
    const count = (): bigint => this.vcpu.stats().read().get('insn_emulation') ?? 0n;
    const before = count();
    this.run([c]);
    return count() - before > 1n;
  }

  private one(c: Case, ranges: Ranges): Outcome {
    if (c.mode === 'prot16' && c.cpl === 0 && this.paravirtual) return notRun(c, 'SS.base is lost in ring 0 here');
    this.memory.load(c);
    const { page } = this.vcpu;
    const { regs } = this;
    for (let i = 0; i < 16; i++) regs[KVM_ORDER[i]] = c.gpr[i];
    const start = this.state(c);
    regs[RIP] = BigInt(c.address) - start.csBase;
    regs[RFLAGS] = BigInt(c.rflags);
    this.sregs.bytes.set(start.bytes);
    page.set('kvm_dirty_regs', KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);

    let ending: Ending = 'stuck';
    let detail = '';
    for (let i = 0; i < MAX_RUNS && ending === 'stuck'; i++) {
      const now = performance.now();
      this.timer.arm(now + CASE_MS, now);
      const reason = this.vcpu.runRaw();
      if (reason === INTERRUPTED) this.timer.fired();
      // Some KVMs answer a shutdown or an interruption once after a change of mode, without running the guest.
      const started = regs[RIP] !== BigInt(c.address) - start.csBase;
      if (reason < 0 || (reason === EXIT_REASONS.KVM_EXIT_SHUTDOWN && !started && i === 0)) continue;
      detail = exitName(reason);
      switch (reason) {
        case EXIT_REASONS.KVM_EXIT_HLT:
          ending = 'halt';
          break;
        case EXIT_REASONS.KVM_EXIT_MMIO:
          ending = 'mmio';
          break;
        case EXIT_REASONS.KVM_EXIT_IO:
          ending = 'io';
          break;
        case EXIT_REASONS.KVM_EXIT_SHUTDOWN:
          ending = 'shutdown';
          break;
        case EXIT_REASONS.KVM_EXIT_INTERNAL_ERROR:
          ending = 'unsupported';
          detail = `emulation failure ${failedInstruction(page)}`;
          break;
        default:
          ending = 'other';
      }
    }
    const outcome = this.collect(c, ending, detail, ranges);
    if (ending !== 'halt') this.reset();
    return outcome;
  }

  private collect(c: Case, ending: Ending, detail: string, ranges: Ranges): Outcome {
    const { regs, sregs } = this;
    const gpr = new BigUint64Array(16);
    for (let i = 0; i < 16; i++) gpr[i] = regs[KVM_ORDER[i]];
    const outcome = normalise(
      c,
      {
        ending,
        detail,
        gpr,
        rip: regs[RIP],
        rflags: Number(regs[RFLAGS]),
        selectors: Uint16Array.from(this.selectorOffsets, (at) => sregs.view.getUint16(at, true)),
        ssBase: Number(sregs.getBig('ss.base')),
        ssBig: sregs.get('ss.db') === 1,
        cr2: sregs.getBig('cr2'),
        memory: this.memory.ram,
      },
      ranges,
      this.memory.before,
      this.memory.same,
    );
    // Ring 3 of long mode runs natively there, with IOPL 0 whatever the guest's is.
    if (this.paravirtual && c.mode === 'long' && c.cpl === 3) outcome.rflags |= c.rflags & IOPL;
    this.memory.restore(c, outcome.changes.length > 0 ? ranges : []);
    return outcome;
  }

  /** After anything but a halt something may be pending in the vCPU. */
  private reset(): void {
    const { page } = this.vcpu;
    page.set('kvm_dirty_regs', 0n);
    if (
      page.get('exit_reason') === EXIT_REASONS.KVM_EXIT_MMIO ||
      page.get('exit_reason') === EXIT_REASONS.KVM_EXIT_IO
    ) {
      this.vcpu.setImmediateExit(true);
      this.vcpu.runRaw();
      this.vcpu.setImmediateExit(false);
    }
    this.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
    this.vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
  }

  private state(c: Case): { bytes: Uint8Array; csBase: bigint } {
    const key = `${c.mode}${c.cpl}`;
    let state = this.states.get(key);
    if (!state) {
      const bed = bedState(c.mode, c.cpl);
      state = { bytes: encodeSregs(bed, this.vcpu.sregs()).bytes, csBase: BigInt(bed.cs.base) };
      this.states.set(key, state);
    }
    return state;
  }
}

function encodeSregs(bed: BedState, sregs: KvmStruct): KvmStruct {
  const put = (name: string, segment: Segment): void => {
    const { access } = segment;
    sregs
      .set(`${name}.selector`, segment.selector)
      .set(`${name}.base`, segment.base)
      .set(`${name}.limit`, segment.limit);
    sregs
      .set(`${name}.type`, access & 15)
      .set(`${name}.s`, (access >> 4) & 1)
      .set(`${name}.dpl`, (access >> 5) & 3);
    sregs.set(`${name}.present`, (access >> 7) & 1).set(`${name}.avl`, (access >> 12) & 1);
    sregs
      .set(`${name}.l`, (access >> 13) & 1)
      .set(`${name}.db`, (access >> 14) & 1)
      .set(`${name}.g`, (access >> 15) & 1);
    sregs.set(`${name}.unusable`, (access >> 16) & 1);
  };
  for (const name of SEGMENT_NAMES) put(name, bed[name]);
  put('tr', bed.tr);
  put('ldt', bed.ldtr);
  sregs.set('gdt.base', bed.gdtr.base).set('gdt.limit', bed.gdtr.limit);
  sregs.set('idt.base', bed.idtr.base).set('idt.limit', bed.idtr.limit);
  sregs.set('cr0', bed.cr0).set('cr3', bed.cr3).set('cr4', bed.cr4).set('efer', bed.efer).set('cr2', 0);
  return sregs;
}
