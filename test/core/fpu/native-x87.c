/*
 * Runs x87 instructions on the host CPU. stdin: cases; stdout: the same records after running.
 * A case: u64 rax, u64 flags, u64 fault, 112 bytes of FSAVE image (32-bit format), 32 bytes of memory at rbp,
 * u64 length, 16 bytes of code that runs between FRSTOR and FNSAVE.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct record {
  uint64_t rax, flags, fault;
  uint8_t state[112];
  uint8_t memory[32];
  uint64_t length;
  uint8_t code[16];
};

void run_case(struct record *record, void *code, void *memory, void *state);
__asm__(
    ".globl run_case\n"
    "run_case:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rdi, %r15\n  mov %rsi, %r14\n  mov %rdx, %rbp\n  mov %rcx, %r13\n"
    "  push 8(%r15)\n"
    "  mov 0(%r15), %rax\n"
    "  frstor (%r13)\n"
    "  popfq\n"
    "  call *%r14\n"
    "  pushfq\n"
    "  mov %rax, 0(%r15)\n"
    "  pop 8(%r15)\n"
    "  fnsave (%r13)\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n  ret\n");

static sigjmp_buf back;
static volatile int signal_number;
static void on_signal(int number) {
  signal_number = number;
  siglongjmp(back, 1);
}

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static uint8_t memory[32] __attribute__((aligned(64))), state[112] __attribute__((aligned(64)));
  static struct record record;
  if (code == MAP_FAILED) return 1;
  signal(SIGFPE, on_signal);
  signal(SIGILL, on_signal);
  signal(SIGSEGV, on_signal);
  while (fread(&record, sizeof record, 1, stdin) == 1) {
    memcpy(code, record.code, record.length);
    code[record.length] = 0xc3;
    memcpy(memory, record.memory, sizeof memory);
    memcpy(state, record.state, sizeof state);
    if (sigsetjmp(back, 1) == 0) {
      run_case(&record, code, memory, state);
      memcpy(record.memory, memory, sizeof memory);
      memcpy(record.state, state, sizeof state);
    } else {
      record.fault = (uint64_t)signal_number;
      __asm__ volatile("fninit");
    }
    fwrite(&record, sizeof record, 1, stdout);
  }
  return 0;
}
