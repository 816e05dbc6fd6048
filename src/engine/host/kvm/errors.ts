// One typed error for everything that /dev/kvm answers, with what to do about it.
import { getSystemErrorName } from 'node:util';
import { exitName, INTERNAL_ERRORS } from './exits.js';
import type { KvmStruct } from './structs.js';

export type KvmErrorKind =
  | 'no-library' // koffi has no binary for this platform
  | 'no-device' // /dev/kvm does not exist and no module drives it
  | 'module-absent' // the CPU has VT-x or SVM, yet no vendor module is loaded
  | 'no-permission'
  | 'wrong-version'
  | 'missing-capability'
  | 'create-refused' // KVM_CREATE_VM
  | 'ioctl' // any other request
  | 'memory' // mmap
  | 'internal-error' // KVM_EXIT_INTERNAL_ERROR
  | 'fail-entry' // KVM_EXIT_FAIL_ENTRY
  | 'stuck'; // a vCPU that does not come back after a kick

/** What the host lacks: its user's to mend, and told before a guest starts. */
const HOST_LACKS: readonly KvmErrorKind[] = [
  'no-library',
  'no-device',
  'module-absent',
  'no-permission',
  'wrong-version',
  'missing-capability',
  'create-refused',
];

/** Misuse or refusal by the host's KVM; `message` is one line: what was asked, what KVM answered, what to do. */
export class KvmError extends Error {
  override readonly name = 'KvmError';

  constructor(
    readonly kind: KvmErrorKind,
    what: string,
    readonly advice: string,
    /** errno, positive; 0 where there is none. */
    readonly errno = 0,
    /** The request by its header name, or the system call. */
    readonly call = '',
  ) {
    const answer = errno === 0 ? '' : `: ${errnoName(errno)}`;
    super(`${what}${answer}${advice === '' ? '' : `; ${advice}`}`);
  }

  get hostLacks(): boolean {
    return HOST_LACKS.includes(this.kind);
  }

  get errnoName(): string {
    return this.errno === 0 ? '' : errnoName(this.errno);
  }
}

/** `EACCES` for 13. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const E2BIG = 7;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const ENODEV = 19;
export const EINVAL = 22;
export const EMFILE = 24;
export const ENXIO = 6;

const IOCTL_ADVICE: Record<number, string> = {
  [EBUSY]: 'another hypervisor holds the CPU virtualization extensions: stop VirtualBox, VMware or the like',
  [ENOMEM]: 'free memory on the host or give the guest less',
  [EMFILE]: 'raise the limit of open files (ulimit -n)',
  [EPERM]: 'the kernel forbids this process KVM: check seccomp and container settings',
  [EACCES]: 'the kernel forbids this process KVM: check seccomp and container settings',
};

/** Error of a request that answered -1. */
export function ioctlError(call: string, errno: number): KvmError {
  if (call === 'KVM_CREATE_VM') {
    const advice = IOCTL_ADVICE[errno] ?? 'this host offers no usable virtualization: run with --engine vtx';
    return new KvmError('create-refused', 'KVM refused to create a machine (KVM_CREATE_VM)', advice, errno, call);
  }
  return new KvmError('ioctl', `KVM refused ${call}`, IOCTL_ADVICE[errno] ?? '', errno, call);
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The instruction that KVM could not emulate, as hex bytes; empty where KVM does not tell. */
export function failedInstruction(run: KvmStruct): string {
  const size = run.get('exit.emulation_failure.insn_size');
  const known = run.get('exit.emulation_failure.ndata') >= 2 && size > 0 && size <= 15;
  if (!known || (run.getBig('exit.emulation_failure.flags') & 1n) === 0n) return '';
  return Buffer.from(run.slice('exit.emulation_failure.insn_bytes').subarray(0, size)).toString('hex');
}

/** Error for an exit that means that KVM itself cannot go on, or undefined for an ordinary exit. */
export function exitError(run: KvmStruct, reason: number, rip: bigint): KvmError | undefined {
  if (exitName(reason) === 'KVM_EXIT_FAIL_ENTRY') {
    const code = hex(run.getBig('exit.fail_entry.hardware_entry_failure_reason'));
    return new KvmError(
      'fail-entry',
      `the CPU refused to enter the guest at ${hex(rip)} (KVM_EXIT_FAIL_ENTRY, hardware reason ${code})`,
      'the guest state is not one that this CPU can run: compare with --engine vtx, which names the failed check',
    );
  }
  if (exitName(reason) !== 'KVM_EXIT_INTERNAL_ERROR') return undefined;
  const suberror = run.get('exit.internal.suberror');
  const name = Object.entries(INTERNAL_ERRORS).find(([, value]) => value === suberror)?.[0] ?? `suberror ${suberror}`;
  const bytes = suberror === INTERNAL_ERRORS.KVM_INTERNAL_ERROR_EMULATION ? failedInstruction(run) : '';
  return new KvmError(
    'internal-error',
    `KVM cannot go on at ${hex(rip)} (KVM_EXIT_INTERNAL_ERROR, ${name}${bytes === '' ? '' : `, bytes ${bytes}`})`,
    suberror === INTERNAL_ERRORS.KVM_INTERNAL_ERROR_EMULATION
      ? "the host's KVM does not emulate this instruction: run with --engine vtx"
      : 'run with --engine vtx',
  );
}
