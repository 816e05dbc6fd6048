# keyboard: echoes what is typed, until q.
#
# Takes PS/2 scan codes (set 1) on line 1 and serial input on line 4 by interrupt, prints each letter, digit, space
# or newline on COM1 with the way it came by, and sleeps in HLT between keys. `q` ends with a good power-off.
# VM exits: external interrupts' injection windows, HLT, I/O for the 8042, the 8259 pair and COM1.
.include "macros.inc"
.include "apic.inc"

.equ KBD_DATA, 0x60
.equ KBD_STATUS, 0x64
.equ COM1, 0x3f8
.equ LSR_DATA_READY, 1
.equ IER_DATA, 1
.equ GATE_INTERRUPT, 0x8e
.equ RELEASED, 0x80               # bit 7 of a scan code: the key went up

.code64
.text
func main
  call idt_init
  call pic_init
  mov $0x21, %edi
  mov $on_keyboard, %esi
  mov $GATE_INTERRUPT, %edx
  xor %ecx, %ecx
  call set_gate
  mov $0x24, %edi
  mov $on_serial, %esi
  call set_gate
  mov $0xff & ~(1 << 1) & ~(1 << 4), %al
  out %al, $PIC1 + 1
  mov $COM1 + 1, %edx
  mov $IER_DATA, %al
  out %al, %dx
  say "type, q ends\n"
wait_key:
  cli
  mov ring_tail(%rip), %ecx
  cmp ring_head(%rip), %ecx
  jne take_key
  sti                             # blocks interrupts for one more instruction: no key slips in before HLT
  hlt
  jmp wait_key
take_key:
  mov %ecx, %ebx
  and $63, %ebx
  movzwl ring(,%rbx,2), %ebx      # BL the character, BH where it came from
  incl ring_tail(%rip)
  sti
  cmp $0, %bh
  jne 1f
  say "serial "
  jmp 2f
1: say "ps/2 "
2: mov %bl, %al
  call putc
  say "\n"
  cmp $'q', %bl
  jne wait_key
  cli
  ret
endfunc main

# A scan code of a key that goes down becomes its character; others are dropped.
func on_keyboard
  push %rax
  push %rcx
  push %rdx
  in $KBD_STATUS, %al
  test $1, %al
  jz 1f
  in $KBD_DATA, %al
  test $RELEASED, %al
  jnz 1f
  movzbl %al, %eax
  cmp $scan_end - scan_to_ascii, %eax
  jae 1f
  mov scan_to_ascii(%rax), %al
  test %al, %al
  jz 1f
  mov $1, %ah
  call enqueue
1: mov $PIC_EOI, %al
  out %al, $PIC1
  pop %rdx
  pop %rcx
  pop %rax
  iretq
endfunc on_keyboard

func on_serial
  push %rax
  push %rcx
  push %rdx
1: mov $COM1 + 5, %edx
  in %dx, %al
  test $LSR_DATA_READY, %al
  jz 2f
  mov $COM1, %edx
  in %dx, %al
  mov $0, %ah
  call enqueue
  jmp 1b
2: mov $PIC_EOI, %al
  out %al, $PIC1
  pop %rdx
  pop %rcx
  pop %rax
  iretq
endfunc on_serial

# enqueue: AL the character, AH its source. A full ring drops it. Changes RCX.
func enqueue
  mov ring_head(%rip), %ecx
  sub ring_tail(%rip), %ecx
  cmp $64, %ecx
  jae 1f
  mov ring_head(%rip), %ecx
  and $63, %ecx
  mov %ax, ring(,%rcx,2)
  incl ring_head(%rip)
1: ret
endfunc enqueue

.section .rodata
scan_to_ascii:
  .ascii "\0\0001234567890-=\0\0"
  .ascii "qwertyuiop[]\n\0"
  .ascii "asdfghjkl;'`\0\\"
  .ascii "zxcvbnm,./\0*\0 "
scan_end:

.bss
.balign 4
ring_head: .skip 4                # characters put in and taken out so far
ring_tail: .skip 4
ring: .skip 64 * 2
