# Interrupts as fast as they come: an IPI to oneself, its handler, the end of interrupt; counted at 500h.
# Multiboot enters in 32-bit protected mode without paging.
.equ LAPIC, 0xfee00000
.equ COUNTER, 0x500
.equ IDT, 0x1000
.equ VECTOR, 0x40

.section .multiboot, "a"
header:
  .long 0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
  .long header, header, 0, 0, _start

.code32
.text
.globl _start
_start:
  mov $stack, %esp
  mov $handler, %eax
  mov %ax, IDT + VECTOR * 8
  mov %cs, IDT + VECTOR * 8 + 2
  movw $0x8e00, IDT + VECTOR * 8 + 4
  shr $16, %eax
  mov %ax, IDT + VECTOR * 8 + 6
  lidt idtr
  movl $0x1ff, LAPIC + 0xf0       # on
  movb $0xff, %al
  out %al, $0x21
  sti
1: movl $0x44000 + VECTOR, LAPIC + 0x300
  jmp 1b
handler:
  incl COUNTER
  movl $0, LAPIC + 0xb0
  iret
idtr:
  .word VECTOR * 8 + 7
  .long IDT
.bss
.balign 16
.skip 4096
stack:
