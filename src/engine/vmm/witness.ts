import { PROBE_BYTES, PROBE_COUNT, PROBE_TABLE } from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';
import type { Vcpu } from './vcpu.js';

/**
 * What the run of a vCPU has come to: instructions or the delivery of an event, a VM exit, the exit's handler, the work
 * that devices had due with what the next VM entry needs, that entry; an access to a word that a debugger watches.
 */
export type Stage = 'ran' | 'exited' | 'handled' | 'prepared' | 'entered' | 'watched';

/** Looks at the machine's state between the steps that change it, and leaves it alone. */
export interface Witness {
  /** Words of this vCPU's block, by their addresses in the ACTIVE one: the guest's turn is seen at each change of one. */
  probes(vcpu: Vcpu): readonly number[];
  sees(stage: Stage, vcpu: Vcpu): void;
}

/** The core stops with RUN_PROBE when one of these words changes. */
export function armProbes(host: HostMemory, words: readonly number[]): void {
  for (const [n, address] of words.entries()) {
    host.set32(PROBE_TABLE + n * PROBE_BYTES, address);
    host.set64(PROBE_TABLE + n * PROBE_BYTES + 8, host.get64(address));
  }
  host.set32(PROBE_COUNT, words.length);
}
