/** All running guests of this user, looked at over their sockets. */
import { readFileSync } from 'node:fs';
import type { RunState, TargetInfo } from '../engine/debugger.js';
import { isRecord } from '../engine/host/rpc-methods.js';
import type { Fleet, GuestSample } from '../tui/top-rows.js';
import { ANSWER_MS, elapsed } from './elapsed.js';
import { connectGuest, type GuestConnection, guestNames } from './guest-socket.js';

/** Clock ticks of /proc: USER_HZ is 100 on every Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export class SocketFleet implements Fleet {
  readonly #connections = new Map<string, GuestConnection>();

  async look(): Promise<GuestSample[]> {
    const names = guestNames();
    const samples = await Promise.all(names.map((name) => this.#sample(name)));
    return samples.filter((sample) => sample !== undefined);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  /** One that has gone, does not answer or answers nonsense is left out. */
  async #sample(name: string): Promise<GuestSample | undefined> {
    let connection = this.#connections.get(name);
    if (!connection) {
      try {
        connection = await connectGuest(name);
      } catch {
        return undefined;
      }
      this.#connections.set(name, connection);
      void connection.closed.then(() => this.#connections.delete(name));
    }
    const { target, hello } = connection;
    try {
      const answers = Promise.all([target.info(), target.state(), target.exits?.counts() ?? {}]);
      const [info, state, counts] = await Promise.race([answers, late()]);
      if (!plausible(info, state, counts)) return undefined;
      return {
        name,
        pid: hello.pid,
        image: info.image,
        startedMs: hello.startedMs,
        vcpus: info.vcpus,
        memoryBytes: info.memoryBytes,
        state,
        counts,
        ms: Date.now(),
        ...processUse(hello.pid),
      };
    } catch {
      return undefined;
    }
  }
}

async function late(): Promise<never> {
  await elapsed(ANSWER_MS);
  throw new Error('no answer');
}

/** The other end is any process that this user runs. */
function plausible(info: TargetInfo, state: RunState, counts: Record<string, number>): boolean {
  return (
    isRecord(info) &&
    typeof info.image === 'string' &&
    Number.isSafeInteger(info.vcpus) &&
    Number.isSafeInteger(info.memoryBytes) &&
    isRecord(state) &&
    typeof state.icount === 'bigint' &&
    (state.stop === undefined || isRecord(state.stop)) &&
    isRecord(counts) &&
    Object.values(counts).every((count) => Number.isSafeInteger(count) && count >= 0)
  );
}

/** CPU time and resident memory of a process, where /proc tells. */
function processUse(pid: number): { cpuSeconds?: number; residentBytes?: number } {
  try {
    // The name in brackets may hold anything, blanks and brackets too.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      residentBytes: Number(fields[21]) * PAGE_BYTES,
    };
  } catch {
    return {};
  }
}
