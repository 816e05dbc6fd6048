// What this host offers, for `vmscope doctor` and `--engine auto`, through an interface that tests replace.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { counted } from '../../counted.js';
import { CAPABILITIES, type CapabilityName, REQUIRED_CAPABILITIES } from './capabilities.js';
import { EACCES, EBUSY, ENODEV, ENOENT, ENXIO, EPERM, ioctlError, KvmError } from './errors.js';
import { IOCTLS, KVM_API_VERSION } from './ioctls.js';
import { libc, O_CLOEXEC, O_RDWR } from './libc.js';

const DEVICE = '/dev/kvm';

/** The host as the probe sees it; errors are answered as -errno. */
export interface KvmProbeIo {
  exists(path: string): boolean;
  /** Contents of a small file, undefined when it cannot be read. */
  read(path: string): string | undefined;
  /** Names in a folder, empty when there is none. */
  list(path: string): string[];
  open(path: string): number;
  ioctl(fd: number, request: number, argument: number): number;
  close(fd: number): void;
}

export interface KvmProbe {
  /** A machine can be created. */
  usable: boolean;
  /** One line: why not, or what is special. Empty when all is well. */
  reason: string;
  advice: string;
  error?: KvmError;
  device: boolean;
  apiVersion?: number;
  capabilities: { name: CapabilityName; value: number }[];
  maxVcpus?: number;
  recommendedVcpus?: number;
  /** Hypervisors inside guests. */
  nested: boolean;
  cpu: { vmx: boolean; svm: boolean; model: string };
  /** KVM modules that are loaded or built in. */
  modules: string[];
  /** /dev/kvm makes machines though the CPU shows neither VT-x nor SVM. */
  paravirtual: boolean;
}

/** The error for open("/dev/kvm") answering errno, given what else the host shows. */
export function openError(errno: number, cpu?: { vmx: boolean; svm: boolean }, modules: string[] = []): KvmError {
  if (errno === EACCES || errno === EPERM) {
    const advice = 'add your user to the group that owns it (sudo usermod -aG kvm $USER) and log in again';
    return new KvmError('no-permission', `no permission to open ${DEVICE}`, advice, errno, 'open');
  }
  if (errno === EBUSY) {
    const advice = 'another hypervisor holds it: stop VirtualBox, VMware or the like';
    return new KvmError('create-refused', `${DEVICE} is busy`, advice, errno, 'open');
  }
  const vendor = cpu?.vmx ? 'kvm_intel' : cpu?.svm ? 'kvm_amd' : undefined;
  const loaded = modules.some((name) => name !== 'kvm');
  if (vendor && !loaded) {
    const advice = `load it (sudo modprobe ${vendor}); if that fails, virtualization is switched off in the firmware`;
    return new KvmError('module-absent', `the kernel module ${vendor} is not loaded`, advice, errno, 'open');
  }
  const known = errno === ENOENT || errno === ENODEV || errno === ENXIO;
  const advice = known
    ? 'this host offers no KVM to programs (a virtual machine without nested virtualization, or a container ' +
      'without the device): run with --engine vtx'
    : 'run with --engine vtx';
  return new KvmError('no-device', known ? `there is no ${DEVICE}` : `cannot open ${DEVICE}`, advice, errno, 'open');
}

/** The real host. ioctls need koffi; without it they answer -ENODEV. */
export const hostProbeIo: KvmProbeIo = {
  exists: existsSync,
  read: (path) => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return undefined;
    }
  },
  list: (path) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  open: (path) => {
    const fd = libc().open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -libc().errno() : fd;
  },
  ioctl: (fd, request, argument) => {
    const result = libc().ioctlValue(fd, request, argument);
    return result < 0 ? -libc().errno() : result;
  },
  close: (fd) => void libc().close(fd),
};

