/* A small kernel whose innermost function never returns, so that its code shows no way out to its callers. */
static volatile unsigned long work;

__attribute__((noinline, noreturn)) void end(int n) {
  work = n;
  for (;;) __asm__ volatile("cli; hlt");
}

__attribute__((noinline)) int inner(int n) {
  volatile int room[8];
  room[n & 7] = n;
  end(room[n & 7] + 1);
}

__attribute__((noinline)) int outer(int n) {
  volatile char room[n + 8];
  room[0] = n;
  return inner(n + room[0]) + 1;
}

void main(void) {
  work = outer(3);
  for (;;) __asm__ volatile("cli; hlt");
}

__attribute__((section(".stack"), aligned(16))) static char stack[16384];

__attribute__((naked, used)) void _start(void) {
  __asm__ volatile("lea %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall main" ::"m"(stack[16368]));
}
