import { type Command, Option } from 'commander';
import { Profiler } from '../engine/debug/profiler.js';
import { PROFILE_FORMATS, type ProfileFormat, profileText } from '../formats/profile.js';
import { parseCount, UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';
import { addGuestOptions, type RunOptions, runGuest } from './run.js';

interface ProfileOptions extends RunOptions {
  every: string;
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
      'Boot a guest as `run --headless` does, and take its call stack after every so many instructions: by function, task and ' +
        'process, without a change to the guest, the same samples in each run. Names are those of the image, of --symbols, and of a ' +
        'Linux kernel that is found in memory.',
    );
  addGuestOptions(command)
    .option('--every <n>', 'instructions from one sample to the next', '1000000')
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
  const every = parseCount('--every', options.every, 1000, MAX);
  const rows = parseCount('--rows', options.rows, 1, 1_000_000);
  if (options.engine === 'kvm')
    throw new UsageError('profile --engine kvm: KVM does not count instructions; --engine vtx does');
  if (options.gdb !== undefined || options.s || options.wait || options.S)
    throw new UsageError('profile: a guest that is profiled stops for its samples, not for a debugger');
  const output = openOutput('--output', options.output);
  let profiler: Profiler | undefined;
  const status = await runGuest(image, { ...options, headless: true }, async (target) => {
    profiler = await Profiler.create(target, every);
    await profiler.run();
  });
  profiler?.close();
  const samples = profiler?.samples ?? [];
  const name = options.name ?? options.kernel ?? image ?? 'guest';
  writeOutput(
    '--output',
    options.output,
    output,
    Buffer.from(profileText(options.json ? 'json' : options.format, { name, every, samples }, rows)),
  );
  return status;
}
