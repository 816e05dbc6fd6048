// The instruction tester on this host: the CPU itself (ring 3) and /dev/kvm (every mode) against the core.
import { RAM_BYTES } from '../../difftest/bed.js';
import { IF, IOPL } from '../../difftest/flags.js';
import { type FuzzOptions, type FuzzReport, type Oracle, type Referee, runFuzz } from '../../difftest/fuzz.js';
import { createCore } from '../core-instance.js';
import { BlockRunner } from './block-runner.js';
import { CoreCaseRunner, type CoreUnderTest } from './core-runner.js';
import { KvmCaseRunner } from './kvm-runner.js';
import { NativeCaseRunner } from './native-runner.js';

/** `handlers`: the core's own, against its dispatcher. */
export type OracleName = 'native' | 'kvm' | 'handlers';

/** The core of build/core.wasm as a runner of cases. */
export function openCore(alone = false): CoreCaseRunner {
  const { core, host } = createCore(RAM_BYTES);
  return new CoreCaseRunner(core as unknown as CoreUnderTest, host.memory.buffer, alone);
}

/** @throws Error or KvmError with the reason when this host has no such oracle */
export function openOracle(name: OracleName): Oracle {
  if (name === 'kvm') return { party: 'kvm', runner: KvmCaseRunner.open() };
  if (name === 'handlers') return { party: name, runner: new BlockRunner('handlers', openCore(true)) };
  const runner = NativeCaseRunner.open();
  return { party: 'native', runner, accepts: (c) => runner.accepts(c), modes: runner.modes };
}

const now = (): number => performance.now();

/** The host's CPU for single cases, as far as it runs them; undefined where there is no compiler. */
function hostCpu(): Referee | undefined {
  let runner: NativeCaseRunner | 'none' | undefined;
  return (c) => {
    const user = { ...c, rflags: (c.rflags & ~IOPL) | IF };
    try {
      runner ??= NativeCaseRunner.open();
    } catch {
      runner = 'none';
    }
    if (runner === 'none' || !runner.accepts(user)) return undefined;
    const [outcome] = runner.run([user]);
    // those two flags are the operating system's there
    return outcome.ending === 'unsupported'
      ? undefined
      : { ...outcome, rflags: (outcome.rflags & ~(IOPL | IF)) | (c.rflags & (IOPL | IF)) };
  };
}

/** Compares the core with an oracle; closes what it opened. */
export function fuzz(name: OracleName, options: Omit<FuzzOptions, 'now'>): FuzzReport {
  const oracle = openOracle(name);
  try {
    const referee = name === 'kvm' ? hostCpu() : undefined;
    const native: Partial<FuzzOptions> = name === 'native' ? { modes: oracle.modes, rings: [3], userFlags: true } : {};
    const subject = name === 'handlers' ? new BlockRunner('dispatcher', openCore()) : openCore();
    return runFuzz(oracle, subject, { now, ...(referee ? { referee } : {}), ...native, ...options });
  } finally {
    oracle.runner.close();
  }
}
