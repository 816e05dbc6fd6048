# crc32: a tight integer loop with a known result, for measuring.
#
# Fills 1 MiB with a linear congruential sequence, then takes its CRC-32 (polynomial EDB88320h) one bit at a
# time: 8388608 turns of a five-instruction loop, one branch of which depends on the data. Prints the CRC.
# VM exits: I/O for the text and the power-off, CR access on the way into long mode; none in the loop.
.include "macros.inc"

.equ BUFFER, 0x400000
.equ BYTES, 1 << 20

.code64
.text
func main
  call fill
  call crc
  say "crc32 "
  hex %rax, 8
  say "\n"
  ret
endfunc main

# x(n+1) = x(n) * 1664525 + 1013904223, x(0) = 1; the byte is bits 31:24 of x(n+1).
func fill
  mov $BUFFER, %edi
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
  ret
endfunc fill

func crc
  mov $BUFFER, %esi
  mov $BYTES, %ecx
  mov $-1, %eax
crc_byte:
  movzbl (%rsi), %edx
  xor %edx, %eax
  mov $8, %edx
crc_bit:
  shr $1, %eax
  jnc 1f
  xor $0xedb88320, %eax
1: dec %edx
  jnz crc_bit
  inc %rsi
  dec %ecx
  jnz crc_byte
  not %eax
  ret
endfunc crc
