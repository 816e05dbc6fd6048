# real-mode: 16-bit code without any BIOS, in one boot sector.
#
# Shows: the serial port by polling; one byte under two segment:offset names; the text screen written through
# ES = B800h and read through DS = B000h; string instructions forward, backward, scanning and comparing; a
# software interrupt and a divide error through the interrupt vector table at 0000:0000.
# VM exits: I/O instruction for COM1 and the power-off, and EPT violation where the VMM does not map the screen
# as memory. Everything else stays in the guest: unrestricted guest mode runs real-mode code as it is.
.equ COM1, 0x3f8
.equ LSR, COM1 + 5
.equ LSR_THRE, 0x20
.equ PM1A_CNT, 0x604
.equ S5, 0x2000
.equ SCRATCH, 0x600               # free memory above the vector table

.code16
.text
.globl _start
_start:
  ljmp $0, $start                 # firmware may have come here as 07C0:0000
start:
  cli                             # no timer ticks into vectors that are not ours
  cld
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $_start, %sp
  mov $COM1 + 3, %dx              # 115200 baud, 8N1
  mov $0x80, %al
  out %al, %dx
  mov $COM1, %dx
  mov $1, %ax
  out %ax, %dx                    # divisor low byte 1, high byte 0
  mov $COM1 + 3, %dx
  mov $3, %al
  out %al, %dx
  mov $hello, %si
  call puts

# 07C0h * 16 + offset and 0000h * 16 + 7C00h + offset are the same byte.
segments:
  mov $0x07c0, %ax
  mov %ax, %fs
  mov %fs:hello - _start, %al
  cmp hello, %al
  jne failed
  mov $segments_text, %si
  call puts

# Two cells to the screen at B8000h, read back as B000:8000.
screen:
  mov $0xb800, %ax
  mov %ax, %es
  xor %di, %di
  mov $0x1f52, %ax                # white R on blue
  stosw
  mov $0x1f4d, %ax                # M
  stosw
  mov $0xb000, %ax
  mov %ax, %fs
  mov $screen_text, %si
  call puts
  mov %fs:0x8000, %al
  call putc
  mov %fs:0x8002, %al
  call putc
  call newline
  push %ds
  pop %es

strings:
  mov $word_text, %di             # length by REPNE SCASB
  xor %al, %al
  mov $-1, %cx
  repne scasb
  not %cx
  dec %cx
  mov %cx, %bx                    # 9
  mov $word_text, %si             # copy by REP MOVSB
  mov $SCRATCH, %di
  rep movsb
  mov $word_text, %si             # compare by REPE CMPSB
  mov $SCRATCH, %di
  mov %bx, %cx
  repe cmpsb
  jne failed
  dec %si                         # the last letter; then backward by LODSB with DF set
  mov %bx, %cx
  std
1: lodsb
  call putc
  loop 1b
  cld
  call newline

interrupts:
  movw $int80, 0x80 * 4
  mov %cs, 0x80 * 4 + 2
  movw $divide_error, 0 * 4
  mov %cs, 0 * 4 + 2
  mov $'!', %al
  int $0x80
  xor %cx, %cx
divide:
  div %cx                         # the handler steps over these two bytes
  mov $done, %si
  call puts

power_off:
  mov $PM1A_CNT, %dx
  mov $S5, %ax
  out %ax, %dx
1: hlt
  jmp 1b

failed:
  mov $failed_text, %si
  call puts
  jmp power_off

# int 80h: prints what it is and the character in AL
int80:
  push %ax
  mov $int80_text, %si
  call puts
  pop %ax
  call putc
  call newline
  iret

# #DE, vector 0: the saved IP is that of DIV itself; prints it and makes it that of the next instruction
divide_error:
  mov $divide_text, %si
  call puts
  mov %sp, %bp
  mov (%bp), %ax
  sub $divide, %ax                # 0: a fault, not a trap
  add $'0', %al
  call putc
  call newline
  addw $2, (%bp)
  iret

newline:
  mov $'\n', %al
# putc: AL = character
putc:
  push %ax
  mov $LSR, %dx
1: in %dx, %al
  test $LSR_THRE, %al
  jz 1b
  pop %ax
  mov $COM1, %dx
  out %al, %dx
  ret

# puts: SI = text that ends with a zero byte
puts:
  lodsb
  test %al, %al
  jz 1f
  call putc
  jmp puts
1: ret

.section .rodata
hello: .asciz "hello from real mode\n"
segments_text: .asciz "07c0:0000 is 0000:7c00\n"
screen_text: .asciz "b000:8000 reads "
word_text: .asciz "edom laer"
int80_text: .asciz "int 80h "
divide_text: .asciz "#DE at div+"
failed_text: .asciz "failed\n"
done: .asciz "done\n"
