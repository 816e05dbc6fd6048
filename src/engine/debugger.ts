/**
 * The debugger API: the one way in which the GDB stub, the dashboard, QMP and scripts see a guest.
 * Every value can cross a MessagePort (structured clone). Addresses and registers are bigint.
 * Optional abilities are optional groups: where a backend cannot know something the group is absent
 * and `unavailable` says why.
 */
import type { TypeId, TypeNode, TypeWord } from '../disasm/type-node.js';
import type { Expression } from './debug/expression/syntax.js';
import type {
  ExitCourse,
  ExitGroupKey,
  ExitHint,
  ExitReportData,
  HandlerTime,
  MemoryHeatCells,
} from './exit-analysis.js';
import type { FitInto } from './smaller-picture.js';
import type { GuestEnd } from './state/guest-end.js';

export type * from './exit-analysis.js';
export type { FitInto } from './smaller-picture.js';

export type AddressSpace = 'gva' | 'gpa' | 'hpa';

/** What a guest's time goes by: the instructions it retires, those moved along with the host's clock, or the host's clock. */
export interface GuestClock {
  kind: 'icount' | 'wall' | 'host';
  /** Virtual time that an instruction takes, where they are counted. */
  instructionNs?: number;
}

export interface TargetInfo {
  /** Guest's name (`--name`, or the image's base name). */
  name: string;
  engine: 'vtx' | 'kvm' | 'qemu' | 'libvirt' | 'gdb';
  image: string;
  vcpus: number;
  memoryBytes: number;
  /** What its time goes by; absent where that is not known. */
  clock?: GuestClock;
  /** Groups that this target does not have, with the reason: `{ vmcs: 'KVM does not give the VMCS to user space' }`. */
  unavailable: Partial<
    Record<
      | 'each'
      | 'tracing'
      | 'syscalls'
      | 'vmcs'
      | 'ept'
      | 'exits'
      | 'console'
      | 'watchpoints'
      | 'os'
      | 'source'
      | 'types'
      | 'icount'
      | 'compiler'
      | 'snapshots'
      | 'migration'
      | 'history'
      | 'recording',
      string
    >
  >;
}

export type MigrationPhase = 'setup' | 'active' | 'device' | 'completed' | 'failed' | 'cancelling' | 'cancelled';

/** A migration to another process. Times in ms. */
export interface MigrationStatus {
  readonly phase: MigrationPhase;
  readonly to: string;
  readonly error?: string;
  readonly totalMs: number;
  readonly setupMs: number;
  /** Known at the end. */
  readonly downtimeMs?: number;
  readonly transferredBytes: number;
  readonly remainingBytes: number;
  readonly totalBytes: number;
  /** Pages sent that held zeros only, and others. */
  readonly zeroPages: number;
  readonly normalPages: number;
  readonly rounds: number;
}

/** The engine's compiler of guest code. */
export interface CompilerCounters {
  mode: 'off' | 'on' | 'always';
  /** Regions compiled so far, x86 instructions in them, bytes of WebAssembly, and time taken. */
  regions: number;
  instructions: number;
  codeBytes: number;
  compileMs: number;
  /** Hot blocks that were not worth a region. */
  declined: number;
  /** How often a region was entered. */
  entered: number;
  /**
   * How often one was left, by cause: to a block outside by a branch or at a block's end (`out`), by a jump, call or return to an
   * address that came from a register or memory (`anywhere`), at the end of the slice of instructions (`late`), for the interpreter in
   * the middle of a block, mostly by a TLB miss (`missed`), and at an instruction that it had called the handler of, by a fault, an
   * exit or a change of mode (`handled`).
   */
  left: { out: number; anywhere: number; late: number; missed: number; handled: number };
  /**
   * How often one was not entered, by cause: a further page of it has no translation at hand or another one, a breakpoint lies inside,
   * it may pass the code segment's limit.
   */
  refused: { noPage: number; breakpoint: number; limit: number };
  /** Looks at where the interpreter is, by which it finds hot blocks. */
  samples: number;
  /** Share of the guest's instructions that ran in regions, 0 to 1. */
  share: number;
}

/** One VM exit as recorded by the engine's trace ring. Numbers as the SDM's fields. */
export interface ExitRecord {
  sequence: number;
  icount: bigint;
  /** Virtual time in ns. */
  clock: bigint;
  vcpu: number;
  /** Exit reason field; bit 31 set for a VM-entry failure. */
  reason: number;
  qualification: bigint;
  rip: bigint;
  csBase: bigint;
  gla: bigint;
  gpa: bigint;
  instructionLength: number;
  /** Of the code that exited, by CS as it was; absent where that was not recorded. */
  bits?: 16 | 32 | 64;
  /** String I/O: elements that this exit moved, of those that RCX counts. */
  elements?: number;
  instructionInfo: number;
  interruptionInfo: number;
  interruptionError: number;
  vectoringInfo: number;
  vectoringError: number;
  cr3: bigint;
  /** RAX and RCX at the exit: CPUID leaf, MSR number, I/O data. */
  rax: bigint;
  rcx: bigint;
  /** What the VMM did with it. */
  action: 'none' | 'resume' | 'inject' | 'stop';
  /** Vector for `inject`, the value read or written for I/O and MSRs. */
  detail: number;
}

/** What an exit was about: port and bytes of an I/O instruction, elements that string I/O moved, MSR, CPUID's leaf, vector of an event, control register; and at which level: 1 of the guest, more of guests of its own. */
export type ExitFact = 'port' | 'size' | 'count' | 'msr' | 'leaf' | 'subleaf' | 'vector' | 'cr' | 'level';

