/** What a user is told when the host's KVM refuses or fails, through the program as it is started. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, SAMPLES } from '../samples/catalogue.js';
import { named, requireTool } from '../tools.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const gcc = requireTool('gcc');
const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const source = fileURLToPath(new URL('./fake-kvm.c', import.meta.url));
const sample = SAMPLES.find(({ name }) => name === 'triple-fault')!;
const { ENOENT, EACCES, EBUSY, ENODEV } = constants.errno;

describe.skipIf(why !== '' || !gcc.available)(named(`a KVM that refuses ${why}`, gcc), () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-fake-kvm-'));
    execFileSync(gcc.path, ['-shared', '-fPIC', '-O1', '-o', join(folder, 'fake.so'), source]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** vmscope with a KVM that fails as `how` says. */
  function program(how: string, args: string[]): Promise<Finished & { ms: number }> {
    const started = performance.now();
    const env = { ...process.env, FAKE_KVM: how, LD_PRELOAD: join(folder, 'fake.so') };
    const child = spawn(process.execPath, [vmscope, ...args], { env, timeout: 60_000, killSignal: 'SIGKILL' });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      stderr += text;
    });
    return new Promise((resolve) =>
      child.once('close', (status) => resolve({ stdout, stderr, status, ms: performance.now() - started })),
    );
  }
  const run = (how: string, engine: string) =>
    program(how, ['run', sample.folder, '--engine', engine, '--headless', '--timeout', '40']);

  it.each([
    ['no device', `open=${ENOENT}`, 'there is no /dev/kvm: ENOENT', 'run with --engine vtx'],
    ['no permission', `open=${EACCES}`, 'no permission to open /dev/kvm: EACCES', 'usermod -aG kvm'],
    ['another hypervisor', `create=${EBUSY}`, 'KVM refused to create a machine (KVM_CREATE_VM): EBUSY', 'VirtualBox'],
    [
      'no virtualization',
      `create=${ENODEV}`,
      'KVM refused to create a machine (KVM_CREATE_VM): ENODEV',
      '--engine vtx',
    ],
  ])(
    '%s: kvm says so, auto takes vtx and says why, doctor says the same',
    async (_name, how, reason, advice) => {
      const [kvm, auto, doctor] = await Promise.all([run(how, 'kvm'), run(how, 'auto'), program(how, ['doctor'])]);
      expect(kvm.stderr).toContain(`vmscope: ${reason}; `);
      expect(kvm.stderr).toContain(advice);
      expect(kvm.stderr.trim().split('\n')).toHaveLength(1);
      expect(kvm.status).toBe(2);
      expect(auto.stderr).toContain(`vmscope: engine vtx: ${reason}`);
      expect(auto.stdout).toBe(sample.expected);
      expect(auto.status).toBe(sample.status);
      expect(doctor.stdout).toContain(reason);
      expect(doctor.stdout).toContain(advice);
      expect(doctor.status).toBe(0);
    },
    60_000,
  );

  it.each([
    ['run=internal:2', 'KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_SIMUL_EX'],
    ['run=internal:4', 'KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON'],
    [
      'run=fail-entry',
      'the CPU refused to enter the guest at 0x100093 (KVM_EXIT_FAIL_ENTRY, hardware reason 0x80000021)',
    ],
  ])(
    '%s ends the guest with what KVM answered and what to do',
    async (how, text) => {
      const { stderr, status } = await run(how, 'kvm');
      expect(stderr).toContain(text);
      expect(stderr).toContain('--engine vtx');
      expect(status).toBe(3);
    },
    60_000,
  );

  it('a KVM that emulates nothing leaves all to the core, which says so once', async () => {
    const { stdout, stderr } = await run('run=internal:1', 'kvm');
    expect(stdout).toBe(sample.expected);
    expect(stderr.match(/leaves instructions to the embedded core, the first is cli/g)).toHaveLength(1);
  }, 60_000);

  it.each([
    ['while it is tried', 0],
    ['while the guest runs', 60],
  ])(
    'a KVM_RUN that does not come back, %s: the program ends and says so',
    async (_when, after) => {
      const { stderr, status, ms } = await run(`run=stuck:${after}`, 'kvm');
      expect(stderr).toContain('the vCPU has not come back from KVM_RUN for 5 s, though it was signalled');
      expect(stderr).toContain('run with --engine vtx');
      // the trial is on a machine of its own
      if (after > 0) expect(stderr).toMatch(/\(vCPU 0 went in at RIP 0x[1-9a-f]\w+, RFLAGS 0x\w+, RSP/);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(status).toBe(3);
      expect(ms).toBeLessThan(25_000);
    },
    60_000,
  );

  it('lockstep does not wait for a KVM_RUN that does not come back, and says where the vCPU went in', async () => {
    const { stderr, status } = await program('run=stuck:60', ['lockstep', sample.folder]);
    expect(stderr).toMatch(
      /vmscope: lockstep: the vCPU has not come back from KVM_RUN for 5 s.*went in at RIP 0x[1-9a-f]/,
    );
    expect(stderr).toContain('run with --engine vtx');
    expect(status).toBe(3);
  }, 60_000);

  it('doctor does not wait for a KVM_RUN that does not come back', async () => {
    const { stdout, status } = await program('run=stuck:0', ['doctor']);
    expect(stdout).toMatch(/^- KVM +a vCPU does not come back from KVM_RUN/m);
    expect(stdout).toMatch(/engine vtx +embedded engine/);
    expect(status).toBe(0);
  }, 60_000);
});
