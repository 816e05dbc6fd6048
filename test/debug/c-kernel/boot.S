/* From a multiboot loader's 32-bit mode to main in 64-bit mode, the first GiB mapped one to one. */
#define MAGIC 0x1badb002
#define FLAGS 0x10000
.section .boot, "ax"
.code32
.align 4
header:
  .long MAGIC, FLAGS, -(MAGIC + FLAGS)
  .long header, start_of_image, end_of_data, end_of_bss, enter
.global enter
enter:
  mov $tables, %edi
  movl $tables + 0x1003, (%edi)
  movl $tables + 0x2003, 0x1000(%edi)
  movl $0x83, 0x2000(%edi)
  movl $0x200083, 0x2008(%edi)
  mov $0x20, %eax
  mov %eax, %cr4
  mov %edi, %cr3
  mov $0xc0000080, %ecx
  rdmsr
  or $0x100, %eax
  wrmsr
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  lgdt gdt_pointer
  ljmp $8, $_start
.align 8
gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer: .word 23
  .long gdt
.bss
.align 4096
tables: .skip 0x3000
