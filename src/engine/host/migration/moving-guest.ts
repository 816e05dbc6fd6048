/** What a migration needs of the guest that moves. */
import type { Stateful } from '../../state/saved.js';
import type { Machine } from '../../vmm/machine.js';

export interface MovingGuest {
  readonly machine: Machine;
  /** What decides how the machine is run: whose turn it is. */
  readonly runs: readonly Stateful[];
  /** Why it has ended, if it has. */
  readonly ended: string | undefined;
  /** Where it goes on, when it was moved away. */
  readonly away: string | undefined;
  /** @throws Error where it is not itself that would go: it stands on a branch of its run */
  mayMove(): void;
  /** Stops it, and nobody lets it run, or resets it, until `release`. Answers whether it ran. */
  stand(why: string): boolean;
  /** It stands, and its state is about to be another one's: what is recorded of its run ends. */
  replaced(): void;
  /** It is its user's again; `run` lets it go on. */
  release(run: boolean): void;
  /** It goes on elsewhere, and is no more here. */
  moved(message: string): void;
  /** It has come from elsewhere, whole, and stands. */
  arrived(): void;
  /** Calls back once when it begins to run. */
  onceRunning(call: () => void): void;
  /** A line for the user. */
  tell(text: string): void;
}

/** What of a drive the two machines must have in common. */
export function drivesOf({ options }: Machine): { name: string; bus: string; sectors: number; readOnly: boolean }[] {
  return (options.drives ?? []).map(({ name, bus, store }) => ({
    ...{ name, bus },
    sectors: store?.sectors ?? 0,
    readOnly: store?.readOnly ?? true,
  }));
}
