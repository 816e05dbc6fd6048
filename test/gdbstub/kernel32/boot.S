# A multiboot kernel of 32 bits.
  .section .text.boot, "ax"
  .align 4
  .long 0x1badb002, 0, -0x1badb002
  .globl _start
_start:
  mov $stack_top, %esp
  xor %ebp, %ebp
  call kmain
1: hlt
  jmp 1b
  .bss
  .skip 4096
stack_top:
  .section .note.GNU-stack, "", @progbits
