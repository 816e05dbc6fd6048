import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { Kvm } from '../engine/host/kvm/kvm.js';
import { type KvmProbe, probeKvm } from '../engine/host/kvm/probe.js';
import { type DebugAbilities, probeDebugging } from '../engine/host/kvm-engine/debug-abilities.js';
import { chooseEngine } from './engine.js';

/** One finding: a name, its state and what to do. */
export interface Finding {
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
      const probe = probeKvm();
      const findings = [...kvmFindings(probe, probe.usable ? debugging(probe) : undefined), engine(), ...terminal()];
      const signs = { ok: '+', no: '-', note: ' ' };
      for (const { name, state, text } of findings)
        process.stdout.write(`${signs[state]} ${name.padEnd(14)} ${text}\n`);
    });
}

function debugging(probe: KvmProbe): DebugAbilities | undefined {
  try {
    const kvm = Kvm.open();
    try {
      return probeDebugging(kvm, probe.paravirtual);
    } finally {
      kvm.close();
    }
  } catch {
    return undefined;
  }
}

/** What the host's KVM is good for, in the words of the errors that --engine kvm would give. */
export function kvmFindings(probe: KvmProbe, abilities?: DebugAbilities): Finding[] {
  const { cpu, modules, usable } = probe;
  const flags = [cpu.vmx && 'vmx (Intel VT-x)', cpu.svm && 'svm (AMD-V)'].filter(Boolean).join(' ');
  const { engine, line } = chooseEngine('auto', () => probe);
  return [
    {
      name: 'CPU',
      state: flags === '' ? 'no' : 'ok',
      text: `${flags || 'no vmx or svm flag'}: ${cpu.model || 'unknown'}`,
    },
    {
      name: 'kvm modules',
      state: modules.length > 0 ? 'ok' : 'no',
      text: modules.join(', ') || 'none loaded or built in',
    },
    usable
      ? { name: '/dev/kvm', state: 'ok', text: `makes machines, up to ${probe.maxVcpus} vCPUs` }
      : { name: '/dev/kvm', state: 'no', text: `${probe.reason}; ${probe.advice}` },
    ...(usable && probe.reason !== ''
      ? [{ name: '', state: 'note' as const, text: `${probe.reason}; ${probe.advice}` }]
      : []),
    ...(abilities ? [debugFinding(abilities)] : []),
    { name: '--engine auto', state: 'note', text: line ?? `engine ${engine}` },
  ];
}

function debugFinding(abilities: DebugAbilities): Finding {
  const rows: [string, boolean][] = [
    ['single steps', abilities.singleStep],
    ['breakpoints', abilities.hardware],
    ['watchpoints', abilities.watch],
    ['INT3', abilities.software],
  ];
  const lacks = rows.filter(([, has]) => !has).map(([name]) => name);
  if (abilities.blindInRing3) lacks.push('all of them in ring 3');
  const has = rows.flatMap(([name, works]) => (works ? [name] : [])).join(', ') || 'nothing';
  return {
    name: 'KVM debugging',
    state: lacks.length > 0 ? 'note' : 'ok',
    text: `${has}${lacks.length > 0 ? `; not here: ${lacks.join(', ')}` : ''}`,
  };
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
