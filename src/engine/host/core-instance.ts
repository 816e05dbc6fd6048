import { readFileSync } from 'node:fs';
import type { CoreExports } from '../core/core-exports.js';
import { ASKED_REFUSED, RAM_BASE } from '../core/layout.js';
import { HostMemory } from '../memory/host-memory.js';
import { releaseFrames } from './release-frames.js';

const PAGE = 65536;
/** 4 GiB, what addresses of 32 bits reach. */
const MAX_PAGES = 65536;

/** Marks the imported memory of a WebAssembly module as shared. */
const IMPORT_OF_MEMORY = Buffer.from('\x03env\x06memory\x02', 'latin1');
const LIMITS_WITH_MAXIMUM = 1;
const LIMITS_SHARED = 3;

/** The host gives no memory for what is asked. */
export class HostMemoryError extends Error {}

let file: Buffer | undefined;
let compiled: WebAssembly.Module | undefined;
let compiledShared: WebAssembly.Module | undefined;

const coreFile = (): Buffer => (file ??= readFileSync(new URL('../../../build/core.wasm', import.meta.url)));

/**
 * Loads `build/core.wasm` with a memory for `guestBytes` of RAM and `extraBytes` of frames behind them.
 * @param prepare is given the memory before anything of it is used
 * @throws HostMemoryError when memory is short; Error when the core is not built
 */
export function createCore(
  guestBytes: number,
  extraBytes = 0,
  module = builtCore(),
  prepare: (memory: WebAssembly.Memory) => void = () => {},
): { core: CoreExports; host: HostMemory } {
  // one more page behind guest RAM: the APIC-access page
  const pages = Math.ceil((RAM_BASE + guestBytes + extraBytes) / PAGE) + 1;
  const memory = memoryOf(pages, guestBytes);
  prepare(memory);
  const host = new HostMemory(memory, releaseFrames);
  const asked = {
    firstWrite: (frame: number) => host.firstWrite(frame),
    deviceAccess: (kind: number, address: number, bytes: number, write: number, low: number, high: number) =>
      host.deviceAccess(kind, address, bytes, write, low, high),
  };
  return { core: start(module, memory, asked), host };
}

function memoryOf(initial: number, guestBytes: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial, maximum: MAX_PAGES });
  } catch {
    const mib = guestBytes / 2 ** 20;
    throw new HostMemoryError(`the host has no room for ${mib} MiB of guest memory: give the guest less by -m`);
  }
}

/**
 * A core over a shared memory that is there already, with guest RAM from RAM_BASE: clears the vCPU states, counts and
 * trace positions in it, leaves RAM. The module is the same but for the one bit that says that its memory is shared.
 */
export function coreOverShared(memory: WebAssembly.Memory): CoreExports {
  if (!compiledShared) {
    const bytes = Buffer.from(coreFile());
    const at = bytes.indexOf(IMPORT_OF_MEMORY) + IMPORT_OF_MEMORY.length;
    if (bytes[at] !== LIMITS_WITH_MAXIMUM)
      throw new Error(`build/core.wasm imports its memory with limits ${bytes[at]}`);
    bytes[at] = LIMITS_SHARED;
    compiledShared = new WebAssembly.Module(bytes);
  }
  return start(compiledShared, memory, { firstWrite: () => {}, deviceAccess: () => ASKED_REFUSED });
}

function start(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  asked: Pick<HostMemory, 'firstWrite' | 'deviceAccess'>,
): CoreExports {
  const instance = new WebAssembly.Instance(module, { env: { memory, ...asked } });
  const core = instance.exports as unknown as CoreExports & { _start?: () => void };
  core._start?.();
  core.init();
  return core;
}

function builtCore(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(coreFile());
  return compiled;
}
