// A BIOS's ROM on KVM: a read-only memory slot at the top of 4 GiB, and one for each area below 1 MiB that the chipset
// lets show ROM or RAM. Its bytes lie behind guest RAM, where the embedded core has them too.
import type { ShadowArea } from '../../devices/pci/chipset.js';
import type { Firmware } from '../../vmm/hypervisor.js';
import { KvmError } from '../kvm/errors.js';
import { KVM_MEM_READONLY } from '../kvm/exits.js';
import type { GuestMemory } from '../kvm/memory.js';
import type { KvmVm } from '../kvm/vm.js';
import { SLOT } from './memory-slots.js';

const FOUR_GIB = 2 ** 32;
const AREAS = 0xc0000;
const AREA_BYTES = 0x4000;
const LOW_END = 0x100000;
/** The end of the ROM also shows below 1 MiB while the chipset does not put RAM there. */
const LOW_BYTES = 0x20000;

export class KvmFirmware implements Firmware {
  readonly gpa: number;
  readonly areas = new Map<number, ShadowArea>();
  /** The same ROM in the embedded core's machine, once there is one. */
  mirror: Firmware | undefined;

  /**
   * @param memory guest RAM, mapped whole as slot 0 until now
   * @param offset where the ROM lies, in bytes from the start of guest RAM
   */
  constructor(
    private readonly vm: KvmVm,
    private readonly memory: GuestMemory,
    readonly rom: Uint8Array,
    private readonly offset: number,
  ) {
    if (vm.capability('KVM_CAP_READONLY_MEM') === 0) {
      throw new KvmError(
        'missing-capability',
        'KVM of this host has no read-only memory, so no ROM',
        'use --engine vtx',
      );
    }
    this.gpa = FOUR_GIB - rom.length;
    const { buffer, byteOffset } = memory.bytes;
    new Uint8Array(buffer, byteOffset + offset, rom.length).set(rom);
    vm.unmapMemory(SLOT.low);
    vm.mapPart(SLOT.low, 0, memory, 0, AREAS);
    vm.mapPart(SLOT.high, LOW_END, memory, LOW_END, memory.size - LOW_END);
    vm.mapPart(SLOT.rom, this.gpa, memory, offset, rom.length, KVM_MEM_READONLY);
  }

  restore(): void {
    const { buffer, byteOffset } = this.memory.bytes;
    new Uint8Array(buffer, byteOffset + this.offset, this.rom.length).set(this.rom);
  }

  show(area: ShadowArea): void {
    const { vm, memory } = this;
    const { gpa, bytes, readRam, writeRam } = area;
    const before = this.areas.get(gpa);
    this.mirror?.show(area);
    this.areas.set(gpa, area);
    if (before?.readRam === readRam && before.writeRam === writeRam) return;
    const slot = SLOT.areas + (gpa - AREAS) / AREA_BYTES;
    // a slot does not become read-only, or other memory, while it is there
    vm.unmapMemory(slot);
    if (readRam) vm.mapPart(slot, gpa, memory, gpa, bytes, writeRam ? 0 : KVM_MEM_READONLY);
    else if (gpa >= this.lowRom) vm.mapPart(slot, gpa, memory, this.romOffset(gpa), bytes, KVM_MEM_READONLY);
  }

  /** Where the guest finds the bytes of a guest-physical page, from the start of guest RAM; undefined where it finds none. */
  offsetOf(gpa: number): number | undefined {
    if (gpa >= this.gpa) return gpa < FOUR_GIB ? this.offset + (gpa - this.gpa) : undefined;
    if (gpa >= AREAS && gpa < LOW_END) {
      const area = [...this.areas.values()].find((a) => gpa >= a.gpa && gpa < a.gpa + a.bytes);
      if (area && !area.readRam) return gpa >= this.lowRom ? this.romOffset(gpa) : undefined;
    }
    return gpa < this.memory.size ? gpa : undefined;
  }

  private get lowRom(): number {
    return LOW_END - Math.min(LOW_BYTES, this.rom.length);
  }

  private romOffset(gpa: number): number {
    return this.offset + this.rom.length - (LOW_END - gpa);
  }
}
