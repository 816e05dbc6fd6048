# ring3: a small kernel and a user program.
#
# The kernel has its own GDT with a TSS and its own page tables, in which only the program's pages carry the
# user bit. The program calls by SYSCALL and by INT 80h, and does what it must not: touches a page that is not
# there, writes to a read-only page, runs a no-execute page, reads the kernel, executes privileged
# instructions. The kernel prints each fault and puts right what it can; otherwise the program goes on at the
# address in R15, as both have agreed.
# VM exits: I/O for COM1; CR access and WRMSR on the way there. Page faults, SYSCALL and the ring changes are the
# guest's own business under EPT and cause no exit.
.include "macros.inc"

.equ GATE_INTERRUPT, 0x8e
.equ GATE_INTERRUPT_USER, 0xee    # DPL 3: INT n may use it
.equ KERNEL_CS, 0x08
.equ KERNEL_SS, 0x10
.equ USER_SS, 0x1b                # SYSRET wants SS = base + 8 and CS = base + 16
.equ USER_CS, 0x23
.equ TSS, 0x28
.equ MSR_STAR, 0xc0000081
.equ MSR_LSTAR, 0xc0000082
.equ MSR_FMASK, 0xc0000084
.equ EFER, 0xc0000080
.equ EFER_SCE_NXE, 1 << 0 | 1 << 11
.equ RFLAGS_IF_DF_TF, 0x700

.equ PTE_P, 1
.equ PTE_W, 2
.equ PTE_U, 4
.equ PTE_NX, 1 << 63

# Pages of the program besides its code, one to one in free memory below 2 MiB.
.equ USER_STACK, 0x1f0000
.equ USER_READ_ONLY, 0x1f1000
.equ USER_NO_EXECUTE, 0x1f2000
.equ USER_DEMAND, 0x1f3000        # mapped when it is touched
.equ KERNEL_PAGE, 0x100000

# Calls: number in EAX, argument in RDI.
.equ CALL_PRINT, 1                # RDI = text
.equ CALL_EXIT, 2                 # EDI = status

.code64
.text
func main
  call tables
  call descriptors
  call syscalls
  mov $USER_SS, %eax
  mov %eax, %ds
  mov %eax, %es
  pushq $USER_SS                  # into ring 3 by IRETQ
  pushq $USER_STACK + 0x1000
  pushq $2                        # RFLAGS: nothing on, IOPL 0
  pushq $USER_CS
  pushq $user_start
  iretq
endfunc main

# The first 2 MiB by 4 KiB pages, the rest of the first GiB by 2 MiB pages, for the kernel; the program's pages get
# the user bit.
func tables
  mov $EFER, %ecx
  rdmsr
  or $EFER_SCE_NXE, %eax
  wrmsr
  mov $pt, %edi
  mov $PTE_P | PTE_W, %eax
1: mov %rax, (%rdi)
  add $8, %edi
  add $0x1000, %eax
  cmp $0x200000, %eax
  jb 1b
  movq $pt + PTE_P + PTE_W + PTE_U, pd
  mov $pd + 8, %edi
  mov $0x200000 | 0x80 | PTE_P | PTE_W, %eax
1: mov %rax, (%rdi)
  add $8, %edi
  add $0x200000, %eax
  cmp $0x40000000, %eax
  jb 1b
  movq $pd + PTE_P + PTE_W + PTE_U, pdpt
  movq $pdpt + PTE_P + PTE_W + PTE_U, pml4

  mov $user_start, %edi           # code: read and execute
1: mov %edi, %ebx
  shr $12, %ebx
  andq $~PTE_W, pt(,%rbx,8)
  orq $PTE_U, pt(,%rbx,8)
  add $0x1000, %edi
  cmp $user_end, %edi
  jb 1b
  movabs $PTE_NX, %rcx
  lea PTE_P + PTE_U + USER_READ_ONLY(%rcx), %rax
  mov %rax, pt + (USER_READ_ONLY >> 12) * 8
  lea PTE_P + PTE_W + PTE_U + USER_STACK(%rcx), %rax
  mov %rax, pt + (USER_STACK >> 12) * 8
  lea PTE_P + PTE_W + PTE_U + USER_NO_EXECUTE(%rcx), %rax
  mov %rax, pt + (USER_NO_EXECUTE >> 12) * 8
  movq $0, pt + (USER_DEMAND >> 12) * 8
  mov $pml4, %eax
  mov %rax, %cr3
  ret
endfunc tables

func descriptors
  movl $stack_top, tss + 4        # RSP0: where a fault in ring 3 finds its stack
  movw $104, tss + 102            # no I/O permission map: beyond the limit
  mov $tss, %eax                  # the base, in its three places
  mov %ax, gdt_tss + 2
  shr $16, %eax
  mov %al, gdt_tss + 4
  mov %ah, gdt_tss + 7
  lgdt gdtr(%rip)
  mov $TSS, %eax
  ltr %ax
  call idt_init
  mov $14, %edi
  mov $on_page_fault, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  mov $13, %edi
  mov $on_general_protection, %esi
  call set_gate
  mov $0x80, %edi
  mov $on_int80, %esi
  mov $GATE_INTERRUPT_USER, %edx
  call set_gate
  ret
