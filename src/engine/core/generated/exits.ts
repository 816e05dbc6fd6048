// Made by tools/gen-vmcs-tables.ts from src/spec/vmx; not edited by hand.

export const EXIT_REASON_EXCEPTION_NMI: u32 = 0;
export const EXIT_REASON_EXTERNAL_INTERRUPT: u32 = 1;
export const EXIT_REASON_TRIPLE_FAULT: u32 = 2;
export const EXIT_REASON_INIT_SIGNAL: u32 = 3;
export const EXIT_REASON_SIPI_SIGNAL: u32 = 4;
export const EXIT_REASON_IO_SMI: u32 = 5;
export const EXIT_REASON_OTHER_SMI: u32 = 6;
export const EXIT_REASON_INTERRUPT_WINDOW: u32 = 7;
export const EXIT_REASON_NMI_WINDOW: u32 = 8;
export const EXIT_REASON_TASK_SWITCH: u32 = 9;
export const EXIT_REASON_CPUID: u32 = 10;
export const EXIT_REASON_GETSEC: u32 = 11;
export const EXIT_REASON_HLT: u32 = 12;
export const EXIT_REASON_INVD: u32 = 13;
export const EXIT_REASON_INVLPG: u32 = 14;
export const EXIT_REASON_RDPMC: u32 = 15;
export const EXIT_REASON_RDTSC: u32 = 16;
export const EXIT_REASON_RSM: u32 = 17;
export const EXIT_REASON_VMCALL: u32 = 18;
export const EXIT_REASON_VMCLEAR: u32 = 19;
export const EXIT_REASON_VMLAUNCH: u32 = 20;
export const EXIT_REASON_VMPTRLD: u32 = 21;
export const EXIT_REASON_VMPTRST: u32 = 22;
export const EXIT_REASON_VMREAD: u32 = 23;
export const EXIT_REASON_VMRESUME: u32 = 24;
export const EXIT_REASON_VMWRITE: u32 = 25;
export const EXIT_REASON_VMXOFF: u32 = 26;
export const EXIT_REASON_VMXON: u32 = 27;
export const EXIT_REASON_CR_ACCESS: u32 = 28;
export const EXIT_REASON_DR_ACCESS: u32 = 29;
export const EXIT_REASON_IO_INSTRUCTION: u32 = 30;
export const EXIT_REASON_MSR_READ: u32 = 31;
export const EXIT_REASON_MSR_WRITE: u32 = 32;
export const EXIT_REASON_INVALID_STATE: u32 = 33;
export const EXIT_REASON_MSR_LOAD_FAIL: u32 = 34;
export const EXIT_REASON_MWAIT_INSTRUCTION: u32 = 36;
export const EXIT_REASON_MONITOR_TRAP_FLAG: u32 = 37;
export const EXIT_REASON_MONITOR_INSTRUCTION: u32 = 39;
export const EXIT_REASON_PAUSE_INSTRUCTION: u32 = 40;
export const EXIT_REASON_MCE_DURING_VMENTRY: u32 = 41;
export const EXIT_REASON_TPR_BELOW_THRESHOLD: u32 = 43;
export const EXIT_REASON_APIC_ACCESS: u32 = 44;
export const EXIT_REASON_EOI_INDUCED: u32 = 45;
export const EXIT_REASON_GDTR_IDTR: u32 = 46;
export const EXIT_REASON_LDTR_TR: u32 = 47;
export const EXIT_REASON_EPT_VIOLATION: u32 = 48;
export const EXIT_REASON_EPT_MISCONFIG: u32 = 49;
export const EXIT_REASON_INVEPT: u32 = 50;
export const EXIT_REASON_RDTSCP: u32 = 51;
export const EXIT_REASON_PREEMPTION_TIMER: u32 = 52;
export const EXIT_REASON_INVVPID: u32 = 53;
export const EXIT_REASON_WBINVD: u32 = 54;
export const EXIT_REASON_XSETBV: u32 = 55;
export const EXIT_REASON_APIC_WRITE: u32 = 56;
export const EXIT_REASON_RDRAND: u32 = 57;
export const EXIT_REASON_INVPCID: u32 = 58;
export const EXIT_REASON_VMFUNC: u32 = 59;
export const EXIT_REASON_ENCLS: u32 = 60;
export const EXIT_REASON_RDSEED: u32 = 61;
export const EXIT_REASON_PML_FULL: u32 = 62;
export const EXIT_REASON_XSAVES: u32 = 63;
export const EXIT_REASON_XRSTORS: u32 = 64;
export const EXIT_REASON_PCONFIG: u32 = 65;
export const EXIT_REASON_SPP_EVENT: u32 = 66;
export const EXIT_REASON_UMWAIT: u32 = 67;
export const EXIT_REASON_TPAUSE: u32 = 68;
export const EXIT_REASON_LOADIWKEY: u32 = 69;
export const EXIT_REASON_ENCLV: u32 = 70;
export const EXIT_REASON_ENQCMD_PASID: u32 = 72;
export const EXIT_REASON_ENQCMDS_PASID: u32 = 73;
export const EXIT_REASON_BUS_LOCK: u32 = 74;
export const EXIT_REASON_NOTIFY: u32 = 75;
export const EXIT_REASON_SEAMCALL: u32 = 76;
export const EXIT_REASON_TDCALL: u32 = 77;
/** 1 for the reasons that record the length of the instruction. */
export const EXIT_HAS_LENGTH: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1,
  1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);
