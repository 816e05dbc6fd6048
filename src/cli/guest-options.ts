import type { KernelIrqchipMode } from '../engine/host/kvm-engine/kernel-irqchip.js';
import type { MigrationUri } from '../engine/host/migration/uri.js';
import type { JitMode } from '../engine/jit/jit.js';
import type { Card } from '../engine/vmm/cards.js';
import type { CpuModel } from '../engine/vmm/cpu-models.js';
import type { EngineName } from '../engine/vmm/hypervisor.js';
import type { DriveArgument } from './drive-options.js';
import type { GdbAddress } from './gdb-address.js';
import type { NetArgument } from './net-options.js';
import type { VncArgument } from './vnc-options.js';

/** What the worker needs to build a guest; its first message. */
export interface GuestWorkerData {
  name: string;
  engine: EngineName;
  /** Engine kvm counts here whenever it enters and leaves the vCPU. */
  heartbeat?: Int32Array | undefined;
  /** Cells in which the engine's thread says what it does (engine vtx). */
  activity?: Int32Array | undefined;
  image: string;
  memoryBytes: number;
  vcpus: number;
  /** CPU model; without it the newest. */
  cpu?: CpuModel;
  append?: string;
  initrd?: string;
  /** Load address of a flat binary. */
  at?: number;
  /** Seconds since 1970 at power-on. */
  rtcSeconds: number;
  isaDebugExit: boolean;
  noReboot: boolean;
  /** Hot guest code is compiled; without it all is interpreted. */
  jit?: JitMode;
  rebootOnTripleFault?: boolean;
  /** KVM's paravirtual interface is hidden. */
  noParavirtual?: boolean;
  paced: boolean;
  /** Virtual time follows the host's clock. */
  followsHost?: boolean;
  /** An instruction takes 2^n ns of virtual time; absent: 1 ns. */
  clockShift?: number;
  waitForInput: boolean;
  untilExits?: number;
  maxInstructions?: number;
  /** Engine kvm: which interrupt controllers are the kernel's. */
  kernelIrqchip?: KernelIrqchipMode;
  /** File of symbols, instead of the image's. */
  symbols?: string;
  traceFile?: string;
  gdb?: GdbAddress;
  vnc?: VncArgument;
  /** Bytes of memory for going back; absent: nothing is kept. */
  history?: number;
  /** File for a recording of the run. `pack`: with all that the guest begins with in it. */
  record?: { path: string; pack: boolean };
  /** The recording that the guest repeats. */
  replay?: string;
  /** Where files are now that were called otherwise when the guest was recorded. */
  sources?: Readonly<Record<string, string>>;
  /** In a repeated run: the video BIOS that its font came from. */
  font?: string;
  /** The debug console's ports exist, also where nobody takes what is written there. */
  debugPorts?: boolean;
  /** A saved state to go on from. */
  restore?: string;
  /** The guest comes from another process; `wait`: it is not let run when it has come. */
  incoming?: { uri: MigrationUri; wait: boolean };
  drives?: DriveArgument[];
  net?: NetArgument;
  cards?: Card[];
  /** The image is a BIOS. */
  firmware?: {
    vgaBios?: string;
    serialConsole: boolean;
    netRom?: string;
    bootOrder?: string;
    /** A kernel that the BIOS starts. */
    kernel?: string;
  };
  /** The guest is another one's copy for a look ahead: nobody is told of it. */
  aside?: boolean;
  /** File for what the guest writes to the debug console's ports. */
  debugcon?: string;
}

/** First message of the worker: it is up, or why it is not. */
export type WorkerHello =
  /** `socket`: path at which `top` and `attach` find the guest. */
  /** `stands`: the guest came from another process and stood there. */
  | { ready: true; gdb?: GdbAddress; warnings?: string[]; socket?: string; stands?: boolean }
  | { ready: false; message: string; status: number; stack?: string };

/** What the engine's thread says besides answers and events. */
export type WorkerNotice =
  /** Whether a GDB client is connected. */
  | { gdbClient: boolean }
  /** The debugger at standard input has gone. */
  | { pipeClosed: true }
  /** A line for the user. */
  | { tell: string };
