# An IDT whose 32 exception gates record what happened and go on where the program said (macro `try`).
# An exception that nobody asked for is printed and ends the guest by HLT with interrupts off.
.include "macros.inc"

.equ GATE_INTERRUPT, 0x8e         # present, DPL 0, 64-bit interrupt gate

.code64
.text

# idt_init: fills the exception gates and loads IDTR. Changes no register.
func idt_init
  push %rax
  push %rcx
  push %rdx
  push %rdi
  push %rsi
  xor %edi, %edi
  mov $exception_stubs, %esi
1: mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  add $16, %esi
  inc %edi
  cmp $32, %edi
  jb 1b
  lidt idtr(%rip)
  pop %rsi
  pop %rdi
  pop %rdx
  pop %rcx
  pop %rax
  ret
endfunc idt_init

# set_gate: EDI = vector, RSI = handler, EDX = type and DPL byte, ECX = IST slot or 0. Changes RAX.
func set_gate
  push %rdi
  shl $4, %edi
  add $idt, %rdi
  mov %rsi, %rax
  mov %ax, (%rdi)                 # offset 15:0
  movw $0x08, 2(%rdi)             # selector of 64-bit code
  mov %cl, 4(%rdi)
  mov %dl, 5(%rdi)
  shr $16, %rax
  mov %ax, 6(%rdi)                # offset 31:16
  shr $16, %rax
  mov %eax, 8(%rdi)               # offset 63:32
  movl $0, 12(%rdi)
  pop %rdi
  ret
endfunc set_gate

# One stub of 16 bytes a vector; those without an error code push 0 in its place.
.balign 16
.globl exception_stubs
exception_stubs:
.set vector, 0
.rept 32
  .balign 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push $0
  .endif
  push $vector
  jmp exception_common
  .set vector, vector + 1
.endr

# Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS
func exception_common
  push %rax
  mov 8(%rsp), %rax
  mov %rax, caught_vector(%rip)
  mov 16(%rsp), %rax
  mov %rax, caught_error(%rip)
  mov 24(%rsp), %rax
  mov %rax, caught_rip(%rip)
  mov %cr2, %rax
  mov %rax, caught_cr2(%rip)
  incl caught_count(%rip)
  mov resume_at(%rip), %rax
  test %rax, %rax
  jz unexpected
  movq $0, resume_at(%rip)
  mov %rax, 24(%rsp)
  andl $~0x100, 40(%rsp)          # TF off, or the way back would trap again
  pop %rax
  add $16, %rsp
  iretq
endfunc exception_common

func unexpected
  say "unexpected exception "
  decimal caught_vector(%rip)
  say " error "
  hex caught_error(%rip), 8
  say " rip "
  hex caught_rip(%rip), 16
  say " cr2 "
  hex caught_cr2(%rip), 16
  say "\n"
1: cli
  hlt
  jmp 1b
endfunc unexpected

.data
.balign 8
.globl idtr, resume_at, caught_vector, caught_error, caught_rip, caught_cr2, caught_count
idtr:
  .word 256 * 16 - 1
  .quad idt
.balign 8
resume_at: .quad 0                # where the next exception goes on; 0: nowhere
caught_vector: .quad 0
caught_error: .quad 0
caught_rip: .quad 0
caught_cr2: .quad 0
caught_count: .quad 0

.bss
.balign 4096
.globl idt
idt: .skip 256 * 16
