/* Calls of itself. */
#include "runtime.h"

APART static u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

u32 work(u32 times) {
  u32 sum = 0;
  while (times--) sum = sum * 3 + fibonacci(22);
  return sum;
}
