// Exit reasons and the constants that go with them, by the names of linux/kvm.h.

/** kvm_run.exit_reason on x86. */
export const EXIT_REASONS = {
  KVM_EXIT_UNKNOWN: 0,
  KVM_EXIT_EXCEPTION: 1,
  KVM_EXIT_IO: 2,
  KVM_EXIT_HYPERCALL: 3,
  KVM_EXIT_DEBUG: 4,
  KVM_EXIT_HLT: 5,
  KVM_EXIT_MMIO: 6,
  KVM_EXIT_IRQ_WINDOW_OPEN: 7,
  KVM_EXIT_SHUTDOWN: 8,
  KVM_EXIT_FAIL_ENTRY: 9,
  KVM_EXIT_INTR: 10,
  KVM_EXIT_SET_TPR: 11,
  KVM_EXIT_TPR_ACCESS: 12,
  KVM_EXIT_NMI: 16,
  KVM_EXIT_INTERNAL_ERROR: 17,
  KVM_EXIT_SYSTEM_EVENT: 24,
  KVM_EXIT_IOAPIC_EOI: 26,
  KVM_EXIT_HYPERV: 27,
  KVM_EXIT_X86_RDMSR: 29,
  KVM_EXIT_X86_WRMSR: 30,
  KVM_EXIT_DIRTY_RING_FULL: 31,
  KVM_EXIT_AP_RESET_HOLD: 32,
  KVM_EXIT_X86_BUS_LOCK: 33,
  KVM_EXIT_XEN: 34,
  KVM_EXIT_NOTIFY: 37,
} as const;

const EXIT_NAMES = new Map<number, string>(Object.entries(EXIT_REASONS).map(([name, value]) => [value, name]));

/** `KVM_EXIT_IO` for 2; numbers that the header does not name keep their number. */
export const exitName = (reason: number): string => EXIT_NAMES.get(reason) ?? `KVM_EXIT_${reason}`;

export const KVM_EXIT_IO_IN = 0;
export const KVM_EXIT_IO_OUT = 1;

/** kvm_run.internal.suberror of KVM_EXIT_INTERNAL_ERROR. */
export const INTERNAL_ERRORS = {
  KVM_INTERNAL_ERROR_EMULATION: 1,
  KVM_INTERNAL_ERROR_SIMUL_EX: 2,
  KVM_INTERNAL_ERROR_DELIVERY_EV: 3,
  KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: 4,
} as const;
export const KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES = 1n;

/** kvm_guest_debug.control. */
export const KVM_GUESTDBG_ENABLE = 0x0000_0001;
export const KVM_GUESTDBG_SINGLESTEP = 0x0000_0002;
export const KVM_GUESTDBG_USE_SW_BP = 0x0001_0000;
export const KVM_GUESTDBG_USE_HW_BP = 0x0002_0000;
export const KVM_GUESTDBG_INJECT_DB = 0x0004_0000;
export const KVM_GUESTDBG_INJECT_BP = 0x0008_0000;
export const KVM_GUESTDBG_BLOCKIRQ = 0x0010_0000;

/** kvm_mp_state.mp_state on x86. */
export const MP_STATES = {
  KVM_MP_STATE_RUNNABLE: 0,
  KVM_MP_STATE_UNINITIALIZED: 1,
  KVM_MP_STATE_INIT_RECEIVED: 2,
  KVM_MP_STATE_HALTED: 3,
  KVM_MP_STATE_SIPI_RECEIVED: 4,
} as const;

/** kvm_run.kvm_valid_regs and kvm_dirty_regs. */
export const KVM_SYNC_X86_REGS = 1n;
export const KVM_SYNC_X86_SREGS = 2n;
export const KVM_SYNC_X86_EVENTS = 4n;

/** kvm_userspace_memory_region.flags. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
export const KVM_MEM_READONLY = 2;

/** kvm_msr_filter_range.flags, and the argument of KVM_CAP_X86_USER_SPACE_MSR that makes filtered MSRs exit. */
export const KVM_MSR_FILTER_READ = 1;
export const KVM_MSR_FILTER_WRITE = 2;
export const KVM_MSR_EXIT_REASON_FILTER = 4;

/** kvm_irqchip.chip_id. */
export const KVM_IRQCHIP_PIC_MASTER = 0;
export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;

/** kvm_irq_routing_entry.type. */
export const KVM_IRQ_ROUTING_IRQCHIP = 1;
export const KVM_IRQ_ROUTING_MSI = 2;

/** kvm_vcpu_events.flags. */
export const KVM_VCPUEVENT_VALID_NMI_PENDING = 0x01;
export const KVM_VCPUEVENT_VALID_SIPI_VECTOR = 0x02;
export const KVM_VCPUEVENT_VALID_SHADOW = 0x04;
export const KVM_VCPUEVENT_VALID_SMM = 0x08;
export const KVM_VCPUEVENT_VALID_PAYLOAD = 0x10;
export const KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 0x20;
