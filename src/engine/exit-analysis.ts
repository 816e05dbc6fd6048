/** What is made of many VM exits: types that observers share. */

/** By what exits are put together. */
export type ExitGroupKey = 'reason' | 'subject' | 'port' | 'msr' | 'leaf' | 'gpa' | 'rip' | 'task' | 'vcpu' | 'cr3';

/** How long something took, in ns, by its length. */
export interface DurationSummary {
  /** How many of them have a time. */
  timed: number;
  ns: number;
  /** These are absent where none has a time. */
  minNs?: number;
  maxNs?: number;
  /** The 99th percentile, to a 32nd of itself. */
  p99Ns?: number;
  /** How many took from 2^n to less than 2^(n+1) ns, by n; those of 0 ns stand first too. */
  octaves: number[];
}

/** Exits that belong together: what tells them from others, and how long they took in virtual time. */
export interface ExitReportRow extends DurationSummary {
  reason?: number;
  value?: bigint;
  text?: string;
  samples: number;
}

export interface ExitReportData {
  by: ExitGroupKey;
  samples: number;
  /** Exits that have no group of this kind: of a HLT there is no port. */
  others: number;
  /** Virtual time of all samples in ns. */
  ns: number;
  /** By how much time they took, then by count. */
  rows: ExitReportRow[];
}

/** Host time that the VMM's handler of an exit reason took. */
export interface HandlerTime extends DurationSummary {
  reason: number;
}

/** How hot pieces of guest-physical memory are, all of one length. */
export interface MemoryHeatCells {
  /** Exits that the trace has for an access there. */
  exits: number[];
  /** Pages that were found written, added up over the looks. */
  writes: number[];
  /** Looks so far at which the guest had moved. */
  looks: number;
  /** Why it is not known what was written; absent: it is. */
  unknown?: string;
}

/** Exits over the time that the trace covers, in columns of equal length. */
export interface ExitCourse {
  /** Virtual time in ns. */
  first: bigint;
  last: bigint;
  /** By reason: how many began in a column, and how long those took. */
  reasons: { reason: number; counts: number[]; ns: number[] }[];
}

/** Exits that the guest or its VMM could do without. */
export interface ExitHint {
  /** A name that stays the same. */
  id: string;
  title: string;
  /** What makes these exits, and what would avoid them. */
  cause: string;
  advice: string;
  /** The figures that it rests on. */
  evidence: string;
  /** The exits that would be saved, and the virtual ns that they took. */
  exits: number;
  ns: number;
  /** Section of the SDM, or of a specification. */
  source: string;
}
