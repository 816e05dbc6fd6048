# interrupts: exceptions, the 8259 pair with the 8254, the local APIC and the I/O APIC.
#
# Provokes exceptions one by one, prints vector, error code and how far the saved RIP lies behind the instruction
# (0: a fault, more: a trap), and goes on after each. Then counts ten ticks of the 8254 at 100 Hz in HLT, one
# expiry of the local APIC's timer, a self-IPI, an interrupt of COM1 through the I/O APIC, and an NMI sent to itself.
# VM exits: HLT, I/O (8259, 8254, COM1), EPT violation for both APICs, and interrupt window when the VMM has an
# interrupt that the guest cannot take yet. Exceptions exit only where the exception bitmap asks for them.
.include "macros.inc"
.include "apic.inc"

.equ GATE_INTERRUPT, 0x8e
.equ IOAPIC_SELECT, 0xfec00000
.equ IOAPIC_DATA, 0xfec00010
.equ IOAPIC_PIN0_LOW, 0x10        # index of pin 0's redirection entry; two registers a pin
.equ COM1, 0x3f8
.equ IER_THRE, 2
.equ TICKS, 10
.equ TIMER_VECTOR, 0x40
.equ IPI_VECTOR, 0x41
.equ SERIAL_VECTOR, 0x42
.equ NMI_VECTOR, 2
.equ ABSENT, 0x18                 # selector of a data segment that is not present
.equ BEYOND, 0x1230               # selector beyond the GDT
.equ UNMAPPED, 0x0000005000000000

# Sleeps until the counter is not 0. STI blocks interrupts for one more instruction, so none comes before HLT.
.macro sleep_until counter
88: cli
  cmpl $0, \counter(%rip)
  jne 89f
  sti
  hlt
  jmp 88b
89:
.endm

.code64
.text
func main
  lgdt gdtr(%rip)
  call idt_init
  call exceptions
  call pic_init
  call pit
  call lapic_timer
  call self_ipi
  call ioapic
  call nmi
  say "done\n"
  ret
endfunc main

# ---- exceptions ----

# One instruction that faults or traps, and its report.
.macro provoke name, code:vararg
  try 2f
  lea 1f(%rip), %rbx
1: \code
2: say "\name"
  call report
.endm

func exceptions
  xor %ecx, %ecx
  provoke "#DE", div %ecx

  try 2f                          # TF set by POPF traps behind the next instruction
  lea 1f(%rip), %rbx
  pushfq
  orl $0x100, (%rsp)
  popfq
1: nop
2: say "#DB"
  call report

  provoke "#BP", int3
  provoke "#UD", ud2
  mov $ABSENT, %eax
  provoke "#NP", mov %eax, %fs
  provoke "#SS", mov %eax, %ss
  mov $BEYOND, %eax
  provoke "#GP", mov %eax, %ds    # the error code is the selector
  movabs $0x0000800000000000, %rcx
  provoke "#GP", mov (%rcx), %rax # not canonical: error code 0
  provoke "#GP", int $0x50        # an empty gate: vector * 8 + 2, "IDT"
  movabs $UNMAPPED, %rcx
  provoke "#PF", mov 1(%rcx), %rax
  call report_cr2
  provoke "#PF", mov %al, 2(%rcx) # W
  call report_cr2
  provoke "#PF", call *%rcx       # no I bit without NXE and SMEP
  call report_cr2
  add $8, %rsp                    # CALL pushed its return address before the fetch failed
  ret
endfunc exceptions

# report: RBX = address of the instruction
func report
  push %rax
  say " vector "
  decimal caught_vector(%rip)
  say " error "
  hex caught_error(%rip), 4
  mov caught_rip(%rip), %rax
  cmp caught_cr2(%rip), %rax      # the fetch itself: RIP is the target
  je 1f
  say " rip+"
  sub %rbx, %rax
  call putdec
1: say "\n"
  pop %rax
  ret
endfunc report

func report_cr2
  say "    cr2 "
  hex caught_cr2(%rip), 16
  say "\n"
  ret
endfunc report_cr2

# ---- 8254 through the 8259 ----
func pit
  on 0x20, on_tick
  mov $0x34, %al                  # channel 0, both bytes, mode 2
  out %al, $PIT_COMMAND
  mov $PIT_HZ / 100, %eax
  out %al, $PIT_CHANNEL0
  mov %ah, %al
  out %al, $PIT_CHANNEL0
  mov $0xfe, %al                  # line 0 only
  out %al, $PIC1 + 1
  say "8254 at 100 Hz:"
  mov $1, %ebx
1: sleep_until ticks
  decl ticks(%rip)
  say " "
  mov %rbx, %rax
  call putdec
  inc %ebx
  cmp $TICKS, %ebx
  jbe 1b
  mov $0xff, %al
  out %al, $PIC1 + 1
  say "\n"
  ret
endfunc pit

