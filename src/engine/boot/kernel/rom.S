# The option ROM that takes a kernel from the firmware configuration device and starts it, when the BIOS boots from it:
# `code.ts` holds what this assembles to, `rom.ts` fills in the parameters. @qemu docs/specs/fw_cfg
# Test: test/boot/bios-kernel.test.ts. Build: as --32 rom.S -o rom.o && objcopy -O binary rom.o rom.bin
        .intel_syntax noprefix
        .code16
        # where BIOSes leave memory alone: the stack grows down from here, the descriptor of a transfer lies above
        .equ SCRATCH, 0x7c00
        .equ FW_CFG_DMA_HIGH, 0x514
        .equ FW_CFG_DMA_LOW, 0x518
        # address of SCRATCH with its bytes swapped, and the descriptor's error bit likewise
        .equ SCRATCH_SWAPPED, 0x007c0000
        .equ PENDING, 0xfeffffff
        .equ SMAP, 0x534d4150

start:  .word 0xaa55
        .byte 0                 # length in 512 bytes
        retf                    # nothing to do before the boot
        .org 0x18
        .word 0                 # belongs to no PCI card
        .word plug_and_play
        .org 0x20
plug_and_play:
        .ascii "$PnP"
        .byte 1, 2
        .word 0
        .byte 0, 0              # the second is its checksum
        .long 0
        .word maker, product
        .byte 0, 0, 0, 0
        .word 0, 0, entry, 0, 0

        # parameters, little-endian
        .org 0x40
transfers:      .word 0
is_protected:   .word 0
real_segment:   .word 0         # the kernel's real-mode part; entered at segment + 20h, offset 0
real_stack:     .word 0
map_segment:    .word 0         # memory map: of entries of 24 bytes, from offset 0
map_most:       .word 0
map_range_at:   .word 0         # in an entry: where the BIOS writes base, length and type
map_other_at:   .word 0         # ... and the dword that is left
map_other:      .long 0
map_count_at:   .long 0         # far pointer to the map's length, in units of:
map_unit:       .long 0
upper_at:       .long 0         # far pointer to the KiB of memory from 1 MiB on
gdt_limit:      .word 0
gdt_base:       .long 0
code_selector:  .word 0
data_selector:  .word 0
new_esp:        .long 0
new_eax:        .long 0
new_ebx:        .long 0
new_eip:        .long 0
        .org 0x80
maker:  .asciz "vmscope"
product: .asciz "kernel of --kernel"

        .balign 16, 0
entry:
        cli
        cld
        push cs
        pop ds
        xor ax, ax
        mov ss, ax
        mov sp, SCRATCH
        mov es, ax
        mov bp, [transfers]
        mov si, offset descriptors
1:      test bp, bp
        jz loaded
        mov di, SCRATCH
        mov cx, 8
        rep movsw
        xor eax, eax
        mov dx, FW_CFG_DMA_HIGH
        out dx, eax
        mov eax, SCRATCH_SWAPPED
        mov dx, FW_CFG_DMA_LOW
        out dx, eax
2:      mov eax, es:[SCRATCH]
        and eax, PENDING
        jnz 2b
        dec bp
        jmp 1b

loaded: cmp word ptr [is_protected], 0
        jne to_protected
        mov ax, [real_segment]
        movzx ecx, word ptr [real_stack]
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov esp, ecx
        add ax, 0x20
        push ax
        push 0
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        retf

to_protected:
        mov es, [map_segment]
        xor di, di
        xor ebx, ebx
        xor bp, bp
1:      push di
        add di, [map_range_at]
        mov eax, 0xe820
        mov ecx, 20
        mov edx, SMAP
        int 0x15
        pop di
        jc 2f
        mov eax, [map_other]
        push di
        add di, [map_other_at]
        mov es:[di], eax
        pop di
        add di, 24
        inc bp
        cmp bp, [map_most]
        jae 2f
        test ebx, ebx
        jnz 1b
2:      movzx eax, bp
        mul dword ptr [map_unit]
        les di, [map_count_at]
        mov es:[di], eax

        xor cx, cx
        xor dx, dx
        mov ax, 0xe801
        int 0x15
        movzx eax, ax
        movzx ebx, bx
        shl ebx, 6
        add eax, ebx
        les di, [upper_at]
        mov es:[di], eax

        xor ebx, ebx
        mov bx, cs
        shl ebx, 4
        add ebx, offset protected
        movzx eax, word ptr [code_selector]
        push eax
        push ebx
        mov bp, [data_selector]
        mov ecx, [new_esp]
        mov eax, [new_eax]
        mov ebx, [new_ebx]
        mov edx, [new_eip]
        cli
        lgdtd [gdt_limit]
        mov esi, cr0
        or si, 1
        mov cr0, esi
        retfd

        .code32
protected:
        mov ds, ebp
        mov es, ebp
        mov fs, ebp
        mov gs, ebp
        mov ss, ebp
        mov esp, ecx
        xor ecx, ecx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        jmp edx
        .balign 16, 0
descriptors:
