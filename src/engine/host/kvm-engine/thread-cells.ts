// The memory that the devices' thread shares with the threads of the vCPUs: 32-bit cells, waited on with Atomics.

/** Counts returns from KVM_RUN of any vCPU: the devices' thread waits for it to change. */
export const BELL = 0;
const FIRST = 16;
/** Cells of a vCPU; a cache line, so that vCPUs do not slow each other. */
const STRIDE = 16;
export const STATE = 0;
/** errno of the last KVM_RUN, 0 when it succeeded. */
export const ERRNO = 1;
/** Kernel's id of the thread, once it is up. */
export const TID = 2;

/** What STATE holds. The devices' thread may touch the vCPU in all states but `running`. */
export const THREAD = {
  starting: 0,
  /** Waits for a command. */
  waiting: 1,
  /** To run, or in KVM_RUN. */
  running: 2,
  /** Came back from KVM_RUN, and nobody has looked yet. */
  returned: 3,
  /** To end. */
  quit: 4,
  gone: 5,
} as const;

export const threadCells = (vcpus: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer((FIRST + vcpus * STRIDE) * 4));

/** Index of a vCPU's cell. */
export const cellOf = (vcpu: number, cell: number): number => FIRST + vcpu * STRIDE + cell;

export interface VcpuThreadData {
  cells: Int32Array;
  vcpu: number;
  /** Descriptor of the vCPU. */
  fd: number;
}
