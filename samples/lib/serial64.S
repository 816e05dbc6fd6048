# COM1 by polling, for 64-bit code: 115200 baud, 8 data bits, no parity, 1 stop bit, no interrupts.
# All routines preserve every register.
.include "macros.inc"

.equ COM1, 0x3f8
.equ IER, COM1 + 1
.equ FCR, COM1 + 2
.equ LCR, COM1 + 3
.equ MCR, COM1 + 4
.equ LSR, COM1 + 5
.equ LSR_THRE, 0x20          # transmitter holding register empty

.code64
.text

func serial_init
  push %rax
  push %rdx
  push %rsi
  lea serial_setup(%rip), %rsi
1: movzwl (%rsi), %edx
  test %edx, %edx
  jz 2f
  movzbl 2(%rsi), %eax
  out %al, %dx
  add $3, %rsi
  jmp 1b
2: pop %rsi
  pop %rdx
  pop %rax
  ret
endfunc serial_init

# putc: AL = character
func putc
  push %rdx
  push %rax
  mov $LSR, %edx
1: in %dx, %al
  test $LSR_THRE, %al
  jz 1b
  pop %rax
  mov $COM1, %edx
  out %al, %dx
  pop %rdx
  ret
endfunc putc

# puts: RSI = text that ends with a zero byte
func puts
  push %rax
  push %rsi
1: lodsb
  test %al, %al
  jz 2f
  call putc
  jmp 1b
2: pop %rsi
  pop %rax
  ret
endfunc puts

# puthex: RAX = value, ECX = number of hex digits, 1 to 16
func puthex
  push %rax
  push %rcx
  push %rdx
  mov %rax, %rdx
  push %rcx
  neg %ecx
  add $16, %ecx
  shl $2, %ecx
  shl %cl, %rdx              # the wanted digits to the top
  pop %rcx
1: rol $4, %rdx
  mov %edx, %eax
  and $15, %eax
  add $'0', %al
  cmp $'9', %al
  jbe 2f
  add $'a' - '9' - 1, %al
2: call putc
  dec %ecx
  jnz 1b
  pop %rdx
  pop %rcx
  pop %rax
  ret
endfunc puthex

# putdec: RAX = value
func putdec
  push %rax
  push %rcx
  push %rdx
  push %rbx
  mov $10, %ebx
  xor %ecx, %ecx
1: xor %edx, %edx
  div %rbx
  push %rdx
  inc %ecx
  test %rax, %rax
  jnz 1b
2: pop %rax
  add $'0', %al
  call putc
  dec %ecx
  jnz 2b
  pop %rbx
  pop %rdx
  pop %rcx
  pop %rax
  ret
endfunc putdec

.section .rodata
serial_setup:                # {port, byte}, until port 0
  .word IER
  .byte 0                    # no interrupts
  .word LCR
  .byte 0x80                 # divisor latch
  .word COM1
  .byte 1                    # 115200 baud
  .word IER
  .byte 0
  .word LCR
  .byte 0x03                 # 8N1
  .word FCR
  .byte 0x07                 # FIFOs on and empty
  .word MCR
  .byte 0x0b                 # DTR, RTS, OUT2
  .word 0
