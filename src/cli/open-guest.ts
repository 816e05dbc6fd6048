/** A running guest by its name, for verbs that speak to one: vmscope's own, or another program's. */
import type { Debugger } from '../engine/debugger.js';
import { isForeign, openForeignGuest } from './foreign-guest.js';
import { connectGuest, guestNames } from './guest-socket.js';
import { UsageError } from './options.js';

export interface OpenGuest {
  readonly target: Debugger;
  readonly name: string;
  /** Resolves with the reason once it is gone. */
  readonly closed: Promise<string>;
  close(): Promise<void>;
}

/** @throws UsageError when there is no such guest */
export async function openGuest(name: string, options: { connect?: string } = {}): Promise<OpenGuest> {
  if (isForeign(name)) {
    const guest = await openForeignGuest(name, options);
    return { ...guest, closed: new Promise(() => {}), close: () => guest.detach() };
  }
  const connection = await connectGuest(name).catch((error: Error) => {
    throw new UsageError(`${error.message}; running: ${runningGuests().join(', ') || 'none'}`);
  });
  return { target: connection.target, name, closed: connection.closed, close: async () => connection.close() };
}

/** Names of vmscope's running guests; none where their folder cannot be had. */
export function runningGuests(): string[] {
  try {
    return guestNames();
  } catch {
    // the connection has failed for the same reason, which is told
    return [];
  }
}
