// A raw vCPU of /dev/kvm in a lock-step run: it has the guest's memory and no devices. What a device answered the core
// it is told, and interrupts come to it where they came to the core.
//
// Where KVM does not give the debugger a trap (a paravirtual KVM runs ring 3 of long mode on the CPU as it is), the
// guest is stopped by other means: with RFLAGS.TF and an IDT of no length the trap after the instruction cannot be
// delivered, and the vCPU shuts down right behind the instruction; on the way into ring 0 a HLT stands at the first
// byte of every handler; on the way out at the instruction that comes next.
import { VECTOR } from '../../../../spec/exceptions.js';
import { RFLAGS as FLAGS } from '../../../../spec/masks.js';
import { MSR } from '../../../../spec/msrs.js';
import type { RegisterFile } from '../../../debugger.js';
import { opcodeAt } from '../../../difftest/not-compared.js';
import type { CpuModel } from '../../../vmm/cpu-models.js';
import { DirtyLog } from '../../kvm/dirty-log.js';
import { exitError } from '../../kvm/errors.js';
import {
  EXIT_REASONS as EXIT,
  exitName,
  INTERNAL_ERRORS,
  KVM_EXIT_IO_OUT,
  KVM_SYNC_X86_REGS,
  KVM_SYNC_X86_SREGS,
  MP_STATES,
} from '../../kvm/exits.js';
import { Kvm } from '../../kvm/kvm.js';
import { GuestMemory } from '../../kvm/memory.js';
import { probeKvm } from '../../kvm/probe.js';
import { KVM_SREGS, KVM_VCPU_EVENTS, KvmStruct } from '../../kvm/structs.js';
import { INTERRUPTED, type KvmVcpu } from '../../kvm/vcpu.js';
import type { KvmVm } from '../../kvm/vm.js';
import { guestCpuid, modelOnHost } from '../../kvm-engine/cpuid.js';
import { Heartbeat } from '../../kvm-engine/heartbeat.js';
import { RUN } from '../../kvm-engine/kvm-cpu.js';
import { basicRegisters, otherRegisters, putRegister } from '../../kvm-engine/registers.js';
import { RunTimer } from '../../kvm-engine/run-timer.js';
import { translate } from './code-reader.js';
import type { Access, CoreStep, Judge, JudgeStop } from './side.js';
import {
  cplOf,
  fillFromFile,
  longMode,
  newQuick,
  QUICK_REGISTERS,
  type Quick,
  RFLAGS,
  sameRip,
  toFile,
} from './state.js';

const TF = Number(FLAGS.TF);
const HLT = 0xf4;
/** An instruction that takes longer goes nowhere. */
const STEP_MS = 3000;
/** A stretch that runs freely is called back so often. */
const TICK_MS = 1000;
const MAX_ACCESSES = 1 << 16;
/** RIP, CS, RFLAGS, RSP, SS. */
const FRAME_BYTES = 40n;
const MAX_INSTRUCTION = 15n;
const NMI_VECTOR = VECTOR.NMI;
const ASTRAY: JudgeStop = {
  kind: 'astray',
  reason: 'this KVM delivers an event that it was given once again and again',
};

/** Byte offset and size of each quick register in the shared page; access rights are put together from fields. */
interface Place {
  at: number;
  bytes: number;
}

export class KvmSide implements Judge {
  readonly name = 'kvm';
  readonly ram: Uint8Array;
  readonly quick = newQuick();
  private readonly regs: KvmStruct;
  private readonly sregs: KvmStruct;
  private readonly timer: RunTimer;
  private readonly places: readonly (Place | { segment: number })[];
  private readonly paravirtual = probeKvm().paravirtual;
  private stepping: boolean | undefined;
  private fresh = true;
  private mustReload = false;
  private readonly log: DirtyLog;
  /** Of the event that was delivered last. */
  private lastVector: number | undefined;

