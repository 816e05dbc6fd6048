/** The part of the address space in which kernels run. */

/** Of 64-bit kernels: from here up. */
export const KERNEL_HALF = 0xffff_8000_0000_0000n;
/** Where 32-bit kernels begin, whatever split of the address space they were built for. */
export const KERNEL_HALF_32 = 0x4000_0000n;
/** Where those of usual splits run; above it are firmware and device memory, below it may be a loader. */
const USUAL_32 = { start: 0x8000_0000n, end: 0xfe00_0000n };

/** Whether a guest that stands at this address may stand in a kernel. */
export const isKernelAddress = (address: bigint): boolean =>
  address >= KERNEL_HALF || (address >= USUAL_32.start && address < USUAL_32.end);
