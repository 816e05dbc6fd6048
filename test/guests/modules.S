# A kernel that prints what its boot loader gave it: command line, modules with their arguments and contents, memory.
# By multiboot; assembled with --defsym PVH=1 by Xen's entry for PVH guests.
        .intel_syntax noprefix
        .code32
        .equ FLAGS, 3
        .globl _start
.ifdef PVH
        .section .note, "a", @note
        .balign 4
        .long 4, 4, 18          # name, descriptor, XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long _start
        .text
_start: mov esp, offset stack
        mov ebp, ebx
        mov eax, [ebp]          # the magic of what EBX leads to
        call print_number
        call newline
        mov esi, [ebp + 24]
        call print
        call newline
        mov edi, [ebp + 40]
        mov ecx, [ebp + 48]
1:      jecxz end
        mov eax, [edi + 4]
        call print_number
        mov eax, [edi]
        call print_number
        mov eax, [edi + 8]
        call print_number
        mov eax, [edi + 16]
        call print_number
        call newline
        add edi, 24
        dec ecx
        jmp 1b
.else
        .text
        .balign 4
        .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
_start: mov esp, offset stack
        mov ebp, ebx
        call print_number       # EAX: the loader's magic
        call newline
        mov esi, [ebp + 16]
        call print
        call newline

        mov edi, [ebp + 24]
        mov ecx, [ebp + 20]
1:      jecxz memory
        mov esi, [edi + 8]
        call print
        mov al, '|'
        call putc
        mov eax, [edi + 4]
        sub eax, [edi]
        call print_number
        mov esi, [edi]
        call print              # modules of text end with a zero
        call newline
        add edi, 16
        dec ecx
        jmp 1b

memory: mov eax, [ebp + 4]
        call print_number
        mov eax, [ebp + 8]
        call print_number
        call newline
        mov edi, [ebp + 48]
        mov ecx, edi
        add ecx, [ebp + 44]
1:      cmp edi, ecx
        jae end
        mov eax, [edi + 8]
        call print_number
        mov eax, [edi + 4]
        call print_number
        mov eax, [edi + 12]
        call print_number
        mov eax, [edi + 20]
        call print_number
        call newline
        add edi, [edi]
        add edi, 4
        jmp 1b
.endif

end:    mov dx, 0xf4            # isa-debug-exit
        xor eax, eax
        out dx, al
        cli
        hlt

print:  lodsb
        test al, al
        jz 1f
        call putc
        jmp print
1:      ret

newline:
        mov al, '\n'
        # falls into putc
putc:   push edx
        mov dx, 0x3f8
        out dx, al
        pop edx
        ret

print_number:
        push ecx
        mov ecx, 8
1:      rol eax, 4
        push eax
        and al, 15
        cmp al, 10
        sbb al, 0x69
        das
        call putc
        pop eax
        loop 1b
        mov al, ' '
        call putc
        pop ecx
        ret

        .bss
        .space 4096
stack:
