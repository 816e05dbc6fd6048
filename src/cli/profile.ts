import { type Command, Option } from 'commander';
import { parseExitCondition } from '../engine/debug/exit-condition.js';
import { PROFILE_KEYS, type ProfileKey } from '../engine/debug/profile-report.js';
import { Profiler, type Sampling } from '../engine/debug/profiler.js';
import { PROFILE_FORMATS, type ProfileFormat, profileText } from '../formats/profile.js';
import { parseCount, UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';
import { addGuestOptions, type RunOptions, runGuest } from './run.js';

interface ProfileOptions extends RunOptions {
  every?: string;
  atExits?: string;
  by?: ProfileKey;
  format: ProfileFormat;
  output: string;
  rows: string;
}

const MAX = Number.MAX_SAFE_INTEGER;

export function addProfileCommand(program: Command): void {
  const command = program
    .command('profile')
    .summary('where a guest spends its instructions')
    .description(
      'Boot a guest as `run --headless` does, and take its call stack after every so many instructions, or at its VM exits: by ' +
        'function, task and exit, without a change to the guest, the same samples in each run. Names are those of the image, of ' +
        '--symbols, and of a Linux kernel that is found in memory.',
    );
  addGuestOptions(command)
    .optionsGroup('The profile:')
    .option('--every <n>', 'instructions, or exits, from one sample to the next (default: 1000000, or 1)')
    .option(
      '--at-exits <condition>',
      'samples at VM exits: any, or those that meet it, as `CPUID|IO_INSTRUCTION if rcx == 1`',
    )
    .addOption(new Option('--by <key>', 'rows of the table (default: function, or exit)').choices([...PROFILE_KEYS]))
    .addOption(
      new Option('--format <format>', 'table, folded stacks for flame graphs, JSON for speedscope, or of the table')
        .choices([...PROFILE_FORMATS])
        .default('text'),
    )
    .option('--json', 'as --format json')
    .option('--rows <n>', 'rows of the table at most', '40')
    .option('-o, --output <file>', 'where to', '/dev/stderr')
    .action(async (image: string | undefined, options: ProfileOptions) => {
      process.exitCode = await profileGuest(image, options);
    });
}

/** Answers the process status, the guest's. @throws UsageError, StartError */
async function profileGuest(image: string | undefined, options: ProfileOptions): Promise<number> {
  const sampling = samplingOf(options);
  const by = options.by ?? (sampling.exit ? 'exit' : 'function');
  if (by === 'exit' && !sampling.exit) throw new UsageError('--by exit: samples are of instructions; --at-exits any');
  const rows = parseCount('--rows', options.rows, 1, 1_000_000);
  if (options.engine === 'kvm')
    throw new UsageError('profile --engine kvm: KVM does not count instructions; --engine vtx does');
  if (options.gdb !== undefined || options.s || options.wait || options.S)
    throw new UsageError('profile: a guest that is profiled stops for its samples, not for a debugger');
  const output = openOutput('--output', options.output);
  let profiler: Profiler | undefined;
  const status = await runGuest(image, { ...options, headless: true }, async (target) => {
    profiler = await Profiler.create(target, sampling);
    await profiler.run();
  });
  profiler?.close();
  const profile = profiler?.profile ?? {
    every: sampling.every,
    unit: sampling.exit ? 'exit' : 'instruction',
    samples: [],
  };
  const name = options.name ?? options.kernel ?? image ?? 'guest';
  writeOutput(
    '--output',
    options.output,
    output,
    Buffer.from(profileText(options.json ? 'json' : options.format, { name, ...profile }, by, rows)),
  );
  return status;
}

/** @throws UsageError */
function samplingOf({ every, atExits }: ProfileOptions): Sampling {
  if (atExits === undefined) return { every: parseCount('--every', every ?? '1000000', 1000, MAX) };
  try {
    return { every: parseCount('--every', every ?? '1', 1, MAX), exit: parseExitCondition(atExits, {}) };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--at-exits ${atExits}: ${(error as Error).message}`);
  }
}
