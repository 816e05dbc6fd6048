/**
 * What the GDB stub needs of a guest. The stub knows nothing else: adapters implement this over a debugger.
 * Threads are vCPUs, numbered from 0 here (GDB sees them from 1). Addresses are linear unless said otherwise.
 */

/** How the instruction at CS:RIP is decoded: by CS.D and CS.L. */
export type Architecture = 'i8086' | 'i386' | 'x86-64';

export interface ThreadRegisters {
  architecture: Architecture;
  /** Base of CS: RIP + csBase is the linear address of the next instruction. */
  csBase: bigint;
  /**
   * Name -> value: rax..r15, rip, rflags, cs..gs, fs_base, gs_base, st0-7, fctrl.., xmm0-15, mxcsr, ymm0h-15h.
   * A name that is absent is unknown to the target and shown so.
   */
  values: Record<string, bigint>;
}

export type Access = 'read' | 'write' | 'access';

/** Why a guest stands. */
export type StopCause =
  /** Somebody asked for it: the client's interrupt or another observer. */
  | { kind: 'paused' }
  | { kind: 'step'; note?: string }
  /** An execute breakpoint at this linear address, whoever set it; `note` is for the user. */
  | { kind: 'breakpoint'; address: bigint; note?: string }
  /** A system call that somebody catches: the kernel's entry, or the program behind it. `note` is for the user. */
  | { kind: 'syscall'; phase: 'entry' | 'return'; number: number; note?: string }
  /** `note` is for the user. */
  | { kind: 'watchpoint'; access: Access; address: bigint; length: number; note?: string }
  /**
   * The guest failed but can be looked at; `message` says why, `signal` is GDB's number.
   * With `status` it is over: a resume reports an exit with that status.
   */
  | { kind: 'fault'; signal: number; message: string; status?: number }
  /** The history ends: its oldest instant, or the live run. */
  | { kind: 'history'; at: 'begin' | 'end' }
  /** Another event that an observer asked for, e.g. a VM exit. */
  | { kind: 'event'; message: string }
  /** The guest is over. */
  | { kind: 'exited'; status: number; message: string };

export type TargetEvent =
  | { type: 'running' }
  | { type: 'stopped'; thread: number; cause: StopCause }
  /** One vCPU stopped by itself, see Target.each. */
  | { type: 'thread-stopped'; thread: number; cause: StopCause }
  /** What breakpoints that do not stop have printed. */
  | { type: 'printed'; text: string };

/** Agent expressions, all of which are 0 where a breakpoint does not stop. */
export interface TargetCondition {
  expressions: Uint8Array[];
  /**
   * By the number that the expressions have: a name of the target's, `linear-pc` for the linear address of RIP, or one of
   * EXIT_VARIABLES at a VM exit.
   */
  registers: (string | undefined)[];
  space: MemorySpace;
  /** Trace state variables that are registers, by their number. */
  variables: (string | undefined)[];
}

/** What is done at an execute breakpoint that does not stop: print, or collect a frame of a trace. */
export type TargetAction =
  | ({ kind: 'print' } & TargetCondition)
  | ({
      kind: 'collect';
      tracepoint: number;
      /** The frame after which the trace ends; 0: none. */
      passes: number;
      allRegisters: boolean;
      memory: { base?: number; offset: bigint; length: number }[];
    } & TargetCondition);

export type TargetBreakpoint =
  | { kind: 'execute'; address: bigint; condition?: TargetCondition; action?: TargetAction }
  /** VM exits of a reason, or all, where the guest acts: at one place, or anywhere. */
  | {
      kind: 'exit';
      reason?: number;
      place?: { rip: bigint; csBase: bigint };
      condition?: TargetCondition;
      action: TargetAction;
    }
  | { kind: 'watch'; space: MemorySpace; address: bigint; length: number; access: Access };

export type MemorySpace = 'virtual' | 'physical';

/** A register beyond those of GDB's standard features, described for target.xml. */
export interface ExtraRegister {
  name: string;
  bits: 8 | 16 | 32 | 64;
  /** Register group; absent: part of `info registers`. */
  group?: string;
  /** It goes on by itself or tells what happened: a client that puts old values back after a call leaves it alone. */
  moves?: true;
  type?: 'code_ptr' | 'data_ptr' | FlagsType | EnumType;
}

/** Decoded by GDB as `[ PE PG ]`. Ids are unique among all types. */
export interface FlagsType {
  kind: 'flags';
  id: string;
  fields: { name: string; start: number; end: number }[];
}

/** Decoded by GDB as the name of the value. */
export interface EnumType {
  kind: 'enum';
  id: string;
  values: { name: string; value: number }[];
}

