# The 8259 pair with its lines at vectors 20h to 2Fh, and the local APIC in virtual-wire mode: the pair's
# interrupts reach the processor through LINT0.
.include "macros.inc"
.include "apic.inc"

.equ ICW1_INIT_ICW4, 0x11
.equ ICW4_8086, 1

.macro outb_to port, value
  mov $\value, %al
  out %al, $\port
.endm

.code64
.text
# pic_init: all lines masked. Changes RAX.
func pic_init
  outb_to PIC1, ICW1_INIT_ICW4
  outb_to PIC2, ICW1_INIT_ICW4
  outb_to PIC1+1, 0x20            # vectors
  outb_to PIC2+1, 0x28
  outb_to PIC1+1, 4               # the second one hangs on line 2
  outb_to PIC2+1, 2
  outb_to PIC1+1, ICW4_8086
  outb_to PIC2+1, ICW4_8086
  outb_to PIC1+1, 0xff
  outb_to PIC2+1, 0xff
  lapic_write LAPIC_SVR, SVR_ENABLE+0xff
  lapic_write LAPIC_LVT_LINT0, LVT_EXTINT
  ret
endfunc pic_init