/** Fields that an exit condition can test: those of ExitRecord, and what it was about. */
export interface ExitCondition {
  /** Exit reason numbers; empty or absent: any. */
  reasons?: number[];
  /** All of these must hold, e.g. `{ field: 'gpa', op: '>=', value: 0xfee00000n }`. */
  where?: { field: keyof ExitRecord | ExitFact; op: '==' | '!=' | '<' | '<=' | '>' | '>=' | '&'; value: bigint }[];
  /** And this, where more than fields and numbers are compared; its names of the exit are `exit:` and a field. */
  test?: Condition;
}

/**
 * Expressions of GDB's agent bytecode, evaluated where the guest runs: it goes on while all of them are 0.
 * @gdb appendix "The GDB Agent Expression Mechanism"
 */
export interface Condition {
  expressions: Uint8Array[];
  /**
   * By the number that the bytecode has: a register's name, `linear_rip`, `vmcs:` and an encoding in hexadecimal, or
   * of the VM exit where it is evaluated at one `exit_` and a field, `exit:` and a field or fact (0 where it has none),
   * `exit?` and such a name for whether it has one.
   */
  registers: (string | undefined)[];
  /** What its addresses are. */
  space: 'gva' | 'gpa';
  /** Trace state variables that are registers, by their number. */
  variables?: (string | undefined)[];
  /** As somebody typed it. */
  text?: string;
}

/** What is done at an execute breakpoint instead of stopping there. Its expressions may have effects. */
export type BreakpointAction =
  /** What they print comes as `printed` events. */
  | ({ kind: 'print' } & Condition)
  /** A frame is kept while `tracing` is on. `passes`: the frame after which tracing ends; 0: none. */
  | ({
      kind: 'collect';
      tracepoint: number;
      passes: number;
      allRegisters: boolean;
      /** `base`: number of a register that `offset` counts from. */
      memory: { base?: number; offset: bigint; length: number }[];
    } & Condition);

/** What a tracepoint has collected at one of its hits. */
export interface TraceFrame {
  tracepoint: number;
  /** Linear address of the tracepoint, or of the instruction that exited. */
  address: bigint;
  /** The VM exit, of a tracepoint at those. */
  exit?: ExitRecord;
  vcpu: number;
  icount: bigint;
  registers?: RegisterFile;
  memory: { address: bigint; bytes: Uint8Array }[];
  variables: { number: number; value: bigint }[];
  /** Why it could not collect all. */
  failure?: string;
}

export interface TraceOptions {
  /** Of the buffer; the oldest frames give way when it is `circular`, else tracing ends when it is full. */
  bytes: number;
  circular: boolean;
  /** Trace state variables and what they begin with. */
  variables: { number: number; value: bigint }[];
}

export interface TraceStatus {
  running: boolean;
  /** Why it does not run. */
  stopped?:
    | { why: 'never run' | 'asked' | 'full' }
    | { why: 'passes'; tracepoint: number }
    | { why: 'error'; tracepoint: number; text: string };
  frames: number;
  /** Since it was started, those that gave way included. */
  created: number;
  bytes: number;
  free: number;
  circular: boolean;
  hits: { tracepoint: number; hits: number }[];
}

/** How a breakpoint goes about its hits, beside what each kind has. */
export interface BreakpointManner {
  /** So many hits pass yet, each of which counts one off. */
  ignore?: number;
  /** It is gone once it has stopped the guest. */
  temporary?: boolean;
  /** Commands, a line each, that the program which has the guest carries out at its stops. */
  commands?: string[];
}

/** What is to be another at a breakpoint: `null` takes it away. */
export interface BreakpointChange {
  ignore?: number;
  commands?: string[] | null;
  /** Of execute breakpoints and watchpoints. */
  condition?: Condition | null;
  /** Of exit breakpoints. */
  exits?: ExitCondition;
}

export type BreakpointSpec = BreakpointManner &
  /** Stops before the instruction at this linear address runs, or acts there. Never touches guest memory. */
  (
    | { kind: 'execute'; gva: bigint; condition?: Condition; action?: BreakpointAction }
    /** Stops after an access to [address, address + length). `space` gva (linear) or gpa. */
    | {
        kind: 'watch';
        space: 'gva' | 'gpa';
        address: bigint;
        length: number;
        access: 'read' | 'write' | 'access';
        condition?: Condition;
      }
    /** Stops when a VM exit matches, before the VMM handles it, or acts there. `when` as of execute breakpoints. */
    | { kind: 'exit'; condition: ExitCondition; when?: Condition; action?: BreakpointAction }
  );

export type Breakpoint = BreakpointSpec & { id: number; enabled: boolean; hits: number; label?: string };

/** Of the breakpoint that a stop is of. */
export interface StoppedBy {
  /** It is no more. */
  temporary?: true;
  /** Its commands. */
  commands?: string[];
}

export type StopReason =
  | { kind: 'start' }
  /** `note`: why it was given up to go on, where nobody has asked for the pause. */
  | { kind: 'paused'; note?: string }
  /** `note`: why it has not moved. */
  | { kind: 'step'; note?: string }
  | { kind: 'until' }
  /** `failure`: its condition could not be evaluated, and why. */
  | ({ kind: 'breakpoint'; id: number; gva: bigint; failure?: string } & StoppedBy)
  /**
   * An access to [address, address + length) of a watched range. `after`: what is there now; `before` a write: what was
   * there, where it is known. `by` a device: by DMA.
   */
  | ({
      kind: 'watchpoint';
      id: number;
      access: 'read' | 'write' | 'access';
      address: bigint;
      length: number;
      before?: Uint8Array;
      after?: Uint8Array;
      by?: 'device';
      /** Its name. */
      device?: string;
    } & StoppedBy)
  | ({ kind: 'exit'; id?: number; exit: ExitRecord } & StoppedBy)
  /** A vCPU stands at the kernel's entry, or behind the call in the program again. `number` as the kernel counts calls. */
  | { kind: 'syscall'; phase: 'entry' | 'return'; number: number; by: 'syscall' | 'sysenter' | 'int 80h' }
  | { kind: 'limit'; message: string }
  /** The history ends here: its oldest instant, or the live run that goes on from here. */
  | { kind: 'history'; at: 'begin' | 'end' }
  | {
      kind: 'entry-failed';
      failures: { id: string; sdm: string; fields: { name: string; value: bigint }[] }[];
      message: string;
    }
  | { kind: 'ended'; end: GuestEnd; faults?: FaultStep[] };

