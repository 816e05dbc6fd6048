/** What the user of the table has set up: it outlives the look at a guest that was chosen, and can be kept in a file. */
import type { CellOptions } from './columns.js';

export const VIEWS = ['guests', 'cpus', 'nics', 'disks', 'exits'] as const;
export type TopView = (typeof VIEWS)[number];

export interface TopState extends CellOptions {
  /** Column's id. */
  sort: string;
  reversed: boolean;
  filter: string;
  view: TopView;
  intervalMs: number;
  /** Key of the guest under the cursor. */
  guest?: string;
  /** Each vCPU apart in the view of exits. */
  perVcpu: boolean;
  /** The pane below the table. */
  details: boolean;
  /** Shown at the foot until the next key. */
  notice?: string;
}

export const newTopState = (): TopState => ({
  sort: 'cpu',
  reversed: false,
  filter: '',
  view: 'guests',
  intervalMs: 2000,
  blockInBytes: false,
  oneCpu: false,
  details: false,
  perVcpu: false,
});

/** Shortest and longest time between two looks, ms. */
export const MIN_INTERVAL_MS = 100;
export const MAX_INTERVAL_MS = 3_600_000;

/** What `W` keeps, one a line, as `key value`. */
export function settingsText(state: TopState): string {
  return [
    '# vmscope top: written by its W key',
    `sort ${state.sort}`,
    `reverse ${state.reversed}`,
    `view ${state.view}`,
    `delay ${state.intervalMs / 1000}`,
    `block-in-bytes ${state.blockInBytes}`,
    `one-cpu ${state.oneCpu}`,
    `details ${state.details}`,
    `per-vcpu ${state.perVcpu}`,
    '',
  ].join('\n');
}

/** @throws Error naming the line and what is wrong with it */
export function readSettings(text: string, state: TopState): void {
  text.split('\n').forEach((line, n) => {
    const [, key, value] = /^\s*([\w-]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (!line.trim() || line.trim().startsWith('#')) return;
    const flag = value === 'true' || value === 'false' ? value === 'true' : undefined;
    const seconds = Number(value);
    if (key === 'sort' && value) state.sort = value;
    else if (key === 'view' && (VIEWS as readonly string[]).includes(value!)) state.view = value as TopView;
    else if (key === 'delay' && seconds * 1000 >= MIN_INTERVAL_MS && seconds * 1000 <= MAX_INTERVAL_MS)
      state.intervalMs = seconds * 1000;
    else if (key === 'reverse' && flag !== undefined) state.reversed = flag;
    else if (key === 'block-in-bytes' && flag !== undefined) state.blockInBytes = flag;
    else if (key === 'one-cpu' && flag !== undefined) state.oneCpu = flag;
    else if (key === 'per-vcpu' && flag !== undefined) state.perVcpu = flag;
    else if (key === 'details' && flag !== undefined) state.details = flag;
    else throw new Error(`line ${n + 1}: "${line.trim().slice(0, 60)}" is no setting`);
  });
}
