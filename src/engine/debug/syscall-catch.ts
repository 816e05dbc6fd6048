/**
 * System calls of the guest's programs: where they enter the kernel, and where they are back in the program. An entry is
 * the kernel's first instruction, found by the registers and the gate that the processor takes it from, so no symbols are
 * needed. A return is the instruction behind the call with the same stack and page tables. A call that does not come back
 * (exit, execve, sigreturn) has no return.
 */
import { AR, EFER } from '../../spec/masks.js';
import type { StopReason } from '../debugger.js';
import type { MachineView } from '../machine-view.js';

type SyscallStop = Extract<StopReason, { kind: 'syscall' }>;
type By = SyscallStop['by'];

/** A call that is under way. */
interface Call {
  number: number;
  by: By;
  cr3: bigint;
  rsp: bigint;
}

const MAX_CALLS = 4096;
const VECTOR = 0x80n;
/** Present, and an interrupt or trap gate. @sdm 3A 7.11 "IDT Descriptors" */
const GATE_PRESENT = 0x8000n;
const GATE_TYPE = 0x1e00n;
const GATE = 0x0e00n;
/** PCID, and the half of a pair of page tables that a kernel with page-table isolation uses. */
const TOP_TABLE = ~0x1fffn;

const ENTRY_REGISTERS = ['lstar', 'cstar', 'efer', 'sysenter_cs', 'sysenter_eip', 'idtr_base', 'idtr_limit'];
const CALL_REGISTERS = ['rax', 'rcx', 'rbp', 'rsp', 'cr3', 'cs_ar', 'ss_ar', 'efer'];

export class SyscallCatch {
  /** Kernel's entries by linear address. */
  #entries = new Map<bigint, By>();
  /** Calls under way by the address that they return to. */
  readonly #returns = new Map<bigint, Call[]>();
  #calls = 0;
  #changed = true;

  /** @param numbers those that are caught; absent: all */
  constructor(
    private readonly view: MachineView,
    private readonly numbers: ReadonlySet<number> | undefined,
  ) {}

  /** Where a vCPU is to be looked at; undefined: still the same places. */
  places(): ReadonlySet<bigint> | undefined {
    const entries = new Map<bigint, By>();
    for (let vcpu = 0; vcpu < this.view.vcpus; vcpu++) this.#entriesOf(vcpu, entries);
    const same = entries.size === this.#entries.size && [...entries.keys()].every((at) => this.#entries.has(at));
    this.#entries = entries;
    if (same && !this.#changed) return undefined;
    this.#changed = false;
    return new Set([...entries.keys(), ...this.#returns.keys()]);
  }

  /** Why a vCPU at this place is to stop; undefined: it is no call of theirs. */
  at(gva: bigint, vcpu: number): SyscallStop | undefined {
    const by = this.#entries.get(gva);
    const calls = this.#returns.get(gva);
    if (by === undefined && calls === undefined) return undefined;
    const registers = this.view.readRegisters(vcpu, CALL_REGISTERS);
    if (by !== undefined) return this.#entered(vcpu, registers, by);
    const call = calls?.find(
      ({ rsp, cr3 }) =>
        rsp === registers.rsp && cr3 === (registers.cr3 & TOP_TABLE) && ((registers.ss_ar >> 5n) & 3n) === 3n,
    );
    if (calls === undefined || call === undefined) return undefined;
    this.#forget(gva, calls, call);
    return { kind: 'syscall', phase: 'return', number: call.number, by: call.by };
  }

  #entriesOf(vcpu: number, entries: Map<bigint, By>): void {
    const r = this.view.readRegisters(vcpu, ENTRY_REGISTERS);
    const long = (r.efer & EFER.LMA) !== 0n;
    if ((r.efer & EFER.SCE) !== 0n && long) {
      if (r.lstar !== 0n) entries.set(r.lstar, 'syscall');
      if (r.cstar !== 0n) entries.set(r.cstar, 'syscall');
    }
    if ((r.sysenter_cs & 0xfffcn) !== 0n && r.sysenter_eip !== 0n) entries.set(r.sysenter_eip, 'sysenter');
    const bytes = long ? 16 : 8;
    if (r.idtr_limit < VECTOR * BigInt(bytes) + BigInt(bytes) - 1n) return;
    const gate = this.#words(vcpu, r.idtr_base + VECTOR * BigInt(bytes), bytes, 8);
    if (gate.length < bytes / 8) return;
    const [low, high = 0n] = gate;
    const flags = (low >> 32n) & 0xffffn;
    if ((flags & GATE_PRESENT) === 0n || (flags & GATE_TYPE) !== GATE) return;
    entries.set((low & 0xffffn) | ((low >> 32n) & 0xffff0000n) | ((high & 0xffffffffn) << 32n), 'int 80h');
  }

  #entered(vcpu: number, r: Record<string, bigint>, by: By): SyscallStop | undefined {
    const number = Number(r.rax & 0xffffffffn);
    if (this.numbers !== undefined && !this.numbers.has(number)) return undefined;
    const back = this.#returnOf(vcpu, r, by);
    if (back !== undefined) this.#expect(back.rip, { number, by, cr3: r.cr3 & TOP_TABLE, rsp: back.rsp });
    return { kind: 'syscall', phase: 'entry', number, by };
  }

  /** Where the program goes on, and with what stack. */
  #returnOf(vcpu: number, r: Record<string, bigint>, by: By): { rip: bigint; rsp: bigint } | undefined {
    if (by === 'syscall') return { rip: r.rcx, rsp: r.rsp };
    if (by === 'sysenter') {
      // Linux's vDSO has pushed three registers above the address that it will return to
      const at = BigInt.asUintN(32, r.rbp);
      const [rip] = this.#words(vcpu, at + 12n, 4, 4);
      return rip === undefined ? undefined : { rip, rsp: at + 16n };
    }
    const word = (r.efer & EFER.LMA) !== 0n && (r.cs_ar & AR.L) !== 0n ? 8 : 4;
    const frame = this.#words(vcpu, r.rsp, 5 * word, word);
    return frame.length < 5 ? undefined : { rip: frame[0], rsp: frame[3] };
  }

  #expect(rip: bigint, call: Call): void {
    const calls = this.#returns.get(rip) ?? [];
    const same = calls.findIndex(({ rsp, cr3 }) => rsp === call.rsp && cr3 === call.cr3);
    if (same >= 0) {
      calls[same] = call;
      return;
    }
    if (this.#calls >= MAX_CALLS) this.#forgetOldest();
    calls.push(call);
    this.#calls++;
    if (calls.length > 1) return;
    this.#returns.set(rip, calls);
    this.#changed = true;
  }

  #forgetOldest(): void {
    for (const [rip, calls] of this.#returns) {
      this.#forget(rip, calls, calls[0]);
      return;
    }
  }

  #forget(rip: bigint, calls: Call[], call: Call): void {
    calls.splice(calls.indexOf(call), 1);
    this.#calls--;
    if (calls.length > 0) return;
    this.#returns.delete(rip);
    this.#changed = true;
  }

  /** Whole little-endian words of linear memory. */
  #words(vcpu: number, gva: bigint, bytes: number, word: 4 | 8): bigint[] {
    const data = this.view.readMemory(vcpu, 'gva', gva, bytes);
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    return Array.from({ length: Math.floor(data.length / word) }, (_, i) =>
      word === 8 ? view.getBigUint64(i * 8, true) : BigInt(view.getUint32(i * 4, true)),
    );
  }
}
