/* A way through pointers that no cache foresees. */
#include "runtime.h"

enum { COUNT = 1 << 16 };

struct place {
  struct place *next;
  u32 value[3];
};
static struct place places[COUNT];

APART static u32 follow(const struct place *at, u32 steps) {
  u32 sum = 0;
  for (; steps; steps--, at = at->next) sum += at->value[0];
  return sum;
}

u32 work(u32 times) {
  u32 sum = 0;
  for (u32 n = 0; n < COUNT; n++) places[n] = (struct place){&places[(n * 40501u + 12345u) % COUNT], {n}};
  while (times--) {
    sum = sum * 3 + follow(places, COUNT);
    places[times % COUNT].value[0] += sum;
  }
  return sum;
}
