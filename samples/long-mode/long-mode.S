# long-mode: from real mode to 64-bit code, one stage after the other.
#
# Multiboot enters in 32-bit protected mode; the guest first goes all the way down to real mode and then up again
# by itself. Each stage prints CS, CR0, CR4 and EFER: PE, then PAE and LME, then PG (and with it LMA), then a far
# jump to a code segment with L set. At last 64-bit code calls 16-bit code in compatibility mode and comes back.
# VM exits: I/O for COM1; CR access for CR0 and CR4 writes that change bits which the VMM owns; WRMSR and RDMSR
# of EFER unless the MSR bitmap lets them through.
#
# The image lies at 1 MiB, which real mode just reaches: FFFFh * 16 + 10h. So 16-bit code runs where it is linked,
# with CS = DS = FFFFh and offsets that are addresses less FFFF0h.
.equ HIGH_SEGMENT, 0xffff
.equ HIGH_BASE, 0xffff0

.equ MULTIBOOT_MAGIC, 0x1badb002
.equ MULTIBOOT_FLAGS, 0x00010003
.equ CR0_PE, 1
.equ CR0_ET, 1 << 4               # always 1
.equ CR0_PG, 1 << 31
.equ CR4_PAE, 1 << 5
.equ EFER, 0xc0000080
.equ EFER_LME, 1 << 8
.equ COM1, 0x3f8
.equ LSR, COM1 + 5
.equ LSR_THRE, 0x20

# Selectors
.equ CODE32, gdt_code32 - gdt
.equ DATA32, gdt_data32 - gdt
.equ CODE16, gdt_code16 - gdt
.equ DATA16, gdt_data16 - gdt
.equ CODE64, gdt_code64 - gdt

.section .multiboot, "a"
multiboot_header:
  .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
  .long multiboot_header, image_start, image_end, image_bss_end, _start

.text
.code32
.globl _start
_start:
  cli
  lgdt gdtr
  ljmp $CODE16, $leave_protected - HIGH_BASE

# ---- down: 16-bit protected mode, then real mode ----
# The hidden limits must be 64 KiB before PE goes, since real mode keeps them.
.code16
leave_protected:
  mov $DATA16, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %fs
  mov %ax, %gs
  mov %ax, %ss
  xor %eax, %eax
  mov %eax, %cr4
  mov $EFER, %ecx
  xor %edx, %edx
  wrmsr
  mov $CR0_ET, %eax
  mov %eax, %cr0
  ljmp $HIGH_SEGMENT, $real - HIGH_BASE

real:
  mov $HIGH_SEGMENT, %ax
  mov %ax, %ds
  xor %ax, %ax
  mov %ax, %ss
  mov $0x7c00, %sp
  mov $real_text - HIGH_BASE, %si
  call stage16

# ---- up: protected mode ----
  lgdtl gdtr - HIGH_BASE          # 32-bit operand: the whole base, not 24 bits of it
  mov %cr0, %eax
  or $CR0_PE, %al
  mov %eax, %cr0
  ljmpl $CODE32, $protected

.code32
protected:
  mov $DATA32, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $stack_top, %esp
  mov $protected_text, %esi
  call stage32

# ---- the switches of long mode, then paging, which throws them ----
  mov $pd, %edi                   # one page directory: 1 GiB by 2 MiB pages
  mov $0x83, %eax                 # present, writable, large
1: mov %eax, (%edi)
  add $8, %edi
  add $0x200000, %eax
  cmp $0x40000083, %eax
  jb 1b
  movl $pd + 3, pdpt
  movl $pdpt + 3, pml4
  mov $pml4, %eax
  mov %eax, %cr3
  mov %cr4, %eax
  or $CR4_PAE, %eax
  mov %eax, %cr4
  mov $EFER, %ecx
  rdmsr
  or $EFER_LME, %eax
  wrmsr
  mov $enabled_text, %esi
  call stage32
  mov %cr0, %eax
  or $CR0_PG, %eax
  mov %eax, %cr0
  jmp compatibility               # still the 32-bit code segment: compatibility mode
compatibility:
  mov $compatibility_text, %esi
  call stage32
  ljmp $CODE64, $long

