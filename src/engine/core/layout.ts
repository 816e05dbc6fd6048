// The memory map of the core: host-physical memory is the one WebAssembly memory, so an address
// here is a host-physical address (HPA). This file is read by AssemblyScript and by TypeScript
// alike, so it holds plain numeric constants and nothing else.

// ---- regions ----
/** State of the vCPU that the core runs now (others are parked, see PARKED_BASE). */
export const ACTIVE = 0x00010000;
export const VCPU_STATE_BYTES = 0x2000;
/** Values of the whole machine, not of one vCPU. */
export const GLOBAL = 0x00012000;
/** Data of an access that cannot go straight to a frame (page crossing, MMIO). */
export const BOUNCE = 0x00013000;
export const BOUNCE_BYTES = 0x100;
/** Guest-physical page -> host page for paging structures: 128 entries of 8 bytes, see mmu/ept.ts. */
export const EPT_CACHE = 0x00013400;
export const EPT_CACHE_ENTRIES = 128;
/** Which parts of large pages lie in the TLBs: LARGE_CHUNKS entries of 8 bytes, see mmu/large-pages.ts. */
export const LARGE_TABLE = 0x00013800;
export const LARGE_CHUNKS = 256;
/** Linear pages that lead to no frame: DEVICE_PAGES entries of 48 bytes, see mmu/device-pages.ts. */
export const DEVICE_TABLE = 0x00014000;
export const DEVICE_PAGES = 16;
export const DEVICE_PAGE_BYTES = 48;
/** Split TLBs: TLB_ENTRIES entries of 16 bytes {tag u64, addend u32, pad u32}. */
export const TLB_ENTRIES = 2048;
export const TLB_READ = 0x00140000;
export const TLB_WRITE = 0x00148000;
export const TLB_CODE = 0x00150000;
/** Who owns an asid: 512 entries of 32 bytes, see mmu/tlb.ts. */
export const ASID_TABLE = 0x0002c000;
/** A bit for each linear page that code was fetched from, by the page number's low bits, see mmu/tlb.ts. */
export const FETCHED_PAGES = 0x00030000;
export const FETCHED_PAGES_BITS = 65536;
/** Interrupts that the local APICs have accepted: 256 x f64 a vCPU, by vector. */
export const APIC_ACCEPTED = 0x00032000;
/** In service, trigger mode and requested of the local APICs: 256 bits each. */
export const APIC_VECTORS = 0x0003a000;
export const APIC_VECTORS_BYTES = 96;
export const APIC_ISR = 0;
export const APIC_TMR = 32;
export const APIC_IRR = 64;
/** Changes of the primary controls that the VMM has not noted: {TRACE_SEQUENCE u64, the controls before u64}. */
export const APIC_CHANGES = 0x0003b000;
export const APIC_MAX_CHANGES = 1024;
/** Debugger's breakpoints: see debug tables below. */
export const BREAKPOINTS = 0x00040000;
/** Exits by basic reason: 128 x u64. */
export const EXIT_COUNTS = 0x00050000;
/** Parked vCPU states, VCPU_STATE_BYTES each, MAX_VCPUS of them. */
export const PARKED_BASE = 0x00060000;
export const MAX_VCPUS = 16;
/** VMCS regions, 4 KiB each. */
export const VMCS_BASE = 0x00080000;
/** I/O bitmaps A and B, MSR bitmap, virtual-APIC page: one page each, shared by the vCPUs. */
export const IO_BITMAP_A = 0x00090000;
export const IO_BITMAP_B = 0x00091000;
export const MSR_BITMAP = 0x00092000;
export const VIRTUAL_APIC_BASE = 0x00093000; // MAX_VCPUS pages
/** A bit for each I/O port: its device may hear late of a write, or there is none (vmm/quick-exits.ts). */
export const QUICK_PORTS = 0x000a4000; // 8 KiB
/** Answers to CPUID and RDMSR: {keys 4 x u32, values 4 x u32, CPUID's EAX, ECX, EDX, EBX}, see vmx/quick.ts. */
export const QUICK_CPUID = 0x000a7800;
export const QUICK_MSRS = 0x000a7000;
export const QUICK_ENTRIES = 64;
export const QUICK_ENTRY_BYTES = 32;
/** What reads of device registers answer while nothing of the VMM runs: STEADY_ENTRIES places, see vmx/steady.ts. */
export const STEADY_TABLE = 0x000a6800;
export const STEADY_ENTRIES = 16;
export const STEADY_ENTRY_BYTES = 64;
/** Of an entry: what is read, as steadyKey() has it u64; its generation u32; STEADY_* u32; then u64 value, since, rate, shift. */
export const SE_KEY = 0;
export const SE_GENERATION = 8;
export const SE_KIND = 12;
export const SE_VALUE = 16;
export const SE_SINCE = 24;
export const SE_RATE = 32;
export const SE_SHIFT = 40;
export const SE_MASK = 48;
/** The value; value and one more each `rate` ns since; what a clock of `rate` Hz has counted. */
export const STEADY_SAME = 1;
export const STEADY_TICKS = 2;
export const STEADY_CYCLES = 3;
/** u32: entries of other generations are void. */
export const STEADY_GENERATION = 0x000a6c00;
/** Reads of device memory that the core has answered at one ICOUNT (u64): how many, and how many of them the VMM knows of (u32). */
export const STEADY_ICOUNT = 0x000a6c08;
export const STEADY_READS = 0x000a6c10;
export const STEADY_TOLD = 0x000a6c14;
/**
 * What the core does for the running vCPU's local APIC, see vmx/apic.ts: u32 APIC_*; the window's guest-physical address u64, all ones in
 * x2APIC mode; TPR u32; ns that the timer takes for a count u32, 0 where the count is not the core's; and 1 in its TSC-deadline mode u32;
 * virtual time u64 at which the VMM has work next beside what that timer brings.
 */
