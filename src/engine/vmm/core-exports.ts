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
  run(): number;
  /** Copies the guest state of the ACTIVE block to the VMCS guest area, without a VM exit. */
  saveGuest(): void;
  /** Drops all cached translations of the running vCPU. */
  flushTlb(): void;
  /** Forgets code decoded from a host page (given its address) after the host wrote to it. */
  invalidatePageCode(hpaPage: number): void;
  /** Forgets all decoded code: what the CPU knows has changed. */
  dropBlocks(): void;
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