/** What a tracepoint has collected. */
export interface TargetFrame {
  tracepoint: number;
  address: bigint;
  /** Of a tracepoint at VM exits. */
  exit?: TargetExit;
  registers?: ThreadRegisters;
  memory: readonly { address: bigint; bytes: Uint8Array }[];
  variables: readonly { number: number; value: bigint }[];
}

/** Counts of retired instructions and of VM exits since power-on. */
export interface TargetPosition {
  icount: bigint;
  exit: number;
}

export interface TargetTraceStatus {
  running: boolean;
  /** Why it does not run; `tracepoint` of a pass count or an error. */
  stopped?: { why: 'never run' | 'asked' | 'full' | 'passes' | 'error'; tracepoint?: number; text?: string };
  frames: number;
  created: number;
  bytes: number;
  free: number;
  circular: boolean;
  hits: readonly { tracepoint: number; hits: number }[];
}

/** Trace state variables about a VM exit. */
export const EXIT_VARIABLES: Readonly<Record<string, (exit: TargetExit) => bigint>> = {
  exit_reason: ({ reason }) => BigInt(reason & 0xffff),
  exit_number: ({ sequence }) => BigInt(sequence),
  exit_qualification: ({ qualification }) => qualification,
  exit_gpa: ({ gpa }) => gpa,
  exit_gla: ({ gla }) => gla,
};

/** A table for `info os NAME`. */
export interface OsTable {
  name: string;
  title: string;
  description: string;
  /** Rows as column name -> text; all rows have the same columns in the same order. */
  rows(): Promise<Record<string, string>[]>;
}

/** A VM exit, its fields as the VMCS has them. */
export interface TargetExit {
  /** Number of the exit, from 1. */
  sequence: number;
  vcpu: number;
  /** Exit reason field; bit 31 set for a VM-entry failure. */
  reason: number;
  qualification: bigint;
  gla: bigint;
  gpa: bigint;
  rip: bigint;
  linearRip: bigint;
  interruptionInfo: number;
  interruptionError: number;
  instructionInfo: number;
  instructionLength: number;
  /** Instructions retired when it happened. */
  icount: bigint;
  /** The guest stands at it. */
  stoppedHere: boolean;
}

/** What a program's PT_TLS says. */
export interface ThreadLocalSegment {
  /** Of the initial values. */
  address: bigint;
  bytes: bigint;
  alignment: bigint;
}

export interface MemoryRegion {
  start: bigint;
  bytes: bigint;
  mapped: boolean;
  read: boolean;
  write: boolean;
  execute: boolean;
}

export interface Target {
  /** Name of the guest, for thread names. */
  readonly name: string;
  /** Bits of the program that the guest was started from, which a client will have too; absent for disks and flat code. */
  readonly programBits?: 32 | 64;
  /** Of that program; absent where it has none. */
  readonly threadLocal?: ThreadLocalSegment;
  readonly threads: number;
  /** Whether the guest runs now. */
  running(): boolean;
  /** Why it stands; undefined while it runs. */
  lastStop(): { thread: number; cause: StopCause } | undefined;
  /** Registers a listener; returns a function that removes it. Every stop, whoever caused it, is one event. */
  onEvent(listener: (event: TargetEvent) => void): () => void;

  /**
   * Resumes all vCPUs, or only these; an execute breakpoint that stopped one does not stop it again. No-op while
   * running.
   */
  resume(threads?: readonly number[]): Promise<void>;
  /** Resolves when the guest stands. A guest that ran emits `stopped` before; one that stood emits nothing. */
  pause(): Promise<void>;
  /**
   * Runs one instruction of one vCPU; emits exactly one `stopped`. With `within`, goes on for as long as the linear
   * address of the next instruction is in [start, end), or until a breakpoint or pause() stops it. `others` run meanwhile.
   */
  step(thread: number, within?: { start: bigint; end: bigint }, others?: readonly number[]): Promise<void>;

  /** @param names those that are wanted; absent: all. The answer may hold more. */
  readRegisters(thread: number, names?: readonly string[]): Promise<ThreadRegisters>;
  /** @throws Error when the register does not exist or refuses the value. */
  writeRegister(thread: number, name: string, value: bigint): Promise<void>;
  /** No side effects; short where memory ends or is not mapped. Works while the guest runs. */
  readMemory(space: MemorySpace, address: bigint, length: number, thread: number): Promise<Uint8Array>;
  /** Answers how many bytes were written. */
  writeMemory(space: MemorySpace, address: bigint, bytes: Uint8Array, thread: number): Promise<number>;

  /** Guest-physical memory that no system uses, for a client; whole pages. Absent where none is known. */
  readonly scratch?: { gpa: bigint; bytes: number };

