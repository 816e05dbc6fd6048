// ioctl requests of linux/kvm.h, computed as the kernel's _IO, _IOR, _IOW and _IOWR macros do.
import * as s from './structs.js';

const KVMIO = 0xae;
const WRITE = 1;
const READ = 2;

const encode = (direction: number, nr: number, size: number): number =>
  ((direction << 30) | (size << 16) | (KVMIO << 8) | nr) >>> 0;
const io = (nr: number): number => encode(0, nr, 0);
const ior = (nr: number, layout: { size: number }): number => encode(READ, nr, layout.size);
const iow = (nr: number, layout: { size: number }): number => encode(WRITE, nr, layout.size);
const iowr = (nr: number, layout: { size: number }): number => encode(READ | WRITE, nr, layout.size);
const u64 = { size: 8 };

/** Request numbers by the header's names. */
export const IOCTLS = {
  KVM_GET_API_VERSION: io(0x00),
  KVM_CREATE_VM: io(0x01),
  KVM_GET_MSR_INDEX_LIST: iowr(0x02, s.KVM_MSR_LIST),
  KVM_CHECK_EXTENSION: io(0x03),
  KVM_GET_VCPU_MMAP_SIZE: io(0x04),
  KVM_GET_SUPPORTED_CPUID: iowr(0x05, s.KVM_CPUID2),
  KVM_GET_EMULATED_CPUID: iowr(0x09, s.KVM_CPUID2),
  KVM_GET_MSR_FEATURE_INDEX_LIST: iowr(0x0a, s.KVM_MSR_LIST),
  KVM_CREATE_VCPU: io(0x41),
  KVM_GET_DIRTY_LOG: iow(0x42, s.KVM_DIRTY_LOG),
  KVM_SET_USER_MEMORY_REGION: iow(0x46, s.KVM_USERSPACE_MEMORY_REGION),
  KVM_SET_TSS_ADDR: io(0x47),
  KVM_SET_IDENTITY_MAP_ADDR: iow(0x48, u64),
  KVM_CREATE_IRQCHIP: io(0x60),
  KVM_IRQ_LINE: iow(0x61, s.KVM_IRQ_LEVEL),
  KVM_GET_IRQCHIP: iowr(0x62, s.KVM_IRQCHIP),
  KVM_SET_IRQCHIP: ior(0x63, s.KVM_IRQCHIP),
  KVM_SET_GSI_ROUTING: iow(0x6a, s.KVM_IRQ_ROUTING),
  KVM_IRQFD: iow(0x76, s.KVM_IRQFD),
  KVM_CREATE_PIT2: iow(0x77, s.KVM_PIT_CONFIG),
  KVM_SET_BOOT_CPU_ID: io(0x78),
  KVM_IOEVENTFD: iow(0x79, s.KVM_IOEVENTFD),
  KVM_RUN: io(0x80),
  KVM_GET_REGS: ior(0x81, s.KVM_REGS),
  KVM_SET_REGS: iow(0x82, s.KVM_REGS),
  KVM_GET_SREGS: ior(0x83, s.KVM_SREGS),
  KVM_SET_SREGS: iow(0x84, s.KVM_SREGS),
  KVM_TRANSLATE: iowr(0x85, s.KVM_TRANSLATION),
  KVM_INTERRUPT: iow(0x86, s.KVM_INTERRUPT),
  KVM_GET_MSRS: iowr(0x88, s.KVM_MSRS),
  KVM_SET_MSRS: iow(0x89, s.KVM_MSRS),
  KVM_SET_SIGNAL_MASK: iow(0x8b, s.KVM_SIGNAL_MASK),
  KVM_GET_FPU: ior(0x8c, s.KVM_FPU),
  KVM_SET_FPU: iow(0x8d, s.KVM_FPU),
  KVM_GET_LAPIC: ior(0x8e, s.KVM_LAPIC_STATE),
  KVM_SET_LAPIC: iow(0x8f, s.KVM_LAPIC_STATE),
  KVM_SET_CPUID2: iow(0x90, s.KVM_CPUID2),
  KVM_GET_CPUID2: iowr(0x91, s.KVM_CPUID2),
  KVM_GET_MP_STATE: ior(0x98, s.KVM_MP_STATE),
  KVM_SET_MP_STATE: iow(0x99, s.KVM_MP_STATE),
  KVM_NMI: io(0x9a),
  KVM_SET_GUEST_DEBUG: iow(0x9b, s.KVM_GUEST_DEBUG),
  KVM_GET_PIT2: ior(0x9f, s.KVM_PIT_STATE2),
  KVM_SET_PIT2: iow(0xa0, s.KVM_PIT_STATE2),
  KVM_GET_VCPU_EVENTS: ior(0x9f, s.KVM_VCPU_EVENTS),
  KVM_SET_VCPU_EVENTS: iow(0xa0, s.KVM_VCPU_EVENTS),
  KVM_GET_DEBUGREGS: ior(0xa1, s.KVM_DEBUGREGS),
  KVM_SET_DEBUGREGS: iow(0xa2, s.KVM_DEBUGREGS),
  KVM_SET_TSC_KHZ: io(0xa2),
  KVM_GET_TSC_KHZ: io(0xa3),
  KVM_ENABLE_CAP: iow(0xa3, s.KVM_ENABLE_CAP),
  KVM_GET_XSAVE: ior(0xa4, s.KVM_XSAVE),
  KVM_SET_XSAVE: iow(0xa5, s.KVM_XSAVE),
  KVM_SIGNAL_MSI: iow(0xa5, s.KVM_MSI),
  KVM_GET_XCRS: ior(0xa6, s.KVM_XCRS),
  KVM_SET_XCRS: iow(0xa7, s.KVM_XCRS),
  KVM_X86_SET_MSR_FILTER: iow(0xc6, s.KVM_MSR_FILTER),
  KVM_CLEAR_DIRTY_LOG: iowr(0xc0, s.KVM_CLEAR_DIRTY_LOG),
  KVM_GET_SREGS2: ior(0xcc, s.KVM_SREGS2),
  KVM_SET_SREGS2: iow(0xcd, s.KVM_SREGS2),
  KVM_GET_STATS_FD: io(0xce),
  KVM_GET_XSAVE2: ior(0xcf, s.KVM_XSAVE),
} as const;

export type IoctlName = keyof typeof IOCTLS;

/** The stable API version since Linux 2.6.22; anything else is refused. */
export const KVM_API_VERSION = 12;
