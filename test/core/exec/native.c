/*
 * Runs instruction cases on the host CPU. stdin: cases; stdout: the same records after running.
 * A case: u64 registers rax rcx rdx rbx rsi rdi r8 r9, u64 flags, u64 fault, 64 bytes of memory, u64 length, 16 bytes of code.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct record {
  uint64_t registers[8], flags, fault;
  uint8_t memory[64];
  uint64_t length;
  uint8_t code[16];
};

void run_case(struct record *record, void *code, void *memory);
__asm__(
    ".globl run_case\n"
    "run_case:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rdi, %r15\n  mov %rsi, %r14\n  mov %rdx, %rbp\n"
    "  push 64(%r15)\n"
    "  mov 0(%r15), %rax\n  mov 8(%r15), %rcx\n  mov 16(%r15), %rdx\n  mov 24(%r15), %rbx\n"
    "  mov 32(%r15), %rsi\n  mov 40(%r15), %rdi\n  mov 48(%r15), %r8\n  mov 56(%r15), %r9\n"
    "  popfq\n"
    "  call *%r14\n"
    "  pushfq\n"
    "  mov %rax, 0(%r15)\n  mov %rcx, 8(%r15)\n  mov %rdx, 16(%r15)\n  mov %rbx, 24(%r15)\n"
    "  mov %rsi, 32(%r15)\n  mov %rdi, 40(%r15)\n  mov %r8, 48(%r15)\n  mov %r9, 56(%r15)\n"
    "  pop 64(%r15)\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n  ret\n");

static sigjmp_buf back;
static volatile int signal_number;
static void on_signal(int number) {
  signal_number = number;
  siglongjmp(back, 1);
}

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static uint8_t memory[64] __attribute__((aligned(64)));
  static struct record record;
  if (code == MAP_FAILED) return 1;
  signal(SIGFPE, on_signal);
  signal(SIGILL, on_signal);
  signal(SIGSEGV, on_signal);
  while (fread(&record, sizeof record, 1, stdin) == 1) {
    struct record before = record;
    memcpy(code, record.code, record.length);
    code[record.length] = 0xc3;
    memcpy(memory, record.memory, sizeof memory);
    if (sigsetjmp(back, 1) == 0) {
      run_case(&record, code, memory);
      memcpy(record.memory, memory, sizeof memory);
    } else {
      record = before;
      record.fault = (uint64_t)signal_number;
    }
    fwrite(&record, sizeof record, 1, stdout);
  }
  return 0;
}
