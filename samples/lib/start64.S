# The way into long mode for the samples whose subject lies elsewhere (sample long-mode shows each stage).
# Multiboot enters at _start in 32-bit protected mode without paging; `main` is called in 64-bit mode with
# 4 GiB mapped one to one by 2 MiB pages, a stack, COM1 set up and interrupts off. When main returns, the guest
# powers off by ACPI (S5). A sample that has something to do before paging is on defines `before_long_mode`, 32-bit.
.include "macros.inc"

.equ MULTIBOOT_MAGIC, 0x1badb002
.equ MULTIBOOT_FLAGS, 0x00010003  # page-aligned modules, memory map, load addresses below
.equ CR0_PG, 1 << 31
.equ CR0_WP, 1 << 16
.equ CR4_PAE, 1 << 5
.equ EFER, 0xc0000080
.equ EFER_LME, 1 << 8
.equ PTE_P, 1
.equ PTE_W, 2
.equ PTE_PS, 0x80                 # in a directory entry: a 2 MiB page

.section .multiboot, "a"
multiboot_header:
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
  .long multiboot_header, image_start, image_end, image_bss_end, _start

.code32
.text
func _start
  cli
  mov $stack_top, %esp
  mov %ebx, multiboot_info
  .weak before_long_mode
  mov $before_long_mode, %eax
  test %eax, %eax
  jz 1f
  call *%eax
1:
  mov $boot_pds, %edi             # 2048 directory entries: 4 GiB
  mov $PTE_P | PTE_W | PTE_PS, %eax
1: mov %eax, (%edi)
  movl $0, 4(%edi)
  add $8, %edi
  add $0x200000, %eax
  jnc 1b
  movl $boot_pds + PTE_P + PTE_W, boot_pdpt
  movl $boot_pds + 0x1000 + PTE_P + PTE_W, boot_pdpt + 8
  movl $boot_pds + 0x2000 + PTE_P + PTE_W, boot_pdpt + 16
  movl $boot_pds + 0x3000 + PTE_P + PTE_W, boot_pdpt + 24
  movl $boot_pdpt + PTE_P + PTE_W, boot_pml4
  mov %cr4, %eax
  or $CR4_PAE, %eax
  mov %eax, %cr4
  mov $boot_pml4, %eax
  mov %eax, %cr3
  mov $EFER, %ecx
  rdmsr
  or $EFER_LME, %eax
  wrmsr
  mov %cr0, %eax
  and $0x9fffffff, %eax           # caches on: a loader may leave CD and NW either way
  or $CR0_PG | CR0_WP | 1, %eax
  mov %eax, %cr0
  lgdt boot_gdtr
  ljmp $0x08, $start64
endfunc _start

.code64
func start64
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  xor %eax, %eax
  mov %eax, %fs
  mov %eax, %gs
  mov $stack_top, %esp
  call serial_init
  call main
endfunc start64

# ACPI S5: SLP_TYP 0 and SLP_EN to PM1a_CNT of the PIIX4 power management block.
func power_off
  mov $0x604, %edx
  mov $0x2000, %eax
  out %ax, %dx
1: cli
  hlt
  jmp 1b
endfunc power_off

.data
.balign 8
.globl boot_gdt, boot_gdtr
boot_gdt:
  .quad 0
  .quad 0x00af9b000000ffff        # 08: 64-bit code
  .quad 0x00cf93000000ffff        # 10: data
  .quad 0x00cf9b000000ffff        # 18: 32-bit code
boot_gdt_end:
boot_gdtr:
  .word boot_gdt_end - boot_gdt - 1
  .quad boot_gdt

.bss
.balign 4096
.globl boot_pml4, boot_pdpt, boot_pds, stack_top
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pds: .skip 4 * 4096
.globl multiboot_info
multiboot_info: .skip 16          # address of the boot information, from EBX
stack: .skip 8192
stack_top:
