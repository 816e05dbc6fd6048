/** The core's table of functions: compiled regions lie in it. */
export interface FunctionTable {
  readonly length: number;
  set(index: number, value: unknown): void;
  grow(by: number): number;
}

/** What the core's WebAssembly module exports and the host calls; a test compares it with the module. */
export interface CoreExports {
  /** Functions of compiled regions; the compiler grows it. */
  readonly table: FunctionTable;
  /** Clears the machine: state, caches, trace. */
  init(): void;
  /** Makes a vCPU the one that runs; its state comes into the ACTIVE block. */
  selectVcpu(index: number): void;
  /** Makes a VMCS region empty, with this CPU's revision identifier. */
  initVmcs(index: number): void;
  /** VM entry by VMLAUNCH or VMRESUME: 0, or how it failed (XS_* or an entry failure recorded as exit). */
  vmLaunch(): number;
  vmResume(): number;
  /** Runs all checks of a VM entry and enters nothing: 1 when they hold, else those that do not are in ENTRY_FAILURES. */
  checkEntry(): number;
  /** Runs the guest after a VM entry until RUN_*. */
  run(): number;
  /** Copies the guest state of the ACTIVE block to the VMCS guest area, without a VM exit. */
  saveGuest(): void;
  /** Drops all cached translations of the running vCPU. */
  flushTlb(): void;
  /** Forgets code decoded from a host page (given its address) after the host wrote to it. */
  invalidatePageCode(hpaPage: number): void;
  /** Forgets all decoded code: what the CPU knows has changed. */
  dropBlocks(): void;
  /** Drops all that follows from the state: translations, contexts, decoded code. No vCPU is in the guest. */
  dropDerived(): void;
  /** Drops the translations and contexts of all vCPUs. No vCPU is in the guest. */
  forgetTranslations(): void;
  /** Gives a decoded block a compiled function; JIT_PAGES holds the pages that it depends on beside the block's. */
  installRegion(block: number, index: number, storedFlags: boolean, ahead: number): void;
  /** What compiled regions call, with registers in memory: a vector instruction's handler, any handler. */
  callLean(op: number, uop: number, left: number): number;
  callWhole(uop: number, rip: bigint, left: number, ahead: number): number;
  /** CRC-32C over 1, 2, 4 or 8 bytes more. */
  crc32(crc: number, data: bigint, bytes: number): number;
  /** 128 bits divided by 64; see core/fpu/wide.ts. */
  divide128(high: bigint, low: bigint, divisor: bigint): bigint;
  squareRoot128(high: bigint, low: bigint): bigint;
  /** AES rounds and PCLMULQDQ, on vectors: for compiled code only. */
  crypto: unknown;
  /** The same for an instruction that may be done at once, with few registers in memory. */
  callCpuid(rip: bigint, length: number, left: number, rax: bigint, rcx: bigint): number;
  callRdmsr(rip: bigint, length: number, left: number): number;
  callWrmsr(rip: bigint, length: number, left: number): number;
  callInvlpg(linear: bigint): number;
  callPause(left: number): number;
  callPort(rip: bigint, u: number, left: number): number;
  callSegment(segment: number, selector: number): number;
  storeFlags(kind: number, result: bigint, first: bigint, carry: number): number;
  /** Where the VMM puts the answers that the core repeats: see core/vmx/steady.ts and quick.ts. */
  keepSteady(kind: number, address: number, bytes: number): number;
  quickEntry(table: number, vcpu: number, first: number, second: number): number;
  /** The same for an instruction whose access leads to a device. */
  callAlone(uop: number, rip: bigint, left: number, ahead: number): number;
  /** The debugger's breakpoints: linear addresses; false when the table is full. */
  clearBreakpoints(): void;
  addBreakpoint(linear: bigint): boolean;
  removeBreakpoint(linear: bigint): void;
  /** The VMCS was written by the host: the next entry checks it again. */
  vmcsTouched(): void;
  /** A host interrupt at this instruction boundary: XS_EXIT when the controls say exit. */
  externalInterrupt(vector: number): number;
  nmi(): number;
  initSignal(): number;
  sipi(vector: number): number;
  /** Recomputes what follows from control registers, segments and flags after the host wrote them in the ACTIVE block. */
  updateMode(): void;
  /** Drops the cached translations of all vCPUs. */
  flushAllVcpus(): void;
  /** Loads the guest state of the current VMCS into the ACTIVE block, without the checks of a VM entry. */
  loadGuest(): void;
  /**
   * Translates a linear address for a supervisor access of the VMM, as the processor: XS_OK and the GPA in ASSIST_ADDRESS,
   * XS_FAULT and FAULT_*, or XS_EXIT and ASSIST_*, which asks for a paging-structure entry.
   */
  translateForVmm(linear: bigint, write: number): number;
  /** VMREAD and VMWRITE of the current VMCS by encoding. */
  vmRead(encoding: number): bigint;
  vmWriteField(encoding: number, value: bigint): number;
}

/** Every name in CoreExports, for the test. */
export const CORE_EXPORTS = [
  'init',
  'selectVcpu',
  'initVmcs',
  'vmLaunch',
  'vmResume',
  'checkEntry',
  'run',
  'saveGuest',
  'flushTlb',
  'invalidatePageCode',
  'dropBlocks',
  'dropDerived',
  'installRegion',
  'callLean',
  'callWhole',
  'callAlone',
  'crc32',
  'divide128',
  'squareRoot128',
  'crypto',
  'callCpuid',
  'callRdmsr',
  'callWrmsr',
  'callInvlpg',
  'callPause',
  'callPort',
  'callSegment',
  'storeFlags',
  'keepSteady',
  'quickEntry',
  'clearBreakpoints',
  'addBreakpoint',
  'removeBreakpoint',
  'vmcsTouched',
  'externalInterrupt',
  'nmi',
  'initSignal',
  'sipi',
  'updateMode',
  'flushAllVcpus',
  'forgetTranslations',
  'loadGuest',
  'translateForVmm',
  'vmRead',
  'vmWriteField',
] as const satisfies readonly Exclude<keyof CoreExports, 'table'>[];

/** Fails to compile when a member of CoreExports is missing above. */
type Unlisted = Exclude<keyof CoreExports, 'table' | (typeof CORE_EXPORTS)[number]>;
export const ALL_LISTED: [Unlisted] extends [never] ? true : never = true;
