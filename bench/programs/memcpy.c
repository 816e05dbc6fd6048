/* Bytes and words copied by loops. */
#include "runtime.h"

enum { BYTES = 65536 };
static u8 from[BYTES], to[BYTES];

#define IN_ORDER __asm__ volatile("" ::: "memory")

APART static void copy_bytes(u8 *to, const u8 *from, u32 count) {
  for (u32 n = 0; n < count; n++) {
    to[n] = from[n];
    IN_ORDER;
  }
}

APART static void copy_words(unsigned long *to, const unsigned long *from, u32 count) {
  while (count--) {
    *to++ = *from++;
    IN_ORDER;
  }
}

u32 work(u32 times) {
  u32 sum = 0;
  for (u32 n = 0; n < BYTES; n++) from[n] = (u8)next_number();
  while (times--) {
    copy_bytes(to, from, BYTES);
    copy_words((unsigned long *)from, (unsigned long *)(to + sizeof(long)), BYTES / sizeof(long) - 1);
    sum = sum * 3 + to[times % BYTES];
  }
  return sum;
}
