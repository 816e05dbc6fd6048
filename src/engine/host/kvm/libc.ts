// The few C library calls behind /dev/kvm.
import { type CLibrary, cLibrary } from '../../../native/c-library.js';
import { KvmError } from './errors.js';

export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const O_CLOEXEC = 0o2000000;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 1;
export const MADV_DONTNEED = 4;
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const SIG_BLOCK = 0;
/** Handler value that makes the kernel drop a signal. */
export const SIG_IGN = 1;

/** Addresses are numbers: user space ends at 2^47. */
export interface Libc extends Pick<CLibrary, 'errno' | 'view' | 'addressOf'> {
  open(path: string, flags: number): number;
  close(fd: number): number;
  ioctlValue(fd: number, request: number, value: number): number;
  ioctlPointer(fd: number, request: number, argument: Uint8Array): number;
  mmap(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(address: number, bytes: number): number;
  madvise(address: number, bytes: number, advice: number): number;
  fallocate(fd: number, mode: number, offset: number, bytes: number): number;
  /** F_GETFL and F_SETFL. */
  fcntl(fd: number, command: number, argument: number): number;
  /** Ends the process at once, threads that hang in the kernel included. */
  exitNow(status: number): void;
  getpid(): number;
  gettid(): number;
  tgkill(pid: number, tid: number, signal: number): number;
  signal(signal: number, handler: number): number;
  pthreadSigmask(how: number, set: Uint8Array, old: null): number;
  sigtimedwait(set: Uint8Array, info: null, timeout: Uint8Array): number;
  /** syscall(2) by number, with up to four arguments. */
  systemCall(number: number, a: number, b: Uint8Array | null, c: Uint8Array | null, d: null): number;
  /** syscall(2) whose first argument is a pointer, with four numbers behind it; and with three numbers. */
  systemCallPointer(number: number, a: Uint8Array, b: number, c: number, d: number, e: number): number;
  systemCallNumbers(number: number, a: number, b: number, c: number): number;
}

let loaded: Libc | undefined;

/** @throws KvmError `no-library` */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  let library: CLibrary;
  try {
    library = cLibrary();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new KvmError('no-library', `the koffi package cannot be loaded (${why})`, 'run npm install on this machine');
  }
  const { func, errno, view, addressOf } = library;
  return {
    open: func('open', 'int', 'str', 'int'),
    close: func('close', 'int', 'int'),
    ioctlValue: func('ioctl', 'int', 'int', 'unsigned long', 'uintptr_t'),
    ioctlPointer: func('ioctl', 'int', 'int', 'unsigned long', 'void *'),
    mmap: func('mmap', 'intptr_t', 'uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t'),
    munmap: func('munmap', 'int', 'uintptr_t', 'size_t'),
    madvise: func('madvise', 'int', 'uintptr_t', 'size_t', 'int'),
    fallocate: func('fallocate', 'int', 'int', 'int', 'int64_t', 'int64_t'),
    fcntl: func('fcntl', 'int', 'int', 'int', 'int'),
    exitNow: func('_exit', 'void', 'int'),
    getpid: func('getpid', 'int'),
    gettid: func('gettid', 'int'),
    tgkill: func('tgkill', 'int', 'int', 'int', 'int'),
    signal: func('signal', 'intptr_t', 'int', 'uintptr_t'),
    pthreadSigmask: func('pthread_sigmask', 'int', 'int', 'void *', 'void *'),
    sigtimedwait: func('sigtimedwait', 'int', 'void *', 'void *', 'void *'),
    systemCall: func('syscall', 'long', 'long', 'long', 'void *', 'void *', 'void *'),
    systemCallPointer: func('syscall', 'long', 'long', 'void *', 'int', 'int', 'int', 'unsigned long'),
    systemCallNumbers: func('syscall', 'long', 'long', 'long', 'long', 'long'),
    ...{ errno, view, addressOf },
  };
}
