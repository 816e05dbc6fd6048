/** The memory of the video card, and where the guest finds it. */
import type { GuestMemory } from '../device.js';

/** As QEMU's standard VGA has it. */
export const VIDEO_BYTES = 16 << 20;
/** The window that PCs keep for video memory below 1 MiB. */
export const LEGACY_BASE = 0xa0000;
export const LEGACY_BYTES = 0x20000;

/** Guest-physical addresses at which the guest reaches memory without an exit. */
export interface VideoWindow {
  readonly gpa: number;
  readonly bytes: number;
  /** Byte of the card's memory at its start; `text`: the text buffer, which is guest RAM at the same address. */
  readonly from: number | 'text';
}

export interface VideoMemory {
  /** All of it. Byte 4 * address + plane is what the planar modes call a byte of a plane. */
  readonly bytes: Uint8Array;
  /** Somebody other than the guest's own accesses is about to write there. */
  changing(offset: number, length: number): void;
  /** Lets the guest reach memory in a window; absent where each access comes to the card. */
  map?(window: VideoWindow): void;
  unmap?(window: VideoWindow): void;
  /** A state was loaded in which these are the windows; absent where the engine's own state has them. */
  show?(windows: readonly VideoWindow[]): void;
}

/** Memory of a card whose engine has no frames for it: each access comes to the card. */
export class UnmappedVideoMemory implements VideoMemory {
  readonly bytes = new Uint8Array(VIDEO_BYTES);

  changing(): void {}
}

/**
 * Where text modes keep characters and attributes as long as the guest reaches them directly. Until it leaves such a mode,
 * the frame buffer shows planes 0 and 1 of the first 64 KiB as they were before.
 */
export const TEXT_BASE = 0xb8000;
export const TEXT_BYTES = 0x8000;

/** Takes the text buffer over into the planes: characters are plane 0, attributes plane 1. */
export function textIntoPlanes(memory: GuestMemory, video: VideoMemory): void {
  const text = memory.read(TEXT_BASE, TEXT_BYTES);
  const { bytes } = video;
  video.changing(0, TEXT_BYTES * 2);
  for (let at = 0; at < TEXT_BYTES; at += 2) {
    bytes[2 * at] = text[at];
    bytes[2 * at + 1] = text[at + 1];
  }
}

/** The other way round. */
export function planesIntoText(memory: GuestMemory, { bytes }: VideoMemory): void {
  const text = new Uint8Array(TEXT_BYTES);
  for (let at = 0; at < TEXT_BYTES; at += 2) {
    text[at] = bytes[2 * at];
    text[at + 1] = bytes[2 * at + 1];
  }
  memory.write(TEXT_BASE, text);
}
