import { existsSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { isReaderGone, READER_GONE } from '../engine/host/file-cause.js';
import { sampleFolder } from './files.js';
import { StartError } from './guest-process.js';
import { UsageError } from './options.js';
import { isQemuWord, withoutQemuWords } from './qemu-words.js';
import { keepGoingWithoutReader, printable, tell } from './tell.js';
import { VERSION } from './version.js';

/** Each verb's file is loaded when it is called, all of them for help and for words that are no verb. */
const VERBS: Record<string, () => Promise<(program: Command) => void>> = {
  run: async () => (await import('./run.js')).addRunCommand,
  demo: async () => (await import('./demo.js')).addDemoCommand,
  top: async () => (await import('./top.js')).addTopCommand,
  attach: async () => (await import('./attach.js')).addAttachCommand,
  gdb: async () => (await import('./gdb.js')).addGdbCommand,
  send: async () => (await import('./send.js')).addSendCommand,
  replay: async () => (await import('./replay.js')).addReplayCommand,
  save: async () => (await import('./save.js')).addSaveCommand,
  profile: async () => (await import('./profile.js')).addProfileCommand,
  trace: async () => (await import('./trace.js')).addTraceCommand,
  doctor: async () => (await import('./doctor.js')).addDoctorCommand,
  mcp: async () => (await import('./mcp.js')).addMcpCommand,
  completion: async () => (await import('./completion.js')).addCompletionCommand,
  man: async () => (await import('./completion.js')).addManCommand,
  lockstep: async () => (await import('./lockstep.js')).addLockstepCommand,
};
/** What these print is made from all the others. */
const OF_ALL: ReadonlySet<string> = new Set(['completion', 'man']);
const USAGE = 2;
const ENGINE = 3;

/** Runs the command line; answers nothing, sets process.exitCode. */
export async function main(argv: string[]): Promise<void> {
  try {
    argv = asVerb(argv);
  } catch (error) {
    process.exitCode = report(error);
    return;
  }
  const program = new Command('vmscope')
    .description('Debugger and monitor for virtual-machine guests')
    .version(VERSION, '-V, --version')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      outputError: (text, write) => write(`${outputErrorLines(text)}\n`),
    });
  const called = Object.hasOwn(VERBS, argv[2] ?? '') && !OF_ALL.has(argv[2]) ? [VERBS[argv[2]]] : Object.values(VERBS);
  for (const load of called) (await load())(program);
  program
    .helpCommand(false)
    .command('help')
    .summary('display help for a command')
    .argument('[command]')
    .action((name: string | undefined) => {
      const found = name === undefined ? program : program.commands.find((command) => command.name() === name);
      if (!found) throw new UsageError(`unknown command '${name}'`);
      found.outputHelp();
    });
  program.allowExcessArguments().hook('preAction', (_, command) => {
    const { args, registeredArguments } = command;
    const extra = registeredArguments.at(-1)?.variadic ? undefined : args[registeredArguments.length];
    if (extra !== undefined) throw new UsageError(`${JSON.stringify(extra)} is one argument too many`);
    // the dashboard reads it where it looks for its files
    if (command.opts().config === false) process.env.VMSCOPE_NO_CONFIG = '1';
  });
  for (const command of program.commands) command.exitOverride().copyInheritedSettings(program);
  keepGoingWithoutReader();
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `| head` has read enough
    if (isReaderGone(error)) process.exit(READER_GONE);
    tell(`standard output: ${error.message}`);
    process.exit(ENGINE);
  });
  try {
    if (process.env.VMSCOPE_THEME || process.env.VMSCOPE_PICTURES) (await import('./theme-option.js')).checkTheme();
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
  // stdin of a terminal and the engine's thread would otherwise keep the process
  process.exit();
}

/** `vmscope IMAGE ...` and `vmscope -kernel F ...` are `run`, and what `run` takes may be in QEMU's words. @throws UsageError */
function asVerb(argv: string[]): string[] {
  const [node, program, ...words] = argv;
  const first = words[0] ?? '';
  const isImage = !Object.hasOwn(VERBS, first) && (existsSync(first) || sampleFolder(first) !== undefined);
  if (isImage || isQemuWord(first)) words.unshift('run');
  return words[0] === 'run' || words[0] === 'profile'
    ? [node, program, words[0], ...withoutQemuWords(words.slice(1))]
    : argv;
}

/** Commander's error: the user's own words in it, and a second line of Commander's at most. */
function outputErrorLines(text: string): string {
  const lines = text
    .trimEnd()
    .replace(/^error: /, 'vmscope: ')
    .split(/\n(?=\(Did you mean )/);
  return lines.map(printable).join('\n');
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { message, stack, cause } = error as Error & { cause?: NodeJS.ErrnoException };
  if (isReaderGone(cause) && message === '') return READER_GONE;
  tell(message);
  if (error instanceof UsageError) return USAGE;
  if (error instanceof StartError) return error.status;
  if (process.env.VMSCOPE_DEBUG) process.stderr.write(`${stack}\n`);
  return ENGINE;
}
