/* Numbers of any width, sorted by a comparison that is called through a pointer. */
#include "runtime.h"

enum { COUNT = 8192 };
static u32 numbers[COUNT];

typedef int (*comparison)(const void *, const void *);

static int compare(const void *a, const void *b) {
  const u32 x = *(const u32 *)a, y = *(const u32 *)b;
  return x < y ? -1 : x > y;
}

static void exchange(char *a, char *b, unsigned long bytes) {
  while (bytes--) {
    const char byte = *a;
    *a++ = *b;
    *b++ = byte;
  }
}

APART static void sort(char *base, unsigned long count, unsigned long bytes, comparison order) {
  while (count > 1) {
    unsigned long less = 0;
    exchange(base, base + count / 2 * bytes, bytes);
    for (unsigned long n = 1; n < count; n++)
      if (order(base + n * bytes, base) < 0) exchange(base + ++less * bytes, base + n * bytes, bytes);
    exchange(base, base + less * bytes, bytes);
    sort(base, less, bytes, order);
    base += (less + 1) * bytes;
    count -= less + 1;
  }
}

u32 work(u32 times) {
  comparison volatile order = compare;
  u32 sum = 0;
  while (times--) {
    for (int n = 0; n < COUNT; n++) numbers[n] = next_number();
    sort((char *)numbers, COUNT, sizeof *numbers, order);
    for (int n = 0; n < COUNT; n++) sum = sum * 31 + numbers[n];
  }
  return sum;
}