/** One step of the chain of events that led to a triple fault. */
export interface FaultStep {
  vector: number;
  name: string;
  error?: number;
  rip: bigint;
  /** CR2 for #PF. */
  address?: bigint;
  text: string;
  /** Retired instructions before it arose, over the guest's resets: a place in the history to go to. */
  icount?: bigint;
}

/** Where in its run a guest is: counts since power-on, over its resets. */
export interface Position {
  /** Retired instructions of all vCPUs. */
  icount: bigint;
  /** VM exits so far. */
  exit: number;
}

export interface HistoryPlace extends Position {
  /** Of the line that the guest is on: `trunk`, or a branch's. */
  line: string;
  /** Behind the live end. */
  past: boolean;
  /** How far the history reaches. */
  first: Position;
  last: Position;
  snapshots: Position[];
  /** Memory that it takes. */
  bytes: number;
}

export interface Bookmark extends Position {
  name: string;
  /** Of the run, on which it was made. */
  line: string;
}

/** A place where the guest stood. */
export interface PastStop extends Position {
  /** Of the run, on which it stood there. */
  line: string;
  kind: StopReason['kind'];
}

/** A line of the run: the trunk, or a branch that leaves another one where somebody changed the machine. */
export interface Branch {
  name: string;
  /** The guest is on it. */
  here: boolean;
  /** Which line it leaves, and where; the trunk leaves none. */
  parent?: string;
  fork?: Position;
  /** How far it has run, and how the guest ended there if it did. */
  last: Position;
  end?: GuestEnd;
}

/** What the vCPU of an exit had then. */
export interface ExitState {
  exit: number;
  vcpu: number;
  registers: RegisterFile;
  /** Absent where there is no VMCS. */
  vmcs?: VmcsFieldValue[];
}

/** Two lines' first exits that are not the same. */
export interface ExitDifference {
  /** Number of both, counted from power-on. */
  exit: number;
  a: ExitRecord;
  b: ExitRecord;
  /** In which they differ. */
  fields: (keyof ExitRecord)[];
}

/** The exits of two lines, from where they part. */
export interface BranchComparison {
  a: Branch;
  b: Branch;
  /** Where they part. */
  fork: Position;
  /** Number of the last exit up to which both are the same. */
  same: number;
  /** Exits among these that could not be compared: the records just before a reset of the guest may be gone. */
  unseen: number;
  /** Absent where one of them ends after that exit. */
  difference?: ExitDifference;
}

export interface RecordingAbout {
  file: string;
  /** False: what recorded was ended before its run, and the state at the end is not known. */
  whole: boolean;
}

export interface RecordingVerdict {
  at: Position;
  /** Of memory, registers and devices, as SHA-256. */
  hash: string;
  recordedHash: string;
  /** Parts of the machine that are another one than in the recording: `memory`, `vCPU 0`, a device's name. */
  differing: string[];
}

/** A place in the history: one of these. */
export interface HistoryTarget {
  /** Of this line of the run; absent: of the one that the guest is on. */
  line?: string;
  icount?: bigint;
  /** Number of an exit, from 1: stops before it is handled. */
  exit?: number;
  /** 0 to 1, of the instructions that the history has. */
  share?: number;
  begin?: true;
  end?: true;
  bookmark?: string;
  /** Of the events that led to the guest's end, from 1, the oldest first: where that arose. */
  fault?: number;
}

/** What may have been written in the past. Registers by their names of REGISTER_NAMES, control registers and MSRs too. */
export type Written =
  | { kind: 'memory'; space: 'gva' | 'gpa'; address: bigint; length: number }
  | { kind: 'register'; name: string }
  | { kind: 'msr'; number: number }
  | { kind: 'vmcs'; encoding: number }
  /** The guest's paging-structure entry that maps a linear address, or stops its walk; or that of a level, `PML4`. */
  | { kind: 'pte'; gva: bigint; level?: string }
  /** The same of the EPT. */
  | { kind: 'ept'; gpa: bigint; level?: string }
  | { kind: 'idt' | 'gdt' | 'ldt'; index: number }
  /** A sector of 512 bytes of a disk by its name, `disk0`. */
  | { kind: 'sector'; disk: string; sector: number };

/** What a value is to have become: little-endian, of all bytes that were asked about. */
export type Became =
  | { op: '==' | '!=' | '<' | '<=' | '>' | '>=' | '&'; value: bigint }
  /** What it is now. */
  | 'now';

/** Who did something to what was asked about. Exits by their numbers in the run, reasons as the SDM's. */
export type Doer =
  /** `rip`: linear. */
  | { by: 'instruction'; vcpu: number; rip: bigint }
  /** The processor delivered an event: it pushes a frame, loads CS and RIP. `name`: `#PF`, `external interrupt 0x20`. */
  | { by: 'event'; vcpu: number; name: string }
  /** The processor saved or loaded it at a VM exit. */
  | { by: 'exit'; vcpu: number; exit: number; reason: number }
  /** The VMM: its handler of an exit, or what it prepared for a VM entry. */
  | { by: 'vmm'; vcpu: number; exit?: number; reason?: number }
  /**
   * A device, by DMA or at its disk; in the handler of an exit, or by itself, later. `request`: the guest's last write
   * to the device's registers before.
   */
  | { by: 'device'; device: string; exit?: number; reason?: number; request?: DeviceRequest }
  /** An input of the host: `debugger`, `key`. */
  | { by: 'input'; input: string };

