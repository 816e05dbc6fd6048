/** `--ex` and `--exec`: commands for a guest, from the command line and from files. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Command } from 'commander';
import { toJson } from '../commands/json.js';
import { runScript, type ScriptFailure, type ScriptLine, scriptLines } from '../commands/script.js';
import { openSession } from '../commands/session.js';
import type { Debugger } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import { printableLines } from '../engine/printable.js';
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
    .optionsGroup('Commands:')
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
    if ('ex' in one) {
      const text = one.ex.trim();
      if (text === '') throw new UsageError('--ex: the command is empty');
      return [{ place: `--ex ${JSON.stringify(text)}`, text }];
    }
    return scriptLines(readScript(one.exec), one.exec === '-' ? 'standard input' : one.exec);
  });
}

function readScript(file: string): string {
  try {
    const fd = file === '-' ? 0 : openSync(file, 'r');
    try {
      return readAll(fd).toString('utf8');
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  } catch (error) {
    throw new UsageError(`--exec ${file}: ${fileCause(error)}`);
  }
}

/** A device or a pipe may have no end. @throws Error for more than a script has */
function readAll(fd: number): Buffer {
  const pieces: Buffer[] = [];
  for (let total = 0; ; ) {
    const piece = Buffer.alloc(65_536);
    const read = readSync(fd, piece);
    if (read === 0) return Buffer.concat(pieces);
    total += read;
    if (total > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes are not a script`);
    pieces.push(piece.subarray(0, read));
  }
}

/** Carries them out, with what they say on standard output. */
export async function runCommands(
  target: Debugger,
  lines: readonly ScriptLine[],
  json: boolean,
): Promise<ScriptFailure | undefined> {
  const session = openSession(target, { waits: true });
  let off = (): void => {};
  try {
    // names and messages of a guest must not drive the terminal that shows them
    const shown = (text: string): string => (json && !process.stdout.isTTY ? text : printableLines(text));
    const write = (text: string): void => void process.stdout.write(shown(text));
    off = target.onEvent((event) => {
      if (event.type === 'printed') write(json ? `${toJson({ printed: event.text })}\n` : event.text);
    });
    return await runScript(session, lines, { json, write });
  } finally {
    off();
    session.close();
  }
}