  private constructor(
    private readonly kvm: Kvm,
    private readonly vm: KvmVm,
    private readonly vcpu: KvmVcpu,
    memory: GuestMemory,
    model: CpuModel,
    private readonly heartbeat: Heartbeat | undefined,
  ) {
    this.ram = memory.bytes;
    this.log = new DirtyLog(vm, 0);
    vcpu.setCpuid(guestCpuid(model, 0));
    this.timer = new RunTimer(vcpu);
    const { page } = vcpu;
    ({ regs: this.regs, sregs: this.sregs } = vcpu.shareRegisters());
    const offset = (struct: KvmStruct, name: string): number =>
      struct.bytes.byteOffset - page.bytes.byteOffset + struct.offset(name);
    this.places = QUICK_REGISTERS.map((name) => {
      const table = /^(gdt|idt)r_(base|limit)$/.exec(name);
      if (table) return { at: offset(this.sregs, `${table[1]}.${table[2]}`), bytes: table[2] === 'base' ? 8 : 2 };
      if (/^(cr\d|efer)$/.test(name)) return { at: offset(this.sregs, name), bytes: 8 };
      const [, segment, part] = /^(es|cs|ss|ds|fs|gs|ldtr|tr)(?:_(base|limit|ar))?$/.exec(name) ?? [];
      if (segment === undefined) return { at: offset(this.regs, name), bytes: 8 };
      const field = segment === 'ldtr' ? 'ldt' : segment;
      if (part === 'ar') return { segment: offset(this.sregs, `${field}.base`) };
      const bytes = part === 'base' ? 8 : part === 'limit' ? 4 : 2;
      return { at: offset(this.sregs, `${field}.${part ?? 'selector'}`), bytes };
    });
  }

  /** The CPU model that both sides show: what the core's has and this host can run. @throws KvmError */
  static model(): CpuModel {
    const kvm = Kvm.open();
    try {
      return modelOnHost(kvm.supportedCpuid());
    } finally {
      kvm.close();
    }
  }

  /** @param cells for a thread that watches over KVM_RUN. @throws KvmError when this host has no usable KVM */
  static open(memoryBytes: number, model: CpuModel, cells?: Int32Array): KvmSide {
    const kvm = Kvm.open();
    const vm = kvm.createVm();
    const memory = new GuestMemory(memoryBytes);
    vm.mapMemory(0, 0, memory);
    return new KvmSide(kvm, vm, vm.createVcpu(0), memory, model, cells && new Heartbeat(cells));
  }

  close(): void {
    this.timer.close();
    this.vm.close();
    this.kvm.close();
  }

  written(): number[] {
    return this.log.take();
  }

  registers(): RegisterFile {
    this.vcpu.flushRegisters();
    return { ...otherRegisters(this.vcpu), ...basicRegisters(this.regs, this.sregs) };
  }

  takeOver(registers: RegisterFile, names: readonly string[], ram: Uint8Array | undefined): void {
    if (this.mustReload) {
      this.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
      this.vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
      this.mustReload = false;
    }
    for (const name of names) putRegister(this.vcpu, this.regs, this.sregs, name, registers[name]);
    this.changed();
    if (ram) copyDifferent(ram, this.ram);
    fillFromFile(this.quick, basicRegisters(this.regs, this.sregs));
  }

  step(step: CoreStep): JudgeStop {
    const from = cplOf(step.before);
    const to = cplOf(step.after);
    const blind = this.paravirtual && longMode(step.before);
    let stop: JudgeStop;
    const event = step.nmi === true || step.interrupt !== undefined;
    // KVM's TF would show in the frame of an interrupt
    if (event && longMode(step.before)) this.setStepping(false);
    if (step.nmi) this.vcpu.nmi();
    if (step.interrupt !== undefined) this.vcpu.interrupt(step.interrupt);
    if ((step.before[RFLAGS] & TF) !== 0 && !event) stop = this.guestTrap(step);
    else if (blind && from === 3 && to === 3 && !event) stop = this.ring3(step);
    else if ((blind && from === 3) || (event && longMode(step.before))) stop = this.intoRing0(step);
    else if (blind && (to === 3 || isReturn(step.code))) stop = this.intoDestination(step, to === 3);
    else stop = this.debugStep(step);
    if (event) {
      // what is left of it in the vCPU would be delivered again after IRET
      this.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
      this.lastVector = step.nmi ? NMI_VECTOR : step.interrupt;
    }
    const before = event ? undefined : this.quick.slice();
    this.refresh();
    if (before && stop.kind === 'stepped' && !sameRip(step.after, this.quick) && this.deliveredAgain(before))
      return ASTRAY;
    return stop;
  }

  again(step: CoreStep): JudgeStop {
    const before = this.quick.slice();
    const stop = this.debugStep(step);
    this.refresh();
    return this.deliveredAgain(before) ? ASTRAY : stop;
  }

