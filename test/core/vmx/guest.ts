import * as L from '../../../src/engine/core/layout.js';
import { CONTROL_PREFIX, type ControlWord, findControl, mustBeOne } from '../../../src/spec/vmx/controls.js';
import { type EntryCheck, failedChecks } from '../../../src/spec/vmx/entry-checks.js';
import { exitReasonName } from '../../../src/spec/vmx/exit-reasons.js';
import { vmcsField } from '../../../src/spec/vmx/vmcs-fields.js';
import { Machine, type Mode } from '../harness.js';

interface VmxCore {
  initVmcs(index: number): void;
  vmLaunch(): number;
  vmResume(): number;
  saveGuest(): void;
  loadGuest(): void;
  vmRead(encoding: number): bigint;
  vmWriteField(encoding: number, value: bigint): number;
  vmcsTouched(): void;
  externalInterrupt(vector: number): number;
  nmi(): number;
  initSignal(): number;
  sipi(vector: number): number;
}

/** All exit-information fields of a VM exit, and where the guest stood. */
export interface ExitRecord {
  reason: string;
  qualification: number;
  length: number;
  gla: number;
  gpa: number;
  info: number;
  intr: number;
  intrError: number;
  vectoring: number;
  vectoringError: number;
  rip: number;
}

const EXIT_FIELDS: Record<Exclude<keyof ExitRecord, 'reason'>, string> = {
  qualification: 'EXIT_QUALIFICATION',
  length: 'VM_EXIT_INSTRUCTION_LEN',
  gla: 'GUEST_LINEAR_ADDRESS',
  gpa: 'GUEST_PHYSICAL_ADDRESS',
  info: 'VMX_INSTRUCTION_INFO',
  intr: 'VM_EXIT_INTR_INFO',
  intrError: 'VM_EXIT_INTR_ERROR_CODE',
  vectoring: 'IDT_VECTORING_INFO_FIELD',
  vectoringError: 'IDT_VECTORING_ERROR_CODE',
  rip: 'GUEST_RIP',
};

/** A record whose fields are 0 but those given, for code at 0x1000. */
export function expected(reason: string, fields: Partial<ExitRecord> = {}): ExitRecord {
  const zero = { qualification: 0, length: 0, gla: 0, gpa: 0, info: 0, intr: 0, intrError: 0 };
  return { reason, ...zero, vectoring: 0, vectoringError: 0, rip: 0x1000, ...fields };
}

export const CODE = 0x1000;

/** Guest-physical 4 MiB with identity EPT in 4-KiB pages up to 2 MiB and one 2-MiB page; RAM is at RAM_BASE. */
export class VmxGuest extends Machine {
  readonly vmx: VmxCore;
  private launched = false;

  constructor(mode: Mode = 'long') {
    super();
    this.vmx = this.core as unknown as VmxCore;
    this.vmx.initVmcs(0);
    this.buildEpt();
    this.controls('pin', []);
    this.controls('primary', ['Activate secondary controls']);
    this.controls('secondary', ['Enable EPT', 'Enable VPID', 'Unrestricted guest', 'Enable RDTSCP', 'Enable INVPCID']);
    this.controls('exit', ['Host address-space size', 'Save debug controls']);
    this.controls('entry', ['Load debug controls']);
    this.field('VIRTUAL_PROCESSOR_ID', 1);
    this.field('EPT_POINTER', L.EPT_POOL | 0x1e);
    this.field('MSR_BITMAP', L.MSR_BITMAP);
    this.field('IO_BITMAP_A', L.IO_BITMAP_A);
    this.field('IO_BITMAP_B', L.IO_BITMAP_B);
    this.field('VIRTUAL_APIC_PAGE_ADDR', L.VIRTUAL_APIC_BASE);
    this.field('HOST_CR0', 0x80000021);
    this.field('HOST_CR4', 0x2020);
    this.field('HOST_CS_SELECTOR', 0x10);
    this.field('HOST_TR_SELECTOR', 0x40);
    this.enter(mode);
  }

  private buildEpt(): void {
    const pool = L.EPT_POOL;
    this.set(pool, pool + 0x1007);
    this.set(pool + 0x1000, pool + 0x2007);
    this.set(pool + 0x2000, pool + 0x3007);
    this.set(pool + 0x2008, L.RAM_BASE + 0x200000 + 0xb7);
    for (let n = 0; n < 512; n++) this.eptEntry(n * 4096, BigInt(L.RAM_BASE + n * 4096) | 0x37n);
  }

  /** EPT leaf of a page below 2 MiB. */
  eptEntry(gpa: number, entry: bigint): void {
    this.set(L.EPT_POOL + 0x3000 + (gpa >> 12) * 8, entry);
    this.core.flushAllVcpus();
  }

  private enter(mode: Mode): void {
    this.mode(mode);
    this.set(L.CR4, this.get(L.CR4) | 0x2000n);
    this.segment(L.SEG_TR, 0x28, 0x6000, 0x67, 0x8b);
    if (mode === 'real')
      for (let seg = 0; seg < 6; seg++) this.segment(seg, 0, 0, 0xffff, seg === L.SEG_CS ? 0x9b : 0x93);
    this.set(L.RIP, CODE);
    this.setReg('rsp', 0x8000);
    this.vmx.saveGuest();
    this.vmx.vmcsTouched();
  }

