import { describe, expect, it } from 'vitest';
import { EACCES, EBUSY, ENODEV, ENOENT, exitError } from '../../src/engine/host/kvm/errors.js';
import { EXIT_REASONS } from '../../src/engine/host/kvm/exits.js';
import { describeProbe, probeKvm } from '../../src/engine/host/kvm/probe.js';
import { KVM_RUN_PAGE, KvmStruct } from '../../src/engine/host/kvm/structs.js';
import { type Host, host } from './probe-host.js';

describe('exits that KVM cannot get over', () => {
  it('an emulation failure names the place and the bytes', () => {
    const run = new KvmStruct(KVM_RUN_PAGE);
    run.set('exit.emulation_failure.suberror', 1).set('exit.emulation_failure.ndata', 3);
    run.set('exit.emulation_failure.flags', 1n).set('exit.emulation_failure.insn_size', 3);
    run.slice('exit.emulation_failure.insn_bytes').set([0x0f, 0x02, 0xc0]);
    const error = exitError(run, EXIT_REASONS.KVM_EXIT_INTERNAL_ERROR, 0x1000n);
    expect(error?.kind).toBe('internal-error');
    expect(error?.message).toBe(
      'KVM cannot go on at 0x1000 (KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION, bytes 0f02c0); ' +
        "the host's KVM does not emulate this instruction: run with --engine vtx",
    );
  });

  it('a failed entry carries the hardware reason', () => {
    const run = new KvmStruct(KVM_RUN_PAGE).set('exit.fail_entry.hardware_entry_failure_reason', 0x8000_0021n);
    const error = exitError(run, EXIT_REASONS.KVM_EXIT_FAIL_ENTRY, 0xfff0n);
    expect(error?.kind).toBe('fail-entry');
    expect(error?.message).toContain('at 0xfff0 (KVM_EXIT_FAIL_ENTRY, hardware reason 0x80000021)');
  });

  it('an ordinary exit is no error', () => {
    expect(exitError(new KvmStruct(KVM_RUN_PAGE), EXIT_REASONS.KVM_EXIT_HLT, 0n)).toBeUndefined();
  });
});

describe('probeKvm', () => {
  it('a host with VT-x is usable without a remark', () => {
    const io = host({});
    const probe = probeKvm(io);
    expect(probe).toMatchObject({ usable: true, reason: '', nested: true, paravirtual: false, maxVcpus: 240 });
    expect(probe.modules).toEqual(['kvm', 'kvm_intel']);
    expect(probe.capabilities.map((c) => c.name)).toContain('KVM_CAP_SET_GUEST_DEBUG');
    expect(io.closed).toEqual([8, 7]);
  });

  it('no vmx or svm flag, yet machines can be made: paravirtual', () => {
    const probe = probeKvm(host({ flags: 'hypervisor', modules: ['kvm', 'kvm_pvm'] }));
    expect(probe).toMatchObject({ usable: true, paravirtual: true });
    expect(describeProbe(probe).at(-1)).toContain('small guests run');
  });

  it.each<[string, Host, string, string, RegExp]>([
    [
      'no device',
      { flags: '', modules: [], open: -ENOENT },
      'no-device',
      'there is no /dev/kvm: ENOENT',
      /--engine vtx/,
    ],
    [
      'module absent',
      { modules: ['kvm'], open: -ENOENT },
      'module-absent',
      'the kernel module kvm_intel is not loaded: ENOENT',
      /modprobe kvm_intel/,
    ],
    [
      'module absent on AMD',
      { flags: 'svm', modules: [], open: -ENODEV },
      'module-absent',
      'the kernel module kvm_amd is not loaded: ENODEV',
      /modprobe kvm_amd/,
    ],
    ['no permission', { open: -EACCES }, 'no-permission', 'no permission to open /dev/kvm: EACCES', /usermod -aG kvm/],
    [
      'machine refused',
      { createVm: -EBUSY },
      'create-refused',
      'KVM refused to create a machine (KVM_CREATE_VM): EBUSY',
      /VirtualBox/,
    ],
    ['old API', { version: 10 }, 'wrong-version', 'KVM speaks API version 10, not 12', /^$/],
    [
      'capability missing',
      { capability: (n) => (n === 136 ? 0 : 1) },
      'missing-capability',
      'this KVM lacks KVM_CAP_IMMEDIATE_EXIT',
      /newer host kernel/,
    ],
  ])('%s', (_name, h, kind, reason, advice) => {
    const io = host(h);
    const probe = probeKvm(io);
    expect(probe.usable).toBe(false);
    expect(probe.error?.kind).toBe(kind);
    expect(probe.reason).toBe(reason);
    expect(probe.advice).toMatch(advice);
    expect(describeProbe(probe).join('\n')).toContain(reason);
    expect(io.closed).toEqual(h.open === undefined ? [7] : []);
  });
});
