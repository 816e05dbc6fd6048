/* A kernel of 32 bits that a debugger can follow: each value is known. */
struct point {
  int x;
  int y;
};
volatile struct point spot = {3, 4};
volatile unsigned counter;

static inline void out(unsigned short port, unsigned char value) {
  __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
__attribute__((noinline)) int add(int a, int b) {
  int sum = a + b;
  counter += sum;
  return sum;
}
__attribute__((noinline)) int twice(int a) {
  return add(a, a);
}
void kmain(void) {
  int total = 0;
  for (int i = 1; i <= 3; i++) {
    total += twice(i);
    spot.x = total;
  }
  for (const char *c = "done\n"; *c; c++) out(0x3f8, *c);
  for (;;) counter++;
}
