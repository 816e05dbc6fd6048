/** Commands about what the screen shows: no other door has them. */
import type { ArgumentKind } from '../../commands/command.js';
import type { Dashboard } from '../dashboard.js';

export interface ScreenCommand {
  readonly name: string;
  /** Arguments as the help shows them. */
  readonly usage: string;
  readonly help: string;
  /** The key that does the same. */
  readonly key?: string;
  readonly words?: readonly string[];
  readonly kinds?: readonly ArgumentKind[];
  readonly behind?: Readonly<Record<string, readonly ArgumentKind[]>>;
  /** @returns a message for the foot of the screen. @throws Error whose message is shown. */
  show(dashboard: Dashboard, argument: string): string | undefined | Promise<string | undefined>;
}
