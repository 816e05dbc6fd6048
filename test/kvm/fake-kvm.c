// A host's KVM that refuses or fails on request, between vmscope and the C library (LD_PRELOAD). FAKE_KVM says how:
// open=ERRNO, create=ERRNO, run=internal:SUBERROR, run=fail-entry, run=stuck:N (from the Nth KVM_RUN on); the rest goes to
// the real one.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_FDS 4096
static struct kvm_run *pages[MAX_FDS];

/* What stands behind `name=` in FAKE_KVM, or NULL. */
static const char *asked(const char *name) {
  const char *wish = getenv("FAKE_KVM");
  size_t length = strlen(name);
  return wish && !strncmp(wish, name, length) && wish[length] == '=' ? wish + length + 1 : NULL;
}

int open(const char *path, int flags, ...) {
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  const char *wish = asked("open");
  va_list rest;
  va_start(rest, flags);
  int mode = va_arg(rest, int);
  va_end(rest);
  if (wish && !strcmp(path, "/dev/kvm")) {
    errno = atoi(wish);
    return -1;
  }
  return real(path, flags, mode);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
  void *result = real(address, length, protection, flags, fd, offset);
  if (fd >= 0 && fd < MAX_FDS && result != MAP_FAILED) pages[fd] = result;
  return result;
}

/* 1: the real KVM_RUN is to be asked. */
static int run(int fd, const char *wish) {
  static int runs;
  struct kvm_run *page = pages[fd];
  if (!strncmp(wish, "stuck", 5)) {
    if (runs++ < atoi(strchr(wish, ':') + 1)) return 1;
    for (;;) sleep(1000);
  }
  if (page->immediate_exit) {
    errno = EINTR;
    return -1;
  }
  if (!strcmp(wish, "fail-entry")) {
    page->exit_reason = KVM_EXIT_FAIL_ENTRY;
    page->fail_entry.hardware_entry_failure_reason = 0x80000021;
  } else {
    page->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    page->internal.suberror = atoi(strchr(wish, ':') + 1);
    page->internal.ndata = 0;
  }
  return 0;
}

int ioctl(int fd, unsigned long request, ...) {
  int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
  va_list rest;
  va_start(rest, request);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  const char *wish = asked("create");
  if (request == KVM_CREATE_VM && wish) {
    errno = atoi(wish);
    return -1;
  }
  wish = asked("run");
  if (request == KVM_RUN && wish && fd < MAX_FDS && pages[fd]) {
    int answer = run(fd, wish);
    if (answer != 1) return answer;
  }
  return real(fd, request, argument);
}
