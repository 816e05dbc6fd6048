/** The migrations of a guest to other processes, one at a time, and the monitor's commands for them in QEMU's words. */
import type { MigrationStatus } from '../../debugger.js';
import type { MovingGuest } from './moving-guest.js';
import { Outgoing } from './outgoing.js';
import { migrationText } from './status-text.js';
import { parseUri } from './uri.js';

export class Migrations {
  #newest: Outgoing | undefined;

  constructor(private readonly guest: MovingGuest) {}

  /** Begins one; it goes on beside the guest. @throws Error in one line */
  async start(uri: string): Promise<void> {
    this.begin(uri);
  }

  /** Gives up the one that is under way, if any. @throws Error when it is too late */
  async cancel(): Promise<void> {
    this.#newest?.cancel();
  }

  /** The newest one; undefined before the first. */
  async status(): Promise<MigrationStatus | undefined> {
    return this.#newest?.status();
  }

  /** Answers a monitor command about migration; undefined when the line is another one. @throws Error in one line */
  async command(line: string): Promise<string | undefined> {
    const words = line.trim().split(/\s+/);
    if (words[0] === 'info' && words[1] === 'migrate') return migrationText(this.#newest?.status());
    if (words[0] === 'migrate_cancel') {
      await this.cancel();
      return '';
    }
    if (words[0] !== 'migrate') return undefined;
    const options = words.slice(1).filter((word) => /^-\w+$/.test(word));
    const [uri, ...more] = words.slice(1 + options.length);
    if (options.some((option) => option !== '-d') || uri === undefined || more.length > 0)
      throw new Error('usage: migrate [-d] URI');
    const outgoing = this.begin(uri);
    if (options.length > 0) return '';
    await outgoing.done;
    const { phase, error } = outgoing.status();
    if (phase === 'failed') throw new Error(error);
    return phase === 'cancelled' ? 'cancelled' : '';
  }

  private begin(uri: string): Outgoing {
    if (this.#newest && !this.#newest.isOver)
      throw new Error('there is a migration under way: info migrate, migrate_cancel');
    const { ended, machine } = this.guest;
    if (ended !== undefined) throw new Error(`the guest has ended: ${ended}`);
    this.guest.mayMove();
    const { unsavable } = machine.vm;
    if (unsavable !== undefined) throw new Error(unsavable);
    const overlaid = machine.options.drives?.find((drive) => drive.overlaid);
    if (overlaid)
      throw new Error(
        `${overlaid.name} has snapshot=on: what the guest wrote is in this process only, and does not move`,
      );
    this.#newest = new Outgoing(this.guest, parseUri(uri));
    return this.#newest;
  }
}
