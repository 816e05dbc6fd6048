// What KVM offers to its guests: CPUID leaves, MSRs and hypercalls.
// Source: Documentation/virt/kvm/x86/{cpuid,msr,hypercalls}.rst of the Linux kernel.

/** EBX, ECX, EDX of leaf 40000000H. */
export const KVM_SIGNATURE = 'KVMKVMKVM\0\0\0';
/** How Linux names the feature bits of leaf 40000001H, EAX. */
export const KVM_FEATURES = {
  CLOCKSOURCE: 0,
  NOP_IO_DELAY: 1,
  CLOCKSOURCE2: 3,
  STEAL_TIME: 5,
  PV_EOI: 6,
  PV_UNHALT: 7,
  PV_SEND_IPI: 11,
  PV_SCHED_YIELD: 13,
  CLOCKSOURCE_STABLE: 24,
} as const;

export const MSR_KVM_WALL_CLOCK = 0x11;
export const MSR_KVM_SYSTEM_TIME = 0x12;
export const MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00;
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01;
export const MSR_KVM_STEAL_TIME = 0x4b564d03;
export const MSR_KVM_PV_EOI_EN = 0x4b564d04;

/** Number in RAX; arguments in RBX, RCX, RDX, RSI. */
export const KVM_HC = {
  VAPIC_POLL_IRQ: 1,
  KICK_CPU: 5,
  CLOCK_PAIRING: 9,
  SEND_IPI: 10,
  SCHED_YIELD: 11,
} as const;

/** Errors of hypercalls, as -KVM_*. */
export const KVM_EPERM = -1n;
export const KVM_EFAULT = -14n;
export const KVM_EINVAL = -22n;
export const KVM_EOPNOTSUPP = -95n;
export const KVM_ENOSYS = -1000n;
