# exit-zoo: provokes each kind of VM exit that this CPU can produce, and prints its number and name.
#
# Some exits are unconditional or always wanted by a VMM (CPUID, HLT, I/O). The others happen only while a control
# bit is set, so the guest asks the VMM for it by a hypercall (README.md gives the interface); where there is no such
# VMM the line ends in `skipped`. A line ends in the exception's name when the instruction was answered by one: a
# guest without VMX gets #UD for VMX instructions, but only after their exit. Where the VMM tells how often a
# reason has occurred, a line ends in `no exit` if nothing was added.
.include "macros.inc"
.include "apic.inc"

# ---- hypercall interface ----
.equ HYPERCALL, 0x564d5343        # "VMSC" in RAX
.equ CALL_SET, 1
.equ CALL_CLEAR, 2
.equ CALL_MISCONFIGURE, 3
.equ CALL_FAIL_ENTRY, 4
.equ CALL_RESTRICT, 5
.equ CALL_SURVIVE, 6
.equ CALL_SIGNAL, 7
.equ CALL_COUNT, 8
.equ SIGNAL_INTERRUPT, 0
.equ SIGNAL_NMI, 1
.equ SIGNAL_INIT, 2
.equ SIGNAL_SIPI, 3

# ---- VMCS fields that hold controls, and their bits ----
.equ PIN, 0x4000
.equ PRIMARY, 0x4002
.equ EXCEPTION_BITMAP, 0x4004
.equ TPR_THRESHOLD, 0x401c
.equ SECONDARY, 0x401e
.equ CR0_MASK, 0x6000
.equ GUEST_CR4, 0x6804
.equ PIN_EXTERNAL_INTERRUPT, 1 << 0
.equ PIN_NMI, 1 << 3
.equ PIN_VIRTUAL_NMIS, 1 << 5
.equ PIN_PREEMPTION_TIMER, 1 << 6
.equ CPU_INTERRUPT_WINDOW, 1 << 2
.equ CPU_HLT, 1 << 7
.equ CPU_INVLPG, 1 << 9
.equ CPU_MWAIT, 1 << 10
.equ CPU_RDPMC, 1 << 11
.equ CPU_RDTSC, 1 << 12
.equ CPU_CR3_LOAD, 1 << 15
.equ CPU_CR3_STORE, 1 << 16
.equ CPU_CR8_LOAD, 1 << 19
.equ CPU_CR8_STORE, 1 << 20
.equ CPU_TPR_SHADOW, 1 << 21
.equ CPU_NMI_WINDOW, 1 << 22
.equ CPU_MOV_DR, 1 << 23
.equ CPU_MONITOR_TRAP, 1 << 27
.equ CPU_MONITOR, 1 << 29
.equ CPU_PAUSE, 1 << 30
.equ CPU2_APIC_ACCESSES, 1 << 0
.equ CPU2_DESCRIPTOR_TABLE, 1 << 2
.equ CPU2_RDTSCP, 1 << 3
.equ CPU2_WBINVD, 1 << 6
.equ CPU2_RDRAND, 1 << 11
.equ CPU2_INVPCID, 1 << 12
.equ CPU2_VM_FUNCTIONS, 1 << 13
.equ CPU2_RDSEED, 1 << 16
.equ CR0_TS, 1 << 3
.equ CR4_SMXE, 1 << 14
.equ CR4_OSXSAVE, 1 << 18

.equ GATE_INTERRUPT, 0x8e
.equ TIMER_VECTOR, 0x40
.equ APIC_BASE_MSR, 0x1b
.equ LAPIC_VERSION, LAPIC + 0x30
.equ LSR, 0x3fd
.equ POST_PORT, 0x80
.equ UNMAPPED, 0x0000005000000000
.equ TICKS, 1000                  # start value of the preemption timer

# Selectors of the 32-bit stage
.equ DATA, 0x10
.equ CODE32, 0x18
.equ TASK_A, 0x20
.equ TASK_B, 0x28

