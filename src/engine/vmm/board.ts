import type { GuestEnd, Nanoseconds, SteadyAnswer } from '../devices/device.js';

/** What the core needs to know of a local APIC to do its common work. */
export interface OwnApic {
  readonly tpr: number;
  readonly x2apic: boolean;
  /** Guest-physical address of the window, where it is not in x2APIC mode. */
  readonly windowBase: number;
  /** The guest may be told to end interrupts by a word in its memory: each delivery is the device's. */
  readonly endsByWord: boolean;
  /** ns of a tick of the timer's count; 0 where the count does not start the timer. */
  readonly countNs: number;
  /** A TSC deadline starts the timer. */
  readonly takesDeadline: boolean;
}

/** What the VMM needs of the machine's devices: buses, interrupts, deadlines. */
export interface Board {
  portRead(vcpu: number, port: number, bytes: number): number;
  portWrite(vcpu: number, port: number, bytes: number, value: number): void;
  /**
   * A write of one byte to this port may reach its device late: 'latch' where only reads of it and observers see it,
   * 'nobody' where no device is; else undefined.
   */
  lateWrites?(port: number): 'latch' | 'nobody' | undefined;
  /** Device memory; unclaimed addresses read as all ones. */
  mmioRead(vcpu: number, gpa: number, bytes: number): bigint;
  mmioWrite(vcpu: number, gpa: number, bytes: number, value: bigint): void;
  /** The same for at most 4 bytes. */
  mmioRead32(vcpu: number, gpa: number, bytes: number): number;
  mmioWrite32(vcpu: number, gpa: number, bytes: number, value: number): void;
  /** What a load would answer, without its effects; undefined where no device answers or it cannot tell. */
  mmioPeek(vcpu: number, gpa: number, bytes: number): bigint | undefined;
  /** How the register goes on that was read just now; undefined: nobody can tell, or the read had effects. */
  steadyPort?(vcpu: number, port: number, bytes: number): SteadyAnswer | undefined;
  steadyTpr?(vcpu: number): SteadyAnswer | undefined;
  steadyMmio?(vcpu: number, gpa: number, bytes: number): SteadyAnswer | undefined;
  /** The local APIC of the vCPU, where nothing but it has interrupts for the vCPU; else, and where it is off, undefined. Absent: never. */
  ownApic?(vcpu: number): OwnApic | undefined;
  /** As `nextDeadline`, without the timer of the vCPU's local APIC. */
  deadlineBeside?(vcpu: number): Nanoseconds | undefined;
  /** The core has done for the local APIC what the guest wrote to the task priority. */
  hearTpr?(vcpu: number, value: number): void;
  /** What the guest wrote to ICR. */
  hearIcr?(vcpu: number, low: number, high: number): void;
  /** What the guest wrote to the timer's initial count at this time, or to its deadline, which comes at that one. */
  hearCount?(vcpu: number, count: number, at: Nanoseconds): void;
  hearDeadline?(vcpu: number, deadline: bigint, due: Nanoseconds): void;
  interruptPending(vcpu: number): boolean;
  /** Takes over what a guest that ends interrupts without an exit has done by now; that may wake the vCPU. */
  seeEndOfInterrupt?(vcpu: number): void;
  /** Vector of the highest-priority interrupt, which becomes in service. */
  acknowledgeInterrupt(vcpu: number): number;
  /** An x87 error of a processor whose CR0.NE is clear: false asks for IRQ 13, true where the handler has it ignored. */
  numericError(): boolean;
  /** An NMI waits to be taken. */
  nmiWaits(vcpu: number): boolean;
  /** True once for each NMI. */
  takeNmi(vcpu: number): boolean;
  /** Earliest virtual time at which a device has work. */
  nextDeadline(): Nanoseconds | undefined;
  runDue(now: Nanoseconds): void;
  tpr(vcpu: number): number;
  setTpr(vcpu: number, value: number): void;
  /** x2APIC registers 0x800-0x8ff and the TSC-deadline MSR; undefined or false: #GP. */
  readApicMsr(vcpu: number, msr: number): bigint | undefined;
  writeApicMsr(vcpu: number, msr: number, value: bigint): boolean;
  /** IA32_APIC_BASE. */
  apicBase(vcpu: number): bigint;
  /** False: the write is a #GP. */
  setApicBase(vcpu: number, value: bigint): boolean;
  /** Wall-clock time at virtual time 0, in seconds since 1970. */
  readonly bootSeconds: number;
  /** Where the guest of KVM's paravirtual end of interrupt has its flag; undefined: it is off. */
  setParavirtualEoi(vcpu: number, gpa: number | undefined): void;
  /** An interrupt message to vCPUs by APIC ID; `mode` as in the interrupt command register. */
  sendInterrupt(targets: readonly number[], mode: number, vector: number): void;
  /** The guest switched itself off or reset, as the devices saw it. */
  takeEnd(): GuestEnd | undefined;
}
