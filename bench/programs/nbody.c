/* Bodies that draw each other, in double precision. */
#include "runtime.h"

enum { COUNT = 5 };
static double place[COUNT][3], speed[COUNT][3], mass[COUNT];

APART static void advance(double dt) {
  for (int a = 0; a < COUNT; a++)
    for (int b = a + 1; b < COUNT; b++) {
      double way[3], square = 0.01;
      for (int n = 0; n < 3; n++) {
        way[n] = place[a][n] - place[b][n];
        square += way[n] * way[n];
      }
      const double pull = dt / (square * __builtin_sqrt(square));
      for (int n = 0; n < 3; n++) {
        speed[a][n] -= way[n] * mass[b] * pull;
        speed[b][n] += way[n] * mass[a] * pull;
      }
    }
  for (int a = 0; a < COUNT; a++)
    for (int n = 0; n < 3; n++) place[a][n] += dt * speed[a][n];
}

u32 work(u32 times) {
  for (int a = 0; a < COUNT; a++) {
    mass[a] = 1 + a;
    for (int n = 0; n < 3; n++) {
      place[a][n] = (double)(next_number() & 0xff) / 16;
      speed[a][n] = (double)(next_number() & 0xff) / 256;
    }
  }
  while (times--)
    for (int n = 0; n < 1000; n++) advance(1.0 / 1024);
  u32 sum = 0;
  for (int a = 0; a < COUNT; a++)
    for (int n = 0; n < 3; n++) sum = sum * 31 + (u32)(int)(place[a][n] * 1024);
  return sum;
}