export interface DeviceRequest extends Position {
  vcpu: number;
  /** Linear. */
  rip: bigint;
}

/** A write, or what was read, and where the run has it. */
export interface Done {
  doer: Doer;
  /** Just after it. */
  at: Position;
  /** Undefined: it was nowhere. */
  before?: bigint;
  after?: bigint;
}

export interface RunState {
  running: boolean;
  /** vCPU that the stop concerns. */
  vcpu: number;
  stop?: StopReason;
  /** Why a guest that runs does nothing and will not by itself: `halted, interrupts off`, `asleep (S3)`. */
  standstill?: string;
  /** Retired instructions of all vCPUs. */
  icount: bigint;
  clock: bigint;
  /** How fast its time runs beside the host's, of late; absent while that is not known, and where it is the host's. */
  pace?: number;
  /** Over the guest's resets; absent where there is no history. */
  position?: Position & { past: boolean; line: string };
}

export type DebuggerEvent =
  | { type: 'running' }
  | { type: 'stopped'; vcpu: number; stop: StopReason; icount: bigint; position?: Position }
  /** One vCPU stopped by itself, see Debugger.each. */
  | { type: 'vcpu-stopped'; vcpu: number; stop: StopReason }
  /** What breakpoints have printed. */
  | { type: 'printed'; text: string }
  /** Bytes that the guest wrote to its first serial port. */
  | { type: 'serial'; bytes: Uint8Array }
  /** `symbols()` answers anew: the guest's kernel was found in its memory. */
  | { type: 'symbols' }
  | { type: 'message'; text: string }
  | Progress;

/** Long work goes on: told often while it lasts, and once with `done` when it is over. */
export interface Progress {
  type: 'progress';
  /** `searching memory for a kernel` */
  task: string;
  /** 0 to 1, where it is known. */
  share?: number;
  done?: boolean;
}

/** Register name -> value. Names: see REGISTER_NAMES in registers-view.ts. */
export type RegisterFile = Record<string, bigint>;

export interface PageWalkLevel {
  /** `PML4`, `PDPT`, `PD`, `PT`, or `PML5`. */
  table: string;
  index: number;
  /** Guest-physical (guest walk) or host-physical (EPT walk) address of the entry. */
  entryAddress: bigint;
  entry: bigint;
  /** Decoded bits: `P`, `W`, `U`, `A`, `D`, `PS`, `G`, `NX`; EPT: `R`, `W`, `X`, `A`, `D`, memory type. */
  flags: string[];
}

export interface PageWalk {
  mode: 'none' | '32-bit' | 'PAE' | '4-level' | '5-level' | 'EPT';
  input: bigint;
  levels: PageWalkLevel[];
  /** Resulting address; undefined when the walk stops. */
  output?: bigint;
  pageBytes?: number;
  /** Why it stops, e.g. `PD[506] not present`. */
  failure?: string;
}

export interface EptRange {
  gpa: bigint;
  hpa: bigint;
  bytes: bigint;
  read: boolean;
  write: boolean;
  execute: boolean;
  memoryType: string;
  pageBytes: number;
  label: string;
}

export interface VmcsFieldValue {
  name: string;
  encoding: number;
  value: bigint;
  area: 'control' | 'read-only' | 'guest' | 'host';
  widthBits: number;
  /** Decoded bits or meaning, one string per item. */
  decoded: string[];
}

export interface VgaText {
  columns: number;
  rows: number;
  /** columns*rows cells: low byte code page 437 character, high byte attribute. */
  cells: Uint16Array;
  cursor?: { column: number; row: number };
}

/** The guest's screen as pixels. */
export interface Picture {
  /** What the guest's card shows: `text 80x25`, `320x200, 256 colours`, `800x600x32`. */
  mode: string;
  width: number;
  height: number;
  /** Red, green and blue of each pixel, line by line. */
  rgb: Uint8Array;
}

/** The guest's screen, and what of it has changed since another look. */
export interface ScreenLook {
  /** As a Picture's. */
  mode: string;
  /** Of the whole screen. */
  width: number;
  height: number;
  /** Grows with each change: what the next look is to begin from. */
  version: number;
  /** The whole screen made smaller; absent when nothing has changed. */
  picture?: { width: number; height: number; rgb: Uint8Array };
  /** Lines that may have changed, from each `y` on. */
  lines?: { y: number; rgb: Uint8Array }[];
}

/** A picture of the screen that was written to a file of the host. */
export interface ScreenDump {
  file: string;
  format: 'png' | 'ppm';
  mode: string;
  width: number;
  height: number;
}

export interface TargetSymbol {
  name: string;
  address: bigint;
  size: bigint;
  /** Bytes that one without a size covers at most: 1 for the name of an end; absent where nothing is known. */
  reach?: bigint;
  kind: 'function' | 'object' | 'other';
}

/** The operating system that was found in guest memory. */
export interface OsInfo {
  kind: 'linux';
  /** `6.1.0-56-cloud-amd64` */
  release: string;
  /** `Linux version ...`, as the system says it. */
  banner: string;
  /** Where its image starts: differs from boot to boot under KASLR. */
  base: bigint;
  /** Bytes from where it was linked to where it lies. */
  slide: bigint;
  /** Of its addresses. */
  bits: 32 | 64;
  symbols: number;
}

export interface OsLogRecord {
  sequence: bigint;
  /** Since the system's start. */
  ns: bigint;
  /** Severity, 0 (emergency) to 7 (debug). */
  level: number;
  text: string;
}

export interface OsTask {
  pid: number;
  ppid: number;
  name: string;
  /** Letter as ps prints it. */
  state: string;
  /** Guest-physical address of the page table; undefined for kernel threads. */
  cr3?: bigint;
  /** Undefined where the system does not tell. */
  threads?: number;
  /** Of its structure in the kernel. */
  address?: bigint;
}