export const APIC_DUTY = 0x000a6c18;
export const APIC_TPR = 0x000a6c1c;
export const APIC_GPA = 0x000a6c20;
export const APIC_COUNT_NS = 0x000a6c28;
export const APIC_TAKES_DEADLINE = 0x000a6c2c;
export const APIC_OTHER_EVENT = 0x000a6c30;
/** The VMM is asked for all; it ends interrupts behind which none waits, and starts its timer; it delivers interrupts as well. */
export const APIC_ASKS = 0;
export const APIC_ENDS = 1;
export const APIC_DELIVERS = 2;
/** What the VMM hears of after the run, before anything else: bits u32; ICR u64; the timer's new count u64, and when it was written u64; or its deadline, and when that comes. */
export const APIC_HEARD = 0x000a6c38;
export const APIC_HEARD_ICR = 1;
export const APIC_HEARD_COUNT = 2;
export const APIC_HEARD_DEADLINE = 4;
export const APIC_HEARD_REQUEST = 8;
export const APIC_HEARD_TPR = 16;
export const APIC_ICR = 0x000a6c40;
export const APIC_TIMER_VALUE = 0x000a6c48;
export const APIC_TIMER_AT = 0x000a6c50;
/** While ATT_APIC is set: ICOUNT u64 of the instruction behind which an interrupt waits; 1 where the guest would be kicked for it u32. */
export const APIC_ICOUNT = 0x000a6c58;
export const APIC_KICKS = 0x000a6c60;
/** How many there are of APIC_CHANGES, u32. */
export const APIC_CHANGE_COUNT = 0x000a6c64;
/** A bit for each linear page by its hash: a write translation was made since the history cleared it, see mmu/access.ts. */
export const WRITTEN_PAGES = 0x000a8000;
export const WRITTEN_PAGES_BYTES = 0x2000;
/**
 * Where computed jumps and calls went in the interpreter, for the compiler: entries of 8 bytes {u32 the instruction behind the
 * jump, u32 the target's distance from it}, both of the linear address's low bits. What shares an entry replaces it.
 */
export const JUMPS_SEEN = 0x000aa000;
export const JUMPS_SEEN_ENTRIES = 2048;
/** Hash of decoded blocks: 65536 x u32 heads of chains. */
export const BLOCK_HASH = 0x000b0000;
export const BLOCK_HASH_ENTRIES = 65536;
/** Linear RIP -> block: entries of 16 bytes {rip u64, ctxGen u32, block u32}. A kernel's boot needs more than 4096. */
export const JUMP_CACHE = 0x00100000;
export const JUMP_CACHE_ENTRIES = 16384;
/** End of what init() clears; the pages up to the breakpoints are free. */
export const CLEARED_END = 0x00158000;
/** The debugger's breakpoints, see debug tables below. */
export const BREAK_SET = 0x01000000;
/** Trace ring of VM exits. */
export const TRACE_RING = 0x01100000;
export const TRACE_RECORDS = 16384;
export const TRACE_RECORD_BYTES = 128;
/** EPT paging structures, filled by the VMM in the hardware's format. */
export const EPT_POOL = 0x01300000;
export const EPT_POOL_BYTES = 0x00f00000;
/** Per host page: bits that say for whom it may have been written since he cleared his, see mmu/ept.ts. */
export const DIRTY_FRAMES = 0x02200000;
export const DIRTY_FRAMES_BYTES = 0x00100000;
/** For whoever copies memory that changes meanwhile. */
export const DIRTY_FOR_COPY = 1;
/** For the history, which was shown what stood there before the first write. */
export const DIRTY_FOR_HISTORY = 2;
export const DIRTY_FOR_ALL = 3;
/** Per host page: 0 no decoded code, 1 some. */
export const CODE_PAGES = 0x02300000;
/** Per host page: bit n set when the 128-byte line n holds decoded code. */
export const CODE_LINES = 0x02400000;
/**
 * Micro-ops and block headers, a bump pool that is dropped whole when full, with all that is compiled of them. A boot of Linux fills
 * 20 MiB of it.
 */
export const UOP_POOL = 0x02800000;
export const UOP_POOL_BYTES = 0x03000000;
/** First frame of guest RAM; everything above belongs to the guest. */
export const RAM_BASE = 0x05800000;

