/** Known patterns of exits that a guest or its VMM can do without: which exits belong to one, and what avoids them. */
import { MSR, msrName } from '../../spec/msrs.js';
import { portName } from '../../spec/ports.js';
import type { ExitHint, ExitRecord } from '../debugger.js';
import { EXIT_FACTS } from './exit-facts.js';

export interface HintRow extends Pick<ExitHint, 'id' | 'title' | 'cause' | 'advice' | 'source'> {
  /** What exits of the pattern have in common, as the hint names it; undefined for another exit. */
  readonly key: (exit: ExitRecord) => string | undefined;
  /** Only those count that come from the instruction of the vCPU's exit before, and have its key. */
  readonly inARow?: boolean;
  /** Only those count that took less: in ns. */
  readonly below?: number;
  /** Exits a second of virtual time from which on it is one. */
  readonly perSecond?: number;
}

const R = {
  exception: 0,
  interruptWindow: 7,
  cpuid: 10,
  hlt: 12,
  invlpg: 14,
  rdtsc: 16,
  cr: 28,
  io: 30,
  rdmsr: 31,
  wrmsr: 32,
  pause: 40,
  tprThreshold: 43,
  apic: 44,
  ept: 48,
  rdtscp: 51,
} as const;

const reasonOf = (exit: ExitRecord): number => exit.reason & 0xffff;
const hex = (value: bigint): string => value.toString(16);
const LOW = 0xffff_ffffn;

const IO_IN = 8n;
const portText = (port: bigint): string => {
  const name = portName(Number(port));
  return `port ${hex(port)}${name ? ` (${name})` : ''}`;
};
const io = (exit: ExitRecord, read: boolean): bigint | undefined =>
  ((exit.qualification & IO_IN) !== 0n) === read ? EXIT_FACTS.port(exit) : undefined;

const EPT_READ = 1n;
const EPT_WRITE = 2n;
const APIC_PAGE = 0xfee0_0000n;
const PAGE = 0xfffn;

/** Offset in the local APIC's page of an access; undefined for other exits. @sdm 3A 10.4.1 "The Local APIC Block Diagram" */
function apicRegister(exit: ExitRecord, write: boolean): bigint | undefined {
  const reason = reasonOf(exit);
  if (reason === R.ept && (exit.gpa & ~PAGE) === APIC_PAGE)
    return ((exit.qualification & EPT_WRITE) !== 0n) === write ? exit.gpa & PAGE : undefined;
  // access type 1 is a write during instruction execution
  if (reason === R.apic)
    return ((exit.qualification >> 12n) & 15n) === (write ? 1n : 0n) ? exit.qualification & PAGE : undefined;
  return undefined;
}

const X2APIC_EOI = 0x80bn;
const X2APIC_TIMER = 0x838n;
const TSC_DEADLINE = BigInt(MSR.IA32_TSC_DEADLINE);
const msr = (exit: ExitRecord, reason: number): bigint | undefined =>
  reasonOf(exit) === reason ? exit.rcx & LOW : undefined;

/** MSRs that are the guest's own: its VMM loads and saves them, and has nothing to decide when they are written. */
const OWN_MSRS = new Set(
  [
    MSR.IA32_TIME_STAMP_COUNTER,
    ...[0x48, 0x49], // IA32_SPEC_CTRL and IA32_PRED_CMD, which this CPU does not have
    ...[MSR.IA32_SYSENTER_CS, MSR.IA32_SYSENTER_ESP, MSR.IA32_SYSENTER_EIP],
    ...[MSR.IA32_STAR, MSR.IA32_LSTAR, MSR.IA32_FMASK],
    ...[MSR.IA32_FS_BASE, MSR.IA32_GS_BASE, MSR.IA32_KERNEL_GS_BASE],
  ].map(BigInt),
);

/** Ports with timer counters: writes to them program the next tick. */
const TIMER_PORTS = new Set([0x40n, 0x43n]);

