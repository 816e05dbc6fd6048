/*
 * Runs state-saving instructions on the host CPU. stdin: cases; stdout: the same records after running.
 * A case: u64 operation, u64 mask, u64 fault, u64 pad, 832 bytes of the state before (standard XSAVE format), 832 bytes of area.
 * Operations: 0 FXSAVE, 1 XSAVE, 2 XSAVEOPT, 3 XSAVEC to the area; 4 XRSTOR, 5 FXRSTOR from it, with the state after in its place.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct record {
  uint64_t operation, mask, fault, pad;
  uint8_t state[832], area[832];
};

static uint8_t state[4096] __attribute__((aligned(64)));
static uint8_t area[4096] __attribute__((aligned(64)));
static uint8_t own[8192] __attribute__((aligned(64)));
static sigjmp_buf back;

static void on_signal(int number) {
  (void)number;
  siglongjmp(back, 1);
}

#define RUN(instruction)                                                                                         \
  __asm__ volatile("mov $-1, %%eax\n mov $-1, %%edx\n xsave (%3)\n"                                               \
                   "mov $7, %%eax\n xor %%edx, %%edx\n xrstor (%0)\n"                                             \
                   "mov %2, %%eax\n xor %%edx, %%edx\n" instruction "\n"                                          \
                   "mov $-1, %%eax\n mov $-1, %%edx\n xrstor (%3)\n"                                              \
                   :                                                                                              \
                   : "r"(state), "r"(area), "r"((uint32_t)record.mask), "r"(own)                                  \
                   : "eax", "edx", "memory")
#define AFTER "\n mov $7, %%eax\n xor %%edx, %%edx\n xsave (%1)"

int main(void) {
  static struct record record;
  signal(SIGSEGV, on_signal);
  signal(SIGILL, on_signal);
  while (fread(&record, sizeof record, 1, stdin) == 1) {
    memset(state, 0, sizeof state);
    memset(area, 0, sizeof area);
    memcpy(state, record.state, sizeof record.state);
    memcpy(area, record.area, sizeof record.area);
    if (sigsetjmp(back, 1) == 0) {
      switch (record.operation) {
        case 0: RUN("fxsave64 (%1)"); break;
        case 1: RUN("xsave64 (%1)"); break;
        case 2: RUN("xsaveopt64 (%1)"); break;
        case 3: RUN("xsavec64 (%1)"); break;
        case 4: RUN("xrstor64 (%1)" AFTER); break;
        default: RUN("fxrstor64 (%1)" AFTER); break;
      }
    } else {
      record.fault = 1;
    }
    memcpy(record.area, area, sizeof record.area);
    fwrite(&record, sizeof record, 1, stdout);
  }
  return 0;
}
