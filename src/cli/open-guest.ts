/** A running guest by its name, for verbs that speak to one: vmscope's own, or another program's. */
import type { Debugger } from '../engine/debugger.js';
import { ProcessFinder } from '../targets/qemu/processes.js';
import { isForeign, openForeignGuest } from './foreign-guest.js';
import { connectGuest, runningGuestNames } from './guest-socket.js';
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
  const connection = await connectGuest(name).catch(async (error: Error) => {
    throw new UsageError(`${error.message}; ${await otherGuests(name)}`);
  });
  return { target: connection.target, name, closed: connection.closed, close: async () => connection.close() };
}

/** Names of vmscope's running guests; none where their folder cannot be had. */
export async function runningGuests(): Promise<string[]> {
  try {
    return await runningGuestNames();
  } catch {
    // the connection has failed for the same reason, which is told
    return [];
  }
}

/** Names that one line tells. */
const MOST_NAMED = 8;

/** What there is where a guest of vmscope's own of some name is not: its guests, and a QEMU of that name. */
export async function otherGuests(name: string): Promise<string> {
  const names = (await runningGuests()).filter((other) => other !== name);
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  const running = `running: ${names.slice(0, MOST_NAMED).join(', ') || 'none'}${more}`;
  const forms = new ProcessFinder()
    .find(0)
    .filter((vm) => vm.kind === 'qemu' && vm.name === name)
    .map((vm) => (vm.qmp?.includes('/libvirt/') ? `libvirt:${name}` : `pid:${vm.pid}`));
  return forms.length ? `${running}; QEMU has one of that name: ${forms.join(', ')}` : running;
}