/** A frame of a task's kernel stack. */
export interface OsStackFrame {
  /** Linear address at which it goes on. */
  address: bigint;
  /** `schedule+0x5a`; empty where no symbol covers it. */
  name: string;
  /**
   * How it was found: where the task was switched away, by the kernel's tables, the chain of frame pointers, or as a
   * word that points behind a CALL.
   */
  found: 'switch' | 'table' | 'frame pointer' | 'scan';
}

export interface OsTaskStack {
  task: OsTask;
  /** vCPU that it runs on: its stack is that vCPU's, and there are no frames here. */
  vcpu?: number;
  /** Innermost first. */
  frames: OsStackFrame[];
  /**
   * Registers of a task that waits, as far as its kernel stack keeps them: those of its place in the kernel, where it was
   * switched away, and of its program, where it entered the kernel.
   */
  registers?: { kernel: RegisterFile; program?: RegisterFile };
}

export interface SourceLine {
  /** As the compiler wrote it. */
  file: string;
  /** From 1. */
  line: number;
}

/** Where a variable lies, or what it is, while control stands at an address of code. */
export type VariablePlace =
  | { kind: 'memory'; address: Expression }
  /** In a register, or computed. */
  | { kind: 'value'; value: Expression }
  | { kind: 'bytes'; bytes: Uint8Array }
  /** In parts, from its first byte on; one without a place is lost. */
  | { kind: 'pieces'; pieces: { bits: number; place?: VariablePlace }[] }
  /** `why` in some words: `optimized out`. */
  | { kind: 'none'; why: string };

export interface TypedVariable {
  name: string;
  type: TypeId;
  parameter: boolean;
  place: VariablePlace;
  /** Where it is declared. */
  line?: number;
}

/** A function, one that was inlined, or a block of one, at an address. */
export interface CodeBlock {
  kind: 'function' | 'inlined' | 'block';
  name?: string;
  type?: TypeId;
  variables: TypedVariable[];
  /** Addresses of its code. */
  ranges: { low: bigint; high: bigint }[];
  /** Where an inlined one was called. */
  call?: SourceLine;
}

/** How the registers of a caller are had from those of the called, by names of the register file. */
export interface CallerRules {
  /** The canonical frame address: the caller's stack pointer behind the call. */
  cfa: Expression;
  /** Their values; undefined: lost. One that is not here is as it is, or is not known. */
  registers: { name: string; value?: Expression }[];
  /** It was interrupted, and has not called. */
  interrupted: boolean;
}

/** How to get from a function's frame to its caller's, by code address: Linux's ORC tables as they stand in memory. */
export interface OsUnwindTable {
  /** Where each piece of code starts, in order. */
  addresses: BigUint64Array;
  /** Six bytes a piece: `struct orc_entry`. */
  entries: Uint8Array;
  /** Of the entries, by release of the kernel. */
  form: 'before 6.4' | 'since 6.4' | 'since 7.0';
}

/** How to get from a frame to its caller's, for one piece of code. */
export interface OsFrameRow {
  /** Start of the piece. */
  address: bigint;
  /**
   * What stands at the place: a return address, all registers (`struct pt_regs`), an interrupt's frame; none: the end
   * of the stack; outside: no code that the table is about.
   */
  frame: 'call' | 'registers' | 'interrupt' | 'none' | 'outside';
  /**
   * The place: register (DWARF number) + offset, with one load before (`first`) or after the sum (`last`). For a call
   * the address behind the return address.
   */
  register: number;
  offset: number;
  load?: 'first' | 'last';
  /** RBP's slot from the place; absent: it is unchanged. */
  rbp?: number;
  /** The slot counts from RBP itself, as in code that realigns its stack. */
  rbpFrom?: 'rbp';
}

export interface OsModule {
  name: string;
  address: bigint;
  bytes: number;
}

/** What a memory dump holds. */
export interface DumpResult {
  /** Full path. */
  file: string;
  memoryBytes: number;
  vcpus: number;
  /** Release of the kernel whose VMCOREINFO is in it; absent: no kernel was found that has written one. */
  release?: string;
}

/** What was saved of a machine. */
export interface SavedState {
  /** Full path. */
  file: string;
  memoryBytes: number;
  icount: bigint;
}

export interface RunTarget {
  /** RIP reaches this linear address. */
  gva?: bigint;
  icount?: bigint;
  exit?: ExitCondition;
  /** A kernel's own code runs and its symbols are found, some thousand instructions after its first one at most. */
  kernel?: boolean;
}

/** What a guest uses that its host does not see. */
export interface GuestUsage {
  nics: NicCounts[];
  /** Of the one thread that runs all its vCPUs; absent where each has its own, or the host does not tell. */
  thread?: ThreadTimes;
  /** As the guest's Linux counts, or why nobody knows; absent where it was not asked for. */
  memory?: { totalBytes: number; availableBytes: number; freeBytes: number; cacheBytes: number } | { why: string };
}

/** What the host's scheduler tells of a thread, ns: on a CPU, and ready without one. */
export interface ThreadTimes {
  timeNs: bigint;
  waitNs: bigint;
}

/** Frames and bytes since the machine was made; receive is what the guest got. */
export interface NicCounts {
  device: string;
  rxBytes: number;
  rxPackets: number;
  txBytes: number;
  txPackets: number;
}

/** Work of a guest over all its resets. */
export interface Totals {
  icount: bigint;
  /** Virtual time in ns. */
  clock: bigint;
  /** How fast that ran beside the host's while the guest did; absent where it is the host's. */
  pace?: number;
  resets: number;
  /** VM exits by reason name, most frequent first. */
  exits: Record<string, number>;
}

export interface Debugger {
  info(): Promise<TargetInfo>;
  state(): Promise<RunState>;
  /** Registers a listener; returns a function that removes it. */
  onEvent(listener: (event: DebuggerEvent) => void): () => void;

