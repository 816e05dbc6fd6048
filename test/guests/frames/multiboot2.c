/*
 * A multiboot 2 kernel that asks its loader for a frame buffer of BITS a pixel and paints it.
 *   gcc -m32 -ffreestanding -DBITS=32 -c multiboot2.c; ld -m elf_i386 -Ttext 0x200000
 */
#include "paint.h"

#define MAGIC 0xe85250d6u
#define LOADER_MAGIC 0x36d76289u
#define FRAMEBUFFER 8

struct header {
  u32 magic, architecture, length, checksum;
  u16 type, flags;
  u32 size, width, height, depth, padding;
  u16 end_type, end_flags;
  u32 end_size;
};

const struct header header __attribute__((aligned(8), section(".text.multiboot"), used)) = {
    MAGIC, 0, sizeof(struct header), -(MAGIC + (u32)sizeof(struct header)), 5, 0, 20, 800, 600, BITS, 0, 0, 0, 8};

struct tag {
  u32 type, size;
};

struct framebuffer_tag {
  u32 type, size;
  u64 address;
  u32 pitch, width, height;
  u8 bits, kind;
  u16 reserved;
  struct component red, green, blue;
};

__asm__(".globl _start\n_start: cli\n mov $stack_end, %esp\n push %ebx\n push %eax\n call kernel\n1: hlt\n jmp 1b\n"
        ".bss\n.align 16\n.skip 4096\nstack_end:\n.text\n");

void kernel(u32 magic, u8 *information) {
  if (magic != LOADER_MAGIC) return;
  const struct tag *tag = (const struct tag *)(information + 8);
  while (tag->type != 0 && tag->type != FRAMEBUFFER) tag = (const struct tag *)((const u8 *)tag + ((tag->size + 7) & ~7u));
  if (tag->type != FRAMEBUFFER) return;
  const struct framebuffer_tag *given = (const struct framebuffer_tag *)tag;
  struct frame to = {(u8 *)(u32)given->address,
                     given->pitch,
                     given->width,
                     given->height,
                     (given->bits + 7u) / 8,
                     given->red,
                     given->green,
                     given->blue};
  paint(&to);
}
