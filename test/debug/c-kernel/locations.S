/* Variables whose locations branch, loop, and lie in parts: compilers seldom write such, and readers have to follow. */
.data
zero: .quad 0
one: .quad 1
left: .quad 11
right: .quad 22
negative: .quad -7
list: .quad second, 100
second: .quad third, 200
third: .quad 0, 300
.text
.global _start
_start: nop
end_of_text:

#define OP_addr .byte 0x03; .quad
#define OP_deref .byte 0x06
#define OP_const1u .byte 0x08,
#define OP_dup .byte 0x12
#define OP_drop .byte 0x13
#define OP_over .byte 0x14
#define OP_swap .byte 0x16
#define OP_rot .byte 0x17
#define OP_abs .byte 0x19
#define OP_minus .byte 0x1c
#define OP_mul .byte 0x1e
#define OP_plus .byte 0x22
#define OP_lit(n) .byte 0x30 + n
#define OP_bra(to) .byte 0x28; .short to - (. + 2)
#define OP_skip(to) .byte 0x2f; .short to - (. + 2)
#define OP_stack_value .byte 0x9f
#define OP_piece(n) .byte 0x93, n

.macro variable name
  .uleb128 2
  .asciz "\name"
  .uleb128 9f - 8f
8:
.endm
.macro end
9:
  .long long_type - info
.endm

.section .debug_info
info:
  .long info_end - 1f
1: .short 4
  .long abbrev
  .byte 8
  .uleb128 1
  .asciz "locations"
  .quad _start
  .quad end_of_text - _start
long_type:
  .uleb128 3
  .asciz "long"
  .byte 5, 8
  variable taken
    OP_addr one
    OP_deref
    OP_bra(1f)
    OP_addr left
    OP_skip(2f)
1:  OP_addr right
2:
  end
  variable passed
    OP_addr zero
    OP_deref
    OP_bra(1f)
    OP_addr left
    OP_skip(2f)
1:  OP_addr right
2:
  end
  /* 1 + ... + 10, by a loop over constants */
  variable looped
    OP_lit(0)
    OP_lit(10)
1:  OP_dup
    OP_rot
    OP_plus
    OP_swap
    OP_lit(1)
    OP_minus
    OP_dup
    OP_bra(1b)
    OP_drop
    OP_stack_value
  end
  variable nested
    OP_addr one
    OP_deref
    OP_bra(1f)
    OP_lit(1)
    OP_skip(3f)
1:  OP_addr zero
    OP_deref
    OP_bra(2f)
    OP_addr right
    OP_deref
    OP_addr left
    OP_deref
    OP_mul
    OP_skip(3f)
2:  OP_lit(3)
3:  OP_stack_value
  end
  variable distance
    OP_addr negative
    OP_deref
    OP_abs
    OP_stack_value
  end
  variable parted
    OP_addr left
    OP_piece(4)
    OP_addr right
    OP_piece(4)
  end
  variable skipped
    OP_skip(1f)
    .byte 0xff, 0xff
1:  OP_addr left
  end
  /* how far it goes, memory tells */
  variable followed
    OP_addr list
1:  OP_dup
    OP_deref
    OP_dup
    OP_bra(2f)
    OP_drop
    OP_skip(3f)
2:  OP_swap
    OP_drop
    OP_skip(1b)
3:  OP_const1u 8
    OP_plus
  end
  variable outside
    OP_skip(. + 1000)
    OP_lit(1)
    OP_stack_value
  end
  variable forever
1:  OP_skip(1b)
    OP_lit(1)
    OP_stack_value
  end
  .uleb128 0
info_end:

.section .debug_abbrev
abbrev:
  .uleb128 1
  .uleb128 0x11
  .byte 1
  .uleb128 0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0, 0
  .uleb128 2
  .uleb128 0x34
  .byte 0
  .uleb128 0x03, 0x08, 0x02, 0x18, 0x49, 0x13, 0, 0
  .uleb128 3
  .uleb128 0x24
  .byte 0
  .uleb128 0x03, 0x08, 0x3e, 0x0b, 0x0b, 0x0b, 0, 0
  .uleb128 0
