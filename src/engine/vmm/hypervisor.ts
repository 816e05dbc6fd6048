// What runs a machine: the embedded engine (Vm) or the host's KVM. The VMM, the devices, the boot protocols and
// the debugger are the same on both; the words are those of /dev/kvm.

import type { InitialState } from '../boot/image.js';
import type { CompilerCounters } from '../debugger.js';
import type { GuestEnd, GuestMemory, Nanoseconds } from '../devices/device.js';
import type { OutsideIrqchip } from '../devices/outside-irqchip.js';
import type { ShadowArea } from '../devices/pci/chipset.js';
import type { VideoMemory } from '../devices/vga/video-memory.js';
import type { MachineView } from '../machine-view.js';
import type { HostMemory } from '../memory/host-memory.js';
import type { Stateful } from '../state/saved.js';
import type { Board } from './board.js';
import type { CpuModel } from './cpu-models.js';
import type { FrameWatcher } from './dirty-frames.js';

export type EngineName = 'vtx' | 'kvm';

/** Why runSlice came back. */
export type SliceEnd =
  /** `yields`: its vCPU waits for another one, and gives the rest of its turn away. */
  | { kind: 'limit'; yields?: true }
  /** Halted; `deadline` is the virtual time of the next device event, if there is any. */
  | { kind: 'idle'; deadline: number | undefined }
  | { kind: 'breakpoint' }
  | { kind: 'watchpoint' }
  | { kind: 'step' }
  /** A VM exit that the exit filter wants; it is not handled yet. */
  | { kind: 'exit' }
  | { kind: 'entry-failed' }
  | { kind: 'ended' };

export interface VirtualCpu {
  readonly index: number;
  /** Retired instructions; 0 where the engine does not count them. */
  readonly icount: number;
  /** Virtual time in ns. */
  readonly clock: Nanoseconds;
  /** Waits in HLT. */
  readonly halted: boolean;
  /** Not halted, or something has come that may wake it. */
  readonly runnable: boolean;
  readonly waitsForSipi: boolean;
  /** A debugger keeps it where it stands while others run. */
  held: boolean;
  /** A debugger steps it: interrupts and NMIs wait. One that it could take wakes it from HLT, and waits. */
  holdsInterrupts: boolean;
  /** It looks again whether it can go on. */
  woken: boolean;
  /** INIT and start-up IPIs that take effect at its next turn. */
  pendingInit: boolean;
  pendingSipi: number | undefined;
  readonly interruptsEnabled: boolean;
}

/** A BIOS's ROM at the top of 4 GiB. */
export interface Firmware {
  readonly gpa: number;
  /** Lets an area below 1 MiB show RAM or ROM. */
  show(area: ShadowArea): void;
  /** As after power-on, whatever a debugger has written into it. */
  restore(): void;
}

/** Hears when the VMM begins to handle an exit, and when it has. */
export interface HandlerWatch {
  begins(): void;
  ends(reason: number): void;
}

export interface Hypervisor<V extends VirtualCpu = VirtualCpu> {
  readonly engine: EngineName;
  /** Time is the host's: it goes on whatever the guest does, and cannot be warped over idle phases. */
  readonly realTime: boolean;
  /** Holds the trace ring and the exit counts in the places that the core's layout gives them. */
  readonly host: HostMemory;
  readonly memory: GuestMemory;
  readonly memoryBytes: number;
  readonly vcpus: readonly V[];
  board: Board;
  /** How the guest ended, once it has. */
  end: GuestEnd | undefined;
  /** Instructions of all vCPUs. */
  readonly icount: number;
  /** Exits handled so far. */
  readonly exits: number;
  /** Asked at each exit before it is handled: true stops there. */
  exitFilter: ((vcpu: VirtualCpu) => boolean) | undefined;
  /** Asked at each breakpoint, where that is cheap: false lets the vCPU go on. Others end the slice. */
  breakpointFilter?: ((vcpu: VirtualCpu) => boolean) | undefined;
  /** Told what a user should know of how the engine runs the guest. */
  onMessage?: ((text: string) => void) | undefined;