endfunc descriptors

func syscalls
  mov $MSR_STAR, %ecx
  xor %eax, %eax
  mov $(USER_SS - 8) << 16 | KERNEL_CS, %edx
  wrmsr
  mov $MSR_LSTAR, %ecx
  mov $on_syscall, %eax
  xor %edx, %edx
  wrmsr
  mov $MSR_FMASK, %ecx
  mov $RFLAGS_IF_DF_TF, %eax
  wrmsr
  ret
endfunc syscalls

# SYSCALL: RCX = user RIP, R11 = user RFLAGS, and still the user's stack.
func on_syscall
  mov %rsp, user_rsp(%rip)
  mov $syscall_stack_top, %esp
  push %rcx
  push %r11
  call kernel_call
  pop %r11
  pop %rcx
  mov user_rsp(%rip), %rsp
  sysretq
endfunc on_syscall

func on_int80
  call kernel_call
  iretq
endfunc on_int80

func kernel_call
  cmp $CALL_PRINT, %eax
  je 1f
  say "exit "
  mov %edi, %eax
  call putdec
  say "\n"
  jmp power_off
1: push %rsi
  mov %rdi, %rsi
  call puts
  pop %rsi
  ret
endfunc kernel_call

# ---- faults. Stack: error code, RIP, CS, RFLAGS, RSP, SS ----
func on_page_fault
  push %rax
  push %rbx
  mov %cr2, %rbx
  mov 16(%rsp), %rax
  say "#PF error "
  hex %rax, 4
  say " cr2 "
  hex %rbx, 16
  cmp $6, %eax                    # not present, write, user
  je demand
  cmp $7, %eax                    # present, write, user
  je unprotect
  cmp $0x15, %eax                 # present, user, fetch
  je allow_execution
  say ": refused\n"               # 5: present, read, user: the kernel's own
  mov %r15, 24(%rsp)
  jmp done_page_fault
demand:
  say ": mapped\n"
  movabs $PTE_NX | USER_DEMAND | PTE_P | PTE_W | PTE_U, %rax
  mov %rax, pt + (USER_DEMAND >> 12) * 8
  jmp flush
unprotect:
  say ": made writable\n"
  orq $PTE_W, pt + (USER_READ_ONLY >> 12) * 8
  jmp flush
allow_execution:
  say ": made executable\n"
  btrq $63, pt + (USER_NO_EXECUTE >> 12) * 8
flush:
  invlpg (%rbx)
done_page_fault:
  pop %rbx
  pop %rax
  add $8, %rsp
  iretq
endfunc on_page_fault

func on_general_protection
  pop %rax                        # the program expects nothing in it
  say "#GP error "
  hex %rax, 4
  say ": refused\n"
  mov %r15, (%rsp)
  iretq
endfunc on_general_protection

# ---- the program, on pages of its own ----
.section .user, "ax"
.balign 4096
func user_start
  lea by_syscall(%rip), %rdi
  mov $CALL_PRINT, %eax
  syscall
  lea by_int80(%rip), %rdi
  mov $CALL_PRINT, %eax
  int $0x80

  movl $0x1234, USER_DEMAND + 8   # the store is run again after the repair
  cmpl $0x1234, USER_DEMAND + 8
  jne wrong
  movl $0x5678, USER_READ_ONLY + 4
  cmpl $0x5678, USER_READ_ONLY + 4
  jne wrong
  movb $0xc3, USER_NO_EXECUTE     # RET
  mov $USER_NO_EXECUTE, %eax
  call *%rax

  lea 1f(%rip), %r15
  mov KERNEL_PAGE, %eax
  jmp wrong
1: lea 1f(%rip), %r15
  cli
  jmp wrong
1: lea 1f(%rip), %r15
  hlt
  jmp wrong
1: lea 1f(%rip), %r15
  mov %cr3, %rax
  jmp wrong
1: lea 1f(%rip), %r15
  in $0x60, %al
  jmp wrong
1: lea 1f(%rip), %r15
  int $0x21                       # a gate that ring 3 may not use, for there is none
  jmp wrong
1: mov $0, %edi
leave:
  mov $CALL_EXIT, %eax
  syscall
wrong:
  mov $1, %edi
  jmp leave
endfunc user_start
by_syscall: .asciz "ring 3 by SYSCALL\n"
by_int80: .asciz "ring 3 by INT 80h\n"
.balign 4096
user_end:

.data
.balign 8
gdt: .quad 0
  .quad 0x00af9b000000ffff        # 08: kernel code
  .quad 0x00cf93000000ffff        # 10: kernel data
  .quad 0x00cff3000000ffff        # 18: user data
  .quad 0x00affb000000ffff        # 20: user code
gdt_tss:                          # 28: 64-bit TSS, 104 bytes; its base comes at run time
  .quad 0x0000890000000067
  .quad 0
gdtr:
  .word . - gdt - 1
  .quad gdt

.bss
.balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd: .skip 4096
pt: .skip 4096
tss: .skip 104
user_rsp: .skip 8
.balign 16
syscall_stack: .skip 4096
syscall_stack_top:
