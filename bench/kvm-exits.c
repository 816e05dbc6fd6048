// Exits a second of the smallest user of /dev/kvm: one vCPU in real mode, KVM_RUN in a loop, nothing done about an exit
// but what the guest needs to go on. Usage: kvm-exits CODE-IN-HEX SECONDS; prints exits a second.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 1 << 20, START = 0x7c00 };

static int check(int result, const char *what) {
  if (result < 0) {
    perror(what);
    exit(1);
  }
  return result;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  uint8_t *memory = mmap(0, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < strlen(argv[1]) / 2; i++) {
    unsigned byte;
    sscanf(argv[1] + i * 2, "%2x", &byte);
    memory[START + i] = (uint8_t)byte;
  }
  struct kvm_userspace_memory_region region = {0, 0, 0, BYTES, (uint64_t)(uintptr_t)memory};
  check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
  int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
  int size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run *run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  struct kvm_sregs sregs;
  check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
  sregs.cs.base = sregs.cs.selector = 0;
  check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
  struct kvm_regs regs = {.rip = START, .rsp = START, .rflags = 2};
  check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
  volatile uint64_t sum = 0;
  long exits = 0;
  double start = now(), end = start + atof(argv[2]);
  while ((exits & 255) || now() < end) {
    check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
    if (run->exit_reason == KVM_EXIT_IO) sum += ((uint8_t *)run)[run->io.data_offset];
    else if (run->exit_reason == KVM_EXIT_MMIO) sum += run->mmio.data[0];
    else return fprintf(stderr, "exit reason %u\n", run->exit_reason), 1;
    exits++;
  }
  printf("%.0f\n", exits / (now() - start));
  return 0;
}
