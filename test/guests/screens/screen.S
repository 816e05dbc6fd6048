# A boot sector that sets a video mode through the BIOS, draws, says so at port E9h and ends or halts.
# --defsym MODE_13H=1, or MODE_X, MODE_12H, MODE_VBE, MODE_CGA or MODE_TEXT
.code16
.globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    cld
    mov $0xa000, %ax
    mov %ax, %es

.ifdef MODE_13H
    mov $0x0013, %ax
    int $0x10
    # x + 3y as colour
    xor %di, %di
    mov $200, %dx
1:  mov $320, %cx
    mov %dl, %al
    add %dl, %al
    add %dl, %al
2:  stosb
    inc %al
    loop 2b
    dec %dx
    jnz 1b
    # a palette of our own: red rises
    mov $0x3c8, %dx
    xor %al, %al
    out %al, %dx
    inc %dx
    xor %bl, %bl
3:  mov %bl, %al
    shr $2, %al
    out %al, %dx
    mov %bl, %al
    and $0x3f, %al
    out %al, %dx
    mov $0x15, %al
    out %al, %dx
    inc %bl
    jnz 3b
.endif

.ifdef MODE_X
    # 320 x 240, unchained, with a second page shown and the screen split at line 200
    mov $0x0013, %ax
    int $0x10
    mov $0x3c4, %dx
    mov $0x0604, %ax
    out %ax, %dx
    mov $0x0100, %ax
    out %ax, %dx
    mov $0x3c2, %dx
    mov $0xe3, %al
    out %al, %dx
    mov $0x3c4, %dx
    mov $0x0300, %ax
    out %ax, %dx
    mov $0x3d4, %dx
    mov $0x11, %al
    out %al, %dx
    inc %dx
    in %dx, %al
    and $0x7f, %al
    out %al, %dx
    dec %dx
    mov $crtc, %si
    mov $((crtc_end - crtc) / 2), %cx
1:  lodsw
    out %ax, %dx
    loop 1b
    # each plane: 80 bytes a line, 480 lines
    mov $0, %bl
4:  mov $0x3c4, %dx
    mov $1, %al
    mov %bl, %cl
    shl %cl, %al
    mov %al, %ah
    mov $2, %al
    out %ax, %dx
    xor %di, %di
    mov $480, %dx
5:  mov $80, %cx
    mov %dl, %al
    add %bl, %al
6:  stosb
    add $4, %al
    loop 6b
    dec %dx
    jnz 5b
    inc %bl
    cmp $4, %bl
    jb 4b
    # copy 16 lines of all planes at once through the latches
    mov $0x3c4, %dx
    mov $0x0f02, %ax
    out %ax, %dx
    mov $0x3ce, %dx
    mov $0x4105, %ax
    out %ax, %dx
    push %ds
    mov $0xa000, %ax
    mov %ax, %ds
    mov $(80 * 300), %si
    mov $(80 * 20), %di
    mov $(80 * 16), %cx
    rep movsb
    pop %ds
.endif

.ifdef MODE_12H
    mov $0x0012, %ax
    int $0x10
    # write mode 2: colours by the low bits of the row
    mov $0x3ce, %dx
    mov $0x0205, %ax
    out %ax, %dx
    xor %di, %di
    mov $480, %bx
1:  mov $80, %cx
    mov %bl, %al
    shr $3, %al
2:  stosb
    loop 2b
    dec %bx
    jnz 1b
    # write mode 3 with set/reset 14 and a slanting mask
    mov $0x0305, %ax
    out %ax, %dx
    mov $0x0e00, %ax
    out %ax, %dx
    xor %di, %di
    mov $400, %cx
    mov $0x11, %bl
3:  mov %es:(%di), %al
    mov %bl, %es:(%di)
    rol $1, %bl
    add $81, %di
    loop 3b
    # write mode 0: XOR with all bits of a mask
    mov $0x0005, %ax
    out %ax, %dx
    mov $0x1803, %ax
    out %ax, %dx
    mov $0x3c08, %ax
    out %ax, %dx
    mov $0x0f00, %ax
    out %ax, %dx
    mov $0x0501, %ax
    out %ax, %dx
    mov $(80 * 100), %di
    mov $(80 * 50), %cx
4:  mov %es:(%di), %al
    movb $0x5a, %es:(%di)
    inc %di
    loop 4b
.endif

.ifdef MODE_CGA
    mov $0x0004, %ax
    int $0x10
    mov $0xb800, %ax
    mov %ax, %es
    xor %di, %di
    mov $0x4000, %cx
    xor %ax, %ax
1:  stosb
    add $37, %al
    loop 1b
.endif

.ifdef MODE_VBE
    # 800 x 600 x 32 by the card's own registers, drawn through the banks of 64 KiB at A0000h
    mov $0x1ce, %dx
    mov $vbe, %si
    mov $((vbe_end - vbe) / 4), %cx
1:  lodsw
    mov $0x1ce, %dx
    out %ax, %dx
    lodsw
    inc %dx
    out %ax, %dx
    loop 1b
    xor %bx, %bx
    xor %eax, %eax
2:  mov $0x1ce, %dx
    push %ax
    mov $5, %ax
    out %ax, %dx
    inc %dx
    mov %bx, %ax
    out %ax, %dx
    pop %ax
    xor %di, %di
    mov $0x4000, %cx
3:  stosl
    add $0x00010307, %eax
    loop 3b
    inc %bx
    cmp $30, %bx
    jb 2b
.endif

.ifdef MODE_TEXT
    mov $0x0003, %ax
    int $0x10
    mov $0x2000, %cx
    mov $0x01, %ah
    int $0x10
    mov $0xb800, %ax
    mov %ax, %es
    # all characters in all colours without blinking, and one glyph of our own
    xor %di, %di
    xor %ax, %ax
    mov $2000, %cx
1:  stosw
    inc %al
    jnz 2f
    add $0x17, %ah
    and $0x7f, %ah
2:  loop 1b
    mov $0x1100, %ax
    mov $0x1000, %bx
    mov $1, %cx
    mov $0x41, %dx
    push %es
    push %ds
    pop %es
    mov $glyph, %bp
    int $0x10
    pop %es
.endif

    mov $'D', %al
    out %al, $0xe9
    # where isa-debug-exit is, that is the end
    out %al, $0xf4
halt:
    hlt
    jmp halt

.ifdef MODE_X
crtc:
    .word 0x0d06, 0x3e07, 0x4109, 0xea10, 0xac11, 0xdf12, 0x0014, 0xe715, 0x0616, 0xe317
    .word 0x0c0c, 0x800d
    # line compare 400 = 190h
    .word 0x9018, 0x3e07, 0x0109
crtc_end:
.endif
.ifdef MODE_VBE
vbe:
    .word 4, 0, 1, 800, 2, 600, 3, 32, 4, 0x41
vbe_end:
.endif
.ifdef MODE_TEXT
glyph:
    .byte 0x81, 0x42, 0x24, 0x18, 0x18, 0x24, 0x42, 0x81, 0xff, 0x55, 0xaa, 0x55, 0xaa, 0x0f, 0xf0, 0xff
.endif
    .org 510
    .word 0xaa55
