/* An interpreter of a small stack machine, by a switch. */
#include "runtime.h"

enum { PUSH, ADD, MULTIPLY, LESS, JUMP_IF_ZERO, JUMP, LOAD, STORE, DUPLICATE, XOR, SHIFT_RIGHT, HALT };

/* For 2000 rounds: x = x * 1103515 + 12345, x ^= x >> 7, x += i. */
static const u32 program[] = {
    PUSH, 0,         STORE, 0, PUSH, 1, STORE, 1,
    LOAD, 0,         PUSH, 2000, LESS, JUMP_IF_ZERO, 42,
    LOAD, 1,         PUSH, 1103515, MULTIPLY, PUSH, 12345, ADD,
    DUPLICATE, PUSH, 7, SHIFT_RIGHT, XOR,
    LOAD, 0,         ADD, STORE, 1,
    LOAD, 0,         PUSH, 1, ADD, STORE, 0, JUMP, 8,
    LOAD, 1,         HALT,
};

APART static u32 run(const u32 *code) {
  u32 stack[16], variable[2] = {0, 0};
  u32 *top = stack;
  for (u32 pc = 0;;) {
    switch (code[pc++]) {
      case PUSH: *top++ = code[pc++]; break;
      case ADD: top--; top[-1] += *top; break;
      case MULTIPLY: top--; top[-1] *= *top; break;
      case LESS: top--; top[-1] = top[-1] < *top; break;
      case JUMP_IF_ZERO: pc = *--top ? pc + 1 : code[pc]; break;
      case JUMP: pc = code[pc]; break;
      case LOAD: *top++ = variable[code[pc++]]; break;
      case STORE: variable[code[pc++]] = *--top; break;
      case DUPLICATE: *top = top[-1]; top++; break;
      case XOR: top--; top[-1] ^= *top; break;
      case SHIFT_RIGHT: top--; top[-1] >>= *top & 31; break;
      default: return top[-1];
    }
  }
}

u32 work(u32 times) {
  u32 sum = 0;
  while (times--) sum = sum * 3 + run(program);
  return sum;
}