  /** Told of each exit that a handler begins with and has done, while somebody measures how long that takes. */
  handlerWatch?: HandlerWatch | undefined;

  /** Counters of the compiler of guest code, where there is one. */
  readonly compilerCounters?: (() => CompilerCounters) | undefined;

  /** What a guest sees of the CPU, and whether KVM's paravirtual interface is there: its state fits such a machine alone. */
  readonly cpu: CpuModel;
  readonly paravirtual: boolean;
  /** What survives runSlice in the engine, frames apart. To save is an event of the run; no debugger's step is under way. */
  readonly state: Stateful;
  /** Why its state cannot be saved, where it cannot. */
  readonly unsavable?: string | undefined;
  /** What can be loaded only once the devices are. */
  readonly lastState?: Stateful | undefined;
  readonly dirtyFrames: FrameWatcher;

  now(): Nanoseconds;
  /** Virtual time that an instruction takes, where they are counted. */
  readonly instructionNs: Nanoseconds;
  tsc(vcpu: number): bigint;
  /** As before the first instruction: the vCPUs, nothing pending, no exits, the clock at 0; guest memory stays. */
  resetState(): void;
  /** The boot vCPU stands where the boot protocol wants it; the others wait for a SIPI. */
  start(state: InitialState): void;

  /** Runs a vCPU for at most `instructions` (or, where they are not counted, a few ms), handling its exits. */
  runSlice(vcpu: V, instructions: number): SliceEnd;
  /** Runs all vCPUs at once, each in a thread of its own, for a few ms; absent where they take turns. */
  readonly runTogether?: (() => { vcpu: V; end: SliceEnd }) | undefined;
  /** Interrupt controllers that the engine has in the place of the machine's own. */
  readonly irqchip?: OutsideIrqchip | undefined;
  /** Brings all state to where observers see it; the guest stands. */
  synchronize(): void;
  /** Moves virtual time forward while every vCPU is halted. */
  warpTo(clock: Nanoseconds): void;
  /** Asks for a stop after `count` more instructions of this vCPU. */
  armStep(vcpu: V, count: number): void;
  disarmStep(vcpu: V): void;
  /**
   * An observer knows where this vCPU stands: a breakpoint there does not stop it before its instruction has run. Holds
   * until it has moved, by itself or by a debugger's hand; the engine tells by itself of the breakpoints that it stops at.
   */
  tell(vcpu: number): void;
  /** Ends the slice under way at the next instruction boundary where that is cheap. */
  endSlice?(): void;
  /** Other devices answer at I/O ports than before. */
  portsChanged?(): void;
  /**
   * Delivers an interrupt to the first vCPU, which is halted in real mode with interrupts off, if the handler's segment is
   * this one; behind it the vCPU halts again. False where that is not so; absent where the engine cannot.
   */
  interruptHalted?(vector: number, segment: number): boolean;
  /** An interrupt may have become deliverable. */
  wake(vcpu: number): void;
  finish(end: GuestEnd): void;
  /** No vCPU runs until resetState() and start(); forgets that the guest ended. Absent where the engine cannot. */
  stopVcpus?(): void;
  /** The machine as the debugger sees it. `label`: what a guest-physical address is. */
  view(label: (gpa: number) => string): MachineView;
  /** Puts a BIOS's ROM at the top of 4 GiB; absent where the engine cannot. */
  mapFirmware?(rom: Uint8Array): Firmware;
  /**
   * Frames for the memory of a video card, behind a ROM of so many bytes; undefined where the host's memory has no room for
   * them, absent where the engine cannot.
   */
  mapVideo?(romBytes: number): (VideoMemory & { clear(): void }) | undefined;
  /** Exits so far with this basic exit reason. */
  exitCount(reason: number): number;
  /** Frees what the engine holds of the host. */
  close(): void;
}
