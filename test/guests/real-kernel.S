# A kernel of Linux's boot protocol that is nothing but its real-mode part, as ipxe.lkrn and memdisk are in the main: it asks the
# BIOS. PROTOCOL is the version, HIGH whether the rest is loaded from 1 MiB on.
        .intel_syntax noprefix
        .code16
        .globl _start
_start: .org 0x1f1
        .byte 1                 # sectors of the real-mode part behind the first
        .org 0x1fe
        .word 0xaa55
        jmp begin
        .ascii "HdrS"
        .word PROTOCOL
        .org 0x211
loadflags:
        .byte HIGH
        .org 0x214
        .long 0                 # no entry in protected mode
image:  .long 0
size:   .long 0
        .org 0x228
command_line:
        .long 0
max:    .long 0x7fffffff        # highest byte of the initrd
        .org 0x238
        .long 255
begin:  mov si, offset hello
        call print
        mov ax, cs
        sub ax, 0x20
        mov ds, ax
        call print_number
        mov ax, sp
        call print_number
        mov al, [loadflags]
        xor ah, ah
        call print_number
        call newline

        # the command line
.if PROTOCOL >= 0x202
        mov eax, [command_line]
.else
        xor eax, eax
        mov ax, ds
        shl eax, 4
        movzx ecx, word ptr [0x22]
        add eax, ecx
.endif
        mov si, ax
        and si, 15
        shr eax, 4
        push ds
        mov ds, ax
        call print
        pop ds
        call newline

        # the rest of the kernel, and the initrd, by the BIOS's copying
        mov eax, HIGH * 0xf0000 + 0x10000
        call show
        mov eax, [image]
        test eax, eax
        jz 1f
        call show
        mov eax, [size]
        call print_number
1:      call newline
        mov dx, 0xf4
        xor ax, ax
        out dx, al
        cli
        hlt

show:   mov [source], ax        # EAX: address
        shr eax, 16
        mov [source + 2], al
        mov [source + 5], ah
        mov ax, ds
        xor edx, edx
        mov dx, ax
        shl edx, 4
        add edx, offset buffer
        mov [target], dx
        shr edx, 16
        mov [target + 2], dl
        push ds
        pop es
        mov si, offset table
        mov cx, 16
        mov ah, 0x87
        int 0x15
        mov si, offset buffer
        call print
        jmp newline

print:  lodsb
        test al, al
        jz 1f
        call putc
        jmp print
1:      ret
newline:
        mov al, '\n'
putc:   push dx
        mov dx, 0x3f8
        out dx, al
        pop dx
        ret
print_number:                   # AX
        mov cx, 4
1:      rol ax, 4
        push ax
        and al, 15
        cmp al, 10
        sbb al, 0x69
        das
        call putc
        pop ax
        loop 1b
        mov al, ' '
        jmp putc

hello:  .asciz "real mode "
        .balign 8
table:  .quad 0, 0
        .word 0xffff
source: .word 0
        .byte 0, 0x93, 0, 0
        .word 0xffff
target: .word 0
        .byte 0, 0x93, 0, 0
        .quad 0, 0
buffer: .space 33
        .org 1024
        .asciz "the rest of the kernel"
        .org 1536
