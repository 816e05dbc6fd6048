/* A small kernel that spends its instructions in loops and a recursion, for tests of profiles and of steps over loops. */
typedef unsigned long u64;

static volatile u64 work;

__attribute__((noinline)) void light(unsigned count) {
  for (unsigned i = 0; i < count; i++) work += i;
}

__attribute__((noinline)) void heavy(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    work += i * 3;
    work ^= work >> 7;
  }
}

__attribute__((noinline)) int deep(int n) {
  if (n == 0) {
    heavy(300);
    return 1;
  }
  light(60);
  int rest = deep(n - 1);
  return rest + 1;
}

void main(void) {
  int sum = 0;
  for (int round = 0; round < 4; round++) {
    heavy(900);
    light(900);
    sum += deep(12);
  }
  work = sum;
  for (;;) __asm__ volatile("cli; hlt");
}

__attribute__((section(".stack"), aligned(16))) static char stack[16384];

__attribute__((naked, used)) void _start(void) {
  __asm__ volatile("lea %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall main" ::"m"(stack[16368]));
}
