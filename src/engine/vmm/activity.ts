// What the engine does at this moment, in cells that another thread can read: it is asked where the engine no longer
// answers for itself.

/** Cells: beat, odd while a turn of the guest runs; vCPU; exit reason or -1 in the core; RIP; qualification; GPA. */
const CELL = { beat: 0, vcpu: 1, reason: 2, rip: 3, qualification: 5, gpa: 7 } as const;
export const ACTIVITY_CELLS = 9;
const IN_CORE = -1;

/** 64 bits of the VMCS as two words. */
type Words = readonly [number, number];

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

  handles(vcpu: number, reason: number, rip: Words, qualification: Words, gpa: Words): void {
    const { cells } = this;
    cells[CELL.vcpu] = vcpu;
    cells[CELL.reason] = reason;
    [cells[CELL.rip], cells[CELL.rip + 1]] = rip;
    [cells[CELL.qualification], cells[CELL.qualification + 1]] = qualification;
    [cells[CELL.gpa], cells[CELL.gpa + 1]] = gpa;
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
