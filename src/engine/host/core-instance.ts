import { readFileSync } from 'node:fs';
import { RAM_BASE } from '../core/layout.js';
import type { CoreExports } from '../vmm/core-exports.js';
import { HostMemory } from '../vmm/host-memory.js';
import { releaseFrames } from './release-frames.js';

const PAGE = 65536;

/**
 * Loads `build/core.wasm` with a memory for `guestBytes` of RAM and `extraBytes` of frames behind them. @throws Error when the core is not built or memory is
 * short.
 */
export function createCore(guestBytes: number, extraBytes = 0): { core: CoreExports; host: HostMemory } {
  // one more page behind guest RAM: the APIC-access page
  const pages = Math.ceil((RAM_BASE + guestBytes + extraBytes) / PAGE) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
  const file = new URL('../../../build/core.wasm', import.meta.url);
  const module = compiled ?? (compiled = new WebAssembly.Module(readFileSync(file)));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const core = instance.exports as unknown as CoreExports & { _start?: () => void };
  core._start?.();
  core.init();
  return { core, host: new HostMemory(memory, releaseFrames) };
}

let compiled: WebAssembly.Module | undefined;