// ---- vCPU state: addresses in the ACTIVE block (subtract ACTIVE for the offset) ----
/** 16 general registers in hardware order (rax rcx rdx rbx rsp rbp rsi rdi r8-r15), u64 each. */
export const GPR = ACTIVE + 0x000;
export const RAX = GPR;
export const RCX = GPR + 0x08;
export const RDX = GPR + 0x10;
export const RBX = GPR + 0x18;
export const RSP = GPR + 0x20;
export const RBP = GPR + 0x28;
export const RSI = GPR + 0x30;
export const RDI = GPR + 0x38;
/** Register slots of address generation: always 0, and RIP of the running block's start. */
export const REG_ZERO = 16;
export const REG_RIP = 17;
export const RIP_BASE = ACTIVE + 0x088;
/** RIP: that of the next instruction at a boundary, of the current one inside a helper. */
export const RIP = ACTIVE + 0x090;
/** Inside a helper: RIP that follows the instruction; a helper that branches stores its target here. */
export const NEXT_RIP = ACTIVE + 0x098;
export const RFLAGS = ACTIVE + 0x0a0;
/** Retired instructions; a REP iteration counts as one. */
export const ICOUNT = ACTIVE + 0x0a8;
/** Run until ICOUNT reaches this. */
export const LIMIT = ACTIVE + 0x0b0;
/** Virtual time in ns = ICOUNT * 2^CLOCK_SHIFT + CLOCK_OFFSET (grows when HLT warps). */
export const CLOCK_OFFSET = ACTIVE + 0x0b8;
export const CR0 = ACTIVE + 0x0c0;
export const CR2 = ACTIVE + 0x0c8;
export const CR3 = ACTIVE + 0x0d0;
export const CR4 = ACTIVE + 0x0d8;
export const CR8 = ACTIVE + 0x0e0;
export const EFER = ACTIVE + 0x0e8;
export const XCR0 = ACTIVE + 0x0f0;
/** Clock value (see CLOCK_OFFSET) at which the VMX-preemption timer fires; all ones: not armed. */
export const PREEMPTION_DEADLINE = ACTIVE + 0x0f8;
/** Segments: {selector u16 @0, access rights u32 @4 in the VMCS format, limit u32 @8, base u64 @16}. */
export const SEGMENTS = ACTIVE + 0x100;
export const SEGMENT_BYTES = 32;
export const SEG_ES = 0;
export const SEG_CS = 1;
export const SEG_SS = 2;
export const SEG_DS = 3;
export const SEG_FS = 4;
export const SEG_GS = 5;
export const SEG_LDTR = 6;
export const SEG_TR = 7;
export const SEG_SELECTOR = 0;
export const SEG_AR = 4;
export const SEG_LIMIT = 8;
export const SEG_BASE = 16;
export const GDTR_BASE = ACTIVE + 0x200;
export const GDTR_LIMIT = ACTIVE + 0x208;
export const IDTR_BASE = ACTIVE + 0x210;
export const IDTR_LIMIT = ACTIVE + 0x218;
export const DR0 = ACTIVE + 0x220; // DR0-DR3, u64 each
export const DR6 = ACTIVE + 0x240;
export const DR7 = ACTIVE + 0x248;
export const SYSENTER_CS = ACTIVE + 0x250;
export const SYSENTER_ESP = ACTIVE + 0x258;
export const SYSENTER_EIP = ACTIVE + 0x260;
export const STAR = ACTIVE + 0x268;
export const LSTAR = ACTIVE + 0x270;
export const CSTAR = ACTIVE + 0x278;
export const FMASK = ACTIVE + 0x280;
export const KERNEL_GS_BASE = ACTIVE + 0x288;
export const TSC_AUX = ACTIVE + 0x290;
export const PAT = ACTIVE + 0x298;
export const DEBUGCTL = ACTIVE + 0x2a0;
/** Guest TSC = virtual ns + TSC_ADJUST (the VMCS's TSC offset comes on top). */
export const TSC_ADJUST = ACTIVE + 0x2a8;
/** ICOUNT at which this slice ends: min(LIMIT, that of PREEMPTION_DEADLINE, run loop's own slice). REP stops there. */
export const SLICE_END = ACTIVE + 0x2b0;
/** Blocking by STI (1), MOV SS (2), SMI (4), NMI (8), as the VMCS field. */
export const INTERRUPTIBILITY = ACTIVE + 0x2c0;
/** Activity state as the VMCS field: 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI. */
export const ACTIVITY = ACTIVE + 0x2c4;
export const PENDING_DBG = ACTIVE + 0x2c8;
/** Key of the decode mode, MODE_* bits; kept by updateMode(). */
export const MODE = ACTIVE + 0x2d0;
/** Low 12 bits of every TLB tag; kept by updateMode(). Bit 0 user. */
export const CTX = ACTIVE + 0x2d4;
/** Number of the translation context in the jump cache; grows with every flush or change. */
export const CTX_GEN = ACTIVE + 0x2d8;
export const CPL = ACTIVE + 0x2dc;
/** Fault of the current instruction (status XS_FAULT). */
export const FAULT_VECTOR = ACTIVE + 0x2e0;
export const FAULT_ERROR = ACTIVE + 0x2e4;
/** 1 when the vector pushes FAULT_ERROR. */
export const FAULT_HAS_ERROR = ACTIVE + 0x2e8;
/** #PF: linear address; #DB: bits for DR6 (the VM-exit qualification). */
export const FAULT_ADDRESS = ACTIVE + 0x2f0;
/** ATT_* bits: work at the next instruction boundary. */
export const ATTENTION = ACTIVE + 0x2f8;
/** 1 while the running block is of one instruction only. */
export const SINGLE = ACTIVE + 0x2fc;
/** Pointer to this vCPU's VMCS region, u32, and its index. */
/**
 * 1 when an instruction, a REP iteration or an event delivery has completed since the last boundary().
 * Set by the run loop where boundaries matter (single steps), cleared by VM entry and by boundary(): MTF needs it.
 */