func on_tick
  push %rax
  incl ticks(%rip)
  mov $PIC_EOI, %al
  out %al, $PIC1
  pop %rax
  iretq
endfunc on_tick

# ---- local APIC ----
func lapic_timer
  on TIMER_VECTOR, on_timer
  lapic_write LAPIC_LVT_LINT0, LVT_MASKED+LVT_EXTINT
  lapic_write LAPIC_TPR, 0
  lapic_write LAPIC_TIMER_DIVIDE, DIVIDE_BY_16
  lapic_write LAPIC_LVT_TIMER, TIMER_VECTOR        # one-shot
  lapic_write LAPIC_TIMER_INITIAL, 10000
  sleep_until timer_expiries
  say "local APIC timer: expiries "
  mov timer_expiries(%rip), %eax
  call putdec
  say ", current count "
  mov $LAPIC_TIMER_CURRENT, %eax
  mov (%rax), %eax
  call putdec
  say "\n"
  ret
endfunc lapic_timer

func on_timer
  push %rax
  incl timer_expiries(%rip)
  lapic_write LAPIC_EOI, 0
  pop %rax
  iretq
endfunc on_timer

# An interrupt sent while IF is 0 waits in the IRR; STI lets it in behind the instruction that follows.
func self_ipi
  on IPI_VECTOR, on_ipi
  cli
  mov $LAPIC_ID, %eax
  mov (%rax), %ecx
  mov $LAPIC_ICR_HIGH, %eax
  mov %ecx, (%rax)
  lapic_write LAPIC_ICR_LOW, ICR_ASSERT+IPI_VECTOR
  say "self-IPI: with IF clear "
  mov ipis(%rip), %eax
  call putdec
  mov $0, %ebx
  sti
  mov ipis(%rip), %ebx            # still in the shadow of STI
  nop
  cli
  say ", in the shadow of STI "
  mov %rbx, %rax
  call putdec
  say ", behind it "
  mov ipis(%rip), %eax
  call putdec
  say "\n"
  ret
endfunc self_ipi

func on_ipi
  push %rax
  incl ipis(%rip)
  lapic_write LAPIC_EOI, 0
  pop %rax
  iretq
endfunc on_ipi

# ---- I/O APIC: pin 1 (keyboard) masked, pin 4 (COM1) to SERIAL_VECTOR ----
.macro ioapic_select pin
  mov $IOAPIC_SELECT, %eax
  movl $IOAPIC_PIN0_LOW + 2 * \pin, (%rax)
  mov $IOAPIC_DATA, %eax
.endm

func ioapic
  on SERIAL_VECTOR, on_serial
  ioapic_select 1
  movl $LVT_MASKED + 0x21, (%rax)
  say "I/O APIC pin 1 reads "
  mov $IOAPIC_DATA, %eax
  mov (%rax), %eax
  mov $8, %ecx
  call puthex
  say "\n"
  ioapic_select 4
  movl $SERIAL_VECTOR, (%rax)     # fixed, physical destination 0, edge
  mov $COM1 + 1, %edx
  mov $IER_THRE, %al              # the transmitter is empty: interrupts at once
  out %al, %dx
  sleep_until serials
  xor %eax, %eax
  mov $COM1 + 1, %edx
  out %al, %dx
  ioapic_select 4
  movl $LVT_MASKED, (%rax)
  say "COM1 through the I/O APIC: IIR "
  mov serial_iir(%rip), %eax
  mov $2, %ecx
  call puthex
  say "\n"
  ret
endfunc ioapic

func on_serial
  push %rax
  push %rdx
  mov $COM1 + 2, %edx
  in %dx, %al                     # reading IIR acknowledges the interrupt
  and $0x0f, %eax
  mov %eax, serial_iir(%rip)
  incl serials(%rip)
  lapic_write LAPIC_EOI, 0
  pop %rdx
  pop %rax
  iretq
endfunc on_serial

# ---- NMI: comes with IF clear ----
func nmi
  on NMI_VECTOR, on_nmi
  mov $LAPIC_ID, %eax
  mov (%rax), %ecx
  mov $LAPIC_ICR_HIGH, %eax
  mov %ecx, (%rax)
  lapic_write LAPIC_ICR_LOW, ICR_ASSERT+ICR_NMI
1: cmpl $0, nmis(%rip)
  je 1b
  say "NMI: "
  mov nmis(%rip), %eax
  call putdec
  say "\n"
  ret
endfunc nmi

func on_nmi
  incl nmis(%rip)
  iretq
endfunc on_nmi

.data
.balign 8
gdt: .quad 0
  .quad 0x00af9b000000ffff        # 08: 64-bit code
  .quad 0x00cf93000000ffff        # 10: data
  .quad 0x00cf13000000ffff        # 18: data, not present
gdtr:
  .word . - gdt - 1
  .quad gdt

.bss
.balign 4
ticks: .skip 4
timer_expiries: .skip 4
ipis: .skip 4
serials: .skip 4
serial_iir: .skip 4
nmis: .skip 4