  /** Answers an id. @throws Error when the target cannot have it. */
  addBreakpoint(spec: TargetBreakpoint): Promise<number>;
  /** No error when it is gone already. */
  removeBreakpoint(id: number): Promise<void>;
  /** Whether another observer has an enabled breakpoint there too. */
  readonly othersBreakAt?: (address: bigint) => Promise<boolean>;

  /** vCPUs that stop and go each by itself, for the non-stop mode. A stop of the last is also one of the guest. */
  readonly each?: {
    independent(on: boolean): Promise<void>;
    resume(threads: readonly number[]): Promise<void>;
    /** Those that run stop, as paused. */
    stop(threads: readonly number[]): Promise<void>;
    step(thread: number, within?: { start: bigint; end: bigint }): Promise<void>;
  };
  /** Has system calls stop the guest: all, or those of these numbers; undefined: no longer. */
  readonly catchSyscalls?: (wanted: { numbers?: number[] } | undefined) => Promise<void>;
  /** Frames that breakpoints collect. */
  readonly tracing?: {
    /** @throws Error naming what is too much */
    start(options: { bytes: number; circular: boolean; variables: { number: number; value: bigint }[] }): Promise<void>;
    stop(): Promise<void>;
    status(): Promise<TargetTraceStatus>;
    frame(index: number): Promise<TargetFrame | undefined>;
    list(): Promise<{ tracepoint: number; address: bigint }[]>;
    variable(number: number): Promise<bigint | undefined>;
  };
  /** Why there is no such ability. */
  readonly eachUnavailable?: string;
  /** Going back in the run; absent where nothing is kept for it. Both emit one `stopped`. */
  readonly reverse?: {
    /** One instruction of a thread. */
    step(thread: number): Promise<void>;
    /** To what would have stopped the guest. */
    resume(): Promise<void>;
  };
  /** Where in its run the guest stands, for programs: counts of instructions and of VM exits; absent where unknown. */
  readonly position?: () => TargetPosition | Promise<TargetPosition | undefined>;
  /** Registers beyond the standard ones: control registers, MSRs, VMCS fields. */
  readonly extraRegisters?: {
    readonly list: readonly ExtraRegister[];
    /** Undefined when the value is unknown now. */
    read(thread: number, name: string): Promise<bigint | undefined>;
    /** @throws Error when the register refuses it. */
    write(thread: number, name: string, value: bigint): Promise<void>;
  };
  /** Whether single steps hold interrupts back (QEMU's NOIRQ); absent: steps are as they come. */
  readonly interruptHold?: { held: boolean };
  /** Monitor commands, about this thread where they are about one; undefined for an unknown one. */
  readonly monitor?: (line: string, thread: number) => Promise<string | undefined>;
  /** What such a command does: `looks`, or `runs` or `changes` the guest; absent: any may change it. */
  readonly monitorEffect?: (line: string) => 'looks' | 'runs' | 'changes';
  readonly osTables?: readonly OsTable[];
  /** The VM exit that a thread stands at, or else its newest; undefined: none so far. */
  readonly lastExit?: (thread: number) => Promise<TargetExit | undefined>;
  /** The newest VM exits, oldest first; absent where those cannot be collected. */
  readonly recentExits?: () => Promise<TargetExit[]>;
  /** What a thread does, for the user: the task that the guest's system runs on it. */
  readonly threadDetail?: (thread: number) => Promise<string | undefined>;
  /** The guest's kernel, where the target looks for one. */
  readonly kernel?: {
    /** Name of its file of symbols, without a slash, known at once; undefined while no kernel is or will be there. */
    name(): Promise<string | undefined>;
    /**
     * Its symbols as an ELF file, where they lie now or, `linked`, where the kernel was linked to; looking for them may
     * take seconds. Undefined where none is found.
     */
    symbols(linked?: boolean): Promise<Uint8Array | undefined>;
    /**
     * Where its code lies, if not where it was linked to, and the distance; looking for it may take a second.
     * `perCpuMoved`: per-CPU symbols are offsets that should not move with the code.
     */
    place(): Promise<{ text: bigint; movedBy: bigint; perCpuMoved?: true } | undefined>;
  };
  /** Modules that the guest's system has loaded. */
  readonly libraries?: {
    /** A full path, and where the code begins; empty where no system is known. */
    list(): Promise<{ path: string; address: bigint }[]>;
    /** Its functions as an ELF file whose one section begins at 0, as relocatable ones do; undefined: no such module. */
    symbols(path: string): Promise<Uint8Array | undefined>;
  };
  /** The region of equal access that holds a linear address. */
  readonly memoryRegion?: (address: bigint, thread: number) => Promise<MemoryRegion>;
  /** Resets the machine to its first state and leaves it stopped there. */
  readonly reset?: () => Promise<void>;
}
