import { CODE_PAGES, RAM_BASE } from '../core/layout.js';
import {
  LEGACY_BASE,
  LEGACY_BYTES,
  VIDEO_BYTES,
  type VideoMemory,
  type VideoWindow,
} from '../devices/vga/video-memory.js';
import { FRAMES_BEHIND_RAM } from '../memory/memory-map.js';
import { EPT_MEMORY_TYPE } from './ept-builder.js';
import type { Vm } from './vm.js';

const ALL = { read: true, write: true, execute: true };

/** The video card's memory as frames behind guest RAM and the BIOS's ROM, and the windows at which the EPT maps them. */
export class VideoFrames implements VideoMemory {
  readonly bytes: Uint8Array;
  readonly #frames: number;

  /** @param romBytes of the BIOS's ROM, which lies before them */
  constructor(
    private readonly vm: Vm,
    romBytes: number,
  ) {
    this.#frames = videoFrames(vm.memoryBytes, romBytes);
    this.bytes = vm.host.u8.subarray(this.#frames, this.#frames + VIDEO_BYTES);
    vm.ept.unmap(LEGACY_BASE, LEGACY_BYTES);
  }

  changing(offset: number, length: number): void {
    const { host, core, memory } = this.vm;
    const at = this.#frames + offset;
    host.willWrite(at, length);
    memory.moved += length;
    for (let page = at >>> 12; page < (at + length + 4095) >>> 12; page++) {
      if (host.u8[CODE_PAGES + page] !== 0) core.invalidatePageCode(page * 4096);
    }
  }

  map({ gpa, bytes, from }: VideoWindow): void {
    const { ept, provocations } = this.vm;
    provocations.forget(gpa, bytes);
    // pages alone: the guest may move a window as often as it wants, and paging structures are never given back
    ept.mapPages(gpa, from === 'text' ? RAM_BASE + gpa : this.#frames + from, bytes, ALL, EPT_MEMORY_TYPE.WB);
    this.#done(bytes);
  }

  unmap({ gpa, bytes }: VideoWindow): void {
    const { ept, provocations } = this.vm;
    provocations.forget(gpa, bytes);
    ept.unmap(gpa, bytes);
    this.#done(bytes);
  }

  /** As at power-on. */
  clear(): void {
    const { host, core } = this.vm;
    for (let at = this.#frames; at < this.#frames + VIDEO_BYTES; at += 4096) {
      if (!host.u32.subarray(at >>> 2, (at >>> 2) + 1024).some((word) => word !== 0)) continue;
      host.willWrite(at, 4096);
      host.release(at, 4096);
      core.invalidatePageCode(at);
    }
  }

  /** What the guest makes the machine do counts as moved bytes, so that it does not hold a slice up. */
  #done(bytes: number): void {
    this.vm.memory.moved += bytes >> 4;
    this.vm.core.flushAllVcpus();
  }
}

/** Host-physical address of the card's memory. */
function videoFrames(memoryBytes: number, romBytes: number): number {
  return RAM_BASE + memoryBytes + FRAMES_BEHIND_RAM + romBytes;
}

/** Whether host memory has room for a video card's memory behind RAM and ROM. */
export function hasVideoFrames(vm: Vm, romBytes: number): boolean {
  return videoFrames(vm.memoryBytes, romBytes) + VIDEO_BYTES <= vm.host.bytes;
}

/** Host memory behind guest RAM for a machine with a video card: its memory, and the BIOS's ROM. */
export function framesBehindRam(romBytes: number): number {
  return FRAMES_BEHIND_RAM + romBytes + VIDEO_BYTES;
}