# ---- 32-bit stage: a task switch there and back ----
# Long mode has no task switch, so this comes first; its line is printed in its turn.
.code32
.text
func before_long_mode
  mov $task_a, %eax               # the bases, in their three places
  mov %ax, gdt_task_a + 2
  shr $16, %eax
  mov %al, gdt_task_a + 4
  mov $task_b, %eax
  mov %ax, gdt_task_b + 2
  shr $16, %eax
  mov %al, gdt_task_b + 4
  lgdt zoo_gdtr
  ljmp $CODE32, $1f
1: mov $DATA, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $TASK_A, %eax
  ltr %ax
  mov %cr3, %eax
  mov %eax, task_b + 28
  lcall $TASK_B, $0               # nests: IRET comes back
  clts                            # each switch sets CR0.TS
  ret
endfunc before_long_mode

func second_task
  incl task_switches
  iret
endfunc second_task

# ---- the tour ----
.code64
func main
  call idt_init
  call pic_init
  mov $TIMER_VECTOR, %edi
  mov $on_timer, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  mov $exhibits, %r12d
next_exhibit:
  call show
  add $EXHIBIT_BYTES, %r12d
  cmp $exhibits_end, %r12d
  jb next_exhibit
  say "the end\n"
  ret
endfunc main

# An exhibit: {number u32, name u32, routine u32, pairs of field u32 and bits u32}
.equ EXHIBIT_NUMBER, 0
.equ EXHIBIT_NAME, 4
.equ EXHIBIT_ROUTINE, 8
.equ EXHIBIT_CONTROLS, 12
.equ EXHIBIT_PAIRS, 3
.equ EXHIBIT_BYTES, EXHIBIT_CONTROLS + EXHIBIT_PAIRS * 8

# show: R12 = exhibit. Asks for its controls, runs its routine, gives them back, prints its line.
# A routine may change every register but RSP and R12, and answers with carry set when the VMM refused.
func show
  call count_exits
  mov %rax, exits_before(%rip)
  mov $skipped_text, %r14d
  xor %r13d, %r13d                # pairs granted so far
1: mov EXHIBIT_CONTROLS(%r12,%r13,8), %ecx
  test %ecx, %ecx
  jz 2f
  mov EXHIBIT_CONTROLS + 4(%r12,%r13,8), %edx
  mov $CALL_SET, %ebx
  mov $TICKS, %esi
  call hypercall
  jc release
  inc %r13d
  cmp $EXHIBIT_PAIRS, %r13d
  jb 1b
2: mov %r13d, granted(%rip)
  mov %rsp, tour_rsp(%rip)
  try faulted
  mov EXHIBIT_ROUTINE(%r12), %eax
  call *%rax
  mov $skipped_text, %r14d
  jc returned
  call count_exits
  mov $plain_text, %r14d
  cmp $-1, %rax
  je returned                     # nobody counts
  cmp %rax, exits_before(%rip)
  jne returned
  mov $no_exit_text, %r14d
returned:
  movq $0, resume_at(%rip)
  mov granted(%rip), %r13d
release:
  dec %r13d
  js print_line
  mov EXHIBIT_CONTROLS(%r12,%r13,8), %ecx
  mov EXHIBIT_CONTROLS + 4(%r12,%r13,8), %edx
  mov $CALL_CLEAR, %ebx
  call hypercall
  jmp release
print_line:
  mov EXHIBIT_NUMBER(%r12), %eax
  cmp $10, %eax
  jae 1f
  say "0"
1: call putdec
  say " "
  mov EXHIBIT_NAME(%r12), %esi
  call puts
  mov %r14, %rsi
  call puts
  say "\n"
  ret

faulted:                          # the routine's last instruction was answered by an exception
  mov tour_rsp(%rip), %rsp
  mov $ud_text, %r14d
  cmpq $6, caught_vector(%rip)
  je 1f
  mov $gp_text, %r14d
  cmpq $13, caught_vector(%rip)
  je 1f
  mov $other_text, %r14d
