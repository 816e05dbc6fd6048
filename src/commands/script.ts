/** Lines of commands without a screen: each one's result on the output, and the status of the whole. */

import { UnknownName } from '../engine/debug/expression/names.js';
import { AssertionFailed } from './assertion.js';
import { toJson } from './json.js';
import type { OpenSession } from './session.js';
import { stopCommandsDone } from './stop-done.js';
import { find, MONITOR_COMMANDS, OWN_COMMANDS } from './table.js';

export interface ScriptLine {
  /** Where it stands: `FILE:3`, `--ex "step"`. */
  readonly place: string;
  readonly text: string;
}

/** The commands of a file; blank lines and those that begin with # are none. */
export function scriptLines(text: string, file: string): ScriptLine[] {
  return text
    .split(/\r?\n/)
    .map((line, index) => ({ place: `${file}:${index + 1}`, text: line.trim() }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
}

/** What one line did. */
export interface Performed {
  readonly command: string;
  readonly result: unknown;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

/** @throws Error in one line: UnknownName, AssertionFailed, or what the guest says */
export async function perform(session: OpenSession, line: string): Promise<Performed> {
  const { command, argument } = find(line, OWN_COMMANDS, MONITOR_COMMANDS);
  for (;;) {
    try {
      const result = await command.run(session, argument);
      if (session.waits) await stopCommandsDone(session.debug);
      return {
        command: command.name,
        result,
        text: async () => command.text(result, session),
        json: async () => (command.json ? await command.json(result, session, argument) : result),
      };
    } catch (error) {
      if (error instanceof UnknownName && (await session.moreNames())) continue;
      if (error instanceof Error && !error.message.startsWith(`${command.name}: `))
        error.message = `${command.name}: ${error.message}`;
      throw error;
    }
  }
}

/** Statuses of a script that did not come to its end. */
export const ASSERT_STATUS = 1;
export const COMMAND_STATUS = 2;

export interface ScriptOptions {
  json: boolean;
  /** Takes what a command says, whole lines. */
  write(text: string): void;
}

/** Why a script ended early. */
export interface ScriptFailure {
  readonly status: number;
  readonly message: string;
}

/** Runs the lines in order; the first that fails ends it. Answers undefined when all were carried out. */
export async function runScript(
  session: OpenSession,
  lines: readonly ScriptLine[],
  { json, write }: ScriptOptions,
): Promise<ScriptFailure | undefined> {
  for (const { place, text } of lines) {
    try {
      const done = await perform(session, text);
      if (json) write(`${toJson({ command: text, result: await done.json() })}\n`);
      else {
        const said = await done.text();
        if (said !== '') write(said.endsWith('\n') ? said : `${said}\n`);
      }
    } catch (error) {
      const { message } = error as Error;
      if (json) write(`${toJson({ command: text, error: message })}\n`);
      return {
        status: error instanceof AssertionFailed ? ASSERT_STATUS : COMMAND_STATUS,
        message: `${place}: ${message}`,
      };
    }
  }
  return undefined;
}
