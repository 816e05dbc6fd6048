// /dev/kvm: the system handle.
import { CAPABILITIES, type CapabilityName, REQUIRED_CAPABILITIES } from './capabilities.js';
import { E2BIG, EINTR, ioctlError, KvmError } from './errors.js';
import { IOCTLS, type IoctlName, KVM_API_VERSION } from './ioctls.js';
import { libc, O_CLOEXEC, O_RDWR } from './libc.js';
import { openError } from './probe.js';
import { KVM_CPUID_ENTRY2, KVM_CPUID2, KVM_MSR_LIST, KvmStruct } from './structs.js';
import { KvmVm } from './vm.js';

export const KVM_DEVICE = '/dev/kvm';

/** A file descriptor that takes ioctls; answers are checked. */
export class KvmHandle {
  private open = true;

  constructor(
    readonly fd: number,
    readonly what: string,
  ) {}

  get closed(): boolean {
    return !this.open;
  }

  /** A request with an integer argument; answers its result (not negative). @throws KvmError */
  value(name: IoctlName, argument = 0): number {
    return this.check(name, libc().ioctlValue(this.live(name), IOCTLS[name], argument));
  }

  /** A request with a structure. @throws KvmError */
  pointer(name: IoctlName, argument: Uint8Array): number {
    return this.check(name, libc().ioctlPointer(this.live(name), IOCTLS[name], argument));
  }

  /** As `pointer`, but a refusal is answered as -errno. */
  tryPointer(name: IoctlName, argument: Uint8Array): number {
    const result = libc().ioctlPointer(this.live(name), IOCTLS[name], argument);
    return result < 0 ? -libc().errno() : result;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    libc().close(this.fd);
  }

  private live(name: string): number {
    if (!this.open) throw new KvmError('ioctl', `${name} on a closed ${this.what}`, '', 0, name);
    return this.fd;
  }

  private check(name: IoctlName, result: number): number {
    if (result < 0) throw ioctlError(name, libc().errno());
    return result;
  }
}

/** One entry of a CPUID table. */
export interface CpuidEntry {
  function: number;
  index: number;
  flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

const CPUID_FIELDS = ['function', 'index', 'flags', 'eax', 'ebx', 'ecx', 'edx'] as const;
const MAX_CPUID_ENTRIES = 256;

export function encodeCpuid(entries: readonly CpuidEntry[]): Uint8Array {
  const table = new KvmStruct(KVM_CPUID2, entries.length * KVM_CPUID_ENTRY2.size);
  table.set('nent', entries.length);
  entries.forEach((entry, i) => {
    const start = KVM_CPUID2.size + i * KVM_CPUID_ENTRY2.size;
    const slot = new KvmStruct(KVM_CPUID_ENTRY2, table.bytes.subarray(start, start + KVM_CPUID_ENTRY2.size));
    for (const field of CPUID_FIELDS) slot.set(field, entry[field]);
  });
  return table.bytes;
}

export function decodeCpuid(bytes: Uint8Array): CpuidEntry[] {
  const count = new KvmStruct(KVM_CPUID2, bytes).get('nent');
  return Array.from({ length: count }, (_, i) => {
    const start = KVM_CPUID2.size + i * KVM_CPUID_ENTRY2.size;
    const slot = new KvmStruct(KVM_CPUID_ENTRY2, bytes.subarray(start, start + KVM_CPUID_ENTRY2.size));
    return Object.fromEntries(CPUID_FIELDS.map((field) => [field, slot.get(field)])) as unknown as CpuidEntry;
  });
}

export class Kvm {
  private constructor(readonly handle: KvmHandle) {}

  /** Opens /dev/kvm and checks that the engine can work with it. @throws KvmError with the reason and advice */
  static open(): Kvm {
    const fd = libc().open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) throw openError(libc().errno());
    const kvm = new Kvm(new KvmHandle(fd, KVM_DEVICE));
    try {
      const version = kvm.handle.value('KVM_GET_API_VERSION');
      if (version !== KVM_API_VERSION) {
        throw new KvmError('wrong-version', `KVM speaks API version ${version}, not ${KVM_API_VERSION}`, '');
      }
      for (const name of REQUIRED_CAPABILITIES) {
        if (kvm.capability(name) === 0) {
          throw new KvmError('missing-capability', `this KVM lacks ${name}`, 'a newer host kernel has it');
        }
      }
    } catch (error) {
      kvm.close();
      throw error;
    }
    return kvm;
  }

  /** Value of KVM_CHECK_EXTENSION: 0 absent, otherwise 1 or a figure. */
  capability(name: CapabilityName): number {
    return this.handle.value('KVM_CHECK_EXTENSION', CAPABILITIES[name]);
  }

  /** Creates a machine; KVM_CREATE_VM is interruptible, so it is asked again after a signal. */
  createVm(): KvmVm {
    for (let attempt = 0; ; attempt++) {
      try {
        return new KvmVm(this, new KvmHandle(this.handle.value('KVM_CREATE_VM'), 'VM'));
      } catch (error) {
        if (!(error instanceof KvmError) || error.errno !== EINTR || attempt === 10) throw error;
      }
    }
  }

  /** Bytes of a vCPU's kvm_run mapping. */
  vcpuMmapSize(): number {
    return this.handle.value('KVM_GET_VCPU_MMAP_SIZE');
  }

  /** What this KVM can show a guest through CPUID. */
  supportedCpuid(): CpuidEntry[] {
    const table = new KvmStruct(KVM_CPUID2, MAX_CPUID_ENTRIES * KVM_CPUID_ENTRY2.size);
    table.set('nent', MAX_CPUID_ENTRIES);
    this.handle.pointer('KVM_GET_SUPPORTED_CPUID', table.bytes);
    return decodeCpuid(table.bytes);
  }

  /** MSRs that KVM_GET_MSRS and KVM_SET_MSRS take. */
  msrIndices(): number[] {
    const probe = new KvmStruct(KVM_MSR_LIST);
    const answer = this.handle.tryPointer('KVM_GET_MSR_INDEX_LIST', probe.bytes);
    if (answer < 0 && answer !== -E2BIG) throw ioctlError('KVM_GET_MSR_INDEX_LIST', -answer);
    const count = probe.get('nmsrs');
    const list = new KvmStruct(KVM_MSR_LIST, count * 4);
    list.set('nmsrs', count);
    this.handle.pointer('KVM_GET_MSR_INDEX_LIST', list.bytes);
    return Array.from({ length: count }, (_, i) => list.view.getUint32(KVM_MSR_LIST.size + i * 4, true));
  }

  close(): void {
    this.handle.close();
  }
}
