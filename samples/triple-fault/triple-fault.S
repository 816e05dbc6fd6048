# triple-fault: a guest that fails, for looking at how.
#
# Loads an IDT that lies on an unmapped page and reads another unmapped address. The chain: the read raises #PF;
# reading gate 14 raises #PF again, which makes #DF; reading gate 8 raises #PF once more, and the processor shuts
# down. CR2 holds the address of the last one.
# VM exits: triple fault, after I/O for COM1.
.include "macros.inc"

.equ UNMAPPED, 0x0000004000000000      # 256 GiB, above the 4 GiB that start64 maps

.code64
.text
func main
  say "reading "
  movabs $UNMAPPED + 0x123456, %rbx
  hex %rbx, 16
  say " with the IDT at "
  hex bad_idtr+2(%rip), 16
  say "\n"
  lidt bad_idtr(%rip)
fatal_read:
  mov (%rbx), %rax
  say "still here\n"
  ret
endfunc main

.data
bad_idtr:
  .word 256 * 16 - 1
  .quad UNMAPPED + 0x1000
