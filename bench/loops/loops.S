# loops: what the benchmark runs. The last two words of the command line are a loop's name and a count:
#
#   alu N      N million turns of eight register instructions
#   crc32 N    N times the bitwise CRC-32 of 1 MiB
#   copy N     N times 1 MiB by a quadword load and store
#   fib N      fib(N) by recursion
#   table N    N million jumps through a table of eight
#   mandel N   N times 1000 points of the Mandelbrot set, scalar double
#   nbody N    N thousand steps of five bodies, scalar double with SQRTSD and DIVSD
#   vector N   N times 1 MiB through PADDD, PXOR, PSHUFD and PMULUDQ
#   sort N     N times 4096 keys by Shell's method
#   string N   N thousand copies of 64 bytes by REP MOVSB and fills of 128 by REP STOSQ
#   pointer N  N million calls through a table of four functions
#   locked N   N million LOCK XADD and LOCK CMPXCHG
#   program N  N thousand turns of what compilers make of C: calls by a register, a function called from three places
#              whose loop has two entries, parts of registers
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

func program
  imul $1000, %r12d, %r13d
  lea program_hash(%rip), %rbx
1: mov %r13d, %edi
  call *%rbx
  lea 3(%rax), %edi
  call program_scan
  add %eax, BUFFER
  test $1, %al
  jz 2f
  mov %eax, %edi
  call program_scan
  mov %eax, %edi
  call *%rbx
  add %eax, BUFFER
2: dec %r13d
  jnz 1b
  mov BUFFER, %eax
  ret
program_hash:
  imul $0x9e3779b1, %edi, %eax
  mov %eax, %edi
  shr $15, %edi
  xor %edi, %eax
  ret
program_scan:
  mov $12, %ecx
  mov %edi, %eax
  test $1, %al
  jz 3f
2: shr $1, %eax
  xor $0xa001, %ax
3: lea 1(%rax,%rax,2), %eax
  dec %ecx
  jz 4f
  test $4, %al
  jnz 2b
  xor %cl, %al
  jmp 3b
4: ret
endfunc program

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

# SSE as an operating system switches it on.
func sse_on
  mov %cr4, %rax
  or $0x600, %eax
  mov %rax, %cr4
  ret
endfunc sse_on

func mandel
  call sse_on
  xor %r8d, %r8d                  # iterations
mandel_pass:
  mov $1000, %esi
mandel_point:
  cvtsi2sd %esi, %xmm0
  mulsd mandel_scale(%rip), %xmm0
  subsd mandel_left(%rip), %xmm0  # cx
  movsd mandel_row(%rip), %xmm1   # cy
  xorps %xmm2, %xmm2              # x
  movaps %xmm2, %xmm3             # y
  mov $200, %ecx
1: movapd %xmm2, %xmm4
  mulsd %xmm4, %xmm4
  movapd %xmm3, %xmm5
  mulsd %xmm5, %xmm5
  movapd %xmm4, %xmm6
  addsd %xmm5, %xmm6
  ucomisd mandel_four(%rip), %xmm6
  ja 2f
  mulsd %xmm2, %xmm3
  addsd %xmm3, %xmm3
  addsd %xmm1, %xmm3
  subsd %xmm5, %xmm4
  addsd %xmm0, %xmm4
  movapd %xmm4, %xmm2
  inc %r8
  dec %ecx
  jnz 1b
2: dec %esi
  jnz mandel_point
  dec %r12d
  jnz mandel_pass
  mov %r8, %rax
  ret
endfunc mandel

# A body: x y z, speed x y z, mass, 0.
func nbody
  call sse_on
  imul $1000, %r12d, %r12d
nbody_step:
  mov $bodies, %esi
nbody_first:
  lea 64(%rsi), %rdi
nbody_pair:
  cmp $bodies_end, %edi
  jae nbody_next
  movsd (%rsi), %xmm0
  subsd (%rdi), %xmm0
  movsd 8(%rsi), %xmm1
  subsd 8(%rdi), %xmm1
  movsd 16(%rsi), %xmm2
  subsd 16(%rdi), %xmm2
  movapd %xmm0, %xmm3
  mulsd %xmm3, %xmm3
  movapd %xmm1, %xmm4
  mulsd %xmm4, %xmm4
  addsd %xmm4, %xmm3
  movapd %xmm2, %xmm4
  mulsd %xmm4, %xmm4
  addsd %xmm4, %xmm3
  sqrtsd %xmm3, %xmm4
  mulsd %xmm3, %xmm4
  movsd body_step(%rip), %xmm5
  divsd %xmm4, %xmm5
  movsd 48(%rdi), %xmm6
  mulsd %xmm5, %xmm6
  movsd 48(%rsi), %xmm7
  mulsd %xmm5, %xmm7
.macro push_apart at, d
  movsd \at(%rsi), %xmm8
  movapd \d, %xmm9
  mulsd %xmm6, %xmm9
  subsd %xmm9, %xmm8
  movsd %xmm8, \at(%rsi)
  movsd \at(%rdi), %xmm8
  mulsd %xmm7, \d
  addsd \d, %xmm8
  movsd %xmm8, \at(%rdi)
