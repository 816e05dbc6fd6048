/** What the user of the table has set up: it outlives the look at a guest that was chosen, and can be kept in a file. */
import { EXIT_KINDS, type ExitKind } from '../../engine/fleet.js';
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
  /** What the view of exits shows. */
  exitKind: ExitKind;
  /** The pane below the table. */
  details: boolean;
  /** Columns of each view by their ids, in their order; a view that is not here has all. */
  columns: Partial<Record<TopView, readonly string[]>>;
  /** Nothing but looking: no action, no attach, nothing written. */
  secure: boolean;
  /** How to start, as the settings have it: they outlive `W`. */
  start: StartSettings;
  /** Shown at the foot until the next key. */
  notice?: string;
}

/** What virt-top's ~/.virt-toprc has beside the screen's state; each is what the option of that name is. */
export interface StartSettings {
  connect?: string[];
  iterations?: string;
  csv?: string;
  endTime?: string;
  flags: Partial<Record<StartFlag, boolean>>;
}
// biome-ignore format: a list
const START_FLAGS = ['batch', 'script', 'stream', 'csv-cpu', 'csv-mem', 'csv-block', 'csv-net', 'overwrite-init-file'] as const;
export type StartFlag = (typeof START_FLAGS)[number];

export const newTopState = (): TopState => ({
  sort: 'cpu',
  reversed: false,
  filter: '',
  view: 'guests',
  intervalMs: 2000,
  blockInBytes: false,
  oneCpu: false,
  details: false,
  columns: {},
  perVcpu: false,
  exitKind: 'vmexit',
  secure: false,
  start: { flags: {} },
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
    ...Object.entries(state.columns).map(([view, ids]) => `columns ${view} ${ids.join(' ')}`),
    `per-vcpu ${state.perVcpu}`,
    `event ${state.exitKind}`,
    ...startLines(state.start),
    '',
  ].join('\n');
}

function startLines({ connect = [], iterations, csv, endTime, flags }: StartSettings): string[] {
  const texts: [string, string | undefined][] = [
    ...connect.map((uri): [string, string] => ['connect', uri]),
    ...([
      ['iterations', iterations],
      ['csv', csv],
      ['end-time', endTime],
    ] as [string, string | undefined][]),
    ...Object.entries(flags).map(([key, value]): [string, string] => [key, String(value)]),
  ];
  return texts.flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`]));
}

/** virt-top's `display`. */
const DISPLAYS = new Map<string, TopView>([
  ['task', 'guests'],
  ['pcpu', 'cpus'],
  ['net', 'nics'],
  ['block', 'disks'],
]);
/** Of virt-top's settings those that mean nothing here: the length of its list of history, and its log. */
const WITHOUT_MEANING = new Set(['hist-cpu', 'debug']);
const YES = new Set(['true', 'yes', 'on', '1']);
const NO = new Set(['false', 'no', 'off', '0']);

/** @returns whether the value is one of the setting's */
type SettingReader = (state: TopState, value: string) => boolean;

/** A setting that is true or false. */
const flag =
  (set: (state: TopState, value: boolean) => void): SettingReader =>
  (state, value) => {
    const known = YES.has(value) || NO.has(value);
    if (known) set(state, YES.has(value));
    return known;
  };

/** A row a setting. */
const SETTINGS: Record<string, SettingReader> = {
  sort: (state, value) => Boolean((state.sort = value)),
  view: (state, value) => (VIEWS as readonly string[]).includes(value) && Boolean((state.view = value as TopView)),
  display: (state, value) => DISPLAYS.has(value) && Boolean((state.view = DISPLAYS.get(value)!)),
  delay: (state, value) => {
    const ms = Number(value) * 1000;
    if (ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS) state.intervalMs = ms;
    return state.intervalMs === ms;
  },
  event: (state, value) =>
    (EXIT_KINDS as readonly string[]).includes(value) && Boolean((state.exitKind = value as ExitKind)),
  connect: (state, value) => Boolean((state.start.connect ??= []).push(value)),
  iterations: (state, value) => Boolean((state.start.iterations = value)),
  csv: (state, value) => Boolean((state.start.csv = value)),
  'end-time': (state, value) => Boolean((state.start.endTime = value)),
  columns: (state, value) => {
    const [view, ...ids] = value.split(/[\s,]+/);
    const known = (VIEWS as readonly string[]).includes(view ?? '') && ids.length > 0;
    if (known) state.columns = { ...state.columns, [view as TopView]: ids };
    return known;
  },
  reverse: flag((state, value) => void (state.reversed = value)),
  'block-in-bytes': flag((state, value) => void (state.blockInBytes = value)),
  'one-cpu': flag((state, value) => void (state.oneCpu = value)),
  'per-vcpu': flag((state, value) => void (state.perVcpu = value)),
  details: flag((state, value) => void (state.details = value)),
  secure: flag((state, value) => void (state.secure = value)),
  ...Object.fromEntries(
    START_FLAGS.map((name) => [name, flag((state, value) => void (state.start.flags[name] = value))]),
  ),
};

/** Own settings, or virt-top's ~/.virt-toprc. @throws Error naming the line and what is wrong with it */
export function readSettings(text: string, state: TopState): void {
  text.split('\n').forEach((line, n) => {
    const [, key = '', value = ''] = /^\s*([\w-]+)\s+(.*?)\s*$/.exec(line) ?? [];
    if (!line.trim() || line.trim().startsWith('#') || WITHOUT_MEANING.has(key)) return;
    const read = Object.hasOwn(SETTINGS, key) ? SETTINGS[key] : undefined;
    if (!value || !read?.(state, value))
      throw new Error(`line ${n + 1}: "${line.trim().slice(0, 60)}" is not a setting`);
  });
}
