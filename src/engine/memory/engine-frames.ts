// The frames of guest memory in the engine's own memory, and what is known of the guest-physical addresses that show them.

import type { CoreExports } from '../core/core-exports.js';
import { RAM_BASE } from '../core/layout.js';
import { walkEpt } from './ept-walk.js';
import type { PhysicalReader } from './guest-walk.js';
import type { HostMemory } from './host-memory.js';
import type { PhysicalMemory } from './physical.js';

const EPT_WRITE = 2n;

export interface EngineFrames {
  readonly host: HostMemory;
  readonly core: Pick<CoreExports, 'invalidatePageCode'>;
  /** Host address of a guest-physical byte that is RAM or ROM, whatever spoils the EPT for a while. */
  frameOf(gpa: bigint): number | undefined;
}

/** Reads host-physical memory (the engine's whole memory). */
export function hostReader(host: HostMemory): PhysicalReader {
  return (address, bytes) => {
    if (address + BigInt(bytes) > BigInt(host.bytes)) return undefined;
    const at = Number(address);
    return bytes === 8 ? host.get64(at) : BigInt(host.get32(at));
  };
}

/** Host address of a guest-physical byte that an EPT maps; undefined: no frame of guest memory, or not for that access. */
export function frameByEpt(host: HostMemory, eptp: bigint, gpa: number, write: boolean): number | undefined {
  const { output, levels } = walkEpt(eptp, BigInt(gpa), hostReader(host));
  if (output === undefined || output < BigInt(RAM_BASE) || output >= BigInt(host.bytes)) return undefined;
  if (write && levels.some(({ entry }) => (entry & EPT_WRITE) === 0n)) return undefined;
  return Number(output);
}

/**
 * What is found at guest-physical addresses.
 * @param peek registers of devices there (see PhysicalMemory)
 */
export function framesAsMemory(frames: EngineFrames, peek: PhysicalMemory['peek']): PhysicalMemory {
  const { host, core } = frames;
  return {
    page(gpa) {
      const at = frames.frameOf(gpa);
      return at === undefined ? undefined : host.u8.subarray(at, at + 4096 - (at % 4096));
    },
    changing: (gpa) => host.willWrite(frames.frameOf(gpa) as number, 1),
    changed(gpa) {
      const at = frames.frameOf(gpa) as number;
      core.invalidatePageCode(at - (at % 4096));
    },
    peek,
  };
}
