/* Blocks of several sizes, copied by REP MOVSB and filled by REP STOSB. */
#include "runtime.h"

enum { BYTES = 16384 };
static u8 from[BYTES], to[BYTES];

static void copy(u8 *to, const u8 *from, unsigned long count) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static void fill(u8 *to, u8 value, unsigned long count) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

u32 work(u32 times) {
  u32 sum = 0;
  for (u32 n = 0; n < BYTES; n++) from[n] = (u8)next_number();
  while (times--) {
    for (u32 size = 16; size <= BYTES / 2; size *= 2) copy(to + (times & 15), from + (times & 7), size);
    fill(from + (times & 1023), (u8)times, 96);
    sum = sum * 3 + to[times % BYTES];
  }
  return sum;
}
