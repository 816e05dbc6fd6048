/** KVM's numbers for pieces of guest-physical memory. */
export const SLOT = {
  /** RAM: all of it, or what is below the video card's window or the BIOS's areas, and what is above. */
  low: 0,
  high: 1,
  rom: 2,
  /** 16 areas from C0000h on. */
  areas: 3,
  legacyVideo: 19,
  linearVideo: 20,
} as const;
