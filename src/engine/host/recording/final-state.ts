/** What a machine holds at the end of a recording, part by part, for who repeats it and compares. */
import { createHash } from 'node:crypto';
import { RAM_BASE } from '../../core/layout.js';
import { type Stateful, saveAll } from '../../state/saved.js';
import type { Machine } from '../../vmm/machine.js';
import { partsInPlace } from '../../vmm/machine-state.js';
import type { Vm } from '../../vmm/vm.js';
import type { VmState } from '../../vmm/vm-state.js';
import { toJson } from '../state-tree.js';

const PAGE = 4096;

/** SHA-256 by the part's name: `vCPU 0`, `memory`, `ept`, and each device's. */
export type FinalState = Record<string, string>;

/** The vCPUs are out of the guest, and no translation is cached. */
export function finalState(machine: Machine, vm: Vm, runs: readonly Stateful[]): FinalState {
  const { vtx, ...parts } = saveAll(partsInPlace(machine, runs));
  const { core, vcpus, exits } = vtx.state as VmState;
  const state: FinalState = {};
  for (const [index, vcpu] of vcpus.entries()) {
    const registers = Object.entries(machine.view.readRegisters(index)).sort(([a], [b]) => (a < b ? -1 : 1));
    state[`vCPU ${index}`] = digest(toJson([registers, vcpu]));
  }
  state.memory = memoryDigest(vm);
  state.EPT = digest(core.ept);
  state.exits = digest(toJson([exits, core.exitCounts]));
  for (const [name, { state: saved }] of Object.entries(parts)) {
    // how many inputs there were is the recording's affair
    const { inputs: _, ...rest } = saved as Record<string, unknown>;
    state[name] = digest(toJson(name === 'board0' ? rest : saved));
  }
  return state;
}

/** One hash of it all, for people. */
export function stateHash(state: FinalState): string {
  return digest(JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Parts that are another one in each, or in one only. */
export function differingParts(a: FinalState, b: FinalState): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]);
}

const digest = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Of the frames that hold anything but zeros. */
function memoryDigest({ host: { u8, bytes } }: Vm): string {
  const hash = createHash('sha256');
  const zeros = new Uint8Array(PAGE);
  const address = Buffer.alloc(8);
  for (let hpa = RAM_BASE; hpa < bytes; hpa += PAGE) {
    const page = u8.subarray(hpa, hpa + PAGE);
    if (Buffer.compare(page, zeros) === 0) continue;
    address.writeBigUInt64BE(BigInt(hpa - RAM_BASE));
    hash.update(address).update(page);
  }
  return hash.digest('hex');
}