1: call count_exits
  cmp $-1, %rax
  je returned
  cmp %rax, exits_before(%rip)
  jne returned
  mov $no_exit_text, %r14d
  jmp returned
endfunc show

# count_exits: RAX = how often the exhibit's reason has occurred, all ones when nobody counts
func count_exits
  mov $CALL_COUNT, %ebx
  mov EXHIBIT_NUMBER(%r12), %ecx
  call hypercall
  jc 1f
  mov %rdx, %rax
1: ret
endfunc count_exits

# hypercall: EBX = function, RCX, RDX, RSI = arguments; carry set and RAX all ones when it was refused or when there is
# no VMM that knows VMCALL. RDX may come back with a result.
func hypercall
  push resume_at(%rip)
  try 1f
  mov $HYPERCALL, %eax
  vmcall
  jmp 2f
1: mov $-1, %rax                  # #UD
2: pop resume_at(%rip)
  test %rax, %rax
  jnz 3f                          # clears carry
  ret
3: mov $-1, %rax                  # also KVM's "no such hypercall", -1000
  stc
  ret
endfunc hypercall

# ---- the routines ----
.macro routine name, code:vararg
\name:
  \code
  clc
  ret
.endm

do_exceptions:                    # the VMM sees them first and gives them back
  try 1f
  int3
1: try 1f
  ud2
1: try 1f
  movabs $UNMAPPED, %rax
  mov (%rax), %eax
1: mov $CALL_SIGNAL, %ebx         # and an NMI of the host's, which the guest never sees
  mov $SIGNAL_NMI, %ecx
  jmp hypercall

do_interrupt:
  mov $CALL_SIGNAL, %ebx
  mov $SIGNAL_INTERRUPT, %ecx
  mov $0x30, %edx
  jmp hypercall

# No IDT at all: #UD, then #GP for the missing gate, #DF, shutdown. The VMM goes on at `survived`.
do_triple_fault:
  mov $CALL_SURVIVE, %ebx
  mov $survived, %ecx
  call hypercall
  jc 1f
  movq $0, resume_at(%rip)
  lidt no_idtr(%rip)
  ud2
survived:
  lidt idtr(%rip)
  clc
1: ret

do_init:
  mov $CALL_SIGNAL, %ebx
  mov $SIGNAL_INIT, %ecx
  jmp hypercall

do_sipi:
  mov $CALL_SIGNAL, %ebx
  mov $SIGNAL_SIPI, %ecx
  mov $0x9a, %edx
  jmp hypercall

do_interrupt_window:
  sti
  nop                             # the shadow of STI
  nop
  cli
  clc
  ret

routine do_nothing, nop

do_task_switch:                   # its exits came before anybody counted
  cmpq $-1, exits_before(%rip)
  je 1f
  movq $0, exits_before(%rip)
1:
  cmpl $1, task_switches(%rip)    # below: carry
  ret

do_cpuid:
  xor %eax, %eax
  cpuid
  clc
  ret

do_getsec:
  xor %eax, %eax                  # CAPABILITIES
  getsec
  clc
  ret

do_hlt:
  lapic_write LAPIC_TIMER_DIVIDE, DIVIDE_BY_16
  lapic_write LAPIC_LVT_TIMER, TIMER_VECTOR
  lapic_write LAPIC_TIMER_INITIAL, 1000
1: sti
  hlt
  cli
  cmpl $0, timer_expiries(%rip)
  je 1b
  clc
  ret

routine do_invd, invd
routine do_invlpg, invlpg page(%rip)

do_rdpmc:
  xor %ecx, %ecx
  rdpmc
  clc
  ret

routine do_rdtsc, rdtsc
routine do_vmcall, vmcall
routine do_vmclear, vmclear operand(%rip)
routine do_vmlaunch, vmlaunch
routine do_vmptrld, vmptrld operand(%rip)
routine do_vmptrst, vmptrst operand(%rip)
routine do_vmread, vmread %rax, %rbx
routine do_vmresume, vmresume
routine do_vmwrite, vmwrite %rax, %rbx
routine do_vmxoff, vmxoff
routine do_vmxon, vmxon operand(%rip)

do_cr_access:
  mov %cr0, %rax
  or $CR0_TS, %rax
  mov %rax, %cr0
  clts
  smsw %eax                       # no exit: answered from the read shadow
  or $CR0_TS, %eax
  lmsw %ax
  clts
  mov %cr3, %rax
  mov %rax, %cr3
  mov %cr8, %rax
  mov %rax, %cr8
  clc
  ret

do_dr_access:
  mov %dr7, %rax
  mov %rax, %dr7
  clc
  ret

do_io:
  mov $LSR, %edx
  in %dx, %al
  out %al, $POST_PORT
  lea page(%rip), %rdi            # strings: three reads and three writes
  mov $3, %ecx
  rep insb
  lea page(%rip), %rsi
  mov $POST_PORT, %edx
  mov $3, %ecx
  rep outsb
  clc
  ret

do_rdmsr:
  mov $APIC_BASE_MSR, %ecx
  rdmsr
  clc
  ret

do_wrmsr:
  mov $APIC_BASE_MSR, %ecx
  rdmsr
  wrmsr
  clc
  ret

do_invalid_state:
  mov $CALL_FAIL_ENTRY, %ebx
  xor %ecx, %ecx
  jmp hypercall

do_msr_load_fail:
  mov $CALL_FAIL_ENTRY, %ebx
  mov $1, %ecx
  jmp hypercall

do_mwait:
  xor %eax, %eax
  xor %ecx, %ecx
  mwait
  clc
  ret

do_monitor:
  lea page(%rip), %rax
  xor %ecx, %ecx
  xor %edx, %edx
  monitor
  clc
  ret

routine do_pause, pause

# With the TPR shadow, MOV to CR8 writes the virtual-APIC page; from 8 to 2 it falls below a threshold of 5.
do_tpr:
  mov $8, %eax
  mov %rax, %cr8
  mov $CALL_SET, %ebx
  mov $TPR_THRESHOLD, %ecx
  mov $5, %edx
  call hypercall
  jc 1f
  mov $2, %eax
  mov %rax, %cr8
  mov $CALL_CLEAR, %ebx
  mov $TPR_THRESHOLD, %ecx
  mov $5, %edx
  call hypercall
1: mov $0, %eax                   # leaves carry alone
  mov %rax, %cr8
  ret

do_apic_access:
  mov $LAPIC_VERSION, %eax
  mov (%rax), %eax
  clc
  ret

do_gdtr_idtr:
  sgdt operand(%rip)
  lgdt operand(%rip)
  sidt operand(%rip)
  lidt operand(%rip)
  clc
  ret

do_ldtr_tr:
  sldt %eax
  lldt %ax
  str %eax
  clc
  ret

# A device's page, and RAM from which the VMM took a permission: read, write, fetch.
do_ept_violation:
  mov $LAPIC_VERSION, %eax
  mov (%rax), %eax
  mov $1, %edx
  call restrict
  mov page(%rip), %eax
  mov $2, %edx
  call restrict
  mov %eax, page(%rip)
  movb $0xc3, page(%rip)          # RET
  mov $4, %edx
  call restrict
  call page
  clc
  ret

# restrict: EDX = permissions to take from `page` until it is touched: 1 read, 2 write, 4 execute
restrict:
  mov $CALL_RESTRICT, %ebx
  mov $page, %ecx
  jmp hypercall

do_ept_misconfig:
  mov $CALL_MISCONFIGURE, %ebx
  mov $page, %ecx
  movl $0x600d, page(%rip)
  call hypercall
  jc 1f
  cmpl $0x600d, page(%rip)        # equal: no carry
