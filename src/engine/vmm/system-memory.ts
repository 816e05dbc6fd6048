import { ASSIST_ADDRESS, FAULT_ADDRESS, FAULT_ERROR, XS_FAULT, XS_OK } from '../core/layout.js';
import { structureAccess } from './exits/ept-violation.js';
import { physicalRead, physicalWrite } from './physical-access.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const PAGE = 4096;
/** Paging-structure entries in no frame that one translation may need, reads and writes. */
const MAX_ENTRIES = 16;

/** A supervisor access of the VMM in the processor's place meets a page fault. */
export class SystemPageFault extends Error {
  constructor(
    readonly address: bigint,
    readonly code: number,
  ) {
    super(`page fault at 0x${address.toString(16)}`);
  }
}

/**
 * Linear memory as the processor's own accesses to descriptors and task states see it: permissions, accessed and dirty
 * flags, device memory. 32-bit addresses.
 */
export class SystemMemory {
  constructor(
    private readonly vcpu: Vcpu,
    private readonly vm: Vm,
  ) {}

  /** @throws SystemPageFault */
  read(address: number, bytes: number): number {
    let value = 0;
    for (const [at, gpa, count] of this.#pieces(address, bytes, false)) {
      value += Number(physicalRead(this.vcpu, this.vm, gpa, count)) * 2 ** (8 * at);
    }
    return value;
  }

  /** @throws SystemPageFault */
  write(address: number, bytes: number, value: number): void {
    for (const [at, gpa, count] of [...this.#pieces(address, bytes, true)]) {
      physicalWrite(this.vcpu, this.vm, gpa, count, BigInt.asUintN(8 * count, BigInt(value >>> 0) >> BigInt(8 * at)));
    }
  }

  /** Faults as an access to all of these bytes would. @throws SystemPageFault */
  probe(address: number, bytes: number, write: boolean): void {
    this.#gpa(address, write);
    if ((address % PAGE) + bytes > PAGE) this.#gpa(address + bytes - 1, write);
  }

  /** Parts of an access that do not cross a page: offset, guest-physical address, length. */
  *#pieces(address: number, bytes: number, write: boolean): Generator<[number, number, number]> {
    for (let at = 0; at < bytes; ) {
      const count = Math.min(bytes - at, PAGE - ((address + at) % PAGE));
      yield [at, this.#gpa(address + at, write), count];
      at += count;
    }
  }

  #gpa(address: number, write: boolean): number {
    const { vcpu, vm } = this;
    for (let entry = 0; entry <= MAX_ENTRIES; entry++) {
      const status = vm.core.translateForVmm(BigInt(address >>> 0), write ? 1 : 0);
      if (status === XS_OK) return vm.host.getNumber(vcpu.at(ASSIST_ADDRESS));
      if (status === XS_FAULT)
        throw new SystemPageFault(vm.host.get64(vcpu.at(FAULT_ADDRESS)), vm.host.get32(vcpu.at(FAULT_ERROR)));
      structureAccess(vcpu, vm);
    }
    throw new Error(`the walk for 0x${address.toString(16)} does not end`);
  }
}
