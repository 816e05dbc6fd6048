// Runs test cases of the instruction tester on this machine's own CPU, in ring 3: a signal handler
// loads a case into the context that it returns to, RFLAGS.TF brings it back after one instruction.
//
//   stdin: struct batch, image bytes 0x10000-0x3ffff, cases     stdout: results, each followed by its changes
//
// Once everything is mapped the process enters strict seccomp: a case that is a system call ends it.
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/prctl.h>
#include <stddef.h>
#include <stdint.h>

enum { LONG, COMPAT32, COMPAT16 };
enum { BASE = 0x10000, BYTES = 0x30000, MAX_POKES = 2, POKE_BYTES = 64, MAX_CHANGES = 4096 };

struct batch { uint32_t cases, reserved; };
struct poke { uint32_t address, length; uint8_t bytes[POKE_BYTES]; };
struct test {
  uint32_t mode, address, length, pokes;
  uint64_t gpr[16], rflags;
  uint8_t code[16];
  struct poke poke[MAX_POKES];
};
struct result {
  uint64_t gpr[16], rip, rflags, cr2;
  uint32_t vector, error, changeBytes, reserved;
};
struct page { uint32_t start, bytes, protection; };

// The bed's pages; the supervisor page (0x26000) cannot be had, so it is no page at all.
static const struct page pages[] = {
  {0x10000, 0x2000, 7}, {0x20000, 0x4000, 7}, {0x25000, 0x1000, 5}, {0x27000, 0x1000, 3}, {0x30000, 0x2000, 7},
};

static uint8_t image[BYTES];
static uint8_t reference[BYTES];
static struct test tests[8192];
static uint8_t changes[MAX_CHANGES];
static uint8_t out[1 << 16];
static uint32_t outUsed, current, total, started;
static uint8_t altstack[1 << 16] __attribute__((aligned(64)));

static long call(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

static void quit(int status) { for (;;) call(__NR_exit, status, 0, 0, 0, 0, 0); }
static void check(long result, int status) { if (result < 0 && result > -4096) quit(status); }

void *memcpy(void *to, const void *from, size_t n) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
  return start;
}
void *memset(void *to, int value, size_t n) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return start;
}
static int same(const uint8_t *a, const uint8_t *b, size_t n) {
  const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;
  for (size_t i = 0; i < n / 8; i++) if (x[i] != y[i]) return 0;
  return 1;
}

static void fill(uint8_t *to, long n) {
  while (n > 0) {
    long got = call(__NR_read, 0, (long)to, n, 0, 0, 0);
    if (got <= 0) quit(20);
    to += got;
    n -= got;
  }
}
static void flush(void) {
  uint32_t done = 0;
  while (done < outUsed) {
    long put = call(__NR_write, 1, (long)(out + done), outUsed - done, 0, 0, 0);
    if (put <= 0) quit(21);
    done += put;
  }
  outUsed = 0;
}
static void emit(const void *data, uint32_t n) {
  if (outUsed + n > sizeof out) flush();
  memcpy(out + outUsed, data, n);
  outUsed += n;
}

// The same runs as findChanges() of outcome.ts: bytes closer than 4 apart are one run.
static uint32_t findChanges(void) {
  uint32_t used = 0;
  for (size_t p = 0; p < sizeof pages / sizeof *pages; p++) {
    uint8_t *memory = (uint8_t *)(uintptr_t)pages[p].start;
    uint8_t *before = reference + (pages[p].start - BASE);
    uint32_t n = pages[p].bytes;
    if (!(pages[p].protection & 2) || same(memory, before, n)) continue;
    for (uint32_t at = 0; at < n;) {
      if (memory[at] == before[at]) { at++; continue; }
      uint32_t last = at;
      for (uint32_t i = at + 1; i < n && i - last <= 4; i++) if (memory[i] != before[i]) last = i;
      uint32_t head[2] = {pages[p].start + at, last - at + 1};
      if (used + 8 + head[1] > MAX_CHANGES) return used;
      memcpy(changes + used, head, 8);
      memcpy(changes + used + 8, memory + at, head[1]);
      used += 8 + head[1];
      at = last + 1;
    }
    memcpy(memory, image + (pages[p].start - BASE), n);
  }
  return used;
}

static void put(uint32_t address, const uint8_t *bytes, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    uint32_t at = address + i;
    reference[at - BASE] = bytes[i];
    for (size_t p = 0; p < sizeof pages / sizeof *pages; p++) {
      if (pages[p].protection & 2 && at >= pages[p].start && at < pages[p].start + pages[p].bytes) *(uint8_t *)(uintptr_t)at = bytes[i];
    }
  }
}
static void place(const struct test *t, int undo) {
  put(t->address, undo ? image + (t->address - BASE) : t->code, t->length);
  for (uint32_t i = 0; i < t->pokes; i++) {
    const struct poke *k = &t->poke[i];
    put(k->address, undo ? image + (k->address - BASE) : k->bytes, k->length);
  }
}

