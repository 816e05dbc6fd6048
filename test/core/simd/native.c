/*
 * Runs vector instruction cases on the host CPU. stdin: records; stdout: the same records after running.
 * The layout is that of cases.ts. RBP points 64 bytes into the memory; option 1: RDI counts from there; option 2: the
 * case runs in 32-bit compatibility mode, so the program and its data have to lie below 4 GiB (-no-pie).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <immintrin.h>

struct record {
  uint64_t gpr[16], flags, fault;
  uint32_t mxcsr, options;
  uint64_t pad;
  uint8_t ymm[16][32];
  uint8_t fx[512];
  uint8_t memory[192];
  uint64_t length;
  uint8_t code[16];
  uint64_t pad2;
};

static struct record record __attribute__((aligned(64)));
static uint8_t memory[192] __attribute__((aligned(64)));
uint8_t *code_page;
struct record *const current = &record;
uint64_t saved_rsp;
uint8_t *const data = memory + 64;

uint32_t compatibility;
static uint8_t low_stack[4096] __attribute__((aligned(16)));
uint8_t *const low_top = low_stack + sizeof low_stack;
void back_in_64(void);
/* Selectors of Linux. */
enum { CODE_32 = 0x23, CODE_64 = 0x33, DATA = 0x2b };

void run_case(void);
__asm__(
    ".globl run_case\n"
    "run_case:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, saved_rsp(%rip)\n"
    "  mov current(%rip), %rax\n"
    "  fxrstor64 672(%rax)\n"
    "  vmovdqu 160(%rax), %ymm0\n  vmovdqu 192(%rax), %ymm1\n  vmovdqu 224(%rax), %ymm2\n  vmovdqu 256(%rax), %ymm3\n"
    "  vmovdqu 288(%rax), %ymm4\n  vmovdqu 320(%rax), %ymm5\n  vmovdqu 352(%rax), %ymm6\n  vmovdqu 384(%rax), %ymm7\n"
    "  vmovdqu 416(%rax), %ymm8\n  vmovdqu 448(%rax), %ymm9\n  vmovdqu 480(%rax), %ymm10\n  vmovdqu 512(%rax), %ymm11\n"
    "  vmovdqu 544(%rax), %ymm12\n  vmovdqu 576(%rax), %ymm13\n  vmovdqu 608(%rax), %ymm14\n  vmovdqu 640(%rax), %ymm15\n"
    "  ldmxcsr 144(%rax)\n"
    "  push 128(%rax)\n"
    "  mov 8(%rax), %rcx\n  mov 16(%rax), %rdx\n  mov 24(%rax), %rbx\n  mov data(%rip), %rbp\n"
    "  mov 48(%rax), %rsi\n  mov 56(%rax), %rdi\n  mov 64(%rax), %r8\n  mov 72(%rax), %r9\n  mov 80(%rax), %r10\n"
    "  mov 88(%rax), %r11\n  mov 96(%rax), %r12\n  mov 104(%rax), %r13\n  mov 112(%rax), %r14\n  mov 120(%rax), %r15\n"
    "  cmpl $0, compatibility(%rip)\n"
    "  mov 0(%rax), %rax\n"
    "  jne 1f\n"
    "  popfq\n"
    "  call *code_page(%rip)\n"
    "  jmp 2f\n"
    "1: popfq\n"
    "  mov low_top(%rip), %rsp\n"
    "  pushq $0x23\n"
    "  pushq code_page(%rip)\n"
    "  lretq\n"
    ".globl back_in_64\n"
    "back_in_64:\n"
    "  mov saved_rsp(%rip), %rsp\n"
    "2:\n"
    "  pushfq\n"
    "  push %rax\n"
    "  mov current(%rip), %rax\n"
    "  mov %rcx, 8(%rax)\n  mov %rdx, 16(%rax)\n  mov %rbx, 24(%rax)\n"
    "  mov %rsi, 48(%rax)\n  mov %rdi, 56(%rax)\n  mov %r8, 64(%rax)\n  mov %r9, 72(%rax)\n  mov %r10, 80(%rax)\n"
    "  mov %r11, 88(%rax)\n  mov %r12, 96(%rax)\n  mov %r13, 104(%rax)\n  mov %r14, 112(%rax)\n  mov %r15, 120(%rax)\n"
    "  popq 0(%rax)\n"
    "  popq 128(%rax)\n"
    "  stmxcsr 144(%rax)\n"
    "  fxsave64 672(%rax)\n"
    "  vmovdqu %ymm0, 160(%rax)\n  vmovdqu %ymm1, 192(%rax)\n  vmovdqu %ymm2, 224(%rax)\n  vmovdqu %ymm3, 256(%rax)\n"
    "  vmovdqu %ymm4, 288(%rax)\n  vmovdqu %ymm5, 320(%rax)\n  vmovdqu %ymm6, 352(%rax)\n  vmovdqu %ymm7, 384(%rax)\n"
    "  vmovdqu %ymm8, 416(%rax)\n  vmovdqu %ymm9, 448(%rax)\n  vmovdqu %ymm10, 480(%rax)\n  vmovdqu %ymm11, 512(%rax)\n"
    "  vmovdqu %ymm12, 544(%rax)\n  vmovdqu %ymm13, 576(%rax)\n  vmovdqu %ymm14, 608(%rax)\n  vmovdqu %ymm15, 640(%rax)\n"
    "  vzeroupper\n  fninit\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n  ret\n");