export const STEPPED = ACTIVE + 0x304;
export const VMCS_PTR = ACTIVE + 0x308;
export const VCPU_INDEX = ACTIVE + 0x30c;
/** PDPTE cache for PAE paging: 4 x u64. */
export const PDPTES = ACTIVE + 0x320;
/** Linear address and value results of operand helpers (see exec/operand.ts). */
export const OP_LINEAR = ACTIVE + 0x340;
export const OP_VALUE = ACTIVE + 0x348;
/** Event being delivered through the IDT, VM-entry interruption format; 0 none (for IDT-vectoring information and #DF). */
export const VECTORING_INFO = ACTIVE + 0x350;
export const VECTORING_ERROR = ACTIVE + 0x354;
/** 1 after an access hit a debugger watchpoint, with its id, linear address, size and write flag. */
export const WATCH_HIT = ACTIVE + 0x358;
export const WATCH_ID = ACTIVE + 0x35c;
export const WATCH_ADDRESS = ACTIVE + 0x360;
export const WATCH_SIZE = ACTIVE + 0x368;
export const WATCH_WRITE = ACTIVE + 0x36c;

/**
 * Accesses that the VMM completes for the core. An EPT violation on a GPA without a frame, and a
 * string I/O instruction, exit with the access described here (ASSIST_*). The VMM does it, appends
 * one latch {gpa or port u64, data u64, bytes u32, write u32} and resumes: the instruction runs
 * again and takes the latched accesses as done. Latches die with the instruction.
 *
 * A string I/O instruction asks for ASSIST_DATA elements at most. Its latch has the number that was moved for its datum, and
 * takes as many further places as their bytes need, which follow it; the core puts those of a write there when it asks.
 */
export const ASSIST_KIND = ACTIVE + 0x380; // 0 none, ASSIST_*
export const ASSIST_MMIO = 1;
export const ASSIST_STRING = 2;
/** A guest paging-structure entry that lies in no frame: the VMM keeps what it reads or writes in OUTSIDE_ENTRIES. */
export const ASSIST_STRUCTURE = 3;
export const ASSIST_WRITE = ACTIVE + 0x384;
export const ASSIST_BYTES = ACTIVE + 0x388;
export const ASSIST_ADDRESS = ACTIVE + 0x390; // GPA or port
export const ASSIST_DATA = ACTIVE + 0x398; // of a write; ASSIST_STRING: elements
export const LATCH_COUNT = ACTIVE + 0x3a0;
/**
 * Outside 64-bit mode, for each segment: how many bytes from offset 0 on may be read, and written, without a look at its descriptor
 * (u64 each); kept by updateMode(). Then the linear address that a SEGMENT micro-op has found.
 */
export const READ_ROOMS = ACTIVE + 0x3b0;
export const WRITE_ROOMS = ACTIVE + 0x3e0;
export const SEGMENT_LINEAR = ACTIVE + 0x410;
export const LATCHES = ACTIVE + 0x1000;
export const LATCH_BYTES = 24;
/** More than XSAVE of all state to device memory takes, 8 bytes at a time. */
export const MAX_LATCHES = 170;
/** What one exit of a string I/O instruction moves at most: a sector of a CD. */
export const MAX_STRING_BYTES = 2048;

/** Latches already used by the running instruction, and the ICOUNT of the instruction they belong to. */
export const LATCH_CURSOR = ACTIVE + 0x480;
export const LATCH_ICOUNT = ACTIVE + 0x488;
/** Translation context: asid, its epoch, and what the context was made for (see mmu/tlb.ts). */
export const CTX_ASID = ACTIVE + 0x490;
export const CTX_EPOCH = ACTIVE + 0x494;
export const CTX_CONTROLS = ACTIVE + 0x498; // u64
export const CTX_CR3 = ACTIVE + 0x4a0; // u64
export const CTX_EPTP = ACTIVE + 0x4a8; // u64
export const CTX_VPID = ACTIVE + 0x4b0;
/** CTX of supervisor accesses to system structures, and of user accesses, whatever the CPL. */
export const CTX_SYSTEM = ACTIVE + 0x4b4;
/** CTX of the current CPL without the alignment-check mark. */
export const CTX_PLAIN = ACTIVE + 0x4b8;
/** 1 when the fault of the last access is #GP(0) for a non-canonical address (#SS(0) if through SS). */
export const ACCESS_NONCANONICAL = ACTIVE + 0x4bc;

/** Set by exitGla() and its like for the next vmExit(), which clears them. */
export const EXIT_GLA = ACTIVE + 0x4c0; // u64
export const EXIT_GPA = ACTIVE + 0x4c8; // u64
export const EXIT_INSTRUCTION_INFO = ACTIVE + 0x4d0;
export const EXIT_INTR_INFO = ACTIVE + 0x4d4;
export const EXIT_INTR_ERROR = ACTIVE + 0x4d8;
/** DIRTY_* bits (vmx/vmcs.ts): areas of the VMCS that software changed since the last VM entry checked them. */
export const VMCS_DIRTY = ACTIVE + 0x4dc;
/** ICOUNT of the boundary at which blocking by STI or MOV SS began: it covers the instruction that starts there. */
export const SHADOW_ICOUNT = ACTIVE + 0x4e0; // u64
/** PAUSE-loop exiting: virtual time of the first and the last PAUSE of the current loop. */
export const PLE_FIRST = ACTIVE + 0x4e8; // u64
export const PLE_LAST = ACTIVE + 0x4f0; // u64
/** 1 after MONITOR, until MWAIT or an event. */
export const MONITOR_ARMED = ACTIVE + 0x4f8;
/** 1 while the vCPU is in VMX root operation: after a VM exit, before the next VM entry. */
export const IN_ROOT = ACTIVE + 0x4fc;
/** Bit 0: SSE instructions fault, bit 1: VEX ones do (CR0, CR4, XCR0, mode); kept by updateMode(). */
export const VECTORS_OFF = ACTIVE + 0x500;

