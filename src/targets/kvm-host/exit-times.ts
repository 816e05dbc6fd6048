/**
 * What `perf kvm stat` tells, live: of each vCPU and reason how many exits and how long until the guest ran again. The
 * time of an exit is from kvm_exit to the next kvm_entry of the same thread, as perf has it.
 */
import type { ExitTime } from '../../engine/fleet.js';

/** Buckets of the histogram: times below 2^n us, the last one for all above. */
export const HISTOGRAM = 16;
const MAX_REASONS = 1024;

interface Sum {
  count: number;
  timed: number;
  totalNs: number;
  minNs: number;
  maxNs: number;
  squares: number;
  histogram: number[];
}

const bucket = (ns: number): number => {
  const us = Math.floor(ns / 1000);
  return us === 0 ? 0 : Math.min(HISTOGRAM - 1, 32 - Math.clz32(Math.min(us, 0x7fff_ffff)));
};

/** One vCPU's. */
export class ExitTimes {
  readonly #sums = new Map<string, Sum>();
  #open: { reason: string; ns: bigint } | undefined;

  exit(reason: string, ns: bigint): void {
    // An exit whose entry was lost has no time.
    this.#open = { reason, ns };
    const sum = this.#of(reason);
    if (sum) sum.count++;
  }

  /** An event that is counted and takes no time of its own, where KVM tells of no exits. */
  count(reason: string): void {
    const sum = this.#of(reason);
    if (sum) sum.count++;
  }

  entry(ns: bigint): void {
    const open = this.#open;
    this.#open = undefined;
    // Without a beginning, or from two clocks.
    if (!open || ns < open.ns) return;
    const sum = this.#of(open.reason);
    if (!sum) return;
    const time = Number(ns - open.ns);
    sum.timed++;
    sum.totalNs += time;
    sum.squares += time * time;
    sum.minNs = Math.min(sum.minNs, time);
    sum.maxNs = Math.max(sum.maxNs, time);
    sum.histogram[bucket(time)]!++;
  }

  /** Something was lost: what is open has no end that can be trusted. */
  gap(): void {
    this.#open = undefined;
  }

  #of(reason: string): Sum | undefined {
    let sum = this.#sums.get(reason);
    if (sum || this.#sums.size >= MAX_REASONS) return sum;
    sum = { count: 0, timed: 0, totalNs: 0, minNs: Number.POSITIVE_INFINITY, maxNs: 0, squares: 0, histogram: [] };
    sum.histogram = Array(HISTOGRAM).fill(0);
    this.#sums.set(reason, sum);
    return sum;
  }

  rows(vcpu: number): ExitTime[] {
    return [...this.#sums].map(([reason, sum]) => {
      const mean = sum.timed ? sum.totalNs / sum.timed : undefined;
      const variance = mean === undefined ? 0 : Math.max(0, sum.squares / sum.timed - mean * mean);
      return {
        ...{ vcpu, reason, count: sum.count, timed: sum.timed, totalNs: sum.totalNs, histogram: [...sum.histogram] },
        ...(mean === undefined
          ? {}
          : { minNs: sum.minNs, maxNs: sum.maxNs, meanNs: mean, deviationNs: Math.sqrt(variance) }),
      };
    });
  }
}

/** HLT is idle time, under either name. */
export const isIdle = (reason: string): boolean => /^(hlt|halt|mwait|MWAIT_INSTRUCTION)$/i.test(reason);
