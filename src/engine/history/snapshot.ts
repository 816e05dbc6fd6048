/** The machine's state at an instant of the run, but for the frames. */
import type { GuestEnd } from '../devices/device.js';
import { loadAll, type Saved, type Stateful, saveAll } from '../state/saved.js';
import type { Instant } from '../time/instant.js';
import type { CoreState } from '../vmm/core-image.js';
import type { VmState } from '../vmm/vm-state.js';

export interface Snapshot {
  readonly instant: Instant;
  readonly parts: Readonly<Record<string, Saved>>;
  /** Memory that it takes, about, beside what it shares with the one before. */
  readonly bytes: number;
}

/** What the devices and the small fields take. */
const SMALL_BYTES = 32 << 10;

const ENGINE = 'vtx';

export function takeSnapshot(parts: Iterable<Stateful>, instant: Instant, before: Snapshot | undefined): Snapshot {
  const saved = saveAll(parts);
  return { instant, parts: saved, bytes: SMALL_BYTES + shareEqual(coreOf(saved), before && coreOf(before.parts)) };
}

export function putBack(parts: Iterable<Stateful>, { parts: saved }: Snapshot): void {
  loadAll(parts, saved);
}

/** How the guest ended there, if it did. */
export const endOf = ({ parts }: Snapshot): GuestEnd | undefined => (parts[ENGINE].state as VmState).end;

const coreOf = (parts: Readonly<Record<string, Saved>>): CoreState => (parts[ENGINE].state as { core: CoreState }).core;

/** Takes over what is the same in both; answers the bytes that are not. */
function shareEqual(core: CoreState, before: CoreState | undefined): number {
  let bytes = 0;
  const same = (now: Uint8Array, then: Uint8Array | undefined): Uint8Array => {
    if (then && now.length === then.length && Buffer.compare(now, then) === 0) return then;
    bytes += now.length;
    return now;
  };
  core.controlPages = same(core.controlPages, before?.controlPages);
  core.ept = same(core.ept, before?.ept);
  core.blocks = core.blocks.map((block, i) => same(block, before?.blocks[i]));
  core.vmcs = core.vmcs.map((region, i) => same(region, before?.vmcs[i]));
  return bytes;
}
