/**
 * VM exits as GDB's static tracepoint markers: `strace -m CPUID` has the exits of that reason collected, `strace -m exits`
 * all, and `strace -m CPUID@0x100040` those of one place where the guest has exited before. The addresses of the former
 * are no addresses of code; with the latter GDB's `tdump` works, which wants to find the program counter at the marker.
 * No two have the same name or address: GDB ends in a fault of its own on the one and knows markers by the other.
 * @gdb "Listing Static Tracepoint Markers", "Tracepoint Packets" `qTfSTM`
 */
import { EXIT_REASONS, exitReasonName } from '../spec/vmx/exit-reasons.js';
import type { TargetExit } from './target.js';

export interface ExitMarker {
  id: string;
  address: bigint;
  /** For the user. */
  extra: string;
  /** Absent: every reason. */
  reason?: number;
  /** Absent: from anywhere. */
  place?: { rip: bigint; csBase: bigint };
}

const ALL = 'exits';
/** No canonical address. */
const ANYWHERE = 0x8000_0000_0000_0000n;
const ALL_ANYWHERE = ANYWHERE + 0xffffn;
/** Is it the address of a marker that is none of code? */
export const isMarkerOnly = (address: bigint): boolean => address >= ANYWHERE && address <= ALL_ANYWHERE;

/** Places, the most frequent ones. */
const MAX_PLACES = 256;

interface Place {
  exit: TargetExit;
  count: number;
  reasons: Set<number>;
}

/** @param recent exits that have happened, from which the places are */
export function exitMarkers(recent: readonly TargetExit[]): ExitMarker[] {
  const counts = new Map<number, number>();
  const places = new Map<bigint, Place>();
  for (const exit of recent) {
    const reason = exit.reason & 0xffff;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    const place = places.get(exit.linearRip) ?? { exit, count: 0, reasons: new Set() };
    place.count++;
    place.reasons.add(reason);
    places.set(exit.linearRip, place);
  }
  const times = (count: number): string => (count === 1 ? '1 exit' : `${count} exits`);
  const reasons = EXIT_REASONS.filter(({ produced }) => produced).map(
    ({ number, name, title }): ExitMarker => ({
      ...{ id: name, address: ANYWHERE + BigInt(number), reason: number },
      extra: `${title}; ${times(counts.get(number) ?? 0)} of the last ${recent.length}`,
    }),
  );
  const frequent = [...places.values()].sort((a, b) => b.count - a.count).slice(0, MAX_PLACES);
  const known = frequent.map(({ exit, count, reasons }): ExitMarker => {
    const name = reasons.size === 1 ? exitReasonName(exit.reason & 0xffff) : ALL;
    return {
      ...{ id: `${name}@0x${exit.linearRip.toString(16)}`, address: exit.linearRip, extra: `${times(count)} here` },
      place: { rip: exit.rip, csBase: exit.linearRip - exit.rip },
    };
  });
  return [{ id: ALL, address: ALL_ANYWHERE, extra: 'VM exits of every reason' }, ...reasons, ...known];
}
