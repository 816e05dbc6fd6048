import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';

/** One finding: a name, its state and what to do. */
interface Finding {
  name: string;
  state: 'ok' | 'no' | 'note';
  text: string;
}

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('what this host offers')
    .description('What this host offers for virtual machines: CPU flags, /dev/kvm, kernel modules, terminal.')
    .action(() => {
      const findings = [cpu(), ...kvmDevice(), modules(), engine(), ...terminal()];
      const signs = { ok: '+', no: '-', note: ' ' };
      for (const { name, state, text } of findings)
        process.stdout.write(`${signs[state]} ${name.padEnd(14)} ${text}\n`);
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function cpu(): Finding {
  const info = read('/proc/cpuinfo');
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(info)?.[1] ?? '').split(/\s+/));
  const model = /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? 'unknown processor';
  if (flags.has('vmx')) return { name: 'CPU', state: 'ok', text: `vmx (Intel VT-x): ${model}` };
  if (flags.has('svm')) return { name: 'CPU', state: 'ok', text: `svm (AMD-V): ${model}` };
  const why = flags.has('hypervisor')
    ? 'this host is itself a guest and its hypervisor does not pass virtualization on'
    : 'the processor has none, or the firmware switched it off';
  return { name: 'CPU', state: 'no', text: `no vmx or svm flag (${why}): ${model}` };
}

function kvmDevice(): Finding[] {
  const path = '/dev/kvm';
  if (!existsSync(path)) {
    return [
      {
        name: path,
        state: 'no',
        text: 'does not exist: load the module (modprobe kvm_intel or kvm_amd), or switch virtualization on in the firmware',
      },
    ];
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch {
    return [
      {
        name: path,
        state: 'no',
        text: 'exists, but this user may not open it: join the group that owns it (usermod -aG kvm USER, then log in again)',
      },
    ];
  }
  const flags = read('/proc/cpuinfo');
  const paravirtual = !/\b(vmx|svm)\b/.test(flags);
  return [
    { name: path, state: 'ok', text: 'can be opened' },
    ...(paravirtual
      ? [
          {
            name: '',
            state: 'note' as const,
            text: 'without a vmx or svm flag it is a paravirtual KVM: small guests run, stock kernels may not',
          },
        ]
      : []),
  ];
}

function modules(): Finding {
  const loaded = read('/proc/modules')
    .split('\n')
    .map((line) => line.split(' ')[0])
    .filter((name) => /^kvm(_|$)/.test(name));
  if (loaded.length > 0) return { name: 'kvm modules', state: 'ok', text: loaded.join(', ') };
  const builtIn = existsSync('/sys/module/kvm');
  return builtIn
    ? { name: 'kvm modules', state: 'ok', text: 'built into the kernel' }
    : { name: 'kvm modules', state: 'no', text: 'none loaded' };
}

function engine(): Finding {
  const file = new URL('../../build/core.wasm', import.meta.url);
  return existsSync(file)
    ? { name: 'engine vtx', state: 'ok', text: 'embedded engine, runs anywhere' }
    : { name: 'engine vtx', state: 'no', text: 'build/core.wasm is missing: npm run build' };
}

function terminal(): Finding[] {
  const { stdout, env } = process;
  if (!stdout.isTTY)
    return [{ name: 'terminal', state: 'note', text: 'standard output is not a terminal: guests run headless' }];
  const size = `${stdout.columns}x${stdout.rows}`;
  const small = stdout.columns < 80 || stdout.rows < 24;
  const utf8 = /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
  return [
    {
      name: 'terminal',
      state: small ? 'no' : 'ok',
      text: `${env.TERM ?? 'TERM not set'}, ${size}${small ? ': the dashboard needs 80x24' : ''}, ${stdout.getColorDepth()}-bit colour`,
    },
    ...(utf8 ? [] : [{ name: 'locale', state: 'note' as const, text: 'not UTF-8: set LANG=C.UTF-8 for line drawing' }]),
  ];
}
