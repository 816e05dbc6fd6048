# Interrupts of each way: the 8259 pair, the I/O APIC by edge and by level, the local APIC's timer, IPIs to oneself.
# The wires are those of pc-testdev (--isa-debug-exit). Prints one line a way; the last, by level, only when the command
# line has a `!`.
.include "macros.inc"
.include "apic.inc"

.equ GATE_INTERRUPT, 0x8e
.equ IOAPIC, 0xfec00000
.equ TESTDEV_IRQ, 0x2000
.equ EDGE_PIN, 5
.equ LEVEL_PIN, 11
.equ PIC_VECTOR, 0x20
.equ EDGE_VECTOR, 0x51
.equ LEVEL_VECTOR, 0x52
.equ TIMER_VECTOR, 0x53
.equ SELF_VECTOR, 0x54
.equ LEVEL, 0x8000
.equ ICR_SELF, 0x40000
.equ SELF_ROUNDS, 1000

# Sleeps until the counter is the value.
.macro await counter, value
77: cli
  cmpl $\value, \counter(%rip)
  jae 78f
  sti
  hlt
  jmp 77b
78:
.endm

.macro ioapic_write register, value
  mov $IOAPIC, %eax
  movl $\register, (%rax)
  movl $\value, 0x10(%rax)
.endm

.macro wire pin, level
  mov $TESTDEV_IRQ + \pin, %edx
  mov $\level, %al
  out %al, %dx
.endm

.code64
.text
func main
  lgdt boot_gdtr(%rip)
  call idt_init
  call pic_init
  on PIC_VECTOR, on_pic
  on EDGE_VECTOR, on_edge
  on LEVEL_VECTOR, on_level
  on TIMER_VECTOR, on_timer
  on SELF_VECTOR, on_self

  mov $0x34, %al                  # counter 0 at 100 Hz
  out %al, $PIT_COMMAND
  mov $(PIT_HZ / 100) & 0xff, %al
  out %al, $PIT_CHANNEL0
  mov $(PIT_HZ / 100) >> 8, %al
  out %al, $PIT_CHANNEL0
  mov $0xfe, %al
  out %al, $PIC1 + 1
  await pics, 5
  mov $0xff, %al
  out %al, $PIC1 + 1
  say "8259: 5\n"

  ioapic_write 0x11+2*EDGE_PIN, 0
  ioapic_write 0x10+2*EDGE_PIN, EDGE_VECTOR
  mov $3, %ebx
1: wire EDGE_PIN, 1
  wire EDGE_PIN, 1                # no edge
  wire EDGE_PIN, 0
  call breathe
  dec %ebx
  jnz 1b
  report "edge:", edges

  lapic_write LAPIC_TIMER_DIVIDE, DIVIDE_BY_16
  lapic_write LAPIC_LVT_TIMER, TIMER_VECTOR
  mov $3, %ebx
1: mov timers(%rip), %ecx
  lapic_write LAPIC_TIMER_INITIAL, 100000
2: cli
  cmp %ecx, timers(%rip)
  jne 3f
  sti
  hlt
  jmp 2b
3: dec %ebx
  jnz 1b
  report "timer:", timers

  sti
  mov $SELF_ROUNDS, %ebx
1: mov selves(%rip), %ecx
  lapic_write LAPIC_ICR_LOW, ICR_SELF + ICR_ASSERT + SELF_VECTOR
2: cmp %ecx, selves(%rip)
  je 2b
  dec %ebx
  jnz 1b
  cli
  report "self:", selves

  mov multiboot_info(%rip), %eax
  mov 16(%rax), %esi
1: lodsb
  test %al, %al
  jz 2f
  cmp $'!', %al
  jne 1b
  ioapic_write 0x11+2*LEVEL_PIN, 0
  ioapic_write 0x10+2*LEVEL_PIN, LEVEL_VECTOR+LEVEL
  wire LEVEL_PIN, 1
  await levels, 3                 # each end of interrupt brings the next, until the handler lowers the wire
  call breathe
  report "level:", levels
  mov $IOAPIC, %eax
  movl $0x10 + 2 * LEVEL_PIN, (%rax)
  say "entry: "
  mov $IOAPIC + 0x10, %eax
  mov (%rax), %eax
  mov $8, %ecx
  call puthex
  say "\n"
2: ret
endfunc main

# Lets in what waits.
func breathe
  sti
  mov $1000, %ecx
1: pause
  loop 1b
  cli
  ret
endfunc breathe

func on_pic
  push %rax
  incl pics(%rip)
  mov $PIC_EOI, %al
  out %al, $PIC1
  pop %rax
  iretq
endfunc on_pic

.macro handler name, counter
func \name
  push %rax
  incl \counter(%rip)
  lapic_write LAPIC_EOI, 0
  pop %rax
  iretq
endfunc \name
.endm
handler on_edge, edges
handler on_timer, timers
handler on_self, selves

func on_level
  push %rax
  push %rdx
  incl levels(%rip)
  cmpl $3, levels(%rip)
  jne 1f
  wire LEVEL_PIN, 0
1: lapic_write LAPIC_EOI, 0
  pop %rdx
  pop %rax
  iretq
endfunc on_level

.bss
pics: .skip 4
edges: .skip 4
levels: .skip 4
timers: .skip 4
selves: .skip 4
