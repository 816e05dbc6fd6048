/* Primes by crossing out. */
#include "runtime.h"

enum { COUNT = 1 << 18 };
static u8 prime[COUNT];

APART static u32 primes(u32 below) {
  u32 count = 0;
  for (u32 n = 0; n < below; n++) prime[n] = 1;
  for (u32 n = 2; n < below; n++) {
    if (!prime[n]) continue;
    count++;
    for (u32 multiple = n + n; multiple < below; multiple += n) prime[multiple] = 0;
  }
  return count;
}

u32 work(u32 times) {
  u32 sum = 0;
  while (times--) sum = sum * 3 + primes(COUNT - (times & 7));
  return sum;
}
