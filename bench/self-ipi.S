# Interrupts as fast as they come: an IPI to oneself, its handler, the end of interrupt; counted at 500h. On the library
# of the samples, in 64-bit mode.
.include "macros.inc"
.include "apic.inc"

.equ COUNTER, 0x500
.equ VECTOR, 0x40
.equ GATE_INTERRUPT, 0x8e
.equ ICR_SELF, 0x40000

.code64
.text
func main
  lgdt boot_gdtr(%rip)
  call idt_init
  call pic_init
  mov $VECTOR, %edi
  mov $handler, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  mov $LAPIC_EOI, %ebx
  mov $LAPIC_ICR_LOW, %ebp
  sti
1: movl $ICR_SELF + ICR_ASSERT + VECTOR, (%rbp)
  jmp 1b
endfunc main

func handler
  incl COUNTER
  movl $0, (%rbx)
  iretq
endfunc handler