  /**
   * On a busy host a paravirtual KVM may deliver an event at each of the steps that follow it, whatever KVM_SET_VCPU_EVENTS
   * says: its handler is come to again, and its frame leads back to the instruction that was to be stepped.
   * @sdm 3A 6.14.2 "64-Bit Mode Stack Frame"
   */
  private deliveredAgain(before: Quick): boolean {
    const { quick, ram, lastVector } = this;
    if (!this.paravirtual || lastVector === undefined || !longMode(before)) return false;
    const { rip, rsp, cs, idtr_base: idt } = toFile(before);
    const now = toFile(quick);
    const stack = (rsp & ~0xfn) - FRAME_BYTES;
    const frame = now.rsp <= stack ? translate(quick, ram, stack) : undefined;
    const gate = translate(quick, ram, idt + BigInt(lastVector * 16));
    if (frame === undefined || gate === undefined || (frame & (PAGE - 1)) > PAGE - 16) return false;
    const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
    const inHandler = now.rip - gateTarget(view, gate);
    return (
      inHandler >= 0n &&
      inHandler <= MAX_INSTRUCTION &&
      view.getBigUint64(frame, true) === rip &&
      view.getBigUint64(frame + 8, true) === cs
    );
  }

  runToAccess(step: CoreStep, ms: number, tick?: (rip: bigint) => void): JudgeStop {
    this.setStepping(false);
    const until = performance.now() + ms;
    let stop: JudgeStop | undefined;
    while (!stop) {
      const now = performance.now();
      this.timer.arm(Math.min(until, now + TICK_MS), now);
      const reason = this.runKvm();
      if (reason === INTERRUPTED || reason === EXIT.KVM_EXIT_INTR) {
        this.timer.fired();
        tick?.(this.regs.getBig('rip'));
        if (now >= until) stop = { kind: 'cannot', reason: this.noAccessWithin(ms) };
      } else if (reason === EXIT.KVM_EXIT_IO || reason === EXIT.KVM_EXIT_MMIO) stop = { kind: 'stepped' };
      else stop = this.otherExit(reason, step);
    }
    this.refresh();
    return stop;
  }

  private noAccessWithin(ms: number): string {
    const names = ['rip', 'rflags', 'rsp', 'rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'];
    const at = names.map((name) => `${name.toUpperCase()} 0x${this.regs.getBig(name).toString(16)}`).join(', ');
    return `KVM_RUN came to no access to a device within ${Math.round(ms / 1000)} s and stands at ${at}`;
  }

  /** KVM_RUN, seen by the thread that watches over it. */
  private runKvm(): number {
    this.heartbeat?.entering({ index: 0, regs: this.regs });
    const reason = this.vcpu.runRaw();
    this.heartbeat?.returned();
    return reason;
  }

  finishAccess(step: CoreStep): JudgeStop {
    const stop = this.access(step, { next: 0 });
    this.refresh();
    return stop ?? { kind: 'stepped' };
  }

  /** By KVM_GUESTDBG_SINGLESTEP. */
  private debugStep(step: CoreStep): JudgeStop {
    this.setStepping(true);
    const rip = this.regs.getBig('rip');
    const progress = { next: 0 };
    const until = performance.now() + STEP_MS;
    for (;;) {
      const reason = this.run(until);
      if (reason === INTERRUPTED) {
        if (performance.now() >= until) return this.cannot(`does not get past it within ${STEP_MS} ms`);
        continue;
      }
      if (reason === EXIT.KVM_EXIT_DEBUG) {
        const halts = step.code[opcodeAt(step.code, longMode(step.before))] === HLT;
        return { kind: halts && step.interrupt === undefined ? 'halted' : 'stepped' };
      }
      if (reason === EXIT.KVM_EXIT_IO || reason === EXIT.KVM_EXIT_MMIO) {
        const stop = this.access(step, progress);
        if (stop) return stop;
        // the trap of an instruction that exited is lost
        if (this.regs.getBig('rip') !== rip) return { kind: 'stepped' };
        continue;
      }
      return this.otherExit(reason, step);
    }
  }

  /** An instruction of ring 3 that stays there. */
  private ring3(step: CoreStep): JudgeStop {
    this.setStepping(false);
    const { regs, sregs } = this;
    const limit = sregs.get('idt.limit');
    regs.set('rflags', regs.getBig('rflags') | BigInt(TF));
    sregs.set('idt.limit', 0);
    this.changed();
    const stop = this.runToShutdown(step);
    regs.set('rflags', regs.getBig('rflags') & ~BigInt(TF));
    sregs.set('idt.limit', limit);
    this.changed();
    return stop;
  }

