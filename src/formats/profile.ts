/** Profiles for other programs: folded stacks (flamegraph.pl, inferno), speedscope's JSON; and the tables for people. */
import { type Profile, type ProfileKey, pathOf, profileJson, profileTable } from '../engine/debug/profile-report.js';

export const PROFILE_FORMATS = ['text', 'folded', 'speedscope', 'json'] as const;
export type ProfileFormat = (typeof PROFILE_FORMATS)[number];

export interface NamedProfile extends Profile {
  /** Of the guest. */
  readonly name: string;
}

export function profileText(format: ProfileFormat, profile: NamedProfile, by: ProfileKey, rows: number): string {
  switch (format) {
    case 'text':
      return profileTable(profile, by, rows);
    case 'folded':
      return folded(profile);
    case 'json':
      return `${JSON.stringify({ name: profile.name, ...profileJson(profile) })}\n`;
    case 'speedscope':
      return `${JSON.stringify(speedscope(profile))}\n`;
  }
}

/** A line a stack, `a;b;c COUNT`, sorted. A name's own semicolons and line ends would part it. */
function folded({ samples }: Profile): string {
  const counts = new Map<string, number>();
  for (const sample of samples) {
    const key = pathOf(sample)
      .map((name) => name.replace(/[;\s]/g, '_'))
      .join(';');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => `${key} ${count}\n`)
    .join('');
}

/** @see https://www.speedscope.app/file-format-schema.json */
function speedscope({ name, every, samples }: NamedProfile): object {
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
  const stacks = samples.map((sample) => pathOf(sample).map(place));
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