  /** Sets a control word to what must be 1 and the named bits. */
  controls(word: ControlWord, names: string[]): void {
    this.field(CONTROL_FIELDS[word], (mustBeOne(word) | bits(word, names)) >>> 0);
  }

  /** Adds or removes bits of a control word. */
  also(word: ControlWord, names: string[], on = true): this {
    const now = Number(this.value(CONTROL_FIELDS[word]));
    const mask = bits(word, names);
    this.field(CONTROL_FIELDS[word], (on ? now | mask : now & ~mask) >>> 0);
    return this;
  }

  /** VMWRITE by name. */
  field(name: string, value: bigint | number): this {
    const row = vmcsField(name);
    if (!row) throw new Error(`no field ${name}`);
    this.vmx.vmWriteField(row.encoding, BigInt.asUintN(64, BigInt(value)));
    return this;
  }

  /** VMREAD by name. */
  value(name: string): bigint {
    const row = vmcsField(name);
    if (!row) throw new Error(`no field ${name}`);
    return BigInt.asUintN(64, this.vmx.vmRead(row.encoding));
  }

  number(name: string): number {
    return Number(this.value(name));
  }

  /** VMLAUNCH the first time, then VMRESUME: ENTER_*. */
  entry(): number {
    const result = this.launched ? this.vmx.vmResume() : this.vmx.vmLaunch();
    if (result === L.ENTER_OK || result === L.ENTER_EXIT) this.launched = true;
    return result;
  }

  failures(): EntryCheck[] {
    return failedChecks(this.bytes.slice(L.ENTRY_FAILURES, L.ENTRY_FAILURES + L.ENTRY_FAILURES_BYTES));
  }

  /** Enters and runs up to `count` instructions; throws when the entry fails. */
  go(count = 100): number {
    const result = this.entry();
    if (result === L.ENTER_EXIT) return L.RUN_VMEXIT;
    if (result !== L.ENTER_OK) {
      throw new Error(
        `entry failed (${result}, error ${this.value('VM_INSTRUCTION_ERROR')}): ${this.failures()
          .map((row) => row.id)
          .join('; ')}`,
      );
    }
    return this.run(count);
  }

  /** Puts code at 0x1000, enters and runs until a VM exit; its record. */
  exit(code: string, count = 100): ExitRecord {
    this.load(CODE, code);
    let result = this.go(count);
    // a write of SYSCALL's entry point ends the slice, so that a debugger that waits there is asked
    for (let slices = 1; slices < 3 && result === L.RUN_LIMIT; slices++) result = this.run(count);
    if (result !== L.RUN_VMEXIT) throw new Error(`run() answered ${result} at rip ${this.rip.toString(16)}`);
    return this.record();
  }

  record(): ExitRecord {
    const record = { reason: exitReasonName(this.number('VM_EXIT_REASON')) } as ExitRecord;
    for (const [key, name] of Object.entries(EXIT_FIELDS)) Object.assign(record, { [key]: this.number(name) });
    return record;
  }

  /** Moves the guest past the instruction that exited. */
  skip(): void {
    this.field('GUEST_RIP', this.value('GUEST_RIP') + this.value('VM_EXIT_INSTRUCTION_LEN'));
    this.field('GUEST_INTERRUPTIBILITY_INFO', this.number('GUEST_INTERRUPTIBILITY_INFO') & ~3);
    this.set(L.ICOUNT, this.icount + 1n);
  }

  /** Puts the guest at CPL 3 (protected and long mode). */
  user(): this {
    for (const name of ['SS', 'DS', 'ES', 'FS', 'GS']) {
      this.field(`GUEST_${name}_SELECTOR`, 0x23);
      this.field(`GUEST_${name}_AR_BYTES`, 0xc0f3);
    }
    const cs = this.number('GUEST_CS_AR_BYTES');
    this.field('GUEST_CS_SELECTOR', 0x1b);
    return this.field('GUEST_CS_AR_BYTES', cs | 0x60);
  }
}

const CONTROL_FIELDS: Record<ControlWord, string> = {
  pin: 'PIN_BASED_VM_EXEC_CONTROL',
  primary: 'CPU_BASED_VM_EXEC_CONTROL',
  secondary: 'SECONDARY_VM_EXEC_CONTROL',
  tertiary: 'TERTIARY_VM_EXEC_CONTROL',
  exit: 'VM_EXIT_CONTROLS',
  exit2: 'SECONDARY_VM_EXIT_CONTROLS',
  entry: 'VM_ENTRY_CONTROLS',
};

function bits(word: ControlWord, names: string[]): number {
  let mask = 0;
  for (const name of names) {
    const constant = `${CONTROL_PREFIX[word]}_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
    const row = findControl(constant);
    if (!row) throw new Error(`no control ${name}`);
    mask |= 1 << row.bit;
  }
  return mask;
}