  /** The guest steps itself: its trap is let through, to the first instruction of a handler. */
  private guestTrap(step: CoreStep): JudgeStop {
    // first, since KVM hides TF while it steps by it itself
    this.setStepping(false);
    this.regs.set('rflags', this.regs.getBig('rflags') | BigInt(TF));
    this.changed();
    return this.intoRing0(step);
  }

  /** A system call, fault or interrupt of ring 3: to the first instruction of its handler. */
  private intoRing0(step: CoreStep): JudgeStop {
    this.setStepping(false);
    const handlers = this.handlers();
    const undo = handlers.map((gpa) => this.patch(gpa));
    const stop = this.runToHlt(step, handlers);
    for (const restore of undo.reverse()) restore();
    return stop;
  }

  /** A return from a handler, which a paravirtual KVM does not trap: to the instruction that the core stands at. */
  private intoDestination(step: CoreStep, ring3: boolean): JudgeStop {
    this.setStepping(false);
    const target = translate(step.after, this.ram, ripAfter(step));
    if (target === undefined) return this.cannot('returns to an instruction that is not in memory');
    const restore = this.patch(target);
    if (!ring3) {
      const stop = this.runToHlt(step, [target]);
      restore();
      return stop;
    }
    const { sregs } = this;
    const limit = sregs.get('idt.limit');
    sregs.set('idt.limit', 0);
    this.changed();
    const stop = this.runToShutdown(step);
    restore();
    sregs.set('idt.limit', limit);
    this.changed();
    return stop;
  }

  /** A HLT that was put in ends the step: the guest stands on its byte again. */
  private runToHlt(step: CoreStep, places: readonly number[]): JudgeStop {
    const until = performance.now() + STEP_MS;
    let reason = INTERRUPTED;
    while (reason === INTERRUPTED && performance.now() < until) reason = this.run(until);
    // it went elsewhere: the comparison tells
    if (reason === INTERRUPTED) return { kind: 'stepped' };
    if (reason !== EXIT.KVM_EXIT_HLT) return this.otherExit(reason, step);
    this.refresh();
    const before = this.regs.getBig('rip') - 1n;
    const at = translate(this.quick, this.ram, before);
    // a HLT right behind an IRET may come with the RIP that it stands at
    if (at !== undefined && places.includes(at)) {
      this.regs.set('rip', before);
      this.changed();
    }
    return { kind: 'stepped' };
  }

  /** A shutdown is what ends the step here, and is forgotten. */
  private runToShutdown(step: CoreStep): JudgeStop {
    const progress = { next: 0 };
    const until = performance.now() + STEP_MS;
    for (;;) {
      const reason = this.run(until);
      if (reason === EXIT.KVM_EXIT_SHUTDOWN) {
        this.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
        return { kind: 'stepped' };
      }
      if (reason === EXIT.KVM_EXIT_IO || reason === EXIT.KVM_EXIT_MMIO) {
        const stop = this.access(step, progress);
        if (stop) return stop;
      } else if (reason !== INTERRUPTED) return this.otherExit(reason, step);
      else if (performance.now() >= until) return this.cannot(`does not get past it within ${STEP_MS} ms`);
    }
  }

  /** One KVM_RUN that comes back by `until`. */
  private run(until: number): number {
    this.timer.arm(until, performance.now());
    const rip = this.regs.getBig('rip');
    let reason = this.runKvm();
    // some KVMs answer a shutdown once after a change of mode, without having run the guest
    if (reason === EXIT.KVM_EXIT_SHUTDOWN && this.fresh && this.regs.getBig('rip') === rip) {
      reason = this.runKvm();
    }
    this.fresh = false;
    if (reason === INTERRUPTED) this.timer.fired();
    return reason === EXIT.KVM_EXIT_INTR ? INTERRUPTED : reason;
  }

  private otherExit(reason: number, _step: CoreStep): JudgeStop {
    if (reason === EXIT.KVM_EXIT_HLT) return { kind: 'halted' };
    if (reason === EXIT.KVM_EXIT_SHUTDOWN) {
      this.mustReload = true;
      return { kind: 'shutdown' };
    }
    if (reason === INTERRUPTED) return this.cannot(`does not get past it within ${STEP_MS} ms`);
    return this.cannot(exitError(this.vcpu.page, reason, 0n) ? internalError(this.vcpu.page) : exitName(reason));
  }