.endm
  push_apart 24, %xmm0
  push_apart 32, %xmm1
  push_apart 40, %xmm2
  add $64, %rdi
  jmp nbody_pair
nbody_next:
  add $64, %rsi
  cmp $bodies_end, %esi
  jb nbody_first
  mov $bodies, %esi
1: movsd body_step(%rip), %xmm0
.irp at, 0, 8, 16
  movsd 24 + \at(%rsi), %xmm1
  mulsd %xmm0, %xmm1
  addsd \at(%rsi), %xmm1
  movsd %xmm1, \at(%rsi)
.endr
  add $64, %rsi
  cmp $bodies_end, %esi
  jb 1b
  dec %r12d
  jnz nbody_step
  mov bodies(%rip), %rax
  ret
endfunc nbody

func vector
  call sse_on
  mov $1, %eax
  movd %eax, %xmm1
  pshufd $0, %xmm1, %xmm1
  pxor %xmm0, %xmm0
vector_pass:
  mov $BUFFER, %esi
  mov $BYTES / 16, %ecx
1: movdqu (%rsi), %xmm2
  paddd %xmm1, %xmm2
  pxor %xmm2, %xmm0
  pshufd $0x39, %xmm0, %xmm3
  pmuludq %xmm1, %xmm3
  paddq %xmm3, %xmm0
  movdqu %xmm2, (%rsi)
  add $16, %rsi
  dec %ecx
  jnz 1b
  dec %r12d
  jnz vector_pass
  movq %xmm0, %rax
  ret
endfunc vector

.equ KEYS, 4096
func sort
sort_pass:
  mov $BUFFER, %edi
  mov $KEYS, %ecx
  mov %r12d, %eax
1: imul $1664525, %eax, %eax
  add $1013904223, %eax
  mov %eax, (%rdi)
  add $4, %rdi
  dec %ecx
  jnz 1b
  mov $BUFFER, %esi
  mov $KEYS / 2, %ebx             # gap
sort_gap:
  mov %ebx, %ecx
sort_key:
  mov (%rsi,%rcx,4), %eax
  mov %ecx, %edx
2: mov %edx, %edi
  sub %ebx, %edi
  jb 3f
  mov (%rsi,%rdi,4), %ebp
  cmp %eax, %ebp
  jbe 3f
  mov %ebp, (%rsi,%rdx,4)
  mov %edi, %edx
  jmp 2b
3: mov %eax, (%rsi,%rdx,4)
  inc %ecx
  cmp $KEYS, %ecx
  jb sort_key
  shr $1, %ebx
  jnz sort_gap
  dec %r12d
  jnz sort_pass
  mov BUFFER + KEYS * 2, %eax
  ret
endfunc sort

func string
  imul $1000, %r12d, %r12d
  xor %r8d, %r8d
1: mov $BUFFER, %esi
  mov $TARGET, %edi
  mov $64, %ecx
  rep movsb
  mov $BUFFER, %edi
  mov $16, %ecx
  mov %r12, %rax
  rep stosq
  add TARGET, %r8
  dec %r12d
  jnz 1b
  mov %r8, %rax
  ret
endfunc string

func pointer
  imul $1000000, %r12d, %ecx
  xor %eax, %eax
1: mov %ecx, %ebx
  and $3, %ebx
  call *functions(,%rbx,8)
  dec %ecx
  jnz 1b
  ret
.irp k, 0, 1, 2, 3
function\k:
  add $\k + 1, %rax
  xor %rcx, %rax
  ret
.endr
endfunc pointer

func locked
  imul $1000000, %r12d, %ecx
  mov $BUFFER, %esi
  xor %eax, %eax
  mov %rax, (%rsi)
1: mov $3, %edx
  lock xadd %rdx, (%rsi)
  lea 3(%rdx), %rax
  lea 4(%rdx), %rbx
  lock cmpxchg %rbx, (%rsi)
  dec %ecx
  jnz 1b
  mov (%rsi), %rax
  ret
endfunc locked

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
entry mandel, mandel
entry nbody, nbody
entry vector, vector
entry sort, sort
entry string, string
entry pointer, pointer
entry locked, locked
entry program, program
entry cpuid, exits_cpuid
entry out, exits_out
entry mmio, exits_mmio
.byte 0

.data
.balign 8
targets: .quad target0, target1, target2, target3, target4, target5, target6, target7
functions: .quad function0, function1, function2, function3
mandel_scale: .double 0.003
mandel_left: .double 2.25
mandel_row: .double 0.1
mandel_four: .double 4
body_step: .double 0.001
.balign 64
bodies:
  .double 1, 2, 0.5, 0.1, 0.2, 0.05, 1, 0
  .double 4, 1, 1, 0.2, 0.2, 0.1, 0.5, 0
  .double 9, 0, 1.5, 0.3, 0.2, 0.15, 0.333, 0
  .double 16, -1, 2, 0.4, 0.2, 0.2, 0.25, 0
  .double 25, -2, 2.5, 0.5, 0.2, 0.25, 0.2, 0
bodies_end:
