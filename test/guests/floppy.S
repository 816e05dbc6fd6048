# A boot sector that reads, writes and shows what it finds by INT 13h; each byte goes to INT 10h and COM1.
	.code16
	.globl _start
_start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	movb %dl, drive
	movw $hello, %si
	call puts
	# the second sector of the disk
	movw $0x0201, %ax
	movw $0x0002, %cx
	call disk
	movw $0x8000, %si
	call puts
	# it goes to the fourth, and the last one of the disk is read
	movw $0x0301, %ax
	movw $0x0004, %cx
	call disk
	movb $8, %ah
	movb drive, %dl
	int $0x13
	jc failed
	# CX and DH are the last sector's; ES is the disk table's now
	pushw %ds
	popw %es
	movb $0x02, %ah
	movb $0x01, %al
	movw $0x8200, %bx
	movb drive, %dl
	int $0x13
	jc failed
	movw $0x8200, %si
	call puts
	movw $done, %si
	jmp end
disk:	xorb %dh, %dh
	movb drive, %dl
	movw $0x8000, %bx
	int $0x13
	jc failed
	ret
failed:	movw $error, %si
end:	call puts
	movw $0x2000, %ax
	movw $0x604, %dx
	outw %ax, %dx
	hlt
puts:	lodsb
	testb %al, %al
	jz 1f
	movb $0x0e, %ah
	movw $7, %bx
	int $0x10
	movw $0x3f8, %dx
	outb %al, %dx
	jmp puts
1:	ret
drive:	.byte 0
hello:	.asciz "boot sector\r\n"
done:	.asciz "done\r\n"
error:	.asciz "disk error\r\n"
	.org 510
	.word 0xaa55
	.asciz "second sector\r\n"
	.org 1024
