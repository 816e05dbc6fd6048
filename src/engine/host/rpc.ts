import type { Debugger, DebuggerEvent, TargetInfo } from '../debugger.js';

/** A call over the port: dotted method name, arguments; answered by id. */
interface Call {
  id: number;
  method: string;
  args: unknown[];
}
type Reply = { id: number; value: unknown } | { id: number; error: string } | { event: DebuggerEvent };

/** Either end of a channel: a worker's parentPort, a Worker, or a MessagePort. */
export interface Channel {
  postMessage(message: unknown): void;
  // biome-ignore lint/suspicious/noExplicitAny: the ports of node:worker_threads and child_process type it so
  on(event: 'message', listener: (message: any) => void): unknown;
}

const GROUPS = ['ept', 'vmcs', 'exits', 'console', 'os', 'source'] as const;

/** Answers calls on `port` from `target` and forwards its events. @returns a function that forwards no more. */
export function serveDebugger(target: Debugger, port: Channel): () => void {
  const stop = target.onEvent((event) => port.postMessage({ event } satisfies Reply));
  port.on('message', (call: Call) => {
    void answer(target, call).then((reply) => port.postMessage(reply));
  });
  return stop;
}

async function answer(target: Debugger, { id, method, args }: Call): Promise<Reply> {
  try {
    const [group, member] = method.split('.');
    const owner = (member === undefined ? target : target[group as keyof Debugger]) as
      | Record<string, unknown>
      | undefined;
    const callee = owner?.[member ?? group];
    if (typeof callee !== 'function') throw new Error(`the target has no ${method}`);
    return { id, value: await callee.apply(owner, args) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** The debugger API of a target at the other end of `port`. Rejects calls once `closed` settles. */
export async function connectDebugger(port: Channel, closed: Promise<string>): Promise<Debugger> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const listeners = new Set<(event: DebuggerEvent) => void>();
  let next = 1;
  let dead: string | undefined;
  void closed.then((reason) => {
    dead = reason;
    for (const call of waiting.values()) call.reject(new Error(reason));
    waiting.clear();
  });
  port.on('message', (reply: Reply) => {
    if ('event' in reply) {
      for (const listener of listeners) listener(reply.event);
      return;
    }
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (!call) return;
    if ('error' in reply) call.reject(new Error(reply.error));
    else call.resolve(reply.value);
  });
  const call = (method: string, args: unknown[]): Promise<unknown> => {
    if (dead !== undefined) return Promise.reject(new Error(dead));
    return new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      port.postMessage({ id, method, args } satisfies Call);
    });
  };
  const proxy = (prefix: string): Record<string, unknown> =>
    new Proxy({} as Record<string, unknown>, {
      get: (_, member) =>
        typeof member === 'string' ? (...args: unknown[]) => call(prefix + member, args) : undefined,
    });
  const info = (await call('info', [])) as TargetInfo;
  const groups = Object.fromEntries(
    GROUPS.filter((group) => info.unavailable[group] === undefined).map((group) => [group, proxy(`${group}.`)]),
  );
  return new Proxy({} as Debugger, {
    get(_, member) {
      if (typeof member !== 'string' || member === 'then') return undefined;
      if (member === 'onEvent') {
        return (listener: (event: DebuggerEvent) => void) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        };
      }
      if ((GROUPS as readonly string[]).includes(member)) return groups[member];
      return (...args: unknown[]) => call(member, args);
    },
  });
}
