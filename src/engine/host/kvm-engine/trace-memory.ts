// Memory for the trace ring and the exit counts, laid out as the core's, up to where its guest RAM would begin.
import { RAM_BASE } from '../../core/layout.js';

const WASM_PAGE_BYTES = 65536;

/** Pages that nobody touches take no room. */
export function traceMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: RAM_BASE / WASM_PAGE_BYTES });
}
