import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Command } from 'commander';
import { counted } from '../engine/counted.js';
import { type KvmProbe, probeKvm } from '../engine/host/kvm/probe.js';
import type { DebugAbilities } from '../engine/host/kvm-engine/debug-abilities.js';
import { guestFindings } from './doctor-guests.js';
import { toolFindings } from './doctor-tools.js';
import { elapsed } from './elapsed.js';
import { chooseEngine } from './engine.js';
import { exitWithoutThreads } from './exit-without-threads.js';

/** Trying takes some tens of milliseconds. */
const STUCK_MS = 5000;
const STUCK = 'a vCPU does not come back from KVM_RUN, though it has one instruction to run: use --engine vtx';

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
    .description(
      'What this host offers for virtual machines: CPU flags, /dev/kvm, kernel modules, libvirt, guests of other programs, terminal.',
    )
    .option('--json', 'the findings as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const probe = probeKvm();
      const abilities = probe.usable ? await debugging(probe) : undefined;
      const findings = [
        ...kvmFindings(probe, abilities),
        engine(),
        ...toolFindings(),
        ...(await guestFindings()),
        ...terminal(),
      ];
      if (json) {
        process.stdout.write(`${JSON.stringify(findings)}\n`);
        return;
      }
      const signs = { ok: '+', no: '-', note: ' ' };
      for (const { name, state, text } of findings)
        process.stdout.write(`${signs[state]} ${name.padEnd(14)} ${text}\n`);
    });
}

async function debugging(probe: KvmProbe): Promise<DebugAbilities | 'stuck' | undefined> {
  const worker = new Worker(new URL('./doctor-worker.js', import.meta.url), { workerData: probe.paravirtual });
  const answer = await Promise.race([
    new Promise<DebugAbilities | undefined>((resolve) => {
      worker.once('message', resolve);
      worker.once('error', () => resolve(undefined));
    }),
    elapsed(STUCK_MS).then(() => 'stuck' as const),
  ]);
  if (answer === 'stuck') exitWithoutThreads();
  else await worker.terminate();
  return answer;
}

/** What the host's KVM is good for, in the words of the errors that --engine kvm would give. */
export function kvmFindings(probe: KvmProbe, abilities?: DebugAbilities | 'stuck'): Finding[] {
  const { cpu, modules, usable } = probe;
  const flags = [cpu.vmx && 'vmx (Intel VT-x)', cpu.svm && 'svm (AMD-V)'].filter(Boolean).join(' ');
  const { engine, line } = chooseEngine(probe);
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
      ? {
          name: '/dev/kvm',
          state: 'ok',
          text: `can create machines, with up to ${counted(probe.maxVcpus ?? 1, 'vCPU')}`,
        }
      : { name: '/dev/kvm', state: 'no', text: `${probe.reason}; ${probe.advice}` },
    ...(usable && probe.reason !== ''
      ? [{ name: '', state: 'note' as const, text: `${probe.reason}; ${probe.advice}` }]
      : []),
    ...(abilities === 'stuck' ? [{ name: 'KVM', state: 'no' as const, text: STUCK }] : []),
    ...(abilities && abilities !== 'stuck' ? [debugFinding(abilities)] : []),
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