1: ret

routine do_invept, invept operand(%rip), %rax
routine do_rdtscp, rdtscp

do_preemption_timer:
  mov $20 * TICKS, %ecx
1: dec %ecx
  jnz 1b
  clc
  ret

routine do_invvpid, invvpid operand(%rip), %rax
routine do_wbinvd, wbinvd

do_xsetbv:
  xor %ecx, %ecx
  xor %edx, %edx
  mov $1, %eax                    # XCR0 = x87 only
  xsetbv
  clc
  ret

routine do_rdrand, rdrand %rax

do_invpcid:
  mov $2, %eax                    # all contexts
  invpcid no_pcid(%rip), %rax
  clc
  ret

do_vmfunc:
  mov $1, %eax                    # EPTP switching is 0; 1 is enabled nowhere
  vmfunc
  clc
  ret

routine do_rdseed, rdseed %rax

func on_timer
  push %rax
  incl timer_expiries(%rip)
  lapic_write LAPIC_EOI, 0
  pop %rax
  iretq
endfunc on_timer

# ---- the exhibits, by number ----
.macro exhibit number, name, routine, f1=0, b1=0, f2=0, b2=0, f3=0, b3=0
  .pushsection .rodata
775: .asciz "\name"
  .popsection
  .long \number, 775b, \routine, \f1, \b1, \f2, \b2, \f3, \b3
.endm

.data
.balign 8
exhibits:
exhibit 0, EXCEPTION_NMI, do_exceptions, EXCEPTION_BITMAP, 1<<3|1<<6|1<<14, PIN, PIN_NMI
exhibit 1, EXTERNAL_INTERRUPT, do_interrupt, PIN, PIN_EXTERNAL_INTERRUPT
exhibit 2, TRIPLE_FAULT, do_triple_fault
exhibit 3, INIT_SIGNAL, do_init
exhibit 4, SIPI_SIGNAL, do_sipi
exhibit 7, INTERRUPT_WINDOW, do_interrupt_window, PRIMARY, CPU_INTERRUPT_WINDOW
exhibit 8, NMI_WINDOW, do_nothing, PIN, PIN_NMI|PIN_VIRTUAL_NMIS, PRIMARY, CPU_NMI_WINDOW
exhibit 9, TASK_SWITCH, do_task_switch
exhibit 10, CPUID, do_cpuid
exhibit 11, GETSEC, do_getsec, GUEST_CR4, CR4_SMXE
exhibit 12, HLT, do_hlt
exhibit 13, INVD, do_invd
exhibit 14, INVLPG, do_invlpg, PRIMARY, CPU_INVLPG
exhibit 15, RDPMC, do_rdpmc, PRIMARY, CPU_RDPMC
exhibit 16, RDTSC, do_rdtsc, PRIMARY, CPU_RDTSC
exhibit 18, VMCALL, do_vmcall
exhibit 19, VMCLEAR, do_vmclear
exhibit 20, VMLAUNCH, do_vmlaunch
exhibit 21, VMPTRLD, do_vmptrld
exhibit 22, VMPTRST, do_vmptrst
exhibit 23, VMREAD, do_vmread
exhibit 24, VMRESUME, do_vmresume
exhibit 25, VMWRITE, do_vmwrite
exhibit 26, VMXOFF, do_vmxoff
exhibit 27, VMXON, do_vmxon
exhibit 28, CR_ACCESS, do_cr_access, CR0_MASK, CR0_TS, PRIMARY, CPU_CR3_LOAD|CPU_CR3_STORE|CPU_CR8_LOAD|CPU_CR8_STORE
exhibit 29, DR_ACCESS, do_dr_access, PRIMARY, CPU_MOV_DR
exhibit 30, IO_INSTRUCTION, do_io
exhibit 31, MSR_READ, do_rdmsr
exhibit 32, MSR_WRITE, do_wrmsr
exhibit 33, INVALID_STATE, do_invalid_state
exhibit 34, MSR_LOAD_FAIL, do_msr_load_fail
exhibit 36, MWAIT_INSTRUCTION, do_mwait, PRIMARY, CPU_MWAIT
exhibit 37, MONITOR_TRAP_FLAG, do_nothing, PRIMARY, CPU_MONITOR_TRAP
exhibit 39, MONITOR_INSTRUCTION, do_monitor, PRIMARY, CPU_MONITOR
exhibit 40, PAUSE_INSTRUCTION, do_pause, PRIMARY, CPU_PAUSE
exhibit 43, TPR_BELOW_THRESHOLD, do_tpr, PRIMARY, CPU_TPR_SHADOW
exhibit 44, APIC_ACCESS, do_apic_access, SECONDARY, CPU2_APIC_ACCESSES
exhibit 46, GDTR_IDTR, do_gdtr_idtr, SECONDARY, CPU2_DESCRIPTOR_TABLE
exhibit 47, LDTR_TR, do_ldtr_tr, SECONDARY, CPU2_DESCRIPTOR_TABLE
exhibit 48, EPT_VIOLATION, do_ept_violation
exhibit 49, EPT_MISCONFIG, do_ept_misconfig
exhibit 50, INVEPT, do_invept
exhibit 51, RDTSCP, do_rdtscp, SECONDARY, CPU2_RDTSCP, PRIMARY, CPU_RDTSC
exhibit 52, PREEMPTION_TIMER, do_preemption_timer, PIN, PIN_PREEMPTION_TIMER
exhibit 53, INVVPID, do_invvpid
exhibit 54, WBINVD, do_wbinvd, SECONDARY, CPU2_WBINVD
exhibit 55, XSETBV, do_xsetbv, GUEST_CR4, CR4_OSXSAVE
exhibit 57, RDRAND, do_rdrand, SECONDARY, CPU2_RDRAND
exhibit 58, INVPCID, do_invpcid, SECONDARY, CPU2_INVPCID, PRIMARY, CPU_INVLPG
exhibit 59, VMFUNC, do_vmfunc, SECONDARY, CPU2_VM_FUNCTIONS
exhibit 61, RDSEED, do_rdseed, SECONDARY, CPU2_RDSEED
exhibits_end:

