// The video card's memory on KVM: behind guest RAM and the BIOS's ROM, and a memory slot for each window at which the guest
// reaches it by itself. What no slot has from A0000h to BFFFFh exits to the card.
import {
  LEGACY_BASE,
  LEGACY_BYTES,
  VIDEO_BYTES,
  type VideoMemory,
  type VideoWindow,
} from '../../devices/vga/video-memory.js';
import type { GuestMemory } from '../kvm/memory.js';
import type { KvmVm } from '../kvm/vm.js';
import { SLOT } from './memory-slots.js';

export class KvmVideo implements VideoMemory {
  readonly bytes: Uint8Array;
  readonly windows = new Set<VideoWindow>();
  /** The same windows in the embedded core's machine, once there is one. */
  mirror: VideoMemory | undefined;

  /**
   * @param memory guest RAM, mapped whole as slot 0, or by a BIOS's ROM up to C0000h
   * @param offset where the card's memory lies, in bytes from the start of guest RAM
   */
  constructor(
    private readonly vm: KvmVm,
    private readonly memory: GuestMemory,
    private readonly offset: number,
    firmware: boolean,
  ) {
    const { buffer, byteOffset } = memory.bytes;
    this.bytes = new Uint8Array(buffer, byteOffset + offset, VIDEO_BYTES);
    vm.unmapMemory(SLOT.low);
    vm.mapPart(SLOT.low, 0, memory, 0, LEGACY_BASE);
    const above = LEGACY_BASE + LEGACY_BYTES;
    if (!firmware) vm.mapPart(SLOT.high, above, memory, above, memory.size - above);
  }

  changing(): void {}

  map(window: VideoWindow): void {
    const { gpa, bytes, from } = window;
    this.windows.add(window);
    this.vm.mapPart(slotOf(window), gpa, this.memory, from === 'text' ? gpa : this.offset + from, bytes);
    this.mirror?.map?.(window);
  }

  unmap(window: VideoWindow): void {
    this.windows.delete(window);
    this.vm.unmapMemory(slotOf(window));
    this.mirror?.unmap?.(window);
  }

  show(windows: readonly VideoWindow[]): void {
    for (const window of this.windows) this.unmap(window);
    for (const window of windows) this.map(window);
  }

  clear(): void {
    this.bytes.fill(0);
  }

  /**
   * Where the guest finds the bytes of an address, from the start of guest RAM; `none`: the card answers; undefined: the
   * address has nothing to do with it.
   */
  offsetOf(gpa: number): number | 'none' | undefined {
    for (const { gpa: first, bytes, from } of this.windows) {
      if (gpa >= first && gpa < first + bytes) return from === 'text' ? gpa : this.offset + from + (gpa - first);
    }
    return gpa >= LEGACY_BASE && gpa < LEGACY_BASE + LEGACY_BYTES ? 'none' : undefined;
  }
}

function slotOf({ gpa }: VideoWindow): number {
  return gpa < LEGACY_BASE + LEGACY_BYTES ? SLOT.legacyVideo : SLOT.linearVideo;
}
