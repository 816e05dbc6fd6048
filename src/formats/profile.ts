/** Profiles for other programs: folded stacks (flamegraph.pl, inferno), speedscope's JSON, and a table for people. */
import { counted } from '../engine/counted.js';

/** Names of functions, the outermost first. */
export type Stack = readonly string[];

export const PROFILE_FORMATS = ['text', 'folded', 'speedscope', 'json'] as const;
export type ProfileFormat = (typeof PROFILE_FORMATS)[number];

export interface Profile {
  readonly name: string;
  /** Instructions that a sample stands for. */
  readonly every: number;
  readonly samples: readonly Stack[];
}

export function profileText(format: ProfileFormat, profile: Profile, rows: number): string {
  switch (format) {
    case 'text':
      return table(profile, rows);
    case 'folded':
      return folded(profile);
    case 'json':
      return `${JSON.stringify({ name: profile.name, every: profile.every, samples: profile.samples.length, functions: byFunction(profile.samples) })}\n`;
    case 'speedscope':
      return `${JSON.stringify(speedscope(profile))}\n`;
  }
}

/** A line a stack, `a;b;c COUNT`, sorted. A name's own semicolons and line ends would part it. */
function folded({ samples }: Profile): string {
  const counts = new Map<string, number>();
  for (const stack of samples) {
    const key = stack.map((name) => name.replace(/[;\s]/g, '_')).join(';');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => `${key} ${count}\n`)
    .join('');
}

/** @see https://www.speedscope.app/file-format-schema.json */
function speedscope({ name, every, samples }: Profile): object {
  const frames: { name: string }[] = [];
  const places = new Map<string, number>();
  const place = (frame: string): number => {
    let at = places.get(frame);
    if (at === undefined) {
      at = frames.push({ name: frame }) - 1;
      places.set(frame, at);
    }
    return at;
  };
  const stacks = samples.map((stack) => stack.map(place));
  return {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: 'vmscope',
    name,
    activeProfileIndex: 0,
    shared: { frames },
    profiles: [
      {
        type: 'sampled',
        name,
        unit: 'none',
        startValue: 0,
        endValue: samples.length * every,
        samples: stacks,
        weights: samples.map(() => every),
      },
    ],
  };
}

/** Functions by their own samples, with those of all that they called. */
function byFunction(samples: readonly Stack[]): { name: string; self: number; total: number }[] {
  const own = new Map<string, number>();
  const total = new Map<string, number>();
  for (const stack of samples) {
    const leaf = stack.at(-1);
    if (leaf !== undefined) own.set(leaf, (own.get(leaf) ?? 0) + 1);
    for (const name of new Set(stack)) total.set(name, (total.get(name) ?? 0) + 1);
  }
  const sorted = [...own].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return sorted.map(([name, self]) => ({ name, self, total: total.get(name)! }));
}

function table({ samples, every }: Profile, rows: number): string {
  const share = (count: number) => `${((100 * count) / samples.length).toFixed(2)}%`.padStart(8);
  const sorted = byFunction(samples);
  const lines = sorted.slice(0, rows).map(({ name, self, total }) => `${share(self)}${share(total)}  ${name}`);
  const more = sorted.length > rows ? [counted(sorted.length - rows, 'more function')] : [];
  return `${['    Self   Total  Function', ...lines, ...more, '', `${counted(samples.length, 'sample')}, one every ${every} instructions`].join('\n')}\n`;
}
