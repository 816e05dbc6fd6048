/** Threads are vCPUs. */

import { encodeHexText } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { parseThreadId } from '../thread-id.js';

/** A selector's thread from 0, `fallback` for any or all; undefined when there is no such thread. */
export function selectThread(session: Session, text: string, fallback: number): number | undefined {
  const id = parseThreadId(text);
  if (id === undefined) return undefined;
  if (id <= 0) return fallback;
  return id <= session.target.threads ? id - 1 : undefined;
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
    const current = purpose === 'g' ? session.generalThread : session.continueThread;
    const thread = selectThread(session, args.slice(1), current);
    if (thread === undefined) return session.error(22, noSuchThread(session));
    if (purpose === 'g') session.generalThread = thread;
    else session.continueThread = thread;
    return 'OK';
  },
};

/** `T`: whether a thread is alive. */
export const threadAlive: Command = {
  name: 'T',
  run(args, session) {
    const id = parseThreadId(args);
    return id !== undefined && id >= 1 && id <= session.target.threads ? 'OK' : session.error(1, noSuchThread(session));
  },
};

export const currentThread: Command = {
  name: 'qC',
  run: (_args, session) => `QC${session.threadId(session.generalThread)}`,
};

export const firstThreads: Command = {
  name: 'qfThreadInfo',
  run(_args, session) {
    return `m${Array.from({ length: session.target.threads }, (_, thread) => session.threadId(thread)).join(',')}`;
  },
};

/** The first answer held all of them. */
export const moreThreads: Command = { name: 'qsThreadInfo', run: () => 'l' };

/** Name and state of a vCPU, for `info threads`. */
export function threadTitle(session: Session, thread: number): string {
  return `${session.target.name} CPU#${thread} [${session.runs(thread) ? 'running' : 'stopped'}]`;
}

/** The title and what the guest's system runs there. */
export async function threadInfo(session: Session, thread: number): Promise<string> {
  const detail = await session.target.threadDetail?.(thread);
  return detail === undefined ? threadTitle(session, thread) : `${threadTitle(session, thread)} ${detail}`;
}

export const threadExtraInfo: Command = {
  name: 'qThreadExtraInfo',
  async run(args, session) {
    const thread = selectThread(session, args.slice(1), session.generalThread);
    if (thread === undefined) return session.error(22, noSuchThread(session));
    return encodeHexText(await threadInfo(session, thread));
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