// LDT entries, by index; selectors have TI and RPL 3.
static const struct user_desc ldt[] = {
  {.entry_number = 0, .base_addr = 0x10000, .limit = 0xffff, .contents = 2},                                // CS, 16-bit
  {.entry_number = 1, .base_addr = 0x20000, .limit = 0x7fff},                                              // DS, GS
  {.entry_number = 2, .base_addr = 0x22000, .limit = 0x1fff},                                              // ES
  {.entry_number = 3, .base_addr = 0x30000, .limit = 0x1fff},                                              // SS
  {.entry_number = 4, .base_addr = 0x21000, .limit = 0xfff, .seg_32bit = 1},                               // FS
};
#define LDT(n) ((n) * 8 + 7)
enum { USER_CS = 0x33, USER32_CS = 0x23, USER_DS = 0x2b };

static void segments(uint32_t mode) {
  uint32_t ds = mode == COMPAT16 ? LDT(1) : USER_DS, es = mode == COMPAT16 ? LDT(2) : USER_DS;
  uint32_t gs = mode == COMPAT16 ? LDT(1) : USER_DS;
  __asm__ volatile("movl %0, %%ds; movl %1, %%es" : : "r"(ds), "r"(es));
  if (mode == LONG) {
    __asm__ volatile("movl %0, %%fs; movl %0, %%gs" : : "r"(0));
    __asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(0x21000ul), "r"(0x20000ul));
  } else {
    __asm__ volatile("movl %0, %%fs; movl %1, %%gs" : : "r"(LDT(4)), "r"(gs));
  }
}

static const uint8_t order[16] = {13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7}; // places in sigcontext's first 16

void onSignal(int number, siginfo_t *info, struct ucontext *context) {
  (void)info;
  __asm__ volatile("pushfq; andq $~0x244000, (%rsp); popfq"); // ID, AC, NT stay as they are across sigreturn
  struct sigcontext_64 *s = (struct sigcontext_64 *)&context->uc_mcontext;
  uint64_t *regs = (uint64_t *)s;
  // DS and ES may be anything; string instructions of memcpy do not use their bases in 64-bit mode.
  if (started) {
    struct test *t = &tests[current];
    struct result r;
    memset(&r, 0, sizeof r);
    for (int i = 0; i < 16; i++) r.gpr[i] = regs[order[i]];
    r.rip = s->ip;
    r.rflags = s->flags;
    r.cr2 = s->cr2;
    r.vector = number == SIGKILL ? 255 : (uint32_t)s->trapno;
    r.error = (uint32_t)s->err;
    r.changeBytes = findChanges();
    place(t, 1);
    emit(&r, sizeof r);
    emit(changes, r.changeBytes);
    current++;
  }
  started = 1;
  if (current == total) {
    flush();
    quit(0);
  }
  struct test *t = &tests[current];
  place(t, 0);
  for (int i = 0; i < 16; i++) regs[order[i]] = t->gpr[i];
  s->ip = t->mode == COMPAT16 ? t->address - BASE : t->address;
  s->flags = t->rflags;
  s->cs = t->mode == LONG ? USER_CS : t->mode == COMPAT32 ? USER32_CS : LDT(0);
  s->ss = t->mode == COMPAT16 ? LDT(3) : USER_DS;
  s->err = s->trapno = s->cr2 = 0;
  context->uc_flags |= 6; // UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
  segments(t->mode);
}

__asm__(".globl restorer\nrestorer:\n mov $15, %eax\n syscall\n");
extern void restorer(void);
struct action { void (*handler)(int, siginfo_t *, struct ucontext *); unsigned long flags; void (*restorer)(void); uint64_t mask; };

__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n and $-16, %rsp\n call entry\n");
__attribute__((used)) void entry(void) {
  static const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGUSR1};
  struct batch b;
  fill((uint8_t *)&b, sizeof b);
  fill(image, BYTES);
  if (b.cases > sizeof tests / sizeof *tests) quit(22);
  total = b.cases;
  fill((uint8_t *)tests, (long)total * (long)sizeof *tests);
  memcpy(reference, image, BYTES);
  for (size_t p = 0; p < sizeof pages / sizeof *pages; p++) {
    long n = pages[p].bytes, at = pages[p].start;
    check(call(__NR_mmap, at, n, 3, 0x8032, -1, 0), 10); // MAP_PRIVATE|ANONYMOUS|FIXED|POPULATE
    memcpy((void *)at, image + (at - BASE), n);
    check(call(__NR_mprotect, at, n, pages[p].protection, 0, 0, 0), 11);
  }
  for (size_t i = 0; i < sizeof ldt / sizeof *ldt; i++) {
    struct user_desc d = ldt[i];
    check(call(__NR_modify_ldt, 0x11, (long)&d, sizeof d, 0, 0, 0), 12);
  }
  stack_t stack = {.ss_sp = altstack, .ss_size = sizeof altstack};
  check(call(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0), 13);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct action a = {onSignal, 0x04000000 | 0x08000000 | 0x40000000 | 4, restorer, 0}; // RESTORER ONSTACK NODEFER SIGINFO
    check(call(__NR_rt_sigaction, signals[i], (long)&a, 0, 8, 0, 0), 14);
  }
  check(call(__NR_prctl, PR_SET_SECCOMP, 1, 0, 0, 0, 0), 15);
  __asm__ volatile("ud2"); // strict seccomp forbids kill, so the first signal comes from an instruction
  quit(16);
}