  /**
   * Resumes all vCPUs, or only these while the others stand. Resolves at once; the stop comes as an event.
   * @throws when the guest has ended.
   */
  resume(vcpus?: readonly number[]): Promise<void>;
  /** Stops the guest at an instruction boundary; resolves when it stands. */
  pause(): Promise<RunState>;
  /**
   * Runs `count` instructions of one vCPU (by MTF, so the guest's flags never show it); with `within`, further ones
   * for as long as the linear address of the next instruction is in [start, end) and no breakpoint stands there.
   * A step of a halted vCPU waits some seconds for what would wake it; interrupts are not delivered while it steps (see
   * Machine.holdInterruptsOnStep). The vCPUs of `others` run meanwhile, all others stand.
   */
  step(
    vcpu: number,
    count?: number,
    within?: { start: bigint; end: bigint },
    others?: readonly number[],
  ): Promise<RunState>;
  /** Runs to the next VM exit that matches and stops before the VMM handles it; resolves at the stop. */
  stepToExit(condition?: ExitCondition): Promise<RunState>;
  /** Runs until one of these holds, whichever comes first. */
  runUntil(target: RunTarget): Promise<RunState>;

  /** @param names those that are wanted; absent: all. The answer may hold more. */
  readRegisters(vcpu: number, names?: readonly string[]): Promise<RegisterFile>;
  /** @throws Error naming the register when it does not exist or the value is refused. */
  writeRegister(vcpu: number, name: string, value: bigint): Promise<void>;
  /** Reads without side effects; the answer is short where memory ends or is not mapped. */
  readMemory(space: AddressSpace, address: bigint, length: number, vcpu?: number): Promise<Uint8Array>;
  /** Writes without side effects on devices or page tables; answers how many bytes were written. */
  writeMemory(space: AddressSpace, address: bigint, bytes: Uint8Array, vcpu?: number): Promise<number>;
  /** GVA -> GPA with each entry, without setting A/D bits. */
  walk(gva: bigint, vcpu?: number): Promise<PageWalk>;

  addBreakpoint(spec: BreakpointSpec, label?: string): Promise<Breakpoint>;
  /** Answers false when there is none of that id. */
  removeBreakpoint(id: number): Promise<boolean>;
  enableBreakpoint(id: number, enabled: boolean): Promise<boolean>;
  /** As enableBreakpoint. @throws Error where the breakpoint or the target cannot have that */
  changeBreakpoint(id: number, change: BreakpointChange): Promise<boolean>;
  breakpoints(): Promise<Breakpoint[]>;
  /** Tells a text to all who listen, as a breakpoint does that prints. */
  print(text: string): Promise<void>;

  /** Symbols of the image and of the kernel that runs, sorted by address. */
  symbols(): Promise<TargetSymbol[]>;

