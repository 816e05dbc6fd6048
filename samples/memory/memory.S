# memory: fills and copies of several MiB by string instructions and by loops, with checksums.
#
# For the EPT view (the ranges that come into use), watchpoints and the memory benchmark.
# VM exits: I/O for the text; none in the loops once the memory is mapped.
.include "macros.inc"

.equ SOURCE, 0x1000000            # 16 MiB
.equ TARGET, 0x1800000            # 24 MiB
.equ BYTES, 4 << 20
.equ PATTERN, 0x0123456789abcdef

.code64
.text
func main
  # REP STOSQ
  movabs $PATTERN, %rax
  mov $SOURCE, %edi
  mov $BYTES / 8, %ecx
  rep stosq
  mov $SOURCE, %esi
  call checksum
  say "fill     "
  call report

  # a store loop: each quadword its own number times a constant
  movabs $0x9e3779b97f4a7c15, %rdx
  mov $SOURCE, %edi
  xor %ecx, %ecx
1: mov %rcx, %rax
  imul %rdx, %rax
  mov %rax, (%rdi,%rcx,8)
  inc %ecx
  cmp $BYTES / 8, %ecx
  jb 1b
  mov $SOURCE, %esi
  call checksum
  say "numbers  "
  call report

  # REP MOVSQ
  mov $SOURCE, %esi
  mov $TARGET, %edi
  mov $BYTES / 8, %ecx
  rep movsq
  mov $TARGET, %esi
  call checksum
  say "copy     "
  call report

  # backward, byte by byte, onto itself one byte higher: overlapping, so the direction matters
  mov $TARGET + BYTES - 2, %esi
  mov $TARGET + BYTES - 1, %edi
  mov $BYTES - 1, %ecx
  std
  rep movsb
  cld
  mov $TARGET, %esi
  call checksum
  say "shift    "
  call report

  # unaligned quadword loop, across every page boundary
  mov $SOURCE, %esi
  mov $TARGET + 3, %edi
  mov $BYTES / 8 - 1, %ecx
1: mov (%rsi), %rax
  mov %rax, (%rdi)
  add $8, %rsi
  add $8, %rdi
  dec %ecx
  jnz 1b
  mov $TARGET, %esi
  call checksum
  say "unalign  "
  call report

  # equal except for the quadword that is changed here
  mov $SOURCE, %esi
  mov $TARGET, %edi
  mov $BYTES / 8, %ecx
  rep movsq
  incq TARGET + BYTES - 0x1000
  mov $SOURCE, %esi
  mov $TARGET, %edi
  mov $BYTES / 8, %ecx
  repe cmpsq
  lea -8(%rdi), %rax
  say "differ   "
  hex %rax, 8
  say "\n"
  ret
endfunc main

# checksum: RSI = start; RAX = all quadwords taken together by rotate and add
func checksum
  mov $BYTES / 8, %ecx
  xor %eax, %eax
1: rol $1, %rax
  add (%rsi), %rax
  add $8, %rsi
  dec %ecx
  jnz 1b
  ret
endfunc checksum

func report
  hex %rax, 16
  say "\n"
  ret
endfunc report
