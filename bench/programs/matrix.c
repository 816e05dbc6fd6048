/* Products of matrices of integers. */
#include "runtime.h"

enum { SIZE = 64 };
static int a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

APART static void multiply(void) {
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      int sum = 0;
      for (int n = 0; n < SIZE; n++) sum += a[row][n] * b[n][column];
      product[row][column] = sum;
    }
}

u32 work(u32 times) {
  u32 sum = 0;
  for (int row = 0; row < SIZE; row++)
    for (int column = 0; column < SIZE; column++) {
      a[row][column] = (int)next_number();
      b[row][column] = (int)next_number();
    }
  while (times--) {
    multiply();
    for (int n = 0; n < SIZE; n++) sum = sum * 7 + (u32)product[n][n * 3 % SIZE];
    a[times % SIZE][3] ^= (int)sum;
  }
  return sum;
}