  /**
   * vCPUs that stop and go each by itself. While that is on, what stops a vCPU (a breakpoint, watchpoint, step) stops
   * it alone, as an event of its own; the guest runs while one of them does, and stops with the last.
   */
  readonly each?: {
    /** Off: those that stand are as all others, which are stopped if they run. */
    independent(on: boolean): Promise<void>;
    resume(vcpus: readonly number[]): Promise<void>;
    /** Those that run stop, as paused. */
    stop(vcpus: readonly number[]): Promise<void>;
    /** As Debugger.step; the stop comes as an event. */
    step(vcpu: number, within?: { start: bigint; end: bigint }): Promise<void>;
  };
  /** Frames that breakpoints collect. */
  readonly tracing?: {
    start(options: TraceOptions): Promise<void>;
    stop(): Promise<void>;
    status(): Promise<TraceStatus>;
    /** By its number from 0, the oldest; undefined when there is none. */
    frame(index: number): Promise<TraceFrame | undefined>;
    /** What tells the frames apart, oldest first. */
    list(): Promise<{ tracepoint: number; address: bigint }[]>;
    /** A trace state variable as it is now. */
    variable(number: number): Promise<bigint | undefined>;
  };
  /** The system calls of the guest's programs. */
  readonly syscalls?: {
    /** From now on the guest stops where one begins or ends: all, or those of these numbers; undefined: it does not. */
    catch(wanted: { numbers?: number[] } | undefined): Promise<void>;
  };
  readonly ept?: {
    /** GPA -> HPA with each entry. */
    walk(gpa: bigint, vcpu?: number): Promise<PageWalk>;
    ranges(): Promise<EptRange[]>;
    /**
     * Where in a range of guest-physical memory exits and writes fall. Writes are those since the last look: each look
     * makes the guest fill its translations anew.
     * @param cells into so many pieces, 1 to 100,000
     * @param anew what was counted so far is forgotten
     */
    heat?(first: bigint, bytes: bigint, cells: number, anew?: boolean): Promise<MemoryHeatCells>;
  };
  readonly vmcs?: {
    read(vcpu: number): Promise<VmcsFieldValue[]>;
    /** @throws Error naming the field when it is read-only or unknown. */
    write(vcpu: number, encoding: number, value: bigint): Promise<void>;
  };
  readonly compiler?: {
    /** What the engine compiled of the guest's code, and how that is used. */
    counters(): Promise<CompilerCounters>;
  };
  readonly exits?: {
    /** The newest `max` records with sequence > `after`, oldest first. */
    records(after: number, max: number): Promise<ExitRecord[]>;
    /**
     * The control fields of the VMCS as they were at an exit of the trace; undefined where that is not known: where there
     * is no VMCS, and of exits before a state was loaded.
     */
    controls?(sequence: number): Promise<{ encoding: number; value: bigint }[] | undefined>;
    /** Exits so far by reason name. */
    counts(): Promise<Record<string, number>>;
    /** What the exits that the trace has cost, put together: those that meet a condition. */
    report?(by: ExitGroupKey, condition?: ExitCondition): Promise<ExitReportData>;
    /** The exits that the trace has, over its time. @param columns 1 to 1000 */
    course?(columns: number): Promise<ExitCourse>;
    /** Exits of the trace that could be avoided, those that took most time first. */
    hints?(): Promise<ExitHint[]>;
    /**
     * Host time of the VMM's handlers by exit reason since it is measured; exits that the core completes by itself have none.
     * @param on measuring begins, or ends; it costs some 100 ns an exit, and nothing while it is off. Absent: as it is.
     * @returns undefined while it is not measured
     */
    handlerTimes?(on?: boolean): Promise<HandlerTime[] | undefined>;
  };
  readonly console?: {
    /** Last bytes (at most 64 KiB) that the guest wrote to its serial port. */
    serialLog(): Promise<Uint8Array>;
    /**
     * Bytes for the serial port. Resolves when the guest has read most of what waits: who sends much waits for that.
     * @throws Error when the guest does not read, and too much waits already.
     */
    serialInput(bytes: Uint8Array): Promise<void>;
    /**
     * Who takes the serial output falls behind: the guest stands still, as in the middle of an instruction, until that is
     * over. It counts as running; pause, steps and all else are heard.
     */
    holdOutput?(held: boolean): Promise<void>;
    /** One key press and release on the PS/2 keyboard by its name (`a`, `Enter`, `F1`, `ctrl-c`). */
    key(name: string): Promise<void>;
    /** The guest has read all that was typed; absent where nobody knows. */
    keyboardIdle?(): Promise<boolean>;
    /** A key goes down or up, by the name of the key itself: `a` also for a capital. @throws Error when it is no key */
    keyEvent?(name: string, down: boolean): Promise<void>;
    /**
     * Moves the PS/2 mouse to the right and down, and turns its wheel towards the user.
     * @param buttons held from now on: left 1, right 2, middle 4
     */
    mouse?(dx: number, dy: number, wheel: number, buttons: number): Promise<void>;
    screen(): Promise<VgaText | undefined>;
    /** The screen as pixels in any mode, made smaller where it does not fit into the given size; absent where nobody tells. */
    picture?(mostWidth?: number, mostHeight?: number): Promise<Picture>;
    /**
     * What has changed on the screen since a look of that version (0: all of it): its lines, or with `fit` the whole of it,
     * made smaller where there is less room. Nothing is compared while nobody looks.
     */
    look?(since: number, fit?: FitInto): Promise<ScreenLook>;
    /**
     * Writes the screen to a file of the host that the guest runs on: PNG, or PPM where its name ends so or `format` says it.
     * @throws Error naming the file and the cause
     */
    screendump?(file: string, format?: ScreenDump['format']): Promise<ScreenDump>;
  };
  /** What the guest's operating system is about, read from its memory. */
  readonly os?: {
    /** Undefined while none is found. */
    info(): Promise<OsInfo | undefined>;
    /**
     * As info(), but a kernel that has not unpacked itself yet is learnt from a run of the same guest aside, so that
     * `symbols()` has its symbols from the reset on. Takes seconds.
     */
    foresee(): Promise<OsInfo | undefined>;
    /** The system's release as far as it is known at once: of the one that was found, or as the image says. */
    release(): Promise<string | undefined>;
    /** The kernel's log, oldest first. @throws Error when there is no system or it cannot be read, as do these. */
    log(): Promise<OsLogRecord[]>;
    /** Of the kernel in memory, or of the foreseen one; undefined where there is none. */
    unwind(): Promise<OsUnwindTable | undefined>;
    /** Its row for a code address. */
    frameRow(address: bigint): Promise<OsFrameRow | undefined>;
    processes(): Promise<OsTask[]>;
    /** The kernel stack of a process or thread by its number. @throws Error when there is none of that number */
    stack(pid: number): Promise<OsTaskStack>;
    /** What was looked for, where info() finds nothing. */
    absence(): Promise<string>;
    modules(): Promise<OsModule[]>;
    /** What a vCPU runs; undefined when it is not known. */
    current(vcpu: number): Promise<OsTask | undefined>;
  };
  /** Source of the code, by the image's line table. */
  readonly source?: {
    /** Where the instruction at each address comes from; undefined where the table does not say. */
    locate(addresses: bigint[]): Promise<(SourceLine | undefined)[]>;
    /**
     * The piece of a line's code that an address lies in, [start, end). `begins`: a statement of it begins at its start.
     */
    piece?(address: bigint): Promise<(SourceLine & { start: bigint; end: bigint; begins: boolean }) | undefined>;
    /** The lines of a file as `locate` names it; undefined when it cannot be read. */
    text(file: string): Promise<string[] | undefined>;
    /**
     * Where the code of a line begins, by the end of its file's path; of the next line that has some, where it has none.
     * Undefined where the table has no such file, or no code from there on.
     */
    address(file: string, line: number): Promise<(SourceLine & { address: bigint }) | undefined>;
  };
  /** Types and variables: by the DWARF of the image or the file of `--symbols`, else by the BTF of the kernel that runs. */
  readonly types?: {
    /** Where the types are from; undefined while none are known. */
    from(): Promise<'DWARF' | 'BTF' | undefined>;
    /** Types with those that they are made of; what pointers lead to is there without its members. */
    nodes(ids: readonly TypeId[]): Promise<[TypeId, TypeNode][]>;
    /** A type by its name. @param near address of code whose own types go first */
    named(word: TypeWord, name: string, near?: bigint): Promise<TypeId | undefined>;
    /** An enumerator. @param near as of named */
    enumerator(name: string, near?: bigint): Promise<{ value: bigint; type: TypeId } | undefined>;
    /** What is in scope at an address of code, outermost first: the function, and what lies in it. */
    scope(pc: bigint): Promise<CodeBlock[] | undefined>;
    /** A variable outside of functions, or a function, whose type is known. @param near as of named */
    variable(name: string, near?: bigint): Promise<TypedVariable | undefined>;
    /** How the caller's registers are had at an address of code; undefined where the file does not say. */
    caller(pc: bigint): Promise<CallerRules | undefined>;
    /** What a register was at a call that returns to an address, over the registers there. */
    atCall(returnTo: bigint, register: string): Promise<Expression | undefined>;
  };
  /** The machine's state in files of the host that the guest runs on. */
  readonly snapshots?: {
    /** A guest that runs stands meanwhile. Disks are not in it. @throws Error naming the file and the cause */
    save(file: string): Promise<SavedState>;
    /**
     * Puts the machine into a state that a machine built alike has saved, and stops there.
     * @throws Error naming the file and what is wrong with it, or does not fit; nothing has changed then
     */
    load(file: string): Promise<void>;
    /** Names under which `savevm` has kept the machine. */
    names(): Promise<string[]>;
  };
  /** Moves the guest to another vmscope, which waits for it with `--incoming`. */
  readonly migration?: {
    /** Begins; the guest runs on meanwhile. @param uri tcp:HOST:PORT or unix:PATH @throws Error in one line */
    start(uri: string): Promise<void>;
    /** @throws Error when it is too late */
    cancel(): Promise<void>;
    /** Of the newest one; undefined before the first. */
    status(): Promise<MigrationStatus | undefined>;
  };
  /** Going back in the run. All verbs but `where` resolve at the stop; a pause ends them where they are. */
  readonly history?: {
    where(): Promise<HistoryPlace>;
    /** @throws Error when the history has no such place */
    goTo(target: HistoryTarget): Promise<RunState>;
    /** Back by so many instructions of a vCPU, with all that the others did meanwhile. */
    stepBack(vcpu: number, count?: number): Promise<RunState>;
    /** Back to the last breakpoint, watched access or exit that would have stopped the guest; before a write is made. */
    continueBack(): Promise<RunState>;
    /**
     * Back to the last write: the guest stands before the instruction, or the exit whose handler or device made it. Asked
     * again there it goes to the one before. Of what is no memory and no sector, only changes are seen.
     * @param became only to a write that made the condition hold, which did not hold before
     * @throws Error when it is nowhere
     */
    wrote(what: Written, vcpu?: number, became?: Became): Promise<RunState & { done?: Done }>;
    /**
     * Forward to the next read of memory, by an instruction or a device, or of a disk's sector: through what is recorded, and on from the live end.
     * The guest stands behind it; whatever else stops it ends that.
     * @throws Error when it is nowhere, or reads of its kind are not seen
     */
    reads(what: Written, vcpu?: number): Promise<RunState & { done?: Done }>;
    /** Names the instant at which the guest stands; a name that is taken moves there. */
    bookmark(name: string): Promise<Position>;
    bookmarks(): Promise<Bookmark[]>;
    /** Where the guest stood, the oldest first; the newest hundreds. */
    stops(): Promise<PastStop[]>;
    /** The last bytes that a line had printed to the serial console before an instruction. */
    printed(line: string, icount: bigint, most: number): Promise<Uint8Array>;
    /** Back to the last exit that matches, before it is handled. */
    previousExit(condition?: ExitCondition): Promise<RunState>;
    /**
     * Begins a branch here, on which the guest goes on; the line that it leaves stays as it was. A change of the machine in
     * the past begins one by itself.
     * @throws Error when the name is taken, or is none
     */
    branch(name?: string): Promise<Branch>;
    /** The trunk, and the branches in the order in which they were made. */
    branches(): Promise<Branch[]>;
    /** Goes to the end of a line. @throws Error when there is none of that name */
    switchTo(name: string): Promise<RunState>;
    /** @throws Error when the guest is on it, or another one leaves it */
    deleteBranch(name: string): Promise<void>;
    renameBranch(name: string, to: string): Promise<Branch>;
    /**
     * Compares the exits of two lines, by default of the one that the guest is on with the trunk. A pause ends it; the
     * guest stands where it stood in any case.
     */
    compare(a?: string, b?: string): Promise<BranchComparison>;
    /**
     * VMCS and registers as they were at exits of the line that the guest is on, before they were handled. A pause ends it;
     * the guest stands where it stood in any case.
     * @param exits numbers as of the trace
     * @throws Error naming one that the history does not have
     */
    statesAt?(exits: number[]): Promise<ExitState[]>;
  };
  /** The recording that the guest repeats; absent where it repeats none. */
  readonly recording?: {
    about(): Promise<RecordingAbout>;
    /** Compares the machine with what it was at the recording's end. @throws Error when it does not stand there */
    compare(): Promise<RecordingVerdict>;
  };
  /** Devices with their rows for the devices view. */
  devices(): Promise<{ name: string; rows: [string, string][] }[]>;
  /**
   * Monitor commands in QEMU's wording (`info registers`, `xp`, ...): text, or undefined when unknown.
   * @param vcpu whose registers and memory; absent: the one that `cpu` chose since the last stop, or that of the stop
   */
  monitor(line: string, vcpu?: number): Promise<string | undefined>;
  /**
   * Writes memory and vCPUs as an ELF core to a file of the host that the guest runs on; a guest that runs stands
   * meanwhile. @throws Error naming the file and the cause
   */
  dumpMemory(file: string): Promise<DumpResult>;
  /** What the guest has done since it was started, over its resets; absent where the target does not know. */
  totals?(): Promise<Totals>;
  /**
   * What a guest uses that its host does not see; absent where the target does not know.
   * @param memory its kernel's figures are wanted: a kernel that is not known yet is searched for meanwhile
   */
  usage?(memory: boolean): Promise<GuestUsage>;
  /** Resets the machine to its first state. */
  reset(): Promise<void>;
  /** Ends the guest and frees its engine. */
  quit(): Promise<void>;
}
