// What the engine does at this moment, in cells that another thread can read: it is asked where the engine no longer
// answers for itself.
import { fieldOffset } from './vmcs.js';

/** Cells: beat, odd while a turn of the guest runs; vCPU; exit reason or -1 in the core; RIP; qualification; GPA. */
const CELL = { beat: 0, vcpu: 1, reason: 2, rip: 3, qualification: 5, gpa: 7 } as const;
export const ACTIVITY_CELLS = 9;
const IN_CORE = -1;

/** Fields that are told, as words from the VMCS region's start. */
const FIELD = {
  rip: fieldOffset('GUEST_RIP') >>> 2,
  qualification: fieldOffset('EXIT_QUALIFICATION') >>> 2,
  gpa: fieldOffset('GUEST_PHYSICAL_ADDRESS') >>> 2,
} as const;

export interface ActivityNow {
  beat: number;
  vcpu: number;
  /** Basic exit reason that the VMM handles; undefined: the core runs guest code, or nothing is known. */
  reason: number | undefined;
  /** RIP at the last exit. */
  rip: bigint;
  qualification: bigint;
  gpa: bigint;
}

export class Activity {
  constructor(private readonly cells: Int32Array) {}

  /** A turn of the guest begins, or ends. */
  turns(on: boolean): void {
    const beat = Atomics.load(this.cells, CELL.beat);
    Atomics.store(this.cells, CELL.beat, on ? beat | 1 : (beat | 1) + 1);
  }

  /** @param region word of `memory` at which the vCPU's VMCS region begins */
  handles(vcpu: number, reason: number, memory: Uint32Array, region: number): void {
    const { cells } = this;
    // at each exit: plain stores
    cells[CELL.vcpu] = vcpu;
    cells[CELL.reason] = reason;
    cells[CELL.rip] = memory[region + FIELD.rip];
    cells[CELL.rip + 1] = memory[region + FIELD.rip + 1];
    cells[CELL.qualification] = memory[region + FIELD.qualification];
    cells[CELL.qualification + 1] = memory[region + FIELD.qualification + 1];
    cells[CELL.gpa] = memory[region + FIELD.gpa];
    cells[CELL.gpa + 1] = memory[region + FIELD.gpa + 1];
  }

  /** The exit is handled. */
  resumes(): void {
    this.cells[CELL.reason] = IN_CORE;
  }

  /** For the other thread. */
  now(): ActivityNow {
    const { cells } = this;
    const wide = (at: number): bigint => (BigInt(cells[at + 1] >>> 0) << 32n) | BigInt(cells[at] >>> 0);
    const reason = Atomics.load(cells, CELL.reason);
    return {
      beat: Atomics.load(cells, CELL.beat),
      vcpu: cells[CELL.vcpu],
      reason: reason === IN_CORE ? undefined : reason,
      rip: wide(CELL.rip),
      qualification: wide(CELL.qualification),
      gpa: wide(CELL.gpa),
    };
  }
}
