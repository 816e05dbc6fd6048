/** Threads are vCPUs. */

import { encodeHexText } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { parseThreadId, type ThreadSelector } from '../thread-id.js';

/** A selector whose process the client has, and whose thread there is; undefined otherwise. */
export function parseSelector(session: Session, text: string): ThreadSelector | undefined {
  const id = parseThreadId(text);
  if (id === undefined || id.thread > session.target.threads) return undefined;
  return id.process <= 0 || session.views.has(id.process) ? id : undefined;
}

/** A selector's thread from 0, `fallback` for any or all; undefined when there is no such thread. */
export function selectThread(session: Session, text: string, fallback: number): number | undefined {
  const id = parseSelector(session, text);
  if (id === undefined) return undefined;
  return id.thread <= 0 ? fallback : id.thread - 1;
}

/** Threads are vCPUs, from 1 on. */
export const noSuchThread = ({ target }: Session): string =>
  `no such thread: the guest has ${target.threads === 1 ? 'thread 1 alone' : `threads 1 to ${target.threads}`}`;

/** `Hg` and `Hc`: the thread of later packets. */
export const setThread: Command = {
  name: 'H',
  run(args, session) {
    const purpose = args[0];
    if (purpose !== 'g' && purpose !== 'c') return session.error(22, 'H needs g or c');
    const id = parseSelector(session, args.slice(1));
    if (id === undefined) return session.error(22, noSuchThread(session));
    const { views } = session;
    if (id.process > 0) views[purpose === 'g' ? 'general' : 'continuing'] = id.process;
    if (id.thread <= 0) return 'OK';
    if (purpose === 'g') {
      session.generalThread = id.thread - 1;
      // GDB names a process alone for breakpoints and other things of a process's
      if (id.process > 0) views.shown = id.process;
    } else session.continueThread = id.thread - 1;
    return 'OK';
  },
};

/** `T`: whether a thread is alive. */
export const threadAlive: Command = {
  name: 'T',
  run(args, session) {
    const id = parseSelector(session, args);
    return id !== undefined && id.thread >= 1 ? 'OK' : session.error(1, noSuchThread(session));
  },
};

export const currentThread: Command = {
  name: 'qC',
  run: (_args, session) => `QC${session.threadId(session.generalThread)}`,
};

export const firstThreads: Command = {
  name: 'qfThreadInfo',
  run(_args, session) {
    const threads = Array.from({ length: session.target.threads }, (_, thread) => thread);
    const ids = session.views.attached.flatMap((process) => threads.map((thread) => session.threadId(thread, process)));
    return ids.length > 0 ? `m${ids.join(',')}` : 'l';
  },
};

/** The first answer held all of them. */
export const moreThreads: Command = { name: 'qsThreadInfo', run: () => 'l' };

/** Name and state of a vCPU, for `info threads`. */
export function threadTitle(session: Session, thread: number): string {
  return `${session.target.name} CPU#${thread} [${session.runs(thread) ? 'running' : 'stopped'}]`;
}

/** The title, what the guest's system runs there, and how a process beside the first one shows it. */
export async function threadInfo(session: Session, thread: number, process: number): Promise<string> {
  const detail = await session.target.threadDetail?.(thread);
  const architecture = session.views.architecture(process);
  const seen = architecture === undefined ? '' : `, seen as ${architecture}`;
  return `${threadTitle(session, thread)}${detail === undefined ? '' : ` ${detail}`}${seen}`;
}

export const threadExtraInfo: Command = {
  name: 'qThreadExtraInfo',
  async run(args, session) {
    const id = parseSelector(session, args.slice(1));
    if (id === undefined) return session.error(22, noSuchThread(session));
    const thread = id.thread <= 0 ? session.generalThread : id.thread - 1;
    return encodeHexText(await threadInfo(session, thread, id.process <= 0 ? session.views.general : id.process));
  },
};

/** Splits LLDB's `;thread:ID;` suffix off a packet; undefined when the thread does not exist. */
export function threadSuffix(session: Session, args: string): { args: string; thread: number } | undefined {
  const at = args.indexOf(';thread:');
  if (at < 0) return { args, thread: session.generalThread };
  const id = args.slice(at + 8).replace(/;$/, '');
  const thread = selectThread(session, id, session.generalThread);
  return thread === undefined ? undefined : { args: args.slice(0, at), thread };
}