/** Protection keys: two bits a key, access and write disabled, of user-mode and of supervisor-mode pages. */
export const PKRU = ACTIVE + 0x504; // u32
export const PKRS = ACTIVE + 0x508; // u32

/**
 * Where a debugger knows that the vCPU stands: linear address of the next instruction + 1 (0: nowhere) and ICOUNT. While
 * both hold, a breakpoint there lets the instruction run. Set by the run loop when it stops at a breakpoint, and by the
 * debugger; iterations of a REP instruction take it along.
 */
export const TOLD_RIP = ACTIVE + 0x580; // u64
export const TOLD_ICOUNT = ACTIVE + 0x588; // u64
/** RIP + 1 and ICOUNT of the boundary between two iterations of a REP instruction: it goes on there, it does not begin. */
export const REPEAT_RIP = ACTIVE + 0x590; // u64
export const REPEAT_ICOUNT = ACTIVE + 0x598; // u64
/** What stood at WATCH_ADDRESS before the access, and how many bytes of it are known: 0 where no frame is. */
export const WATCH_BEFORE = ACTIVE + 0x5a0; // 32 bytes
export const WATCH_BEFORE_BYTES = ACTIVE + 0x5c0; // u32
/** 1: IRET removed blocking by NMI before it faulted or exited. */
export const NMI_UNBLOCKED = ACTIVE + 0x5d0; // u32
/** 1: a VM exit and the entry behind it do more than to save and load the state, as of the last VM entry (vmx/quick.ts). */
export const ENTRY_DOES_MORE = ACTIVE + 0x5d4; // u32
/** Length of the CPUID whose exit is the newest that was recorded since the last VM entry; 0: another's is (vmx/quick.ts). */
export const CPUID_RECORDED = ACTIVE + 0x5d8; // u32

/** XMM/YMM: 16 x 32 bytes; x87: 8 x 16 bytes in physical order; control and status words. */
export const YMM = ACTIVE + 0x600;
export const X87 = ACTIVE + 0x800;
export const X87_FCW = ACTIVE + 0x880;
export const X87_FSW = ACTIVE + 0x882;
/** Abridged tag: bit n set when physical register n is not empty. */
export const X87_FTW = ACTIVE + 0x884;
export const X87_FOP = ACTIVE + 0x886;
export const X87_FIP = ACTIVE + 0x888;
export const X87_FDP = ACTIVE + 0x890;
export const MXCSR = ACTIVE + 0x898;
export const X87_FCS = ACTIVE + 0x89c;
export const X87_FDS = ACTIVE + 0x89e;

/** VECTORING_INFO of the event whose delivery the latches belong to; 0: the instruction's own. */
export const LATCH_EVENT = ACTIVE + 0x50c; // u32
/** Rounds of the run loop since an instruction retired, and the ICOUNT that they began at (run.ts). */
export const IDLE_ROUNDS = ACTIVE + 0x510; // u32
export const IDLE_ICOUNT = ACTIVE + 0x518; // u64
/** So many may pass before each further one counts as an instruction. */
export const MAX_IDLE_ROUNDS = 1000;

/** Paging-structure entries outside all frames that the running instruction uses: {gpa u64, value u64}, see mmu/outside-entries.ts. */
export const OUTSIDE_COUNT = ACTIVE + 0x520; // u32: entries so far; they take their places in turn
export const OUTSIDE_ICOUNT = ACTIVE + 0x528; // u64
export const OUTSIDE_ENTRIES = ACTIVE + 0x900;
export const OUTSIDE_ENTRY_BYTES = 16;
/** More than the walks of one instruction or delivery need: 20 pages in 5 levels. */
export const MAX_OUTSIDE_ENTRIES = 112;

// ---- GLOBAL ----
export const BREAKPOINT_COUNT = GLOBAL + 0x10; // u32
export const WATCHPOINT_COUNT = GLOBAL + 0x14; // u32
/** Next free asid and the pool's next free byte. */
export const NEXT_CTX_GEN = GLOBAL + 0x18;
export const NEXT_ASID = GLOBAL + 0x1c;
export const POOL_NEXT = GLOBAL + 0x20;
/** End of host-physical memory in bytes (u64). */
export const MEMORY_END = GLOBAL + 0x28;
/** Grows each time the asids are handed out anew. */
export const ASID_EPOCH = GLOBAL + 0x30;
/** Generations of contexts below this one are void (see mmu/tlb.ts). */
export const CTX_GEN_FLOOR = GLOBAL + 0x34;
/** Lowest and highest linear page number that a page of 1 GiB has put into the TLBs. */
export const LARGE_FIRST = GLOBAL + 0x38;
export const LARGE_LAST = GLOBAL + 0x40;
/** The same of the large pages that code was fetched from. */
export const LARGE_CODE_FIRST = GLOBAL + 0x60;
export const LARGE_CODE_LAST = GLOBAL + 0x68;
/** Bitmap of the VM-entry checks that failed at the last VM entry, in the order of src/spec/vmx/entry-checks.ts. */
export const ENTRY_FAILURES = GLOBAL + 0x80;
export const ENTRY_FAILURES_BYTES = 32;
/**
 * Source of RDRAND and RDSEED: {head u32, tail u32, state u64, values 32 x u64}. While head != tail the host's
 * values are used (values[head % 32], then head grows); otherwise xorshift64 over `state`, which the host seeds.
 */
