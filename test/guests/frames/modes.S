# A boot sector that shows 256 colours: mode 13h as games set it, by INT 10h; with MODEX = 1 unchained, 320x240, two pages, the second
# shown from an address in its middle, and a copy through the latches.
#   as --32 --defsym MODEX=0 modes.S; ld -m elf_i386 -Ttext 0x7c00 --oformat binary
.code16
.globl _start
_start:
  ljmp $0, $begin
begin:
  cli
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %ss
  mov $0x7c00, %sp
  cld
  mov $0x0013, %ax
  int $0x10
  mov $0xa000, %ax
  mov %ax, %es

# a palette of our own: three components of six bits from the index, the lowest bit included
  mov $0x3c8, %dx
  xor %al, %al
  outb %al, %dx
  inc %dx
  xor %cx, %cx
palette:
  mov %cl, %al
  outb %al, %dx                  # the DAC keeps six bits
  shr $1, %al
  outb %al, %dx
  mov %cl, %al
  not %al
  shr $2, %al
  outb %al, %dx
  inc %cx
  cmp $256, %cx
  jne palette

.if MODEX
# registers of 320x240 without chaining, after the usual recipe
  mov $0x3c4, %dx
  mov $0x0604, %ax
  outw %ax, %dx
  mov $0x0100, %ax
  outw %ax, %dx
  mov $0x3c2, %dx
  mov $0xe3, %al
  outb %al, %dx
  mov $0x3c4, %dx
  mov $0x0300, %ax
  outw %ax, %dx
  mov $0x3d4, %dx
  mov $0x11, %al
  outb %al, %dx
  inc %dx
  inb %dx, %al
  and $0x7f, %al
  outb %al, %dx
  dec %dx
  mov $crtc, %si
  mov $(crtc_end - crtc) / 2, %cx
crtc_next:
  lodsw
  outw %ax, %dx
  loop crtc_next

# both pages: x of the pixel is 4 * offset + plane
  mov $1, %bl
plane:
  mov $0x3c4, %dx
  mov $2, %al
  mov %bl, %ah
  outw %ax, %dx
  xor %di, %di
fill:
  mov %di, %ax
  mul %bl
  xor %dl, %al
  add %ah, %al
  stosb
  cmp $0x9600, %di
  jb fill
  shl $1, %bl
  cmp $0x10, %bl
  jne plane

# 40 lines of the first page over the second's middle: all planes at once
  mov $0x3c4, %dx
  mov $0x0f02, %ax
  outw %ax, %dx
  mov $0x3ce, %dx
  mov $0x4105, %ax
  outw %ax, %dx
  mov $0xa000, %ax
  mov %ax, %ds
  mov $333, %si
  mov $0x6000, %di
  mov $40 * 80, %cx
  rep movsb
  mov $0x4005, %ax
  outw %ax, %dx

# the picture begins in the first page and goes on at 0 from line 320 on
  mov $0x3d4, %dx
  mov $0x120c, %ax
  outw %ax, %dx
  mov $0x340d, %ax
  outw %ax, %dx
  mov $0x4018, %ax
  outw %ax, %dx
  mov $7, %al
  outb %al, %dx
  inc %dx
  inb %dx, %al
  or $0x10, %al
  outb %al, %dx
  dec %dx
  mov $9, %al
  outb %al, %dx
  inc %dx
  inb %dx, %al
  and $0xbf, %al
  outb %al, %dx
.else
  xor %di, %di
  mov $200, %bx
row:
  xor %cx, %cx
pixel:
  mov %cx, %ax
  add %bl, %al
  xor %ch, %al
  mul %bl
  add %cl, %al
  stosb
  inc %cx
  cmp $320, %cx
  jne pixel
  dec %bx
  jnz row
.endif
halt:
  hlt
  jmp halt

.if MODEX
crtc:
  .word 0x0d06, 0x3e07, 0x4109, 0xea10, 0xac11, 0xdf12, 0x0014, 0xe715, 0x0616, 0xe317
crtc_end:
.endif
.org 510
.word 0xaa55
