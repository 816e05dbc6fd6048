// A host as the probe sees it.
import { EINVAL, ENOENT } from '../../src/engine/host/kvm/errors.js';
import { IOCTLS } from '../../src/engine/host/kvm/ioctls.js';
import type { KvmProbeIo } from '../../src/engine/host/kvm/probe.js';

export interface Host {
  flags?: string;
  modules?: string[];
  open?: number;
  version?: number;
  createVm?: number;
  capability?: (number: number) => number;
}

export function host(h: Host): KvmProbeIo & { closed: number[] } {
  const closed: number[] = [];
  return {
    closed,
    exists: () => h.open !== -ENOENT,
    read: (path) => {
      if (path === '/proc/cpuinfo') return `model name\t: A CPU\nflags\t\t: fpu ${h.flags ?? 'vmx'} sse\n`;
      if (path === '/sys/module/kvm_intel/parameters/nested') return 'Y\n';
      return undefined;
    },
    list: () => h.modules ?? ['kvm', 'kvm_intel', 'ext4'],
    open: () => h.open ?? 7,
    ioctl: (_fd, request, argument) => {
      if (request === IOCTLS.KVM_GET_API_VERSION) return h.version ?? 12;
      if (request === IOCTLS.KVM_CHECK_EXTENSION) return h.capability?.(argument) ?? (argument === 66 ? 240 : 1);
      if (request === IOCTLS.KVM_CREATE_VM) return h.createVm ?? 8;
      return -EINVAL;
    },
    close: (fd) => closed.push(fd),
  };
}
