// Where the embedded core takes KVM's place for an instruction: those that KVM cannot emulate, and on a paravirtual KVM
// those that it runs otherwise than a CPU (README.md has the list).
import { mnemonicOf } from '../../../spec/opcodes/mnemonic.js';
import type { SliceEnd } from '../../vmm/hypervisor.js';
import { exitError } from '../kvm/errors.js';
import { EXIT_REASONS, INTERNAL_ERRORS } from '../kvm/exits.js';
import { InstructionEmulator } from './emulate-one.js';
import { ACTION, type ExitTrace, REASON } from './exit-record.js';
import type { KvmCpu } from './kvm-cpu.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';
import type { Ring3Repair } from './ring3-repair.js';

const LONGEST_INSTRUCTION = 15;

export class CoreRepairs {
  private emulator: InstructionEmulator | undefined;

  /** @param ring3 only where this host's KVM needs it */
  constructor(
    private readonly vm: KvmHypervisor,
    private readonly trace: ExitTrace,
    private readonly ring3: Ring3Repair | undefined,
  ) {}

  /** The vCPU stands at a handler that Ring3Repair looks at. */
  isHandler(cpu: KvmCpu): boolean {
    return this.ring3?.isHandler(cpu.linearRip) === true;
  }

  /** Where those handlers are: before KVM_RUN. */
  watchHandlers(cpu: KvmCpu): void {
    if (this.ring3?.refresh(cpu, performance.now())) this.vm.breakpoints.setOwn(this.ring3.handlers);
  }

  /** Runs the next instruction in KVM's place where KVM cannot; answers whether it did, and why the slice ends, if it does. */
  inPlaceOfRun(cpu: KvmCpu): { end: SliceEnd | undefined } | undefined {
    const { breakpoints, debug } = this.vm;
    if (debug.isBlind(cpu) && (cpu.steps !== undefined || breakpoints.stepping)) return { end: this.step(cpu) };
    if (!this.ring3 || !(cpu.stepsToRing3 > 0 || debug.wantsStep(cpu)) || !this.ring3.returnsToRing3(cpu)) {
      return undefined;
    }
    cpu.finishInstruction();
    return { end: this.emulate(cpu, EXIT_REASONS.KVM_EXIT_DEBUG) };
  }

  /** KVM_EXIT_DEBUG that is none of the debugger's; undefined where it is. */
  afterDebugExit(cpu: KvmCpu): { end: SliceEnd | undefined } | undefined {
    if (!cpu.stepping && this.ring3 && this.isHandler(cpu)) return { end: this.atHandler(cpu, this.ring3) };
    if (cpu.stepping && cpu.standstill?.stepped(cpu)) return { end: this.emulate(cpu, EXIT_REASONS.KVM_EXIT_DEBUG) };
    return undefined;
  }

  /** KVM_EXIT_INTERNAL_ERROR for an instruction that KVM does not emulate. */
  couldNotEmulate({ vcpu }: KvmCpu, reason: number): boolean {
    if (reason !== EXIT_REASONS.KVM_EXIT_INTERNAL_ERROR) return false;
    return vcpu.page.get('exit.internal.suberror') === INTERNAL_ERRORS.KVM_INTERNAL_ERROR_EMULATION;
  }

  emulate(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    const { vm } = this;
    const stepping = vm.debug.wantsStep(cpu);
    const failure = this.emulateOne(cpu);
    if (failure !== undefined) this.fail(cpu, reason, `; nor can the embedded core (${failure})`);
    if (vm.end) return { kind: 'ended' };
    return stepping ? vm.debug.stepped(cpu) : undefined;
  }

  /** An exit that KVM itself cannot get over. */
  fail(cpu: KvmCpu, reason: number, more = ''): void {
    const error = exitError(cpu.vcpu.page, reason, cpu.regs.getBig('rip'));
    this.vm.finish({
      kind: 'error',
      status: 3,
      message: `${error?.message ?? `KVM_RUN came back with exit reason ${reason}`}${more}`,
    });
  }

