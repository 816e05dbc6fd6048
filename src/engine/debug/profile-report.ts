/** A profile as tables: by function, by task, by what the samples were taken at. */
import { counted } from '../counted.js';

export interface ProfileSample {
  /** Of the guest's system, where that is known. */
  readonly task?: string;
  /** Reason of the VM exit at which it was taken. */
  readonly exit?: string;
  /** Names of functions, the outermost first. */
  readonly stack: readonly string[];
}

export interface Profile {
  /** Instructions, or exits, that a sample stands for. */
  readonly every: number;
  readonly unit: 'instruction' | 'exit';
  readonly samples: readonly ProfileSample[];
}

export const PROFILE_KEYS = ['function', 'task', 'exit'] as const;
export type ProfileKey = (typeof PROFILE_KEYS)[number];

export interface ProfileRow {
  readonly name: string;
  /** Samples that are its own; of a function: in which no other that it called stood. */
  readonly self: number;
  /** With those of all that a function called. */
  readonly total: number;
}

/** Where the guest's system is not known, or the kernel's own beginning has no task yet. */
const NO_TASK = '[no task]';
/** A sample of instructions is at none. */
const NO_EXIT = '[no exit]';

/** From the outermost: the task, the functions, the exit. */
export const pathOf = ({ task, exit, stack }: ProfileSample): string[] => [
  ...(task === undefined ? [] : [task]),
  ...stack,
  ...(exit === undefined ? [] : [`[${exit}]`]),
];

/** Rows that grow with the samples. */
export class ProfileTally {
  readonly #own = new Map<string, number>();
  readonly #total = new Map<string, number>();
  #count = 0;

  constructor(readonly by: ProfileKey) {}

  /** Samples so far. */
  get count(): number {
    return this.#count;
  }

  add(sample: ProfileSample): void {
    this.#count++;
    const [names, leaf] = namesBy(sample, this.by);
    if (leaf !== undefined) this.#own.set(leaf, (this.#own.get(leaf) ?? 0) + 1);
    for (const name of new Set(names)) this.#total.set(name, (this.#total.get(name) ?? 0) + 1);
  }

  /** Most first. */
  get rows(): ProfileRow[] {
    return [...this.#own]
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .map(([name, self]) => ({ name, self, total: this.#total.get(name)! }));
  }
}

export function profileRows(samples: readonly ProfileSample[], by: ProfileKey): ProfileRow[] {
  const tally = new ProfileTally(by);
  for (const sample of samples) tally.add(sample);
  return tally.rows;
}

function namesBy({ task = NO_TASK, exit = NO_EXIT, stack }: ProfileSample, by: ProfileKey): [string[], string?] {
  if (by === 'function') return [[...stack], stack.at(-1)];
  const name = by === 'task' ? task : exit;
  return [[name], name];
}

/** `5 samples, one every 1000 instructions`. */
export const samplesText = (count: number, { every, unit }: Pick<Profile, 'every' | 'unit'>): string =>
  `${counted(count, 'sample')}, one ${every === 1 ? `at each ${unit}` : `every ${every} ${unit}s`}`;

const HEAD: Record<ProfileKey, string> = {
  function: '    Self   Total  Function',
  task: '   Share  Task',
  exit: '   Share  VM exit',
};

export function profileTable(profile: Profile, by: ProfileKey, rows: number): string {
  const { samples } = profile;
  const share = (count: number) => `${((100 * count) / samples.length).toFixed(2)}%`.padStart(8);
  const sorted = profileRows(samples, by);
  const shares = ({ self, total }: ProfileRow) => (by === 'function' ? share(self) + share(total) : share(self));
  const lines = sorted.slice(0, rows).map((row) => `${shares(row)}  ${row.name}`);
  const more = sorted.length > rows ? [counted(sorted.length - rows, `more ${by === 'exit' ? 'reason' : by}`)] : [];
  return `${[HEAD[by], ...lines, ...more, '', samplesText(samples.length, profile)].join('\n')}\n`;
}

/** The same for programs. */
export function profileJson({ every, unit, samples }: Profile): object {
  const counts = (by: ProfileKey) => profileRows(samples, by).map(({ name, self }) => ({ name, samples: self }));
  return {
    ...{ every, unit, samples: samples.length, functions: profileRows(samples, 'function') },
    tasks: samples.some(({ task }) => task !== undefined) ? counts('task') : [],
    exits: unit === 'exit' ? counts('exit') : [],
  };
}