  private cannot(reason: string): JudgeStop {
    this.mustReload = true;
    return { kind: 'cannot', reason };
  }

  /** Gives a pending port or memory access the core's answers until none is pending; a stop where it differs. */
  private access(step: CoreStep, progress: { next: number }): JudgeStop | undefined {
    const { view } = this.vcpu.page;
    for (let n = 0; n < MAX_ACCESSES; n++) {
      const reason = view.getUint32(RUN.exitReason, true);
      const wrong = reason === EXIT.KVM_EXIT_IO ? this.port(step, progress) : this.mmio(step, progress);
      if (wrong) return wrong;
      this.vcpu.setImmediateExit(true);
      const after = this.runKvm();
      this.vcpu.setImmediateExit(false);
      if (after === EXIT.KVM_EXIT_IO || after === EXIT.KVM_EXIT_MMIO) continue;
      return after === INTERRUPTED || after === EXIT.KVM_EXIT_DEBUG ? undefined : this.otherExit(after, step);
    }
    return this.cannot('accesses without end');
  }

  private port(step: CoreStep, progress: { next: number }): JudgeStop | undefined {
    const { view } = this.vcpu.page;
    const bytes = view.getUint8(RUN.ioSize);
    const port = view.getUint16(RUN.ioPort, true);
    const count = view.getUint32(RUN.ioCount, true);
    const out = view.getUint8(RUN.ioDirection) === KVM_EXIT_IO_OUT;
    let at = view.getUint32(RUN.ioData, true);
    for (let i = 0; i < count; i++, at += bytes) {
      const access = step.accesses[progress.next++];
      const mine: Access = { kind: out ? 'out' : 'in', address: port, bytes, value: out ? read(view, at, bytes) : 0n };
      const wrong = differs(access, mine);
      if (wrong) return wrong;
      if (!out) write(view, at, bytes, access.value);
    }
    return undefined;
  }

  private mmio(step: CoreStep, progress: { next: number }): JudgeStop | undefined {
    const { view } = this.vcpu.page;
    const bytes = view.getUint32(RUN.mmioLength, true);
    const isWrite = view.getUint8(RUN.mmioIsWrite) !== 0;
    const access = step.accesses[progress.next++];
    const address = Number(view.getBigUint64(RUN.mmioAddress, true));
    const value = isWrite ? read(view, RUN.mmioData, bytes) : 0n;
    const wrong = differs(access, { kind: isWrite ? 'write' : 'read', address, bytes, value });
    if (wrong) return wrong;
    if (!isWrite) view.setBigUint64(RUN.mmioData, access.value, true);
    return undefined;
  }

  private setStepping(on: boolean): void {
    if (this.stepping === on) return;
    this.stepping = on;
    this.vcpu.flushRegisters();
    this.vcpu.setGuestDebug(on ? { singleStep: true } : {});
  }