  /**
   * The embedded core runs the instruction that stands at RIP, and a record of its own tells of it. Answers why it could
   * not, in which case nothing has changed.
   * @param counts asked afterwards: false takes the record back
   */
  emulateOne(cpu: KvmCpu, counts = (): boolean => true): string | undefined {
    const { vm, trace } = this;
    const code = vm.linearBytes(cpu, cpu.linearRip, LONGEST_INSTRUCTION);
    const { codeBits } = cpu;
    // what the core does in several accesses is one instruction for the other vCPUs
    vm.stopThreads();
    vm.exits++;
    trace.add(cpu.vcpu.page.view, {
      reason: REASON.EMULATED,
      qualification: code.reduceRight((value, byte, i) => (i < 8 ? (value << 8n) | BigInt(byte) : value), 0n),
      instructionInfo: codeBits,
      gpa: 0,
      clock: vm.now(),
      vcpu: cpu.index,
    });
    const { failure, end, halted } = this.core().run(cpu, code, codeBits);
    if (failure !== undefined) return failure;
    if (!counts()) {
      vm.exits--;
      trace.withdraw(REASON.EMULATED);
    } else if (vm.exitCount(REASON.EMULATED) === 1) {
      const name = mnemonicOf(code, codeBits);
      vm.onMessage?.(
        `this host's KVM leaves instructions to the embedded core, the first is ${name}: each is an EMULATED exit`,
      );
    }
    cpu.halted = halted;
    cpu.standstill?.repaired(cpu);
    if (end) vm.finish(end);
    if (counts()) trace.settle(vm.end ? ACTION.stop : ACTION.resume, 0);
    return undefined;
  }

  /** Such a KVM saves the debugger's single-step flag with the guest's flags: the core saves them instead. */
  deliver(cpu: KvmCpu, vector: number): void {
    cpu.finishInstruction();
    const { failure } = this.core().deliver(cpu, vector);
    if (failure !== undefined) throw new Error(`the embedded core cannot deliver interrupt ${vector}: ${failure}`);
  }

  /** The core goes on to where the guest takes interrupts; false where that is not near. */
  runToWindow(cpu: KvmCpu, limit: number): boolean {
    this.vm.stopThreads();
    return this.core().runToWindow(cpu, limit, this.vm.breakpoints.all);
  }

  private core(): InstructionEmulator {
    this.emulator ??= new InstructionEmulator(this.vm);
    return this.emulator;
  }

  /** The vCPU stands at the first instruction of such a handler. */
  private atHandler(cpu: KvmCpu, ring3: Ring3Repair): SliceEnd | undefined {
    const { vm } = this;
    const handler = cpu.linearRip;
    let failure: string | undefined;
    if (ring3.takeBack(cpu)) {
      failure = this.emulateOne(cpu, () => cpu.linearRip !== handler);
      if (failure === undefined && vm.end) return { kind: 'ended' };
    }
    if (failure === undefined && ring3.isHandler(cpu.linearRip)) {
      if (vm.breakpoints.has(cpu.linearRip)) return vm.debug.stepped(cpu);
      // past the breakpoint
      failure = this.emulateOne(cpu, () => false);
    }
    if (failure === undefined) return undefined;
    vm.finish({ kind: 'error', status: 3, message: `the embedded core cannot go on at a handler: ${failure}` });
    return { kind: 'ended' };
  }

  /** A debugger's step where KVM has none: in ring 3 of a paravirtual one, the guest would get the trap. */
  private step(cpu: KvmCpu): SliceEnd | undefined {
    cpu.finishInstruction();
    const failure = this.emulateOne(cpu, () => false);
    if (failure !== undefined) throw new Error(`the embedded core cannot step this instruction: ${failure}`);
    return this.vm.end ? { kind: 'ended' } : this.vm.debug.stepped(cpu);
  }
}
