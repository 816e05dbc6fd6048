# A multiboot kernel of 32 bits whose program calls it by SYSENTER, as Linux's vDSO does: three registers pushed above
# the address that it returns to, EBP at them. The kernel adds 1000 to the number and returns by SYSEXIT.
  .section .text.boot, "ax"
  .align 4
  .long 0x1badb002, 0, -0x1badb002
  .globl _start
_start:
  lgdt gdtr
  ljmp $0x08, $1f
1:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x174, %ecx          # IA32_SYSENTER_CS
  mov $0x08, %eax
  xor %edx, %edx
  wrmsr
  inc %ecx                  # IA32_SYSENTER_ESP
  mov $kernel_stack, %eax
  wrmsr
  inc %ecx                  # IA32_SYSENTER_EIP
  mov $entry, %eax
  wrmsr
  mov $program_stack, %ecx
  mov $program, %edx
  sysexit

  .globl entry
entry:
  add $1000, %eax
  mov %ebp, %ecx
  mov $landing, %edx
  sysexit

  .globl program, first, second, vsyscall
program:
  mov $0x23, %eax
  mov %eax, %ds
  mov $4, %eax
  call vsyscall
first:
  mov $20, %eax
  call vsyscall
second:
  jmp program
vsyscall:
  push %ecx
  push %edx
  push %ebp
  mov %esp, %ebp
  sysenter
landing:
  pop %ebp
  pop %edx
  pop %ecx
  ret

  .data
  .align 8
gdt:
  .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
gdtr:
  .word . - gdt - 1
  .long gdt
  .bss
  .skip 4096
kernel_stack:
  .skip 4096
program_stack:
  .section .note.GNU-stack, "", @progbits