# ---- 64-bit code ----
.code64
long:
  mov $long_text, %esi
  call stage64
  movabs $0x123456789abcdef0, %rax
  mov %rax, %r15                  # outlives compatibility mode: the far jump keeps it
  ljmp *to_compatibility16(%rip)
back:
  mov $DATA32, %eax
  mov %eax, %ds
  mov $back_text, %esi
  call stage64
  movabs $0x123456789abcdef0, %rax
  mov $kept_text, %esi
  cmp %rax, %r15
  je 1f
  mov $lost_text, %esi
1: call puts64
  mov $0x604, %edx                # ACPI S5
  mov $0x2000, %eax
  out %ax, %dx
2: hlt
  jmp 2b

# ---- 16-bit code below 64-bit paging: segment bases count again ----
.code16
compatibility16:
  mov $DATA16, %ax
  mov %ax, %ds
  mov $compatibility16_text - HIGH_BASE, %si
  call stage16
  ljmpl $CODE64, $back

# The same three routines for each code size. `a`, `c`, `d`: registers to push and, for `a`, to read CRn into;
# `base`: of DS, which the texts are addressed through.
.macro routines bits, a, c, d, base
# putc: AL = character
putc\bits:
  push \a
  push \d
  mov $LSR, %edx
1: in %dx, %al
  test $LSR_THRE, %al
  jz 1b
  pop \d
  pop \a
  push \d
  mov $COM1, %edx
  out %al, %dx
  pop \d
  ret

# puts: (R/E)SI = text that ends with a zero byte
puts\bits:
  lodsb
  test %al, %al
  jz 1f
  call putc\bits
  jmp puts\bits
1: ret

# puthex: EAX = value, ECX = number of digits; the digits stand in the high end of EAX
puthex\bits:
  rol $4, %eax
  push \a
  and $15, %al
  add $'0', %al
  cmp $'9', %al
  jbe 1f
  add $'a' - '9' - 1, %al
1: call putc\bits
  pop \a
  dec %ecx
  jnz puthex\bits
  ret

# stage: (R/E)SI = its name
stage\bits:
  call puts\bits
  mov $cs_text - \base, %esi
  call puts\bits
  mov %cs, %eax
  shl $16, %eax
  mov $4, %ecx
  call puthex\bits
  mov $cr0_text - \base, %esi
  call puts\bits
  mov %cr0, \a
  mov $8, %ecx
  call puthex\bits
  mov $cr4_text - \base, %esi
  call puts\bits
  mov %cr4, \a
  mov $8, %ecx
  call puthex\bits
  mov $efer_text - \base, %esi
  call puts\bits
  mov $EFER, %ecx
  rdmsr
  mov $8, %ecx
  call puthex\bits
  mov $'\n', %al
  jmp putc\bits
.endm

.code16
routines 16, %eax, %ecx, %edx, HIGH_BASE
.code32
routines 32, %eax, %ecx, %edx, 0
.code64
routines 64, %rax, %rcx, %rdx, 0

.section .rodata
real_text: .asciz "real            16-bit"
protected_text: .asciz "protected       32-bit"
enabled_text: .asciz "PAE and LME on  32-bit"
compatibility_text: .asciz "compatibility   32-bit"
long_text: .asciz "long            64-bit"
compatibility16_text: .asciz "compatibility   16-bit"
back_text: .asciz "long again      64-bit"
cs_text: .asciz "  cs "
cr0_text: .asciz "  cr0 "
cr4_text: .asciz "  cr4 "
efer_text: .asciz "  efer "
kept_text: .asciz "r15 kept its 64 bits\n"
lost_text: .asciz "r15 lost bits\n"

.data
.balign 8
gdt: .quad 0
gdt_code32: .quad 0x00cf9b000000ffff
gdt_data32: .quad 0x00cf93000000ffff
gdt_code16: .quad 0x00009b0ffff0ffff   # base FFFF0h, 64 KiB
gdt_data16: .quad 0x0000930ffff0ffff
gdt_code64: .quad 0x00af9b000000ffff
gdt_end:
gdtr:
  .word gdt_end - gdt - 1
  .quad gdt
to_compatibility16:               # far pointer m16:32
  .long compatibility16 - HIGH_BASE
  .word CODE16

.bss
.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
stack: .skip 4096
stack_top:
