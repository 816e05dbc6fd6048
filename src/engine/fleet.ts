/**
 * The fleet API: the one way in which the table of guests, exporters and scripts see all guests of one or more hosts.
 * Beside the debugger API, which is one guest. Counters are sums since the guest's start unless a name says otherwise;
 * what a source cannot tell is absent, and `missing` says why where a user would ask.
 */

export type GuestState =
  | 'running'
  /** Runs, but nothing will ever wake its vCPUs. */
  | 'halted'
  /** Waits for something of its host (Xen's word; QEMU never says it). */
  | 'blocked'
  | 'paused'
  | 'shutting down'
  | 'shut off'
  | 'crashed'
  /** Suspended by its own power management. */
  | 'suspended'
  | 'unknown';

export interface VcpuLook {
  number: number;
  /** Time on a CPU of the host, ns. */
  timeNs?: bigint;
  /** Time runnable without a CPU, ns: what esxtop calls %RDY. */
  waitNs?: bigint;
  exits?: ExitCounts;
  /** Polls for an interrupt before a halt gives the CPU away: how many ended in time, and ns of those that did not. */
  haltPolls?: { successful: number; attempted: number; wastedNs?: bigint };
}

/** VM exits; `byReason` need not add up to the total: sources count overlapping classes. */
export interface ExitCounts {
  total: number;
  byReason: Record<string, number>;
}

export interface DiskLook {
  /** As the guest's definition names it: `vda`. */
  device: string;
  /** Image or block device on the host. */
  path?: string;
  readRequests?: number;
  readBytes?: number;
  /** Time that requests took in all, ns. */
  readNs?: bigint;
  writeRequests?: number;
  writeBytes?: number;
  writeNs?: bigint;
  flushRequests?: number;
  /** Size as the guest sees it, bytes. */
  capacityBytes?: number;
  /** Bytes of the host's storage in use. */
  allocationBytes?: number;
}

/** Receive is what the guest got. */
export interface NicLook {
  device: string;
  rxBytes?: number;
  rxPackets?: number;
  rxErrors?: number;
  rxDrops?: number;
  txBytes?: number;
  txPackets?: number;
  txErrors?: number;
  txDrops?: number;
}

/** All in bytes, faults as counts. */
export interface MemoryLook {
  /** What the guest has now. */
  currentBytes?: number;
  maximumBytes?: number;
  /** The guest's own words, by its balloon driver. */
  availableBytes?: number;
  unusedBytes?: number;
  usableBytes?: number;
  diskCacheBytes?: number;
  swapInBytes?: number;
  swapOutBytes?: number;
  majorFaults?: number;
  minorFaults?: number;
  /** Of the guest's process on the host. */
  residentBytes?: number;
  /** The guest's words are from its kernel's counters in its memory, not from its balloon driver. */
  readFromGuest?: boolean;
}

/** The process on this host that is the guest. */
export interface ProcessLook {
  pid: number;
  cpuNs?: bigint;
  residentBytes?: number;
  majorFaults?: number;
  minorFaults?: number;
  /** From and to storage, bytes; absent without the right to look. */
  readBytes?: number;
  writeBytes?: number;
  threads?: number;
}

/** Something long that goes on with a guest: a migration, a backup. */
export interface JobLook {
  /** `migration`, `backup`, `mirror`, `commit`, `stream`, `dump` ... */
  kind: string;
  /** The disk that it is about. */
  device?: string;
  doneBytes?: number;
  totalBytes?: number;
  dirtyBytesPerSecond?: number;
  downtimeMs?: number;
}

export type Missing = 'cpu' | 'memory' | 'disks' | 'nics' | 'exits' | 'used memory' | 'run queue' | 'host CPUs';

/** One look at one guest. */
export interface GuestSample {
  /** The same for the same guest from look to look, and for no other guest of that source. */
  key: string;
  name: string;
  /** Who tells: `vmscope`, `qemu:///system`, `process`; several are joined by `+`. */
  source: string;
  /** Argument of `vmscope attach`; absent where it cannot. */
  attach?: string;
  uuid?: string;
  /** libvirt's number while it is active. */
  id?: number;
  process?: ProcessLook;
  /** What it was started from, in short. */
  image?: string;
  /** Unix time, ms. */
  startedMs?: number;
  /** When it was looked at: a clock that never goes back, ms. */
  ms: number;
  state: GuestState;
  /** More about the state, or why nothing newer is known. */
  stateText?: string;
  vcpus: number;
  cpuNs?: bigint;
  vcpu?: VcpuLook[];
  memory: MemoryLook;
  disks?: DiskLook[];
  nics?: NicLook[];
  exits?: ExitCounts;
  /** Retired instructions, where the engine counts them. */
  instructions?: bigint;
  jobs?: JobLook[];
  /** Where it has run, by CPU of the host: ns, and of these its vCPUs'; only where it was asked for. */
  pcpu?: { cpuNs: bigint; guestNs: bigint | undefined }[];
  /** Why a group is not there. */
  missing?: Partial<Record<Missing, string>>;
}

/** The part of all seconds in which some, or all, work waited: Linux's pressure (PSI), over 10 s. */
export interface PressureLook {
  cpuSome: number;
  memorySome: number;
  ioSome: number;
}

/** One CPU of a host: ns since the host's start. */
export interface HostCpuLook {
  busyNs: bigint;
  allNs: bigint;
  /** Wanted to run while the host's own host had the CPU: the host is a guest itself. Part of busyNs. */
  stealNs?: bigint;
}

/** One look at a host. */
export interface HostLook {
  hostname: string;
  /** `x86_64` */
  arch: string;
  cpus: number;
  mhz: number;
  memoryBytes: number;
  cpu?: HostCpuLook[];
  pressure?: PressureLook;
}

/** What `perf kvm stat --event` tells apart: VM exits by reason, MMIO and port I/O by address. */
export const EXIT_KINDS = ['vmexit', 'mmio', 'ioport'] as const;
export type ExitKind = (typeof EXIT_KINDS)[number];

/** VM exits of one vCPU for one reason, as `perf kvm stat` tells them: times are until the guest ran again. */
export interface ExitTime {
  vcpu: number;
  kind: ExitKind;
  /** In the host kernel's words; of MMIO and ports the address with the direction, as perf has it: `0xfee000b0:W`. */
  reason: string;
  count: number;
  /** How many of them have a time: an end that was lost has none. */
  timed: number;
  totalNs: number;
  minNs?: number;
  maxNs?: number;
  meanNs?: number;
  deviationNs?: number;
  /** How many were below 1, 2, 4 ... us; the last one counts all above. */
  histogram: number[];
}

/** Sums since the watching began. */
export interface ExitTrace {
  /** By guest's key. */
  guests: Map<string, ExitTime[]>;
  /** Events that the kernel threw away. */
  lost: number;
  /** What traces; absent while nothing is traced. */
  by?: 'perf' | 'tracefs';
  /** Why something is not there. */
  note?: string;
}

/** Traces while it is open. */
export interface ExitWatcher {
  look(): ExitTrace;
  close(): void;
}

export interface SourceLook {
  guests: GuestSample[];
  host?: HostLook;
  /** One line each: what this source could not do. */
  failures: string[];
}

/** What can be done to a guest from the table. */
export const GUEST_ACTIONS = ['pause', 'resume', 'shutdown', 'reset', 'destroy'] as const;
export type GuestAction = (typeof GUEST_ACTIONS)[number];

/** More about one guest than a row holds, fetched when it is looked at. */
export type GuestDetails = [heading: string, rows: [string, string][]][];

/**
 * Guests that are looked at now, by their keys: those on the screen. Of the others a source may tell what it knew at one
 * of its last four looks. Absent: all.
 */
export type Urgent = (key: string) => boolean;

/** What is dear to ask for and looked at by few. */
export interface Wants {
  /** GuestSample.pcpu. */
  pcpu?: boolean;
  /** Processes whose guests' memory may be read for what they use of it: nobody else tells. */
  usedMemory?: ReadonlySet<number>;
}

export interface FleetSource {
  /** As its failures name it: `vmscope`, `qemu:///system`. */
  readonly name: string;
  /** Answers within seconds whatever its peers do; what failed is told in the look. */
  look(urgent?: Urgent, wants?: Wants): Promise<SourceLook>;
  /** @throws Error with what the other side says, e.g. that the connection is read-only. */
  act?(key: string, action: GuestAction): Promise<void>;
  details?(key: string): Promise<GuestDetails>;
  close(): void;
}

/** One look at all sources. */
export interface FleetLook {
  /** A guest that two sources see is one. */
  guests: GuestSample[];
  /** Those that sources told, each once; this one, if none did. */
  hosts: HostLook[];
  failures: string[];
}

export interface Fleet {
  look(urgent?: Urgent, wants?: Wants): Promise<FleetLook>;
  /** @param key of a sample. @throws Error with the reason */
  act(key: string, action: GuestAction): Promise<void>;
  /** @throws Error with the reason */
  details(key: string): Promise<GuestDetails>;
  /** Traces the VM exits of all KVM guests of this host. @throws Error that says which right is missing and how to get it */
  watchExits?(): ExitWatcher;
  close(): void;
}