export const RANDOM_QUEUE = GLOBAL + 0x100;
export const RANDOM_QUEUE_ENTRIES = 32;
/** EPTP that EPT_CACHE was filled under (u64). */
export const EPT_CACHE_EPTP = GLOBAL + 0x48;
/** u32: 1 takes VMMCALL, the other maker's hypercall instruction, for VMCALL, as KVM does for its guests. */
export const VMMCALL_EXITS = GLOBAL + 0x50;
/** u32: where SYSCALL and SYSRET exist besides 64-bit mode, SYSCALL_*: the makers of CPUs differ. */
export const SYSCALL_MODES = GLOBAL + 0x54;
/** u64: bit n set takes the instructions of feature n (src/spec/opcodes/features.ts) from the CPU; then dropBlocks(). */
export const ABSENT_FEATURES = GLOBAL + 0x58;
/**
 * The dispatcher's own, beside its few locals: what the running block needs at its end. Nothing here lives
 * longer than one call of execBlocks().
 */
export const BLOCK_UOPS = GLOBAL + 0x300; // u32: first micro-op of the running block, its header before it
export const CODE_CAREFUL = GLOBAL + 0x304; // u32: 1 when blocks are tested for the limit of CS
export const CODE_BASE = GLOBAL + 0x308; // u64: base of CS, 0 in 64-bit mode
export const SELF_RIP = GLOBAL + 0x310; // u64: RIP that leads back to the running block without a look at the jump cache
export const CODE_MODE = GLOBAL + 0x318; // u32: MODE
/** Where CF came from before INC or DEC kept it: kind, result, first operand (exec/lazy-flags.ts). */
export const CARRY_KIND = GLOBAL + 0x31c; // u32
export const CARRY_RESULT = GLOBAL + 0x320; // i64
export const CARRY_OPERAND = GLOBAL + 0x328; // u64
/** What canonical bases leave of 64 bits: 7 on a CPU with 57-bit linear addresses, 16 on one with 48. */
export const LINEAR_SHIFT = GLOBAL + 0x330; // u32
/** u32: 1 while a region runs, 2 when decoded code was dropped meanwhile. */
export const JIT_INSIDE = GLOBAL + 0x334;
export const JIT_RUNNING = 1;
export const JIT_STALE = 2;
/** u32: an instruction takes 2^n ns of virtual time; set before the first one. */
export const CLOCK_SHIFT = GLOBAL + 0xab0;
/** What a compiled region leaves (src/engine/jit/region-writer.ts). */
export const JIT_LEFT = GLOBAL + 0x340; // i32: instructions that may still run
export const JIT_UOP = GLOBAL + 0x344; // u32: micro-op that the interpreter goes on at, bit 0: by its instruction alone; or JIT_WENT_*, JIT_HANDLED
/** In JIT_UOP: the guest goes on at JIT_RIP, where a branch, the slice's end, or an address from memory or a register led. */
export const JIT_WENT_OUT = 0;
export const JIT_WENT_LATE = 4;
export const JIT_WENT_ANYWHERE = 6;
/** In JIT_UOP: a handler was called, whose status is JIT_STATUS; where it has completed, the guest goes on at NEXT_RIP. */
export const JIT_HANDLED = 2;
export const JIT_BLOCK = GLOBAL + 0x348; // u32: first micro-op of its block, whose RIP is JIT_RIP
export const JIT_KIND = GLOBAL + 0x34c; // u32, with the next two: the lazy flags
export const JIT_RESULT = GLOBAL + 0x350; // i64
export const JIT_FIRST = GLOBAL + 0x358; // u64
export const JIT_CARRY = GLOBAL + 0x360; // u32: CF as INC or DEC left it
export const JIT_STATUS = GLOBAL + 0x364; // u32: XS_* of the handler that a region was left for, XS_OK: it has completed
export const JIT_RIP = GLOBAL + 0x368; // u64
/** Instructions between two samples of where the guest is; samples that make a block hot, 0: nothing is compiled. */
export const JIT_SLICE = GLOBAL + 0x370; // u32
export const JIT_HEAT = GLOBAL + 0x374; // u32
/** Grows when all decoded code is dropped. */
export const JIT_EPOCH = GLOBAL + 0x378; // u32
/** Hot blocks that wait for the compiler: {block u32, CTX of fetches u32, linear address u64}. */
export const JIT_QUEUE_COUNT = GLOBAL + 0x37c; // u32
export const JIT_QUEUE = GLOBAL + 0xb00;
export const JIT_QUEUE_BYTES = 16;
export const JIT_QUEUE_ENTRIES = 16;
/** Pages that the region to be installed depends on beside its first: count u32, from + 8 {distance i32, frame u32}. */
export const JIT_PAGES = GLOBAL + 0xc00;
/** SLICE_END of the slice whose last instructions are too few for compiled code, which was left or not entered: it ended in compiled code. */
export const JIT_LEFT_AT = GLOBAL + 0x3c0; // u64
export const JIT_REST = GLOBAL + 0x3c8; // u32: instructions to go until the next sample; 0: as many as from one to the next
export const JIT_UNEVEN = GLOBAL + 0x3cc; // u32: by how much the last ones were fewer, so that no loop is met at one place alone
/**
 * What each exit needs that the core completes by itself. Processors take a load for one of an earlier store with the same low 12 bits
 * of the address, and wait: so these lie where neither the vCPU's registers nor the exit's fields in its VMCS do in their pages.
 */
