import { readFileSync } from 'node:fs';
import { RAM_BASE } from '../core/layout.js';
import { HostMemory } from './host-memory.js';

/** What the core's WebAssembly module exports and the host calls; a test compares it with the module. */
export interface CoreExports {
  /** Clears the machine: state, caches, trace. */
  init(): void;
  /** Makes a vCPU the one that runs; its state comes into the ACTIVE block. */
  selectVcpu(index: number): void;
  /** Makes a VMCS region empty, with this CPU's revision identifier. */
  initVmcs(index: number): void;
  /** VM entry by VMLAUNCH or VMRESUME: 0, or how it failed (XS_* or an entry failure recorded as exit). */
  vmLaunch(): number;
  vmResume(): number;
  /** Runs the guest after a VM entry until RUN_*. With 1 a breakpoint at RIP is stepped over. */
  run(skipBreakpoint: number): number;
  /** Copies the guest state of the ACTIVE block to the VMCS guest area, without a VM exit. */
  saveGuest(): void;
  /** Drops all cached translations of the running vCPU. */
  flushTlb(): void;
  /** Forgets code decoded from a host page (given its address) after the host wrote to it. */
  invalidatePageCode(hpaPage: number): void;
  /** The debugger's breakpoints: linear addresses; false when the table is full. */
  clearBreakpoints(): void;
  addBreakpoint(linear: bigint): boolean;
  /** The VMCS was written by the host: the next entry checks it again. */
  vmcsTouched(): void;
  /** A host interrupt at this instruction boundary: XS_EXIT when the controls say exit. */
  externalInterrupt(vector: number): number;
  nmi(): number;
  initSignal(): number;
  sipi(vector: number): number;
}

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
  return { core, host: new HostMemory(memory) };
}

let compiled: WebAssembly.Module | undefined;