/** Never throws: what is missing is in `reason` and `advice`. */
export function probeKvm(io: KvmProbeIo = hostProbeIo): KvmProbe {
  const cpuinfo = io.read('/proc/cpuinfo') ?? '';
  const flags = (/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '').split(' ');
  const cpu = {
    vmx: flags.includes('vmx'),
    svm: flags.includes('svm'),
    model: /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? '',
  };
  const modules = io.list('/sys/module').filter((name) => /^kvm(_\w+)?$/.test(name));
  const probe: KvmProbe = {
    usable: false,
    reason: '',
    advice: '',
    device: io.exists(DEVICE),
    capabilities: [],
    nested: ['kvm_intel', 'kvm_amd'].some((name) =>
      /^[Y1]/.test(io.read(`/sys/module/${name}/parameters/nested`) ?? ''),
    ),
    cpu,
    modules,
    paravirtual: false,
  };
  const fail = (error: KvmError): KvmProbe => {
    const cut = error.advice === '' ? error.message.length : error.message.length - error.advice.length - 2;
    return { ...probe, usable: false, reason: error.message.slice(0, cut), advice: error.advice, error };
  };

  let fd: number;
  try {
    fd = io.open(DEVICE);
  } catch (error) {
    if (error instanceof KvmError) return fail(error);
    throw error;
  }
  if (fd < 0) return fail(openError(-fd, cpu, modules));
  try {
    const version = io.ioctl(fd, IOCTLS.KVM_GET_API_VERSION, 0);
    if (version < 0) return fail(ioctlError('KVM_GET_API_VERSION', -version));
    probe.apiVersion = version;
    if (version !== KVM_API_VERSION) {
      return fail(new KvmError('wrong-version', `KVM speaks API version ${version}, not ${KVM_API_VERSION}`, ''));
    }
    for (const [name, number] of Object.entries(CAPABILITIES) as [CapabilityName, number][]) {
      const value = io.ioctl(fd, IOCTLS.KVM_CHECK_EXTENSION, number);
      if (value > 0) probe.capabilities.push({ name, value });
    }
    const value = (name: CapabilityName): number => probe.capabilities.find((c) => c.name === name)?.value ?? 0;
    probe.recommendedVcpus = value('KVM_CAP_NR_VCPUS');
    probe.maxVcpus = value('KVM_CAP_MAX_VCPUS') || probe.recommendedVcpus;
    const missing = REQUIRED_CAPABILITIES.find((name) => value(name) === 0);
    if (missing) {
      return fail(new KvmError('missing-capability', `this KVM lacks ${missing}`, 'a newer host kernel has it'));
    }
    const vm = io.ioctl(fd, IOCTLS.KVM_CREATE_VM, 0);
    if (vm < 0) return fail(ioctlError('KVM_CREATE_VM', -vm));
    io.close(vm);
    probe.usable = true;
  } catch (error) {
    if (error instanceof KvmError) return fail(error);
    throw error;
  } finally {
    io.close(fd);
  }
  if (!cpu.vmx && !cpu.svm) {
    probe.paravirtual = true;
    probe.reason = 'paravirtual KVM: it makes machines, yet the CPU shows neither vmx nor svm';
    probe.advice = 'small guests run; stock kernels and some instructions may not: --engine vtx runs them';
  }
  return probe;
}

/** The lines of `vmscope doctor` about KVM. */
export function describeProbe(probe: KvmProbe): string[] {
  const flags = [probe.cpu.vmx && 'vmx', probe.cpu.svm && 'svm'].filter(Boolean).join(' ') || 'neither vmx nor svm';
  const lines = [
    `CPU           ${probe.cpu.model || 'unknown'}: ${flags}`,
    `KVM modules   ${probe.modules.join(' ') || 'none'}`,
    `${DEVICE}      ${probe.usable ? 'usable' : (probe.error?.message ?? probe.reason)}`,
  ];
  if (probe.apiVersion !== undefined) {
    const nested = probe.nested ? 'nested virtualization on' : 'no nested virtualization';
    lines.push(`KVM API       version ${probe.apiVersion}, up to ${counted(probe.maxVcpus ?? 1, 'vCPU')}, ${nested}`);
    const names = probe.capabilities.map((c) => c.name.replace('KVM_CAP_', '').toLowerCase());
    lines.push(`capabilities  ${names.join(' ')}`);
  }
  if (probe.usable && probe.reason !== '') lines.push(`note          ${probe.reason}; ${probe.advice}`);
  return lines;
}
