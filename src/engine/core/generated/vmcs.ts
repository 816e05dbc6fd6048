// Made by tools/gen-vmcs-tables.ts from src/spec/vmx; not edited by hand.

export const VMCS_REVISION: u32 = 0x564d5301;
export const VIRTUAL_PROCESSOR_ID: usize = 0x10;
export const POSTED_INTR_NV: usize = 0x18;
export const EPTP_INDEX: usize = 0x20;
export const HLAT_PREFIX_SIZE: usize = 0x28;
export const LAST_PID_POINTER_INDEX: usize = 0x30;
export const GUEST_ES_SELECTOR: usize = 0x38;
export const GUEST_CS_SELECTOR: usize = 0x40;
export const GUEST_SS_SELECTOR: usize = 0x48;
export const GUEST_DS_SELECTOR: usize = 0x50;
export const GUEST_FS_SELECTOR: usize = 0x58;
export const GUEST_GS_SELECTOR: usize = 0x60;
export const GUEST_LDTR_SELECTOR: usize = 0x68;
export const GUEST_TR_SELECTOR: usize = 0x70;
export const GUEST_INTR_STATUS: usize = 0x78;
export const GUEST_PML_INDEX: usize = 0x80;
export const GUEST_UINV: usize = 0x88;
export const HOST_ES_SELECTOR: usize = 0x90;
export const HOST_CS_SELECTOR: usize = 0x98;
export const HOST_SS_SELECTOR: usize = 0xa0;
export const HOST_DS_SELECTOR: usize = 0xa8;
export const HOST_FS_SELECTOR: usize = 0xb0;
export const HOST_GS_SELECTOR: usize = 0xb8;
export const HOST_TR_SELECTOR: usize = 0xc0;
export const IO_BITMAP_A: usize = 0xc8;
export const IO_BITMAP_B: usize = 0xd0;
export const MSR_BITMAP: usize = 0xd8;
export const VM_EXIT_MSR_STORE_ADDR: usize = 0xe0;
export const VM_EXIT_MSR_LOAD_ADDR: usize = 0xe8;
export const VM_ENTRY_MSR_LOAD_ADDR: usize = 0xf0;
export const EXECUTIVE_VMCS_POINTER: usize = 0xf8;
export const PML_ADDRESS: usize = 0x100;
export const TSC_OFFSET: usize = 0x108;
export const VIRTUAL_APIC_PAGE_ADDR: usize = 0x110;
export const APIC_ACCESS_ADDR: usize = 0x118;
export const POSTED_INTR_DESC_ADDR: usize = 0x120;
export const VM_FUNCTION_CONTROL: usize = 0x128;
export const EPT_POINTER: usize = 0x130;
export const EOI_EXIT_BITMAP0: usize = 0x138;
export const EOI_EXIT_BITMAP1: usize = 0x140;
export const EOI_EXIT_BITMAP2: usize = 0x148;
export const EOI_EXIT_BITMAP3: usize = 0x150;
export const EPTP_LIST_ADDRESS: usize = 0x158;
export const VMREAD_BITMAP: usize = 0x160;
export const VMWRITE_BITMAP: usize = 0x168;
export const VIRT_EXCEPTION_INFO_ADDR: usize = 0x170;
export const XSS_EXIT_BITMAP: usize = 0x178;
export const ENCLS_EXITING_BITMAP: usize = 0x180;
export const SUB_PAGE_PERMISSION_TABLE_POINTER: usize = 0x188;
export const TSC_MULTIPLIER: usize = 0x190;
export const TERTIARY_VM_EXEC_CONTROL: usize = 0x198;
export const ENCLV_EXITING_BITMAP: usize = 0x1a0;
export const LOW_PASID_DIRECTORY: usize = 0x1a8;
export const HIGH_PASID_DIRECTORY: usize = 0x1b0;
export const SHARED_EPT_POINTER: usize = 0x1b8;
export const PCONFIG_EXITING_BITMAP: usize = 0x1c0;
export const HLAT_POINTER: usize = 0x1c8;
export const PID_POINTER_TABLE: usize = 0x1d0;
export const SECONDARY_VM_EXIT_CONTROLS: usize = 0x1d8;
export const IA32_SPEC_CTRL_MASK: usize = 0x1e0;
export const IA32_SPEC_CTRL_SHADOW: usize = 0x1e8;
export const INJECTED_EVENT_DATA: usize = 0x1f0;
export const GUEST_PHYSICAL_ADDRESS: usize = 0x1f8;
export const ORIGINAL_EVENT_DATA: usize = 0x200;
export const VMCS_LINK_POINTER: usize = 0x208;
export const GUEST_IA32_DEBUGCTL: usize = 0x210;
export const GUEST_IA32_PAT: usize = 0x218;
export const GUEST_IA32_EFER: usize = 0x220;
export const GUEST_IA32_PERF_GLOBAL_CTRL: usize = 0x228;
export const GUEST_PDPTR0: usize = 0x230;
export const GUEST_PDPTR1: usize = 0x238;
export const GUEST_PDPTR2: usize = 0x240;
export const GUEST_PDPTR3: usize = 0x248;
export const GUEST_BNDCFGS: usize = 0x250;
export const GUEST_IA32_RTIT_CTL: usize = 0x258;
export const GUEST_IA32_LBR_CTL: usize = 0x260;
export const GUEST_IA32_PKRS: usize = 0x268;
export const GUEST_IA32_FRED_CONFIG: usize = 0x270;
export const GUEST_IA32_FRED_RSP1: usize = 0x278;
export const GUEST_IA32_FRED_RSP2: usize = 0x280;
export const GUEST_IA32_FRED_RSP3: usize = 0x288;
export const GUEST_IA32_FRED_STKLVLS: usize = 0x290;
export const GUEST_IA32_FRED_SSP1: usize = 0x298;
export const GUEST_IA32_FRED_SSP2: usize = 0x2a0;
export const GUEST_IA32_FRED_SSP3: usize = 0x2a8;
export const HOST_IA32_PAT: usize = 0x2b0;
export const HOST_IA32_EFER: usize = 0x2b8;
export const HOST_IA32_PERF_GLOBAL_CTRL: usize = 0x2c0;
export const HOST_IA32_PKRS: usize = 0x2c8;
export const HOST_IA32_FRED_CONFIG: usize = 0x2d0;
export const HOST_IA32_FRED_RSP1: usize = 0x2d8;
export const HOST_IA32_FRED_RSP2: usize = 0x2e0;
export const HOST_IA32_FRED_RSP3: usize = 0x2e8;
export const HOST_IA32_FRED_STKLVLS: usize = 0x2f0;
export const HOST_IA32_FRED_SSP1: usize = 0x2f8;
export const HOST_IA32_FRED_SSP2: usize = 0x300;
export const HOST_IA32_FRED_SSP3: usize = 0x308;
export const PIN_BASED_VM_EXEC_CONTROL: usize = 0x310;
export const CPU_BASED_VM_EXEC_CONTROL: usize = 0x318;
export const EXCEPTION_BITMAP: usize = 0x320;
export const PAGE_FAULT_ERROR_CODE_MASK: usize = 0x328;
export const PAGE_FAULT_ERROR_CODE_MATCH: usize = 0x330;
export const CR3_TARGET_COUNT: usize = 0x338;
export const VM_EXIT_CONTROLS: usize = 0x340;
export const VM_EXIT_MSR_STORE_COUNT: usize = 0x348;
export const VM_EXIT_MSR_LOAD_COUNT: usize = 0x350;
export const VM_ENTRY_CONTROLS: usize = 0x358;
export const VM_ENTRY_MSR_LOAD_COUNT: usize = 0x360;
export const VM_ENTRY_INTR_INFO: usize = 0x368;
export const VM_ENTRY_EXCEPTION_ERROR_CODE: usize = 0x370;
export const VM_ENTRY_INSTRUCTION_LEN: usize = 0x378;
export const TPR_THRESHOLD: usize = 0x380;
export const SECONDARY_VM_EXEC_CONTROL: usize = 0x388;
export const PLE_GAP: usize = 0x390;
export const PLE_WINDOW: usize = 0x398;
export const NOTIFY_WINDOW: usize = 0x3a0;
export const VM_INSTRUCTION_ERROR: usize = 0x3a8;
export const VM_EXIT_REASON: usize = 0x3b0;
export const VM_EXIT_INTR_INFO: usize = 0x3b8;
export const VM_EXIT_INTR_ERROR_CODE: usize = 0x3c0;
export const IDT_VECTORING_INFO_FIELD: usize = 0x3c8;
export const IDT_VECTORING_ERROR_CODE: usize = 0x3d0;
export const VM_EXIT_INSTRUCTION_LEN: usize = 0x3d8;
export const VMX_INSTRUCTION_INFO: usize = 0x3e0;
export const GUEST_ES_LIMIT: usize = 0x3e8;
export const GUEST_CS_LIMIT: usize = 0x3f0;
export const GUEST_SS_LIMIT: usize = 0x3f8;
export const GUEST_DS_LIMIT: usize = 0x400;
export const GUEST_FS_LIMIT: usize = 0x408;
export const GUEST_GS_LIMIT: usize = 0x410;
export const GUEST_LDTR_LIMIT: usize = 0x418;
export const GUEST_TR_LIMIT: usize = 0x420;
export const GUEST_GDTR_LIMIT: usize = 0x428;
export const GUEST_IDTR_LIMIT: usize = 0x430;
export const GUEST_ES_AR_BYTES: usize = 0x438;
export const GUEST_CS_AR_BYTES: usize = 0x440;
export const GUEST_SS_AR_BYTES: usize = 0x448;
export const GUEST_DS_AR_BYTES: usize = 0x450;
export const GUEST_FS_AR_BYTES: usize = 0x458;
export const GUEST_GS_AR_BYTES: usize = 0x460;
export const GUEST_LDTR_AR_BYTES: usize = 0x468;
export const GUEST_TR_AR_BYTES: usize = 0x470;
export const GUEST_INTERRUPTIBILITY_INFO: usize = 0x478;
export const GUEST_ACTIVITY_STATE: usize = 0x480;
export const GUEST_SMBASE: usize = 0x488;
export const GUEST_SYSENTER_CS: usize = 0x490;
export const VMX_PREEMPTION_TIMER_VALUE: usize = 0x498;
export const HOST_IA32_SYSENTER_CS: usize = 0x4a0;
export const CR0_GUEST_HOST_MASK: usize = 0x4a8;
export const CR4_GUEST_HOST_MASK: usize = 0x4b0;
export const CR0_READ_SHADOW: usize = 0x4b8;
export const CR4_READ_SHADOW: usize = 0x4c0;
export const CR3_TARGET_VALUE0: usize = 0x4c8;
export const CR3_TARGET_VALUE1: usize = 0x4d0;
export const CR3_TARGET_VALUE2: usize = 0x4d8;
export const CR3_TARGET_VALUE3: usize = 0x4e0;
export const EXIT_QUALIFICATION: usize = 0x4e8;
export const IO_RCX: usize = 0x4f0;
export const IO_RSI: usize = 0x4f8;
export const IO_RDI: usize = 0x500;
export const IO_RIP: usize = 0x508;
export const GUEST_LINEAR_ADDRESS: usize = 0x510;
export const GUEST_CR0: usize = 0x518;
export const GUEST_CR3: usize = 0x520;
export const GUEST_CR4: usize = 0x528;
export const GUEST_ES_BASE: usize = 0x530;
export const GUEST_CS_BASE: usize = 0x538;
export const GUEST_SS_BASE: usize = 0x540;
export const GUEST_DS_BASE: usize = 0x548;
export const GUEST_FS_BASE: usize = 0x550;
export const GUEST_GS_BASE: usize = 0x558;
export const GUEST_LDTR_BASE: usize = 0x560;
export const GUEST_TR_BASE: usize = 0x568;
export const GUEST_GDTR_BASE: usize = 0x570;
export const GUEST_IDTR_BASE: usize = 0x578;
export const GUEST_DR7: usize = 0x580;
export const GUEST_RSP: usize = 0x588;
export const GUEST_RIP: usize = 0x590;
export const GUEST_RFLAGS: usize = 0x598;
export const GUEST_PENDING_DBG_EXCEPTIONS: usize = 0x5a0;
export const GUEST_SYSENTER_ESP: usize = 0x5a8;
export const GUEST_SYSENTER_EIP: usize = 0x5b0;
export const GUEST_S_CET: usize = 0x5b8;
export const GUEST_SSP: usize = 0x5c0;
export const GUEST_INTR_SSP_TABLE: usize = 0x5c8;
export const HOST_CR0: usize = 0x5d0;
export const HOST_CR3: usize = 0x5d8;
export const HOST_CR4: usize = 0x5e0;
export const HOST_FS_BASE: usize = 0x5e8;
export const HOST_GS_BASE: usize = 0x5f0;
export const HOST_TR_BASE: usize = 0x5f8;
export const HOST_GDTR_BASE: usize = 0x600;
export const HOST_IDTR_BASE: usize = 0x608;
export const HOST_IA32_SYSENTER_ESP: usize = 0x610;
export const HOST_IA32_SYSENTER_EIP: usize = 0x618;
export const HOST_RSP: usize = 0x620;
export const HOST_RIP: usize = 0x628;
export const HOST_S_CET: usize = 0x630;
export const HOST_SSP: usize = 0x638;
export const HOST_INTR_SSP_TABLE: usize = 0x640;
/** Offset (bits 0-11) and dirty class (bits 12-15) by width, type and index of the encoding; 0: no such field. */
export const VMCS_LOOKUP: usize = memory.data<u16>([
  4112, 4120, 4128, 4136, 4144, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 16440, 16448, 16456, 16464, 16472, 16480, 16488, 16496, 16504, 16512, 16520, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  8336, 8344, 8352, 8360, 8368, 8376, 8384, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4296, 4304, 4312, 4320, 4328, 4336, 4344, 4352,
  264, 4368, 4376, 4384, 4392, 4400, 4408, 4416, 4424, 4432, 4440, 4448, 4456, 4464, 4472, 4480, 4488, 4496, 4504, 4512, 4520, 4528, 4536, 4544,
  4552, 4560, 4568, 0, 0, 4576, 4584, 0, 0, 4592, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 33272, 0, 33280, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  16904, 16912, 16920, 16928, 16936, 16944, 16952, 16960, 16968, 16976, 16984, 16992, 17000, 17008, 17016, 17024, 17032, 17040, 17048, 17056, 17064, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8880, 8888, 8896, 8904, 8912, 8920, 8928, 8936,
  8944, 8952, 8960, 8968, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 4880, 4888, 4896, 4904, 4912, 4920, 4928, 4936, 4944, 4952, 4960, 872, 880, 888, 4992, 5000,
  5008, 5016, 5024, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  33704, 33712, 33720, 33728, 33736, 33744, 33752, 33760, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17384, 17392, 17400, 17408, 17416, 17424, 17432, 17440,
  17448, 17456, 17464, 17472, 17480, 17488, 17496, 17504, 17512, 17520, 1144, 1152, 17544, 17552, 0, 1176, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 9376, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  5288, 5296, 5304, 5312, 5320, 5328, 5336, 5344, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 34024, 34032, 34040, 34048, 34056, 34064, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 17688, 17696, 17704, 17712, 17720, 17728, 17736, 17744, 17752, 17760, 17768, 17776, 17784, 17792, 1416, 1424,
  1432, 1440, 17832, 17840, 17848, 17856, 17864, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  9680, 9688, 9696, 9704, 9712, 9720, 9728, 9736, 9744, 9752, 9760, 9768, 9776, 9784, 9792, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);
