# loops: what the benchmark runs. The last two words of the command line are a loop's name and a count:
#
#   alu N      N million turns of eight register instructions
#   crc32 N    N times the bitwise CRC-32 of 1 MiB
#   copy N     N times 1 MiB by a quadword load and store
#   fib N      fib(N) by recursion
#   table N    N million jumps through a table of eight
#   cpuid N    N thousand CPUID                VM exit 10
#   out N      N thousand OUT 80h              VM exit 30
#   mmio N     N thousand reads of the APIC    VM exit 48
#
# Prints the result, so that a run which computes something else is noticed, and powers off.
.include "macros.inc"
.include "apic.inc"

.equ BUFFER, 0x400000
.equ TARGET, 0x600000
.equ BYTES, 1 << 20
.equ INFO_COMMAND_LINE, 16        # offset in the multiboot information
.equ LAPIC_VERSION, LAPIC + 0x30

.code64
.text
func main
  mov multiboot_info(%rip), %eax
  mov INFO_COMMAND_LINE(%rax), %esi
  mov %rsi, %rdi                  # start of the line
  xor %eax, %eax
  mov $-1, %ecx
  repne scasb
  lea -2(%rdi), %rdi              # last character
1: cmpb $' ', (%rdi)              # back over blanks
  jne 2f
  dec %rdi
  jmp 1b
2: mov $1, %ecx                   # the number, from its last digit on
  xor %r12d, %r12d
3: movzbl (%rdi), %eax
  sub $'0', %eax
  cmp $9, %eax
  ja 4f
  imul %ecx, %eax
  add %eax, %r12d
  imul $10, %ecx
  dec %rdi
  jmp 3b
4: cmpb $' ', (%rdi)
  jne 5f
  dec %rdi
  jmp 4b
5: mov $names, %ebx               # RDI = last letter of the name
6: movzbl (%rbx), %ecx
  test %ecx, %ecx
  jz unknown
  lea 1(%rdi), %rsi
  sub %rcx, %rsi
  mov %rdi, %rdx
  lea 1(%rbx), %rdi
  push %rcx
  repe cmpsb
  pop %rcx
  mov %rdx, %rdi
  je found
  lea 5(%rbx,%rcx), %rbx          # length, name, routine
  jmp 6b
found:
  mov 1(%rbx,%rcx), %eax
  call *%rax
  hex %rax, 16
  say "\n"
  ret
unknown:
  say "which loop?\n"
  ret
endfunc main

# Each loop: R12D = count; RAX = result.
func alu
  imul $1000000, %r12d, %ecx
  mov $1, %eax
  mov $2, %edx
1: add %rdx, %rax
  xor %rcx, %rdx
  shl $1, %rax
  lea 7(%rdx,%rax), %rdx
  ror $3, %rdx
  sub %rdx, %rax
  dec %ecx
  jnz 1b
  ret
endfunc alu

func crc32
  mov $BUFFER, %edi               # the sequence of the crc32 sample
  mov $BYTES, %ecx
  mov $1, %eax
1: imul $1664525, %eax, %eax
  add $1013904223, %eax
  mov %eax, %edx
  shr $24, %edx
  mov %dl, (%rdi)
  inc %rdi
  dec %ecx
  jnz 1b
  mov $-1, %eax
crc32_pass:
  mov $BUFFER, %esi
  mov $BYTES, %ecx
crc32_byte:
  movzbl (%rsi), %edx
  xor %edx, %eax
  mov $8, %edx
crc32_bit:
  shr $1, %eax
  jnc 1f
  xor $0xedb88320, %eax
1: dec %edx
  jnz crc32_bit
  inc %rsi
  dec %ecx
  jnz crc32_byte
  dec %r12d
  jnz crc32_pass
  not %eax
  ret
endfunc crc32

func copy
  mov $BUFFER, %edi
  mov $BYTES / 8, %ecx
  movabs $0x0123456789abcdef, %rax
  rep stosq
1: mov $BUFFER, %esi
  mov $TARGET, %edi
  mov $BYTES / 8, %ecx
2: mov (%rsi), %rax
  mov %rax, (%rdi)
  add $8, %rsi
  add $8, %rdi
  dec %ecx
  jnz 2b
  dec %r12d
  jnz 1b
  ret
endfunc copy

func fib
  mov %r12d, %edi
fib_of:
  cmp $2, %edi
  jb 1f
  push %rdi
  dec %edi
  call fib_of
  mov (%rsp), %rdi
  mov %rax, (%rsp)
  sub $2, %edi
  call fib_of
  pop %rdx
  add %rdx, %rax
  ret
1: mov %edi, %eax
  ret
endfunc fib

func table
  imul $1000000, %r12d, %ecx
  xor %eax, %eax
  mov $1, %edx
table_next:
  imul $1664525, %edx, %edx
  add $1013904223, %edx
  mov %edx, %ebx
  shr $29, %ebx
  jmp *targets(,%rbx,8)
.irp k, 0, 1, 2, 3, 4, 5, 6, 7
target\k:
  add $\k + 1, %rax
  dec %ecx
  jnz table_next
  ret
.endr
endfunc table

func exits_cpuid
  imul $1000, %r12d, %esi
  xor %edi, %edi
1: xor %eax, %eax
  cpuid
  inc %edi
  dec %esi
  jnz 1b
  mov %rdi, %rax
  ret
endfunc exits_cpuid

func exits_out
  imul $1000, %r12d, %esi
  xor %edi, %edi
1: out %al, $0x80
  inc %edi
  dec %esi
  jnz 1b
  mov %rdi, %rax
  ret
endfunc exits_out

func exits_mmio
  imul $1000, %r12d, %esi
  xor %edi, %edi
  mov $LAPIC_VERSION, %edx
1: mov (%rdx), %eax
  inc %edi
  dec %esi
  jnz 1b
  mov %rdi, %rax
  ret
endfunc exits_mmio

.section .rodata
.macro entry name, routine
  .byte 9f - 8f
8: .ascii "\name"
9: .long \routine
.endm
names:
entry alu, alu
entry crc32, crc32
entry copy, copy
entry fib, fib
entry table, table
entry cpuid, exits_cpuid
entry out, exits_out
entry mmio, exits_mmio
.byte 0

.data
.balign 8
targets: .quad target0, target1, target2, target3, target4, target5, target6, target7
