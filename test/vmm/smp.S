# Several processors: start-up, spinlock, IPIs of each kind, TLB shootdown, time stamps, INIT and a second start-up.
# The command line ends in the number of processors. Prints one line a test; what must not happen is counted as 0.
.include "macros.inc"
.include "apic.inc"

.equ GATE_INTERRUPT, 0x8e
.equ TRAMPOLINE, 0x8000
.equ IPI_VECTOR, 0x41
.equ FLUSH_VECTOR, 0x42
.equ LAPIC_LDR, LAPIC + 0xd0
.equ LAPIC_DFR, LAPIC + 0xe0
.equ ICR_INIT, 0x500
.equ ICR_STARTUP, 0x600
.equ ICR_LOWEST, 0x100
.equ ICR_LOGICAL, 0x800
.equ ICR_OTHERS, 0xc0000
.equ ICR_ALL, 0x80000
.equ ROUNDS, 2000
.equ STACK_BYTES, 4096
.equ WINDOW, 0x7fe00000           # a page table of its own maps this page

# Spins until the counter in memory is the value.
.macro await counter, value:vararg
77: pause
  mov \counter(%rip), %eax
  cmp \value, %eax
  jne 77b
.endm

.code64
.text
func main
  lgdt boot_gdtr(%rip)
  call idt_init
  call pic_init
  call count_cpus
  on IPI_VECTOR, on_ipi
  on FLUSH_VECTOR, on_flush
  on 2, on_nmi
  call map_window
  call join_bus

  mov $trampoline, %esi
  mov $TRAMPOLINE, %edi
  mov $trampoline_end - trampoline, %ecx
  rep movsb
  mov %cr3, %rax
  mov %eax, TRAMPOLINE + trampoline_cr3 - trampoline

  mov $ICR_INIT + ICR_ASSERT + ICR_OTHERS, %edi
  call send
  mov $ICR_STARTUP + ICR_ASSERT + ICR_OTHERS + (TRAMPOLINE >> 12), %edi
  call send
  call send                       # the second one finds them running and does nothing
  await online, others(%rip)
  report "started", online

  movl $1, go(%rip)
  call work
  await done, cpus(%rip)
  report "lock", shared
  report "time goes back", warps

  # one by one, by physical destination
  xor %ebx, %ebx
1: inc %ebx
  cmp %ebx, others(%rip)
  jb 2f
  mov %ebx, %eax
  shl $24, %eax
  mov $LAPIC_ICR_HIGH, %ecx
  mov %eax, (%rcx)
  mov $ICR_ASSERT + IPI_VECTOR, %edi
  call send
  await ipis, %ebx
  jmp 1b
2: report "physical", ipis

  movl $0, ipis(%rip)
  mov $ICR_ASSERT + ICR_OTHERS + IPI_VECTOR, %edi
  call send
  await ipis, others(%rip)
  report "all others", ipis

  # logical: the odd ones of the first eight, in the flat model
  movl $0, ipis(%rip)
  mov $LAPIC_ICR_HIGH, %eax
  movl $0xaa000000, (%rax)
  mov $ICR_ASSERT + ICR_LOGICAL + IPI_VECTOR, %edi
  call send
  mov cpus(%rip), %ecx
  cmp $8, %ecx
  jbe 1f
  mov $8, %ecx
1: shr $1, %ecx
  mov %ecx, expected(%rip)
  await ipis, expected(%rip)
  report "logical", ipis

  # lowest priority: exactly one of all
  movl $0, ipis(%rip)
  mov $LAPIC_ICR_HIGH, %eax
  movl $0xff000000, (%rax)
  mov $ICR_ASSERT + ICR_LOGICAL + ICR_LOWEST + IPI_VECTOR, %edi
  call send
  sti
  await ipis, $1
  mov $100000, %ecx
1: pause
  loop 1b
  cli
  report "lowest priority", ipis

  mov $ICR_NMI + ICR_ASSERT + ICR_OTHERS, %edi
  call send
  await nmis, others(%rip)
  report "NMI", nmis

  # the others have the window's page in their TLBs; it changes, and an IPI makes them look again
  mov WINDOW, %rax
  mov $second_page, %eax
  or $3, %eax
  mov %eax, window_pt(%rip)
  invlpg WINDOW
  mov $ICR_ASSERT + ICR_OTHERS + FLUSH_VECTOR, %edi
  call send
  await flushes, others(%rip)
  report "shootdown", fresh

  # the last one starts anew
  mov others(%rip), %eax
  test %eax, %eax
  jz 1f
  shl $24, %eax
  mov $LAPIC_ICR_HIGH, %ecx
  mov %eax, (%rcx)
  mov $ICR_INIT + ICR_ASSERT, %edi
  call send
  mov others(%rip), %eax
  mov %eax, online(%rip)
  mov $ICR_STARTUP + ICR_ASSERT + (TRAMPOLINE >> 12), %edi
  call send
  await online, cpus(%rip)
1: say "again\n"
  ret
endfunc main

func count_cpus
  mov multiboot_info(%rip), %eax
  mov 16(%rax), %esi
1: lodsb
  test %al, %al
  jnz 1b
  sub $2, %esi                    # the last character
