# A ROM of 64 KiB in place of a BIOS: real mode, long mode, then a loop that counts its port writes.
#   0x500  u64: OUTs to port 0x80 so far (written before each)
#   0x508  u64: rounds of the loop
# The loop reads one sector of the first IDE disk in each 4096th round, so that disk counters move, and does a CPUID.
    .code16
    .section .text
    .globl _start
_start:
    cli
    # Page tables at 0x1000: PML4, PDPT, PD with one gigabyte in 2 MiB pages.
    xorw %ax, %ax
    movw %ax, %es
    movw $0x1000, %di
    xorl %eax, %eax
    movw $3072, %cx
    rep stosl
    movl $0x2003, %es:0x1000
    movl $0x3003, %es:0x2000
    movw $0x3000, %di
    movl $0x83, %eax
    movw $512, %cx
1:  movl %eax, %es:(%di)
    addl $0x200000, %eax
    addw $8, %di
    loop 1b
    # Straight to long mode: a paravirtual KVM does not run what is between.
    movl $0xa0, %eax
    movl %eax, %cr4
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movw $0xf000, %ax
    movw %ax, %ds
    lgdtl gdt_pointer
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    ljmpl $0x18, $(long_mode + 0xf0000)

    .code64
long_mode:
    movw $0x20, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movq $0x8000, %rsp
    movq $0, 0x500
    movq $0, 0x508
# Copied into RAM, as kernels are, so that breakpoints of any kind can be set in it.
    leaq work(%rip), %rsi
    movl $0x9000, %edi
    movl $(work_end - work), %ecx
    rep movsb
    movl $0x9000, %eax
    jmp *%rax

work:
    callq count
    movq 0x508, %rax
    incq %rax
    movq %rax, 0x508
    testl $0xfff, %eax
    jnz work
    callq read_sector
    jmp work

count:
    movq 0x500, %rax
    incq %rax
    movq %rax, 0x500
    outb %al, $0x80
    xorl %eax, %eax
    cpuid
    inb $0x80, %al
    ret

read_sector:
    movw $0x1f7, %dx
    inb %dx, %al
    cmpb $0xff, %al             # no controller
    je 3f
    testb %al, %al              # no disk
    jz 3f
    movw $0x1f6, %dx
    movb $0xe0, %al
    outb %al, %dx
    movw $0x1f2, %dx
    movb $1, %al
    outb %al, %dx
    incw %dx
    xorl %eax, %eax
    outb %al, %dx
    incw %dx
    outb %al, %dx
    incw %dx
    outb %al, %dx
    movw $0x1f7, %dx
    movb $0x20, %al             # READ SECTOR(S)
    outb %al, %dx
    movl $1000000, %ecx
1:  inb %dx, %al
    testb $0x21, %al            # ERR, DF
    jnz 3f
    testb $0x08, %al            # DRQ
    jnz 2f
    loop 1b
    ret
2:  movw $0x1f0, %dx
    movl $0xa000, %edi
    movl $256, %ecx
    rep insw
3:  ret
work_end:

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    # 0x08 code, 32 bits; accessed, since a ROM cannot be written
    .quad 0x00cf93000000ffff    # 0x10 data
    .quad 0x00af9b000000ffff    # 0x18 code, 64 bits
    .quad 0x00cf93000000ffff    # 0x20 data
gdt_pointer:
    .word 39
    .long gdt + 0xf0000

    .org 0xfff0
    .code16
    ljmpw $0xf000, $_start
    .org 0x10000