/** u64: records of the trace written so far; u32: is it on? */
export const TRACE_SEQUENCE = GLOBAL + 0xa90;
export const TRACE_ENABLED = GLOBAL + 0xa98;
/** u64: virtual time at which the VMM has work next, all ones: never. */
export const NEXT_EVENT = GLOBAL + 0xaa0;
/** VM exits that the core may still complete by itself in this run (u32). */
export const QUICK_ROOM = GLOBAL + 0xaa8;
/** Ports whose devices hear late what was written: count u32, then {port u32, byte and 100h once written u32}. */
export const QUICK_LATCH_COUNT = GLOBAL + 0x3e8;
export const QUICK_LATCHES = GLOBAL + 0x380;
/** u32: something waits for the running vCPU: behind an instruction that runs again there is another VM entry. */
export const QUICK_WAITS = GLOBAL + 0xaac;
/** u64: what a device answered to an access that the core asked it for (vmx/ask.ts); of string I/O the first element, then how many u32. */
export const DEVICE_DATA = GLOBAL + 0x3f0;
/** Such an access: to device memory, to a port, to one for a string instruction; an MSR; the task priority as CR8. */
export const ASK_MMIO = 0;
export const ASK_PORT = 1;
export const ASK_STRING = 2;
export const ASK_MSR = 3;
export const ASK_CR8 = 4;
/** Its answers: the guest goes on; so it does, with a VM entry behind an instruction that needs another to take its latches; */
export const ASKED_GOES_ON = 0;
export const ASKED_ENTERS = 1;
/** the device has done it and the guest is left; nobody has done anything, and the VMM handles the exit. */
export const ASKED_LEAVES = 2;
export const ASKED_REFUSED = 3;
export const QUICK_MAX_LATCHES = 8;
/** u32: breakpoints have changed since blocks ran last; and a number that grows with each change. */
export const BREAKS_CHANGED = GLOBAL + 0x3d0;
export const BREAK_GEN = GLOBAL + 0x3d4;
/**
 * Where the region to be installed has code and what it ends before: RIP of its first block u64, count u32, BREAK_GEN u32 as it was
 * compiled, distances i32 to which its code and its branches reach back and ahead, from + 24 {distance from the first block i32,
 * bytes u32}; no bytes: a breakpoint that it ends before.
 */
export const JIT_RANGES = GLOBAL + 0xc48;
export const MAX_JIT_RANGES = 112;
/** Exit breakpoint: 1 stops run() with RUN_EXIT_BREAK semantics in the VMM; unused by the core. */
export const MAX_PHYS_BITS = 39;
/** 128 x u64 slots of counters (COUNTER_*), for benchmarks and the dashboard. */
export const COUNTERS = GLOBAL + 0x400;
export const COUNTER_TLB_MISS = 0;
export const COUNTER_TLB_FLUSH = 1;
export const COUNTER_BLOCKS_DECODED = 2;
export const COUNTER_CODE_INVALIDATED = 3;
export const COUNTER_POOL_DROPPED = 4;
/** Regions entered, instructions run in them, and how often one was left for a micro-op of the interpreter's. */
export const COUNTER_REGION_ENTRIES = 5;
export const COUNTER_REGION_INSTRUCTIONS = 6;
export const COUNTER_REGION_MISSES = 7;
/** How often a region was left behind or at an instruction that it had called the handler of. */
export const COUNTER_REGION_HANDLED = 8;
/** How often one was left at the slice's end, by a branch to elsewhere, and by a jump, call or return to an address from elsewhere. */
export const COUNTER_REGION_LATE = 9;
export const COUNTER_REGION_OUT = 10;
export const COUNTER_REGION_ANYWHERE = 11;
/** How often one was not entered: a further page is not known, a breakpoint lies inside, it may pass the code segment's limit. */
export const COUNTER_REGION_NO_PAGE = 12;
export const COUNTER_REGION_BREAKPOINT = 13;
export const COUNTER_REGION_LIMIT = 14;
/** Looks at where the interpreter is. */
export const COUNTER_SAMPLES = 15;

/** Events delivered, or turned into a double or triple fault: count u32, then a ring of entries (events/fault-log.ts). */
export const FAULT_LOG = GLOBAL + 0x800;
export const FAULT_LOG_ENTRIES = 16;
/** {vector u32, error u32, rip u64, address u64 (#PF: CR2), icount u64, flags u32, CS selector u32} from FAULT_LOG + 16. */
export const FAULT_LOG_BYTES = 40;
/**
 * Flags: there is an error code; it arose while the entry before was being delivered; the interruption type (as in the
 * VM-entry interruption-information field) from bit 2, the vCPU's index from bit 16.
 */
export const FAULT_LOG_ERROR = 1;
export const FAULT_LOG_NESTED = 2;
export const FAULT_LOG_TYPE_SHIFT = 2;
export const FAULT_LOG_VCPU_SHIFT = 16;

// ---- debugger's tables, at BREAKPOINTS ----
/** Bitmap over hash(linear page): bit (page & 32767) set when the page has a breakpoint. */
export const BREAK_PAGES = BREAKPOINTS;
export const BREAK_PAGE_BITS = 32768;
/** Open-addressed set of linear addresses, stored as u64 + 1 (0 = free), at most half full; see exec/breakpoints.ts. */
export const BREAK_SET_ENTRIES = 131072; // 1 MiB at BREAK_SET
/** Watchpoints: {first u64, last u64 inclusive, flags u32 (1 read, 2 write, 4 physical: GPA), id u32, pad} */
export const WATCH_TABLE = BREAKPOINTS + 0x6000;
export const WATCH_BYTES = 32;
export const MAX_WATCHPOINTS = 64;
/**
 * Words of the running vCPU's block whose change ends run() while there are some: {address u32, pad, value u64}. Then each
 * instruction runs alone.
 */
