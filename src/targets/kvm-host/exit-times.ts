/**
 * What `perf kvm stat` tells, live: of each vCPU and reason how many exits and how long until the guest ran again. The
 * time of an exit is from kvm_exit to the next kvm_entry of the same thread; of a port, and of MMIO that is written, from
 * its event to kvm_entry; of MMIO that is read, from kvm_exit to its event: as perf has them.
 */
import type { ExitKind, ExitTime } from '../../engine/fleet.js';
import type { ExitEvent } from './events.js';

/** Buckets of the histogram: times below 2^n us, the last one for all above. */
export const HISTOGRAM = 16;
const MAX_REASONS = 1024;

interface Begun {
  kind: ExitKind;
  reason: string;
  ns: bigint;
}

interface Sum {
  kind: ExitKind;
  reason: string;
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
  #exit: Begun | undefined;
  /** A port or MMIO that waits for the entry. */
  #access: Begun | undefined;

  /** @param silent KVM tells of no exits: what it did is counted among them */
  take({ kind, reason, ns }: Pick<ExitEvent, 'kind' | 'reason' | 'ns'>, silent = false): void {
    if (kind === 'exit') this.exit(reason, ns);
    else if (kind === 'entry') this.entry(ns);
    else if (kind === 'count') this.count(reason);
    else {
      const access = kind === 'port' ? 'ioport' : 'mmio';
      if (silent) this.count(access);
      const sum = this.#of(access, reason);
      if (sum) sum.count++;
      if (kind !== 'mmio read') this.#access = { kind: access, reason, ns };
      else if (this.#exit) end({ kind: access, reason, ns: this.#exit.ns }, ns, sum);
    }
  }

  exit(reason: string, ns: bigint): void {
    // An exit whose entry was lost has no time.
    this.#exit = { kind: 'vmexit', reason, ns };
    this.#access = undefined;
    this.count(reason);
  }

  /** An event that is counted and takes no time of its own, where KVM tells of no exits. */
  count(reason: string): void {
    const sum = this.#of('vmexit', reason);
    if (sum) sum.count++;
  }

  entry(ns: bigint): void {
    for (const begun of [this.#exit, this.#access]) if (begun) end(begun, ns, this.#of(begun.kind, begun.reason));
    this.gap();
  }

  /** Something was lost: what is open has no end that can be trusted. */
  gap(): void {
    this.#exit = this.#access = undefined;
  }

  #of(kind: ExitKind, reason: string): Sum | undefined {
    const key = kind === 'vmexit' ? reason : `${kind} ${reason}`;
    let sum = this.#sums.get(key);
    if (sum || this.#sums.size >= MAX_REASONS) return sum;
    sum = { kind, reason, count: 0, timed: 0, totalNs: 0, minNs: Number.POSITIVE_INFINITY, maxNs: 0, squares: 0, histogram: [] }; // biome-ignore format: all zero
    sum.histogram = Array(HISTOGRAM).fill(0);
    this.#sums.set(key, sum);
    return sum;
  }

  rows(vcpu: number): ExitTime[] {
    return [...this.#sums.values()].map((sum) => {
      const mean = sum.timed ? sum.totalNs / sum.timed : undefined;
      const variance = mean === undefined ? 0 : Math.max(0, sum.squares / sum.timed - mean * mean);
      return {
        ...{
          vcpu,
          kind: sum.kind,
          reason: sum.reason,
          count: sum.count,
          timed: sum.timed,
          totalNs: sum.totalNs,
          histogram: [...sum.histogram],
        },
        ...(mean === undefined
          ? {}
          : { minNs: sum.minNs, maxNs: sum.maxNs, meanNs: mean, deviationNs: Math.sqrt(variance) }),
      };
    });
  }
}

function end(begun: Begun, ns: bigint, sum: Sum | undefined): void {
  // From two clocks.
  if (!sum || ns < begun.ns) return;
  const time = Number(ns - begun.ns);
  sum.timed++;
  sum.totalNs += time;
  sum.squares += time * time;
  sum.minNs = Math.min(sum.minNs, time);
  sum.maxNs = Math.max(sum.maxNs, time);
  sum.histogram[bucket(time)]!++;
}

/** HLT is idle time, under either name. */
export const isIdle = (reason: string): boolean => /^(hlt|halt|mwait|MWAIT_INSTRUCTION)$/i.test(reason);
