/* Points of the Mandelbrot set, in double precision. */
#include "runtime.h"

enum { SIDE = 48, LIMIT = 200 };

APART static u32 steps(double x, double y) {
  double re = 0, im = 0;
  u32 n = 0;
  for (; n < LIMIT && re * re + im * im < 4; n++) {
    const double next = re * re - im * im + x;
    im = 2 * re * im + y;
    re = next;
  }
  return n;
}

u32 work(u32 times) {
  u32 sum = 0;
  while (times--)
    for (int row = 0; row < SIDE; row++)
      for (int column = 0; column < SIDE; column++)
        sum = sum * 31 + steps(-2 + 3.0 * column / SIDE, -1.5 + 3.0 * row / SIDE + (times & 7) / 1024.0);
  return sum;
}
