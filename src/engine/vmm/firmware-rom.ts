import { RAM_BASE } from '../core/layout.js';
import type { ShadowArea } from '../devices/pci/chipset.js';
import { FRAMES_BEHIND_RAM } from '../memory/memory-map.js';
import { EPT_MEMORY_TYPE } from './ept-builder.js';
import type { Firmware } from './hypervisor.js';
import type { Vm } from './vm.js';

const FOUR_GIB = 2 ** 32;
/** The end of the ROM also shows below 1 MiB while the chipset does not put RAM there. */
const LOW_END = 0x100000;
const LOW_BYTES = 0x20000;

const READ_EXECUTE = { read: true, write: false, execute: true };
const ALL = { read: true, write: true, execute: true };

/** Host memory that a ROM takes beyond guest RAM, in bytes. */
export function romFrameBytes(romBytes: number): number {
  return romBytes === 0 ? 0 : FRAMES_BEHIND_RAM + romBytes;
}

/** The BIOS's ROM at the top of 4 GiB, and what of it or of RAM shows from C0000h to FFFFFh. */
export class FirmwareRom implements Firmware {
  readonly gpa: number;
  readonly #frames: number;

  constructor(
    private readonly vm: Vm,
    private readonly bytes: Uint8Array,
  ) {
    this.gpa = FOUR_GIB - bytes.length;
    this.#frames = RAM_BASE + vm.memoryBytes + FRAMES_BEHIND_RAM;
    vm.host.u8.set(bytes, this.#frames);
    vm.ept.map(this.gpa, this.#frames, bytes.length, READ_EXECUTE, EPT_MEMORY_TYPE.WB);
  }

  /** As after power-on, whatever a debugger has written into it. */
  restore(): void {
    this.vm.host.willWrite(this.#frames, this.bytes.length);
    this.vm.host.u8.set(this.bytes, this.#frames);
    for (let at = 0; at < this.bytes.length; at += 4096) this.vm.core.invalidatePageCode(this.#frames + at);
  }

  /**
   * Lets an area show RAM or ROM. RAM that can be written but not read is not told apart from ROM: firmware has the
   * ROM read while it writes only to copy it, which it does from the top of 4 GiB here.
   */
  show({ gpa, bytes, readRam, writeRam }: ShadowArea): void {
    const { vm } = this;
    vm.provocations.forget(gpa, bytes);
    const low = LOW_END - Math.min(LOW_BYTES, this.bytes.length);
    if (readRam) vm.ept.map(gpa, RAM_BASE + gpa, bytes, writeRam ? ALL : READ_EXECUTE, EPT_MEMORY_TYPE.WB);
    else if (gpa >= low) {
      const frames = this.#frames + this.bytes.length - (LOW_END - gpa);
      vm.ept.map(gpa, frames, bytes, READ_EXECUTE, EPT_MEMORY_TYPE.WB);
    } else vm.ept.unmap(gpa, bytes);
    const running = vm.vcpus.find((vcpu) => vcpu.active);
    for (const vcpu of vm.vcpus) if (vcpu !== running) vm.flushTlb(vcpu);
    if (running) vm.flushTlb(running);
  }
}