.balign 8
no_pcid: .quad 0, 0               # INVPCID's descriptor
zoo_gdt: .quad 0
  .quad 0x00af9b000000ffff        # 08: 64-bit code
  .quad 0x00cf93000000ffff        # 10: data
  .quad 0x00cf9b000000ffff        # 18: 32-bit code
gdt_task_a: .quad 0x0000890000000067
gdt_task_b: .quad 0x0000890000000067
zoo_gdtr:
  .word . - zoo_gdt - 1
  .quad zoo_gdt
no_idtr:
  .word 0
  .quad 0

.balign 8
task_a: .skip 104                 # filled by the switch away from it
task_b:                           # 32-bit TSS
  .skip 28
  .long 0                         # 28: CR3
  .long second_task               # 32: EIP
  .long 2                         # 36: EFLAGS
  .skip 16                        # EAX ECX EDX EBX
  .long task_stack_top            # 56: ESP
  .skip 12                        # EBP ESI EDI
  .long DATA, CODE32, DATA, DATA, DATA, DATA    # 72: ES CS SS DS FS GS
  .long 0                         # LDT
  .word 0, 104                    # no I/O permission map
task_switches: .long 0

.section .rodata
plain_text: .asciz ""
skipped_text: .asciz " skipped"
no_exit_text: .asciz " no exit"
ud_text: .asciz " #UD"
gp_text: .asciz " #GP"
other_text: .asciz " unexpected exception"

.bss
.balign 4096
page: .skip 4096
operand: .skip 16
exits_before: .skip 8
tour_rsp: .skip 8
granted: .skip 4
timer_expiries: .skip 4
task_stack: .skip 256
task_stack_top:
