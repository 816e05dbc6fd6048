import type { Debugger, DebuggerEvent, TargetInfo } from '../debugger.js';
import { callMethod, GROUPS, isRecord } from './rpc-methods.js';

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

/** Stops of a guest that a debugger at once goes on with. */
const PASSING: ReadonlySet<string> = new Set(['step', 'breakpoint', 'watchpoint']);

/**
 * Events on their way to another thread or process, which costs a stop more than all else where it wakes somebody. So what a
 * debugger of this thread does to the run is told by the next turn of the event loop; steps right after each other, far more
 * than anybody looks at, are told as the last of them.
 */
class EventOutbox {
  #waiting: DebuggerEvent[] = [];

  constructor(private readonly post: (event: DebuggerEvent) => void) {}

  tell(event: DebuggerEvent): void {
    const stop = event.type === 'stopped' ? event.stop.kind : undefined;
    if (event.type === 'running' || (stop !== undefined && PASSING.has(stop))) {
      const last = this.#waiting.at(-1);
      // that it goes on, or has made another step, says that it stood
      if (last?.type === 'stopped' && last.stop.kind === 'step' && (stop === undefined || stop === 'step'))
        this.#waiting.pop();
      else if (last === undefined) setImmediate(() => this.flush());
      this.#waiting.push(event);
      return;
    }
    this.flush();
    this.post(event);
  }

  /** Who is told something else hears of these first. */
  flush(): void {
    const events = this.#waiting;
    if (events.length === 0) return;
    this.#waiting = [];
    for (const event of events) this.post(event);
  }

  forget(): void {
    this.#waiting = [];
  }
}

/**
 * Answers calls on `port` from `target` and forwards its events. Whatever arrives there, the guest goes on.
 * @returns a function that forwards no more
 */
export function serveDebugger(target: Debugger, port: Channel): () => void {
  const events = new EventOutbox((event) => port.postMessage({ event } satisfies Reply));
  const stop = target.onEvent((event) => events.tell(event));
  port.on('message', (call: unknown) => {
    if (!isRecord(call) || typeof call.id !== 'number') return;
    const { id } = call;
    callMethod(target, call.method, call.args)
      .then((value) => {
        events.flush();
        port.postMessage({ id, value } satisfies Reply);
      })
      .catch((error: unknown) => {
        events.flush();
        port.postMessage({ id, error: error instanceof Error ? error.message : String(error) } satisfies Reply);
      });
  });
  return () => {
    stop();
    events.forget();
  };
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
  port.on('message', (reply: Reply | undefined) => {
    if (!isRecord(reply)) return;
    if ('event' in reply) {
      if (!isRecord(reply.event)) return;
      for (const listener of listeners) listener(reply.event);
      return;
    }
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (!call) return;
    if ('error' in reply) call.reject(new Error(String(reply.error)));
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
        // a group that is awaited is no promise
        typeof member === 'string' && member !== 'then'
          ? (...args: unknown[]) => call(prefix + member, args)
          : undefined,
    });
  const info = (await call('info', [])) as TargetInfo;
  if (!isRecord(info) || !isRecord(info.unavailable)) throw new Error('the guest says nothing of itself');
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