static sigjmp_buf back;
static volatile int signal_number;
static volatile uint32_t signal_mxcsr;
static uint8_t alternate[65536];
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *uc = context;
  signal_number = number;
  signal_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
  siglongjmp(back, 1);
}

/* Some kernels are without 32-bit programs: their selector of code is not to be had then. */
static int has_compatibility(void) {
  uint32_t rights;
  uint8_t found;
  __asm__("lar %2, %0\n\tsetz %1" : "=r"(rights), "=q"(found) : "r"(CODE_32) : "cc");
  return found;
}

/* With an argument: status 0 where the machine has compatibility mode. */
int main(int count, char **arguments) {
  (void)arguments;
  if (count > 1) return !has_compatibility();
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  code_page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  __asm__ volatile("mov %0, %%ds\n mov %0, %%es" ::"r"(DATA));
  if (code_page == MAP_FAILED) return 1;
  sigaltstack(&stack, 0);
  sigaction(SIGFPE, &action, 0);
  sigaction(SIGILL, &action, 0);
  sigaction(SIGSEGV, &action, 0);
  sigaction(SIGBUS, &action, 0);
  while (fread(&record, sizeof record, 1, stdin) == 1) {
    static struct record before;
    before = record;
    memcpy(code_page, record.code, record.length);
    compatibility = record.options & 2;
    uint8_t *end = code_page + record.length;
    if (compatibility) {
      uint32_t target = (uint32_t)(uintptr_t)back_in_64;
      *end = 0xea; /* a far jump */
      memcpy(end + 1, &target, 4);
      end[5] = CODE_64;
      end[6] = 0;
    } else {
      *end = 0xc3;
    }
    memcpy(memory, record.memory, sizeof memory);
    if (record.options & 1) record.gpr[7] += (uint64_t)data;
    if (sigsetjmp(back, 1) == 0) {
      run_case();
      if (before.options & 1) record.gpr[7] -= (uint64_t)data;
      memcpy(record.memory, memory, sizeof memory);
    } else {
      __asm__ volatile("fninit");
      _mm_setcsr(0x1f80);
      record = before;
      record.fault = (uint64_t)signal_number;
      record.mxcsr = signal_mxcsr;
    }
    _mm_setcsr(0x1f80);
    fwrite(&record, sizeof record, 1, stdout);
  }
  return 0;
}
