import { RFLAGS } from '../../spec/masks.js';
import { type VmcsField, vmcsField } from '../../spec/vmx/vmcs-fields.js';
import type { HostMemory } from '../memory/host-memory.js';
import { ControlHistory } from './control-history.js';

/** Slot offset of a field by its name. @throws Error when there is no such field. */
export function fieldOffset(name: string): number {
  const field = vmcsField(name);
  if (!field) throw new Error(`no VMCS field ${name}`);
  return field.offset;
}

/** Offsets of the fields that the VMM touches at every exit. */
const F = {
  reason: fieldOffset('VM_EXIT_REASON'),
  qualification: fieldOffset('EXIT_QUALIFICATION'),
  length: fieldOffset('VM_EXIT_INSTRUCTION_LEN'),
  rip: fieldOffset('GUEST_RIP'),
  rflags: fieldOffset('GUEST_RFLAGS'),
  interruptibility: fieldOffset('GUEST_INTERRUPTIBILITY_INFO'),
  activity: fieldOffset('GUEST_ACTIVITY_STATE'),
  entryInfo: fieldOffset('VM_ENTRY_INTR_INFO'),
  entryError: fieldOffset('VM_ENTRY_EXCEPTION_ERROR_CODE'),
  entryLength: fieldOffset('VM_ENTRY_INSTRUCTION_LEN'),
  primary: fieldOffset('CPU_BASED_VM_EXEC_CONTROL'),
  vectoring: fieldOffset('IDT_VECTORING_INFO_FIELD'),
  vectoringError: fieldOffset('IDT_VECTORING_ERROR_CODE'),
  pendingDebug: fieldOffset('GUEST_PENDING_DBG_EXCEPTIONS'),
  csAr: fieldOffset('GUEST_CS_AR_BYTES'),
  cr4: fieldOffset('GUEST_CR4'),
  dr7: fieldOffset('GUEST_DR7'),
};

const RFLAGS_TF = Number(RFLAGS.TF);
const RFLAGS_RF = Number(RFLAGS.RF);
const PENDING_BS = 1 << 14;
const PENDING_ENABLED = 1 << 12;

/** One VMCS region as the VMM reads and writes it (VMREAD and VMWRITE of root mode). */
export class Vmcs {
  readonly controls: ControlHistory;

  constructor(
    readonly host: HostMemory,
    /** Host-physical address of the region. */
    readonly region: number,
    /** Told of every write, so that the next VM entry checks the VMCS again. */
    readonly touched: () => void,
  ) {
    this.controls = new ControlHistory(host);
  }

  get(name: string): bigint {
    return this.host.get64(this.region + fieldOffset(name));
  }

  set(name: string, value: bigint | number): void {
    const field = vmcsField(name);
    if (!field) throw new Error(`no VMCS field ${name}`);
    const at = this.region + field.offset;
    if (field.type === 'control') {
      const before = this.host.get64(at);
      if (before !== BigInt.asUintN(64, BigInt(value))) this.controls.note(field.offset, before);
    }
    this.host.set64(at, BigInt(value));
    this.touched();
  }

  readField(field: VmcsField): bigint {
    return this.host.get64(this.region + field.offset);
  }

  low(offset: number): number {
    return this.host.get32(this.region + offset);
  }

  get reason(): number {
    return this.low(F.reason);
  }

  get qualification(): bigint {
    return this.host.get64(this.region + F.qualification);
  }

  get qualificationLow(): number {
    return this.low(F.qualification);
  }

  get instructionLength(): number {
    return this.low(F.length);
  }

  get rip(): bigint {
    return this.host.get64(this.region + F.rip);
  }

  get rflags(): number {
    return this.low(F.rflags);
  }

  get interruptibility(): number {
    return this.low(F.interruptibility);
  }

  set activity(value: number) {
    this.host.set32(this.region + F.activity, value);
    this.touched();
  }

  get activity(): number {
    return this.low(F.activity);
  }

  get entryInfo(): number {
    return this.low(F.entryInfo);
  }

  get primary(): number {
    return this.low(F.primary);
  }

  set primary(value: number) {
    const before = this.primary;
    if (before === value >>> 0) return;
    this.controls.note(F.primary, BigInt(before));
    this.host.set32(this.region + F.primary, value >>> 0);
    this.touched();
  }

  /** The core has changed the primary controls, which were `before` at this exit of the trace. */
  notePrimary(before: number, exit: number): void {
    this.controls.note(F.primary, BigInt(before), exit);
  }

  /** Low half. */
  get dr7(): number {
    return this.low(F.dr7);
  }

  /** Low half of the guest's real CR4. */
  get cr4(): number {
    return this.low(F.cr4);
  }

  get vectoringInfo(): number {
    return this.low(F.vectoring);
  }

  get vectoringError(): number {
    return this.low(F.vectoringError);
  }

  /** Event for the next VM entry: interruption information, error code, instruction length. */
  setEvent(info: number, error: number, length: number): void {
    this.host.set32(this.region + F.entryInfo, info >>> 0);
    this.host.set32(this.region + F.entryError, error >>> 0);
    this.host.set32(this.region + F.entryLength, length);
    this.touched();
  }

  /**
   * The instruction that exited runs again, and meets no breakpoint of the guest's on it a second time: the exit has
   * cleared RF. @sdm 3C 27.3.3 "Saving RIP, RSP, RFLAGS, and SSP"
   */
  rerunInstruction(): void {
    this.host.set32(this.region + F.rflags, this.rflags | RFLAGS_RF);
  }

  /** Debug traps for the boundary after the instruction, as bits of DR6: enabled breakpoints of DR0-3. */
  addDebugTraps(bits: number): void {
    this.host.set32(this.region + F.pendingDebug, this.low(F.pendingDebug) | PENDING_ENABLED | bits);
    this.touched();
  }

  /**
   * Moves the guest past the instruction that exited, as if it had completed: RIP, the shadows of STI
   * and MOV SS, the single-step trap of RFLAGS.TF and RF.
   */
  skipInstruction(): void {
    const at = (this.region + F.rip) >>> 2;
    const { u32 } = this.host;
    const low = u32[at] + this.instructionLength;
    u32[at] = low >>> 0;
    if (low > 0xffffffff) {
      const carry = (this.low(F.csAr) & 0x2000) !== 0;
      if (carry) u32[at + 1] = (u32[at + 1] + 1) >>> 0;
    }
    const shadow = this.interruptibility;
    if ((shadow & 3) !== 0) this.host.set32(this.region + F.interruptibility, shadow & ~3);
    const flags = this.rflags;
    if ((flags & RFLAGS_RF) !== 0) this.host.set32(this.region + F.rflags, flags & ~RFLAGS_RF);
    if ((flags & RFLAGS_TF) !== 0) {
      this.host.set32(this.region + F.pendingDebug, this.low(F.pendingDebug) | PENDING_BS);
      this.touched();
    }
  }
}
