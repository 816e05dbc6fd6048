/** Letting the guest run, for one instruction or until something happens. */

import type { RunState } from '../engine/debugger.js';
import { type Command, command, lacking, mustBeAlive, type Session } from './command.js';
import { exitCondition } from './exit-conditions.js';
import { stepOut, stepOver } from './stepping.js';
import { stopCommandsDone } from './stop-done.js';
import { arrivalText } from './stop-text.js';

/** What all commands share that move the guest: the dashboard shows where it stands by itself. */
export const MOVING = {
  effect: 'runs',
  moves: true,
  text: arrivalText,
  foot: (): string | undefined => undefined,
} as const;

/** @throws Error naming what is no count */
export function instructionCount(text: string): number {
  const count = text.trim() ? Number(text) : 1;
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`"${text.trim()}" is not a number of instructions`);
  return count;
}

/** @throws Error where there is something that is not taken: `run 5` is not `step 5`. */
export function nothing(text: string): void {
  if (text.trim()) throw new Error(`unexpected "${text.trim()}": the command takes no argument`);
}

async function run(session: Session, text: string): Promise<RunState> {
  nothing(text);
  const { debug } = session;
  await mustBeAlive(session);
  if (!session.waits) {
    await debug.resume();
    return session.state();
  }
  let stopped = (): void => {};
  const off = debug.onEvent((event) => {
    if (event.type === 'stopped') stopped();
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      stopped = resolve;
    });
  let next = stop();
  try {
    await debug.resume();
    for (;;) {
      await next;
      next = stop();
      // a breakpoint's commands may let the guest run on
      await stopCommandsDone(debug);
      const state = await debug.state();
      if (!state.running) return state;
    }
  } finally {
    off();
  }
}

async function step(session: Session, text: string): Promise<RunState> {
  const count = instructionCount(text);
  const before = await mustBeAlive(session);
  const after = await session.debug.step(session.vcpu, count);
  const counted = (await session.info()).unavailable.icount === undefined;
  if (!counted || after.stop?.kind !== 'step' || after.icount !== before.icount) return after;
  throw new Error('no instruction ran: the vCPU is halted and waits for an interrupt');
}

export async function over(session: Session, text: string): Promise<RunState> {
  nothing(text);
  await mustBeAlive(session);
  return stepOver(session.debug, await session.disassembler(), session.vcpu);
}

export async function out(session: Session, text: string): Promise<RunState> {
  nothing(text);
  await mustBeAlive(session);
  return stepOut(session.debug, await session.disassembler(), session.vcpu, await session.symbols());
}

export const RUN_COMMANDS: readonly Command[] = [
  command({
    ...MOVING,
    name: 'run',
    // typed ahead, what follows does not wait for it
    moves: false,
    usage: '',
    help: 'let the guest run',
    key: 'c',
    run,
  }),
  command({
    ...MOVING,
    name: 'pause',
    moves: false,
    usage: '',
    help: 'stop the guest',
    key: 'c',
    run: (session, text) => {
      nothing(text);
      return session.debug.pause();
    },
  }),
  command({ ...MOVING, name: 'step', usage: '[N]', help: 'N instructions', key: 's', run: step }),
  command({
    ...MOVING,
    name: 'over',
    usage: '',
    help: 'one instruction, calls as one',
    key: 'n',
    run: over,
  }),
  command({
    ...MOVING,
    name: 'out',
    usage: '',
    help: 'until the function returns',
    key: 'f',
    run: out,
  }),
  command({
    ...MOVING,
    name: 'next-exit',
    usage: '[REASON [if EXPRESSION]]',
    help: 'run to the next VM exit',
    key: 'e',
    words: ['any', 'if'],
    kinds: ['exit-reason'],
    behind: { if: ['exit-field', 'register', 'address'] },
    run: async (session, text) => {
      if (!session.debug.exits) throw await lacking(session, 'exits');
      await mustBeAlive(session);
      return session.debug.stepToExit(text.trim() ? await exitCondition(session, text) : undefined);
    },
  }),
];
