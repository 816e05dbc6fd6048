/** What a command of the command line is, and how its arguments are read. */
import type { AddressSpace } from '../../engine/debugger.js';
import type { Dashboard } from '../dashboard.js';
import { evaluate } from '../expression.js';

export interface Command {
  name: string;
  /** Arguments as the help shows them. */
  usage: string;
  help: string;
  /** The key that does the same. */
  key?: string;
  /** Runs the guest and is over when it stands: typed ahead, it waits for its turn. */
  moves?: boolean;
  /** @returns a message for the foot of the screen. @throws Error whose message is shown. */
  run(dashboard: Dashboard, argument: string): Promise<string | undefined> | string | undefined;
}

/** A number, symbol, register or sum. @throws Error that names what cannot be read. */
export const value = (d: Dashboard, text: string) => evaluate(text, d.names());

export function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

/** @throws Error when nothing is there. */
export function need(text: string, what: string): string {
  if (!text.trim()) throw new Error(`${what} is missing`);
  return text.trim();
}

/** Takes `gva`, `gpa` or `hpa` from the front. */
export function space(list: string[]): AddressSpace {
  const first = list[0]?.toLowerCase();
  if (first === 'gva' || first === 'gpa' || first === 'hpa') {
    list.shift();
    return first;
  }
  return 'gva';
}

/** @throws Error that lists what is allowed. */
export function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === text.trim().toLowerCase());
  if (!found) throw new Error(`"${text.trim()}" is none of ${allowed.join(', ')}`);
  return found;
}