export const PROBE_COUNT = BREAKPOINTS + 0x6800; // u32
/** ICOUNT and RIP before the last instruction that ran alone. */
export const ALONE_ICOUNT = BREAKPOINTS + 0x6808; // u64
export const ALONE_RIP = BREAKPOINTS + 0x6810; // u64
export const PROBE_TABLE = BREAKPOINTS + 0x6820;
export const PROBE_BYTES = 16;
export const MAX_PROBES = 32;

// ---- MODE bits ----
export const MODE_CODE64 = 1; // CS.L and LMA
export const MODE_CODE32 = 2; // CS.D (not with CODE64)
export const MODE_STACK32 = 4; // SS.B (outside 64-bit mode)
export const MODE_FLAT = 8; // 64-bit, or CS DS ES SS all base 0, limit 4 GiB, usable, expand-up, right type
export const MODE_SINGLE = 16; // block of one instruction (set by the run loop only)

// ---- SYSCALL_MODES ----
export const SYSCALL_LONG = 0; // 64-bit mode only
export const SYSCALL_WITH_CSTAR = 1; // compatibility mode too, once the guest has set IA32_CSTAR
export const SYSCALL_PROTECTED = 2; // every protected mode; SYSENTER and SYSEXIT outside IA-32e mode only

// ---- ATTENTION bits ----
export const ATT_SHADOW = 1; // STI or MOV SS blocking is on: run one instruction, then clear it
export const ATT_TRAP = 2; // PENDING_DBG holds a trap-class #DB for the next boundary
export const ATT_WINDOW = 4; // interrupt- or NMI-window exiting is on: test it at each boundary
export const ATT_MTF = 8; // monitor trap flag exiting
export const ATT_WATCH = 16; // WATCH_HIT is set
export const ATT_RETRY = 32; // run the instruction again as a single-instruction block
export const ATT_STEP = 128; // TF, RF or an execution breakpoint of DR7: debugBefore/debugAfter around each instruction
export const ATT_HALT = 256; // ACTIVITY is not active
export const ATT_TPR = 64; // TPR-below-threshold test is due
export const ATT_APIC = 512; // an interrupt waits in the local APIC behind the instruction at APIC_ICOUNT

// ---- status of a helper or a block ----
export const XS_OK = 0; // done; RIP := NEXT_RIP (helpers) / chain ended (blocks)
export const XS_FAULT = 1; // FAULT_* holds the exception; nothing was committed
export const XS_EXIT = 2; // a VM exit was recorded (vmExit was called); the guest is left
export const XS_RETRY = 3; // nothing was committed; run it again with SINGLE set
export const XS_LIMIT = 4; // ICOUNT reached SLICE_END, or the next block would pass it
export const XS_SINGLE = 5; // blocks only: run the next instruction alone (TF, RF, a breakpoint's page)

// ---- result of run() ----
export const RUN_VMEXIT = 1; // VM exit; the VMCS holds its information
export const RUN_LIMIT = 2; // LIMIT reached
export const RUN_BREAKPOINT = 3; // RIP is at a breakpoint of the debugger, not yet executed
export const RUN_WATCHPOINT = 4; // WATCH_* tells; the instruction has completed
export const RUN_HALTED = 6; // ACTIVITY is not active and no event is due before LIMIT: the host warps the clock or waits
export const RUN_PROBE = 7; // a word of PROBE_TABLE has changed, which has its value now
export const RUN_ENTRY_FAILED = 5; // VMfailValid or entry failure: see vmEnter

// ---- result of vmLaunch() and vmResume() ----
export const ENTER_OK = 0; // the guest is entered: call run()
export const ENTER_VMFAIL = 1; // VMfailValid: VM_INSTRUCTION_ERROR tells; for 7 and 8 ENTRY_FAILURES lists the checks
export const ENTER_FAILED = 2; // VM-entry failure, exit reason 33 or 34 with bit 31; ENTRY_FAILURES lists the checks
export const ENTER_EXIT = 3; // a VM exit took place while the injected event was delivered

// ---- trace record (byte offsets) ----
export const TR_SEQUENCE = 0; // u64
export const TR_ICOUNT = 8; // u64
export const TR_VCPU = 16; // u32
export const TR_REASON = 20; // u32, as the VMCS field (bit 31: entry failure)
export const TR_QUALIFICATION = 24; // u64
export const TR_RIP = 32; // u64
export const TR_CS_BASE = 40; // u64
export const TR_GLA = 48; // u64
export const TR_GPA = 56; // u64
export const TR_LENGTH = 64; // u16 VM-exit instruction length
export const TR_CODE = 66; // u16: bit 0 CS.L, bit 1 CS.D of the code that exited, bit 15 that they were recorded; bits 14:2, as written by the VMM: elements that string I/O moved
export const TR_INTR_INFO = 68; // u32 VM-exit interruption information
export const TR_INTR_ERROR = 72; // u32
export const TR_VECTORING_INFO = 76; // u32 IDT-vectoring information
export const TR_VECTORING_ERROR = 80; // u32
export const TR_INSTRUCTION_INFO = 84; // u32
export const TR_ACTION = 88; // u32, written by the VMM: 0 none yet, 1 resume, 2 inject, 3 stop
export const TR_DETAIL = 92; // u32, written by the VMM: injected vector, or the port's or register's value
export const TR_RAX = 96; // u64 at the exit
export const TR_RCX = 104; // u64 at the exit
export const TR_CLOCK = 112; // u64 virtual ns
export const TR_CR3 = 120; // u64