export const HINT_ROWS: readonly HintRow[] = [
  {
    id: 'port-polled',
    title: 'A port is polled',
    cause: 'each IN exits, and a loop reads the same port until the device is ready',
    advice: "let the device's interrupt tell; a virtio device has no status to wait for",
    source: 'SDM 3C 25.1.3 "Instructions That Cause VM Exits Conditionally"',
    inARow: true,
    key: (exit) => {
      const port = io(exit, true);
      return port === undefined ? undefined : portText(port);
    },
  },
  {
    id: 'register-polled',
    title: 'A device register in memory is polled',
    cause: 'device memory is not mapped in the EPT, so each read of a loop that waits for the device exits',
    advice: "let the device's interrupt (MSI) tell, or use a virtio device, whose rings are RAM",
    source: 'SDM 3C 28.3.3.2 "EPT Violations"',
    inARow: true,
    key: (exit) =>
      reasonOf(exit) === R.ept && exit.qualification & EPT_READ && (exit.gpa & ~PAGE) !== APIC_PAGE
        ? `register ${hex(exit.gpa)}`
        : undefined,
  },
  {
    id: 'bytes-to-port',
    title: 'Data goes to a port byte by byte',
    cause: 'each OUT exits: a serial console costs an exit a character, and one more to see whether it may send',
    advice: 'use a virtio console (console=hvc0), or OUTS with a count; print less',
    source: 'SDM 3C 25.1.3 "Instructions That Cause VM Exits Conditionally"',
    key: (exit) => {
      const port = io(exit, false);
      const string = exit.qualification & 16n;
      return port === undefined || string || !/serial|parallel/i.test(portName(Number(port)) ?? '')
        ? undefined
        : portText(port);
    },
  },
  {
    id: 'cr3-exits',
    title: 'MOV to or from CR3 exits',
    cause: 'with EPT the guest may have its own page tables: no shadow of them has to follow CR3',
    advice: 'clear "CR3-load exiting" and "CR3-store exiting" while EPT is on',
    source: 'SDM 3C 24.6.2 "Processor-Based VM-Execution Controls"',
    key: (exit) => (EXIT_FACTS.cr(exit) === 3n ? 'CR3' : undefined),
  },
  {
    id: 'invlpg-exits',
    title: 'INVLPG exits',
    cause: 'with EPT and VPID the processor invalidates the translations of the guest by itself',
    advice: 'clear "INVLPG exiting" while EPT is on',
    source: 'SDM 3C 24.6.2 "Processor-Based VM-Execution Controls"',
    key: (exit) => (reasonOf(exit) === R.invlpg ? 'INVLPG' : undefined),
  },
  {
    id: 'page-faults',
    title: 'Page faults of the guest exit',
    cause:
      'bit 14 of the exception bitmap: with EPT the page tables of the guest, and their faults, are its own affair',
    advice: 'clear bit 14 of EXCEPTION_BITMAP while EPT is on',
    source: 'SDM 3C 24.6.3 "Exception Bitmap"',
    key: (exit) =>
      reasonOf(exit) === R.exception && exit.interruptionInfo >>> 31 && (exit.interruptionInfo & 0xff) === 14
        ? '#PF'
        : undefined,
  },
  {
    id: 'cr-bits',
    title: 'Bits of CR0 or CR4 are owned by the VMM',
    cause: 'a bit in the guest/host mask whose new value differs from the read shadow exits; CLTS and LMSW too',
    advice: 'leave bits that the VMM does not need, such as CR0.TS, to the guest: clear them in the mask',
    source: 'SDM 3C 24.6.6 "Guest/Host Masks and Read Shadows for CR0 and CR4"',
    key: (exit) => {
      const cr = EXIT_FACTS.cr(exit);
      return cr === 0n || cr === 4n ? `CR${cr}` : undefined;
    },
  },
  {
    id: 'cr8-exits',
    title: 'Task priority (CR8, TPR) exits',
    cause: 'each change of the task priority exits to the VMM, though most let no interrupt through',
    advice: 'set "Use TPR shadow" with a TPR threshold: only a priority below it exits',
    source: 'SDM 3C 29.3 "Virtualizing CR8-Based TPR Accesses"',
    key: (exit) =>
      EXIT_FACTS.cr(exit) === 8n || apicRegister(exit, true) === 0x80n || apicRegister(exit, false) === 0x80n
        ? 'task priority'
        : undefined,
  },
  {
    id: 'eoi-exits',
    title: 'Each end of interrupt (EOI) exits',
    cause: 'the local APIC is not virtualized: a write of its EOI register goes to the VMM',
    advice: 'set "Virtual-interrupt delivery" (APICv), or give the guest paravirtual EOI',
    source: 'SDM 3C 29.1.4 "EOI Virtualization"',
    key: (exit) => (apicRegister(exit, true) === 0xb0n || msr(exit, R.wrmsr) === X2APIC_EOI ? 'EOI' : undefined),
  },
  {
    id: 'xapic',
    title: 'The local APIC is used through its page',
    cause: 'each access to a register of the APIC page is an EPT violation or an APIC access, and has to be decoded',
    advice: 'let the guest use x2APIC mode: MSRs, which the MSR bitmap and APICv can leave to it',
    source: 'SDM 3A 10.12.1.2 "x2APIC Register Address Space"',
    key: (exit) => {
      const register = apicRegister(exit, true) ?? apicRegister(exit, false);
      return register === undefined || register === 0xb0n || register === 0x80n
        ? undefined
        : `APIC register ${hex(register)}`;
    },
  },
  {
    id: 'pause-loop',
    title: 'A loop of PAUSE exits',
    cause: 'a vCPU spins for a lock; "PAUSE exiting" stops at each turn of the loop',
    advice:
      'use "PAUSE-loop exiting", which exits only after a long spin, and paravirtual spin locks; or more host CPUs',
    source: 'SDM 3C 24.6.13 "Controls for PAUSE-Loop Exiting"',
    inARow: true,
    key: (exit) => (reasonOf(exit) === R.pause ? 'PAUSE' : undefined),
  },
  {
    id: 'cpuid-loop',
    title: 'CPUID in a loop',
    cause: 'CPUID exits whatever the controls; one instruction asks for the same leaf again and again',
    advice: 'keep the answer; to serialize or to order time stamps use LFENCE or SERIALIZE, which do not exit',
    source: 'SDM 3C 25.1.2 "Instructions That Cause VM Exits Unconditionally"',
    inARow: true,
    key: (exit) => {
      const leaf = EXIT_FACTS.leaf(exit);
      return leaf === undefined ? undefined : `leaf ${hex(leaf)}`;
    },
  },
  {
    id: 'short-halts',
    title: 'Halts that end at once',
    cause: 'the guest halts and is woken again within 50 us: exit and entry cost as much as it rests',
    advice:
      'poll a little before HLT, in the guest (cpuidle-haltpoll) or in the host (halt_poll_ns), or clear "HLT exiting"',
    source: 'SDM 3C 25.1.3 "Instructions That Cause VM Exits Conditionally"',
    below: 50_000,
    perSecond: 1000,
    key: (exit) => (reasonOf(exit) === R.hlt ? 'HLT' : undefined),
  },
  {
    id: 'timer-programming',
    title: 'The timer is set very often',
    cause: 'each new deadline of the APIC timer, or count of the interval timer, exits to the VMM',
    advice:
      'a tickless kernel (nohz), a lower HZ, fewer high-resolution timers; the VMX-preemption timer makes the tick itself cheap',
    source: 'SDM 3A 10.5.4 "APIC Timer"',
    perSecond: 1000,
    key: (exit) => {
      const written = msr(exit, R.wrmsr);
      if (written === TSC_DEADLINE || written === X2APIC_TIMER) return msrName(Number(written));
      if (apicRegister(exit, true) === 0x380n) return 'APIC timer';
      const port = io(exit, false);
      return port !== undefined && TIMER_PORTS.has(port) ? portText(port) : undefined;
    },
  },
  {
    id: 'own-msrs',
    title: "MSRs of the guest's own exit",
    cause: 'the MSR bitmap says that they exit, though the VMM has nothing to decide about them',
    advice:
      'clear their bits in the MSR bitmap, and save and load them at exits and entries only where the host uses them',
    source: 'SDM 3C 24.6.9 "MSR-Bitmap Address"',
    key: (exit) => {
      const number = msr(exit, R.rdmsr) ?? msr(exit, R.wrmsr);
      return number !== undefined && OWN_MSRS.has(number) ? msrName(Number(number)) : undefined;
    },
  },
  {
    id: 'rdtsc-exits',
    title: 'Reading the time stamp counter exits',
    cause: '"RDTSC exiting" is set',
    advice: 'clear it: TSC offset and TSC multiplier give the guest its own time without exits',
    source: 'SDM 3C 24.6.5 "Time-Stamp Counter Offset and Multiplier"',
    key: (exit) => (reasonOf(exit) === R.rdtsc || reasonOf(exit) === R.rdtscp ? 'RDTSC' : undefined),
  },
  {
    id: 'interrupt-windows',
    title: 'Many exits to find a window for an interrupt',
    cause: 'an interrupt came while the guest did not take any, so the VMM asked for an exit when it does',
    advice: 'set "Virtual-interrupt delivery": the processor delivers it when the guest takes it',
    source: 'SDM 3C 29.2.2 "Virtual-Interrupt Delivery"',
    key: (exit) => (reasonOf(exit) === R.interruptWindow ? 'interrupt window' : undefined),
  },
];