2: movzbl -1(%rsi), %ecx
  sub $'0', %ecx
  cmp $9, %ecx
  ja 3f
  dec %esi
  jmp 2b
3: xor %eax, %eax
4: movzbl (%rsi), %ecx
  inc %esi
  test %ecx, %ecx
  jz 5f
  imul $10, %eax
  lea -'0'(%rax, %rcx), %eax
  jmp 4b
5: mov %eax, cpus(%rip)
  dec %eax
  mov %eax, others(%rip)
  ret
endfunc count_cpus

# The window: directory entry with a page table of its own.
func map_window
  mov $window_pt + 3, %eax
  mov %eax, boot_pds + (WINDOW >> 21) * 8
  movl $first_page + 3, window_pt(%rip)
  movl $1, first_page(%rip)
  movl $2, second_page(%rip)
  mov %cr3, %rax
  mov %rax, %cr3
  ret
endfunc map_window

# Local APIC of this processor: on, flat model, logical id 1 << (id & 7) for the first eight.
func join_bus
  mov $LAPIC_ID, %eax
  mov (%rax), %ecx
  shr $24, %ecx
  xor %edx, %edx
  cmp $8, %ecx
  jae 1f
  mov $1 << 24, %edx
  shl %cl, %edx
1: mov $LAPIC_LDR, %eax
  mov %edx, (%rax)
  lapic_write LAPIC_DFR, 0xffffffff
  lapic_write LAPIC_TPR, 0
  lapic_write LAPIC_SVR, SVR_ENABLE + 0xff
  ret
endfunc join_bus

# send: EDI = low half of the ICR; waits until it is accepted
func send
  mov $LAPIC_ICR_LOW, %eax
  mov %edi, (%rax)
1: testl $0x1000, (%rax)
  jnz 1b
  ret
endfunc send

# ROUNDS times: take the lock, look at the time and at the count without an atomic operation, give the lock back.
func work
  mov $ROUNDS, %ebx
1: mov $1, %eax
  xchg %eax, lock_word(%rip)
  test %eax, %eax
  jz 3f
2: pause
  cmpl $0, lock_word(%rip)
  jne 2b
  jmp 1b
3: rdtsc
  shl $32, %rdx
  or %rdx, %rax
  cmp last_tsc(%rip), %rax
  jae 4f
  incl warps(%rip)
4: mov %rax, last_tsc(%rip)
  mov shared(%rip), %eax
  inc %eax
  mov %eax, shared(%rip)
  movl $0, lock_word(%rip)
  dec %ebx
  jnz 1b
  lock incl done(%rip)
  ret
endfunc work

func ap_main
  call join_bus
  lidt idtr(%rip)
  mov WINDOW, %rax
  cmpl $0, go(%rip)
  jne again
  lock incl online(%rip)
1: pause
  cmpl $0, go(%rip)
  je 1b
  call work
2: sti
  hlt
  jmp 2b
again:
  lock incl online(%rip)
3: cli
  hlt
  jmp 3b
endfunc ap_main

func on_ipi
  push %rax
  lapic_write LAPIC_EOI, 0
  lock incl ipis(%rip)
  pop %rax
  iretq
endfunc on_ipi

func on_nmi
  lock incl nmis(%rip)
  iretq
endfunc on_nmi

func on_flush
  push %rax
  invlpg WINDOW
  mov WINDOW, %eax
  cmp $2, %eax
  jne 1f
  lock incl fresh(%rip)
1: lapic_write LAPIC_EOI, 0
  lock incl flushes(%rip)
  pop %rax
  iretq
endfunc on_flush

# Copied below 1 MiB: from real mode to long mode with the tables of the first processor.
.code16
.balign 16
trampoline:
  cli
  xor %ax, %ax
  mov %ax, %ds
  lgdtl TRAMPOLINE + trampoline_gdtr - trampoline
  mov %cr4, %eax
  or $0x20, %eax
  mov %eax, %cr4
  mov TRAMPOLINE + trampoline_cr3 - trampoline, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx
  rdmsr
  or $0x100, %eax
  wrmsr
  mov %cr0, %eax
  and $0x9fffffff, %eax
  or $0x80010001, %eax
  mov %eax, %cr0
  ljmpl $0x08, $ap_start
.balign 4
trampoline_cr3: .long 0
trampoline_gdtr:
  .word 31
  .long boot_gdt
trampoline_end:

.code64
func ap_start
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $LAPIC_ID, %eax
  mov (%rax), %eax
  shr $24, %eax
  inc %eax
  imul $STACK_BYTES, %eax
  lea stacks(%rax), %rsp
  jmp ap_main
endfunc ap_start

.bss
.balign 4096
window_pt: .skip 4096
first_page: .skip 4096
second_page: .skip 4096
stacks: .skip 17 * STACK_BYTES
.balign 8
last_tsc: .skip 8
cpus: .skip 4
others: .skip 4
online: .skip 4
go: .skip 4
done: .skip 4
lock_word: .skip 4
shared: .skip 4
warps: .skip 4
ipis: .skip 4
expected: .skip 4
nmis: .skip 4
flushes: .skip 4
fresh: .skip 4
