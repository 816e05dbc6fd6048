/** A question of who wrote something, made ready for a search through the history. */

import type { Became, BreakpointSpec, Written } from '../../debugger.js';
import { RewindableStore } from '../../disk/rewindable-store.js';
import type { Watched } from '../../history/watched.js';
import { watchedValue } from '../../history/watched-value.js';
import type { Machine } from '../../vmm/machine.js';
import { Vm } from '../../vmm/vm.js';

export interface WriteSearch {
  /** The same for the same question. */
  readonly name: string;
  readonly watched: Watched;
  /** Watchpoints that the core needs meanwhile. */
  readonly watches: BreakpointSpec[];
  readonly became: ((value: bigint | undefined) => boolean) | undefined;
}

/** @throws Error when it is nowhere, or nobody can tell who writes it */
export function writeSearch(machine: Machine, what: Written, vcpu: number, became: Became | undefined): WriteSearch {
  const { vm, view, options } = machine;
  if (!(vm instanceof Vm)) throw new Error('KVM does not report who writes');
  const disks = (options.drives ?? []).flatMap(({ name, store }) =>
    store instanceof RewindableStore ? [{ name, store }] : [],
  );
  const watched = watchedValue(vm, view, disks, what, vcpu);
  const watches =
    watched.kind === 'memory'
      ? watched.pieces.map(
          ({ gpa, bytes }): BreakpointSpec => ({
            ...{ kind: 'watch', space: 'gpa', address: BigInt(gpa), length: bytes, access: 'write' },
          }),
        )
      : [];
  const where = watched.kind === 'memory' ? watched.pieces.map(({ gpa, bytes }) => `${gpa}+${bytes}`).join() : vcpu;
  const wanted = became === 'now' ? ({ op: '==', value: watched.read() } as const) : became;
  const asked = [what, became === 'now' ? { became } : (became ?? {})].flatMap((it) => Object.values(it));
  return { name: `${asked.join(' ')} ${where}`, watched, watches, became: wanted && holds(wanted) };
}

interface Condition {
  op: Exclude<Became, 'now'>['op'];
  value: bigint | undefined;
}

function holds({ op, value }: Condition): (now: bigint | undefined) => boolean {
  return (now) => {
    if (op === '==') return now === value;
    if (now === undefined || value === undefined) return false;
    switch (op) {
      case '!=':
        return now !== value;
      case '<':
        return now < value;
      case '<=':
        return now <= value;
      case '>':
        return now > value;
      case '>=':
        return now >= value;
      case '&':
        return (now & value) !== 0n;
    }
  };
}
