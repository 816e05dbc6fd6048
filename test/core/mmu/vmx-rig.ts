import * as L from '../../../src/engine/core/layout.js';
import { VMCS_FIELDS } from '../../../src/spec/vmx/vmcs-fields.js';
import { Rig } from '../events/rig.js';

interface VmxCore {
  initVmcs(index: number): void;
  vmRead(encoding: number): bigint;
  vmWriteField(encoding: number, value: bigint): number;
}

const ENCODINGS = new Map(VMCS_FIELDS.map((field) => [field.name, field.encoding]));

const EPT_R = 1n;
const EPT_RWX = 7n;
const WRITE_BACK = 6n << 3n;

/** Frame 0 of the EPT pool is the PML4, 1 the PDPT, 2 the PD, 3 the PT of the first 2 MiB. */
const table = (n: number): number => L.EPT_POOL + n * 0x1000;

/** A rig with a VMCS and an EPT that maps its 4 MiB of RAM: 4-KByte pages in the first 2 MiB, a 2-MByte page for the rest. */
export class VmxRig extends Rig {
  constructor(mode: 'protected32' | 'long' | 'real' = 'long', level: 0 | 3 = 0, accessDirty = false) {
    super(mode, level);
    this.vmx.initVmcs(0);
    this.write('CPU_BASED_VM_EXEC_CONTROL', 1n << 31n);
    this.write('SECONDARY_VM_EXEC_CONTROL', 2n);
    this.write('EPT_POINTER', BigInt(table(0)) | (3n << 3n) | 6n | (accessDirty ? 0x40n : 0n));
    this.set(table(0), BigInt(table(1)) | EPT_RWX);
    this.set(table(1), BigInt(table(2)) | EPT_RWX);
    this.set(table(2), BigInt(table(3)) | EPT_RWX);
    const frames = BigInt(L.RAM_BASE);
    this.set(table(2) + 8, (frames + 0x200000n) | EPT_RWX | WRITE_BACK | 0x80n);
    for (let n = 0; n < 512; n++) this.eptPage(n * 0x1000, EPT_RWX);
    this.core.flushAllVcpus();
  }

  private get vmx(): VmxCore {
    return this.core as unknown as VmxCore;
  }

  /** Maps a page below 2 MiB to its frame with the rights; 0 unmaps. */
  eptPage(gpa: number, rights: bigint, extra = 0n): void {
    this.set(table(3) + (gpa >> 12) * 8, rights ? (BigInt(L.RAM_BASE + gpa) | rights | WRITE_BACK) ^ extra : 0n);
  }

  eptEntry(gpa: number): bigint {
    return this.get(table(3) + (gpa >> 12) * 8);
  }

  read(name: string): bigint {
    const encoding = ENCODINGS.get(name);
    if (encoding === undefined) throw new Error(`VMCS field ${name}`);
    return this.vmx.vmRead(encoding);
  }

  write(name: string, value: bigint): void {
    const encoding = ENCODINGS.get(name);
    if (encoding === undefined) throw new Error(`VMCS field ${name}`);
    this.vmx.vmWriteField(encoding, value);
  }

  /** Does what a VMM does with an assisted access: appends a latch. */
  latch(data = 0n): void {
    const at = L.LATCHES + this.get32(L.LATCH_COUNT) * L.LATCH_BYTES;
    this.set(at, this.get(L.ASSIST_ADDRESS));
    this.set(at + 8, data);
    this.set32(at + 16, this.get32(L.ASSIST_BYTES));
    this.set32(at + 20, this.get32(L.ASSIST_WRITE));
    this.set32(L.LATCH_COUNT, this.get32(L.LATCH_COUNT) + 1);
  }

  get exit(): [reason: number, qualification: number] {
    return [Number(this.read('VM_EXIT_REASON')), Number(this.read('EXIT_QUALIFICATION'))];
  }
}

export { EPT_R };
