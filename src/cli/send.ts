import type { Command } from 'commander';
import { openGuest } from './open-guest.js';
import { UsageError } from './options.js';
import { addScriptOptions, runCommands, type ScriptOptions, scriptOf } from './script-options.js';
import { tell } from './tell.js';

const GONE_STATUS = 1;
/** For a command that is about to be over without the guest. */
const LAST_WORD_MS = 500;

export function addSendCommand(program: Command): void {
  const command = program
    .command('send')
    .summary('commands for a running guest')
    .description(
      "Carry out the dashboard's commands on a running guest, one after the other, and print what they say. `vmscope send GUEST " +
        'state` tells how it is; a guest that runs goes on running, but for commands that stop it.',
    )
    .argument('<guest>', "a vmscope guest's name, libvirt:DOMAIN, qmp:PATH, pid:PID or gdb:HOST:PORT")
    .argument('[command...]', 'one command in words: info registers')
    .passThroughOptions()
    .option('-c, --connect <uri>', 'the libvirt of libvirt:DOMAIN (default: qemu:///system)');
  addScriptOptions(command).action(
    async (name: string, words: string[], options: ScriptOptions & { connect?: string }) => {
      process.exitCode = await send(name, ...behindName(command, words, options));
    },
  );
}

type SendOptions = ScriptOptions & { connect?: string };

/** Options behind the guest's name; from the first word of a command on all is the command's, `travel -5` too. */
function behindName(command: Command, words: string[], options: SendOptions): [string[], SendOptions] {
  const first = words.findIndex((word, at) => !word.startsWith('-') && !takesValue(command, words[at - 1]));
  const end = first < 0 ? words.length : first;
  if (end === 0) return [words, options];
  const { unknown, operands } = command.parseOptions(words.slice(0, end));
  if (unknown.length > 0) throw new UsageError(`send: unknown option ${unknown[0]}`);
  return [[...operands, ...words.slice(end)], command.opts()];
}

/** Whether the word before is an option that this one belongs to. */
function takesValue(command: Command, word: string | undefined): boolean {
  return command.options.some((option) => option.required && (option.long === word || option.short === word));
}

/** Answers the process status: 0, 1 for an assertion or a guest that has gone, 2 for a command that failed. */
async function send(name: string, words: readonly string[], options: SendOptions): Promise<number> {
  const lines = scriptOf(options) ?? [];
  if (words.length > 0) lines.push({ place: name, text: words.join(' ') });
  if (lines.length === 0) throw new UsageError('send: which command? `vmscope send GUEST help` lists them');
  const guest = await openGuest(name, options);
  try {
    const failure = await Promise.race([
      runCommands(guest.target, lines, options.json === true),
      // what was asked last may have been `quit`
      guest.closed.then(async (message) => {
        await new Promise((resolve) => setTimeout(resolve, LAST_WORD_MS));
        return { status: GONE_STATUS, message };
      }),
    ]);
    if (failure === undefined) return 0;
    tell(failure.message);
    return failure.status;
  } finally {
    await guest.close();
  }
}