  private changed(): void {
    this.vcpu.page.set('kvm_dirty_regs', KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
    this.fresh = true;
  }

  /** Guest-physical addresses of the first byte of every handler that ring 3 can get to. */
  private handlers(): number[] {
    this.refresh();
    const { sregs, ram, quick } = this;
    const base = sregs.getBig('idt.base');
    const gates = Math.min(256, (sregs.get('idt.limit') + 1) >> 4);
    const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
    const targets = new Set<bigint>();
    for (let i = 0; i < gates; i++) {
      const at = translate(quick, ram, base + BigInt(i * 16));
      if (at === undefined || at + 16 > ram.length || (view.getUint8(at + 5) & 0x80) === 0) continue;
      targets.add(gateTarget(view, at));
    }
    for (const value of this.vcpu.msrs([MSR.IA32_LSTAR, MSR.IA32_SYSENTER_EIP])) if (value) targets.add(value);
    const places = [...targets].map((gva) => translate(quick, ram, gva));
    return [...new Set(places.filter((gpa) => gpa !== undefined))];
  }

  private patch(gpa: number): () => void {
    const byte = this.ram[gpa];
    this.ram[gpa] = HLT;
    return () => {
      this.ram[gpa] = byte;
    };
  }

  private refresh(): void {
    const { view } = this.vcpu.page;
    const { quick, places } = this;
    for (let i = 0; i < places.length; i++) {
      const place = places[i];
      if ('segment' in place) {
        quick[i * 2] = accessRights(view, place.segment);
        continue;
      }
      const { at, bytes } = place;
      quick[i * 2] = bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
      quick[i * 2 + 1] = bytes === 8 ? view.getUint32(at + 4, true) : 0;
    }
  }
}

const BASE = KVM_SREGS.fields['es.base'].offset;
const field = (name: string): number => KVM_SREGS.fields[`es.${name}`].offset - BASE;
const [TYPE, S, DPL, PRESENT, AVL, L, DB, G, UNUSABLE] = 'type s dpl present avl l db g unusable'.split(' ').map(field);

/** Of the kvm_segment whose base stands at `at`, in the VMCS format. */
function accessRights(view: DataView, at: number): number {
  const present = view.getUint8(at + PRESENT);
  return (
    view.getUint8(at + TYPE) |
    (view.getUint8(at + S) << 4) |
    (view.getUint8(at + DPL) << 5) |
    (present << 7) |
    (view.getUint8(at + AVL) << 12) |
    (view.getUint8(at + L) << 13) |
    (view.getUint8(at + DB) << 14) |
    (view.getUint8(at + G) << 15) |
    ((view.getUint8(at + UNUSABLE) | (present ^ 1)) << 16)
  );
}

/** @sdm 3A 6.14.1 "64-Bit Mode IDT" */
const gateTarget = (view: DataView, at: number): bigint =>
  BigInt(view.getUint16(at, true)) |
  (BigInt(view.getUint16(at + 6, true)) << 16n) |
  (BigInt(view.getUint32(at + 8, true)) << 32n);

/** IRET in each operand size, SYSRET, SYSEXIT. */
function isReturn(code: Uint8Array): boolean {
  const at = opcodeAt(code, true);
  return code[at] === 0xcf || (code[at] === 0x0f && (code[at + 1] === 0x07 || code[at + 1] === 0x35));
}

const ripAfter = ({ after }: CoreStep): bigint => {
  const at = QUICK_REGISTERS.indexOf('rip') * 2;
  return BigInt(after[at]) | (BigInt(after[at + 1]) << 32n);
};

function read(view: DataView, at: number, bytes: number): bigint {
  if (bytes === 1) return BigInt(view.getUint8(at));
  if (bytes === 2) return BigInt(view.getUint16(at, true));
  if (bytes === 4) return BigInt(view.getUint32(at, true));
  // an access across a page border comes in two odd parts
  return BigInt.asUintN(bytes * 8, view.getBigUint64(at, true));
}

function write(view: DataView, at: number, bytes: number, value: bigint): void {
  for (let i = 0; i < bytes; i++) view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
}

function internalError(page: KvmStruct): string {
  const suberror = page.get('exit.internal.suberror');
  const name = Object.entries(INTERNAL_ERRORS).find(([, value]) => value === suberror)?.[0] ?? `suberror ${suberror}`;
  return `KVM_EXIT_INTERNAL_ERROR, ${name}: this KVM does not run the instruction`;
}

const show = (access: Access | undefined): string =>
  access === undefined
    ? 'none'
    : `${access.kind} 0x${access.address.toString(16)} ${access.bytes} bytes` +
      (access.kind === 'out' || access.kind === 'write' ? ` 0x${access.value.toString(16)}` : '');

function differs(core: Access | undefined, mine: Access): JudgeStop | undefined {
  if (core && show(core) === show(mine)) return undefined;
  return { kind: 'other access', difference: { what: 'device access', left: show(core), right: show(mine) } };
}

const PAGE = 4096;

/** Makes `to` what `from` is, page by page. */
function copyDifferent(from: Uint8Array, to: Uint8Array): void {
  const a = Buffer.from(from.buffer, from.byteOffset, from.length);
  const b = Buffer.from(to.buffer, to.byteOffset, to.length);
  for (const page of differentPages(a, b)) a.copy(b, page, page, page + PAGE);
}

const BLOCK = 1 << 20;

/** Addresses of the pages that differ. */
export function differentPages(a: Buffer, b: Buffer): number[] {
  const pages: number[] = [];
  for (let block = 0; block < a.length; block += BLOCK) {
    const end = Math.min(a.length, block + BLOCK);
    if (a.compare(b, block, end, block, end) === 0) continue;
    for (let page = block; page < end; page += PAGE) {
      if (a.compare(b, page, page + PAGE, page, page + PAGE) !== 0) pages.push(page);
    }
  }
  return pages;
}
