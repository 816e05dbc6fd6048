// What the debugger sees of a machine that stands, on either engine. vCPUs by index.
import type {
  AddressSpace,
  Breakpoint,
  BreakpointSpec,
  Debugger,
  FaultStep,
  PageWalk,
  RegisterFile,
  StopReason,
  TargetInfo,
} from './debugger.js';

export type Watch = Extract<BreakpointSpec, { kind: 'watch' }> & { id: number };

/** Where breakpoints take effect. Guest memory never shows them. */
export interface BreakpointSink {
  /**
   * @param count how many of its kind there are
   * @throws Error when this one cannot be had beside those that there are
   */
  check(spec: BreakpointSpec, count: number, others: () => readonly Breakpoint[]): void;
  /** Makes these the ones in effect. */
  write(execute: ReadonlySet<bigint>, watches: readonly Watch[]): void;
}

export interface MachineView {
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly unavailable: TargetInfo['unavailable'];
  readonly breakpoints: BreakpointSink;
  /** `names` may save the engine work; more may come. */
  readRegisters(vcpu: number, names?: readonly string[]): RegisterFile;
  /** @throws Error naming the register when it does not exist or the value is refused. */
  writeRegister(vcpu: number, name: string, value: bigint): void;
  /** Without side effects; short where memory ends or is not mapped. */
  readMemory(vcpu: number, space: AddressSpace, address: bigint, length: number): Uint8Array;
  /** Answers how many bytes were written. */
  writeMemory(vcpu: number, space: AddressSpace, address: bigint, bytes: Uint8Array): number;
  walk(vcpu: number, gva: bigint): PageWalk;
  /** Guest-physical address of a linear one, also while the vCPU runs: then by what was last known of its tables. */
  translate(vcpu: number, gva: bigint): bigint | undefined;
  /** Linear address of the next instruction. */
  linearRip(vcpu: number): bigint;
  /**
   * A register, and memory by linear address, of a vCPU that is in the middle of running, without taking it out of the
   * guest; undefined where only readRegisters and readMemory tell.
   */
  liveRegister?(vcpu: number, name: string): bigint | undefined;
  liveLoad?(vcpu: number, gva: bigint, bytes: number): bigint | undefined;
  halted(vcpu: number): boolean;
  /** The access that the last watchpoint stopped at. */
  takeWatchHit(vcpu: number): Omit<Extract<StopReason, { kind: 'watchpoint' }>, 'kind' | 'by'>;
  /** The events that led to a triple fault, oldest first; empty where the engine does not know them. */
  faultChain(): FaultStep[];
  /** Why the last VM entry failed. */
  entryFailures?(vcpu: number): StopReason;
  /** Why a VM entry would fail now; undefined: all checks hold. */
  checkEntry?(vcpu: number): Extract<StopReason, { kind: 'entry-failed' }> | undefined;
  /** Exits that the engine handled by itself, by name, for those that the trace does not have. */
  ownExits?(): Record<string, number>;
  readonly ept?: {
    walk(vcpu: number, gpa: bigint): PageWalk;
    ranges: NonNullable<Debugger['ept']>['ranges'];
  };
  readonly vmcs?: NonNullable<Debugger['vmcs']>;
  /** The VMCS's controls as they were at an exit of the trace; undefined where that is not known. */
  controlsAt?(exit: number): { encoding: number; value: bigint }[] | undefined;
  /** Value of a VMCS field by its encoding; undefined when there is none. */
  vmcsField?(vcpu: number, encoding: number): bigint | undefined;
}
