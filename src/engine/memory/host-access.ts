import { RAM_BASE } from '../core/layout.js';
import type { EngineFrames } from './engine-frames.js';
import type { HostMemory } from './host-memory.js';

/** Reads the engine's whole memory; short where it ends. */
export function readHost(host: HostMemory, address: bigint, length: number): Uint8Array {
  if (address >= BigInt(host.bytes)) return new Uint8Array(0);
  const at = Number(address);
  return host.u8.slice(at, at + length);
}

/** Writes into frames only; answers how many bytes were written. Host memory below guest RAM is the engine's own. */
export function writeHost({ host, core }: EngineFrames, address: bigint, bytes: Uint8Array): number {
  if (address < BigInt(RAM_BASE) || address >= BigInt(host.bytes)) return 0;
  const at = Number(address);
  const fits = Math.min(bytes.length, host.bytes - at);
  host.willWrite(at, fits);
  host.u8.set(bytes.subarray(0, fits), at);
  for (let page = at - (at % 4096); page < at + fits; page += 4096) core.invalidatePageCode(page);
  return fits;
}
