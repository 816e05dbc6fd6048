/** `profile`: lets the guest run, and says where it spends its instructions or what its exits come from. */
import {
  PROFILE_KEYS,
  type Profile,
  type ProfileKey,
  profileJson,
  profileTable,
  samplesText,
} from '../engine/debug/profile-report.js';
import { Profiler, type Sampling } from '../engine/debug/profiler.js';
import type { RunState } from '../engine/debugger.js';
import { type Command, command, lacking, mustBeAlive, type Session, words } from './command.js';
import { exitCondition } from './exit-conditions.js';
import { arrivalText } from './stop-text.js';
import { working } from './work.js';

const USAGE = 'usage: profile [SAMPLES] [every N] [by function|task|exit] [at any|REASON [if ...]]';
const USUAL = { samples: 200, every: 1_000_000 };
const MOST_SAMPLES = 1_000_000;
const LEAST_INSTRUCTIONS = 1000;
const MAX_ROWS = 1000;
/** How soon its user's word ends it. */
const ASK_MS = 100;

interface Asked {
  readonly samples: number;
  readonly sampling: Sampling;
  readonly by: ProfileKey;
}

interface Profiled {
  readonly profile: Profile;
  readonly by: ProfileKey;
  /** Where the guest stands. */
  readonly state: RunState;
}

/** @throws Error that says what would be right */
function count(text: string | undefined, what: string, least: number): number {
  const value = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new Error(`${text === undefined ? 'nothing' : `"${text}"`} is not ${what}: a whole number from ${least} up`);
  return value;
}

async function asked(session: Session, text: string): Promise<Asked> {
  const [, head = '', condition] = /^(.*?)(?:\bat\b(.*))?$/is.exec(text)!;
  const exit = condition === undefined ? undefined : await exitCondition(session, condition.trim());
  const list = words(head);
  let samples = USUAL.samples;
  let every = exit ? 1 : USUAL.every;
  let by: ProfileKey = exit ? 'exit' : 'function';
  if (/^\d/.test(list[0] ?? '')) samples = count(list.shift(), 'a number of samples', 1);
  if (samples > MOST_SAMPLES) throw new Error(`at most ${MOST_SAMPLES} samples`);
  while (list.length > 0) {
    const word = list.shift()!.toLowerCase();
    const value = list.shift();
    const key = PROFILE_KEYS.find((name) => name === value?.toLowerCase());
    if (word === 'every')
      every = count(value, exit ? 'a number of exits' : 'a number of instructions', exit ? 1 : LEAST_INSTRUCTIONS);
    else if (word === 'by' && key) by = key;
    else if (word === 'by') throw new Error(`"${value ?? ''}" is not one of ${PROFILE_KEYS.join(', ')}`);
    else throw new Error(`"${word}": ${USAGE}`);
  }
  if (by === 'exit' && !exit)
    throw new Error('by exit: samples are of instructions; profile at any takes them at exits');
  return { samples, by, sampling: { every, ...(exit ? { exit } : {}) } };
}

async function run(session: Session, text: string): Promise<Profiled> {
  const { debug } = session;
  const { samples, sampling, by } = await asked(session, text);
  await mustBeAlive(session);
  const { unavailable } = await session.info();
  if (!sampling.exit && unavailable.icount !== undefined)
    throw new Error(`${unavailable.icount}; profile at any takes samples at exits`);
  if (sampling.exit && !debug.exits) throw await lacking(session, 'exits');
  const profiler = await Profiler.create(debug, sampling);
  session.profiled?.(profiler, by);
  const state = await working(session, 'profiling', async (work) => {
    const look = setInterval(() => {
      work.share(profiler.count / samples);
      if (!work.cancelled) return;
      profiler.close();
      void debug.pause().catch(() => {});
    }, ASK_MS);
    try {
      return await profiler.run(samples);
    } finally {
      clearInterval(look);
      profiler.close();
    }
  });
  return { profile: profiler.profile, by, state };
}

export const PROFILE_COMMANDS: readonly Command[] = [
  command<Profiled>({
    name: 'profile',
    usage: '[SAMPLES] [every N] [by function|task|exit] [at any|REASON [if ...]]',
    help: 'run, and tell where the guest spends its instructions, or at whose code its exits come',
    effect: 'runs',
    moves: true,
    page: true,
    words: ['every', 'by', ...PROFILE_KEYS, 'at', 'any'],
    kinds: ['exit-reason'],
    run,
    text: async ({ profile, by, state }, session) =>
      `${profileTable(profile, by, MAX_ROWS)}${await arrivalText(state, session)}`,
    json: async ({ profile, state }) => ({ ...profileJson(profile), state }),
    foot: ({ profile }) => samplesText(profile.samples.length, profile),
  }),
];
