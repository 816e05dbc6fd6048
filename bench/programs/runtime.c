/* Says START, works, and says DONE and the checksum on the first serial port; then ends the machine. */
#include "runtime.h"

enum {
  COM1 = 0x3f8,
  LSR = COM1 + 5,
  THRE = 0x20,       /* transmitter holding register empty */
  PM1A_CNT = 0x604,  /* of the PIIX4's power management block */
  SLP_EN_S5 = 0x2000,
  CR4_OSFXSR = 0x200,
  CR4_OSXMMEXCPT = 0x400,
  CR0_MP = 2,
  CR0_EM = 4,
};

static void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static void out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static u8 in8(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static void put(char c) {
  while (!(in8(LSR) & THRE)) {
  }
  out8(COM1, (u8)c);
}

static void put_text(const char *text) {
  while (*text) put(*text++);
}

static void put_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

/* SSE, which compilers use for numbers with a point, and for moves. */
static void allow_sse(void) {
  unsigned long cr0, cr4;
  __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
  __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT));
  __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
  __asm__ volatile("mov %0, %%cr0" ::"r"((cr0 | CR0_MP) & ~(unsigned long)CR0_EM));
}

static u32 seed = 12345;

u32 next_number(void) {
  seed = seed * 1103515245u + 12345u;
  return seed >> 8;
}

int main(void) {
  allow_sse();
  put_text("START\n");
  const u32 checksum = work(TIMES);
  put_text("DONE ");
  put_hex(checksum);
  put('\n');
  out16(PM1A_CNT, SLP_EN_S5);
  for (;;) __asm__ volatile("cli; hlt");
}
