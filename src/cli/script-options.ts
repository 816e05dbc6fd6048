/** `--ex` and `--exec`: commands for a guest, from the command line and from files. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { runScript, type ScriptFailure, type ScriptLine, scriptLines } from '../commands/script.js';
import { openSession } from '../commands/session.js';
import type { Debugger } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import { UsageError } from './options.js';

/** As they came on the command line, over both options. */
type Given = { ex: string } | { exec: string };

export interface ScriptOptions {
  ex?: Given[];
  exec?: Given[];
  json?: boolean;
}

/** A script longer than that is no script. */
const MAX_BYTES = 4 * 2 ** 20;

/** Adds the options; both fill one list, so that their order is kept. */
export function addScriptOptions(command: Command): Command {
  let given: Given[] = [];
  const also = (one: Given): Given[] => {
    given = [...given, one];
    return given;
  };
  return command
    .option('--ex <command>', "a command of the dashboard's to carry out; repeatable", (ex: string) => also({ ex }))
    .option('--exec <file>', 'a file of them, one a line; - for standard input; repeatable', (exec: string) =>
      also({ exec }),
    )
    .option('--json', "a line of JSON for each command's result");
}

/** The commands in the order in which they were given; undefined where none were. @throws UsageError */
export function scriptOf({ ex = [], exec = [] }: ScriptOptions): ScriptLine[] | undefined {
  const given = ex.length > exec.length ? ex : exec;
  if (given.length === 0) return undefined;
  return given.flatMap((one) => {
    if ('ex' in one)
      return one.ex.trim() === '' ? [] : [{ place: `--ex ${JSON.stringify(one.ex)}`, text: one.ex.trim() }];
    return scriptLines(readScript(one.exec), one.exec === '-' ? 'standard input' : one.exec);
  });
}

function readScript(file: string): string {
  try {
    const bytes = readFileSync(file === '-' ? 0 : file);
    if (bytes.length > MAX_BYTES) throw new Error(`${bytes.length} bytes are no script`);
    return bytes.toString('utf8');
  } catch (error) {
    throw new UsageError(`--exec ${file}: ${fileCause(error)}`);
  }
}

/** Carries them out, with what they say on standard output. */
export async function runCommands(
  target: Debugger,
  lines: readonly ScriptLine[],
  json: boolean,
): Promise<ScriptFailure | undefined> {
  const session = openSession(target, { waits: true });
  try {
    return await runScript(session, lines, { json, write: (text) => void process.stdout.write(text) });
  } finally {
    session.close();
  }
}
