/** Guest-physical memory as DMA and loaders see it. */
export interface GuestMemory {
  readonly bytes: number;
  /** @throws RangeError when the range leaves RAM. */
  read(gpa: number, length: number): Uint8Array;
  write(gpa: number, bytes: Uint8Array): void;
  /** Gives whole pages back to the host; they read as zeros until they are written again. */
  release?(gpa: number, bytes: number): void;
  /** The same for the device of that name, so that an observer can tell who reaches it. */
  of?(device: string): GuestMemory;
}
