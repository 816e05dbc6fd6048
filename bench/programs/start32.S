# Multiboot's way to `main` in 32-bit code without paging, with flat segments and a stack.
.equ MULTIBOOT_MAGIC, 0x1badb002
.equ MULTIBOOT_FLAGS, 0x00010003  # page-aligned modules, memory map, load addresses below

.section .multiboot, "a"
multiboot_header:
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
  .long multiboot_header, image_start, image_end, image_bss_end, _start

.code32
.text
.globl _start
_start:
  cli
  mov $stack_top, %esp
  lgdt gdtr
  ljmp $0x08, $1f
1: mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  call main
1: cli
  hlt
  jmp 1b

.data
.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff        # 08: 32-bit code
  .quad 0x00cf93000000ffff        # 10: data
gdt_end:
gdtr:
  .word gdt_end - gdt - 1
  .long gdt

.bss
.balign 16
stack: .skip 16384
stack_top:
