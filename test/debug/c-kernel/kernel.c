/* A small kernel for tests of types and source: each kind of C's types, inlined functions, recursion and interrupts. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

enum color { RED, GREEN = 5, BLUE };
enum flags { FLAG_A = 1, FLAG_B = 2, FLAG_C = 4 };

struct point {
  int x, y;
};

struct node {
  struct node *next;
  const char *name;
  char comm[16];
  unsigned ready : 1;
  int level : 5;
  enum color color;
  enum flags flags;
  union {
    u64 whole;
    struct {
      u32 low, high;
    };
  };
  struct point where, corners[3];
  int (*act)(struct node *, int);
  _Bool alive;
  short counts[12];
  double weight;
  signed char small;
  u8 bytes[4];
};

static int doubled(struct node *n, int by) {
  n->where.x += by;
  return n->where.x * 2;
}

struct node second = {.name = "second", .comm = "init", .level = -3, .color = BLUE, .flags = FLAG_B, .act = doubled};
struct node first = {.next = &second,
                     .name = "first\n\"quoted\"",
                     .comm = "swapper/0",
                     .ready = 1,
                     .level = 7,
                     .color = GREEN,
                     .flags = FLAG_A | FLAG_C,
                     .whole = 0x1122334455667788,
                     .where = {-7, 9},
                     .corners = {{1, 2}, {3, 4}, {5, 6}},
                     .act = doubled,
                     .alive = 1,
                     .counts = {1, 2, 2, 2},
                     .weight = 0.1,
                     .small = -1,
                     .bytes = {1, 2, 3, 255}};
struct node *head = &first;
int table[4][2] = {{1, -1}, {2, -2}, {3, -3}, {4, -4}};
volatile u32 ticks;
u64 big = 0xffffffffffffffff;
int negative = -5;

static inline __attribute__((always_inline)) int clamp(int value, int most) {
  int left = most - value;
  if (left < 0) value = most;
  return value;
}

__attribute__((noinline)) int walk(struct node *list, int limit) {
  int total = 0;
  for (struct node *at = list; at; at = at->next) {
    int step = clamp(at->level, limit);
    total += step;
    ticks++;
  }
  return total;
}

__attribute__((noinline)) int depth(int n, struct point p) {
  struct point inner = {p.x + n, p.y - n};
  if (n == 0) {
    ticks += inner.x;
    return inner.y;
  }
  int below = depth(n - 1, inner);
  return below + inner.x;
}

__attribute__((noinline)) int sum(const int *numbers, unsigned count) {
  int total = 0;
  for (unsigned i = 0; i < count; i++) {
    total += numbers[i];
    ticks++;
  }
  return total;
}

int result;

void main(void) {
  struct point start = {10, 20};
  int numbers[5] = {3, 1, 4, 1, 5};
  result = walk(head, 6);
  result += depth(3, start);
  result += sum(numbers, 5);
  result += head->act(head, 4);
  ticks = result;
  for (;;) __asm__ volatile("cli; hlt");
}

__attribute__((section(".stack"), aligned(16))) static char stack[16384];

__attribute__((naked, used)) void _start(void) {
  __asm__ volatile("lea %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall main" ::"m"(stack[16368]));
}
