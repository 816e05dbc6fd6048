/** `profile`: samples of a guest that runs, by function, task and exit. */
import { describe, expect, it } from 'vitest';
import { perform } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

/** CPUID leaf 0 three hundred times, then a port, then a loop of 65,536 turns, then HLT. */
const PROGRAM = 'be2c01 6631c0 0fa2 4e 75f8 baf803 ee 31c9 e2fe f4';
const LOOP = 0x7c0f;

function open() {
  const debug = new Guest(flatGuest(PROGRAM).machine, { paced: false, waitForInput: false });
  const session = openSession(debug, { waits: true });
  // biome-ignore lint/suspicious/noExplicitAny: what programs get
  const json = async (line: string): Promise<any> => (await perform(session, line)).json();
  return { debug, session, json, text: async (line: string) => (await perform(session, line)).text() };
}

describe('profile', () => {
  it('takes so many samples, one every so many instructions, and stands at the last', async () => {
    const { debug, json, text } = open();
    const profile = await json('profile 10 every 2000');
    expect(profile).toMatchObject({ every: 2000, unit: 'instruction', samples: 10, tasks: [], exits: [] });
    expect(profile.state).toMatchObject({ running: false, icount: 20_000n });
    expect(profile.functions).toEqual([{ name: `[0x${(LOOP & ~0xfff).toString(16)}]`, self: 10, total: 10 }]);
    expect(await text('profile 5 every 1000')).toMatch(
      / 100\.00% 100\.00% {2}\[0x7000\]\n\n5 samples, one every 1000 instructions\nSTOPPED: .*, instruction 25000$/,
    );
    expect((await debug.state()).icount).toBe(25_000n);
  });

  it('takes them at exits, of which each has its reason', async () => {
    const { json, text } = open();
    const few = await json('profile 3 every 100 at CPUID');
    expect(few).toMatchObject({ every: 100, unit: 'exit', samples: 3, exits: [{ name: 'CPUID', samples: 3 }] });
    expect(few.state.stop.exit.sequence).toBe(300);
    // up to the end of the guest
    const rest = await text('profile at any');
    expect(rest).toMatch(/ 50\.00% {2}HLT\n {2}50\.00% {2}IO_INSTRUCTION\n\n2 samples, one at each exit\nENDED: /);
  });

  it('ends where something else stops the guest, or its user ends it', async () => {
    const { json, session, debug } = open();
    await perform(session, `break ${LOOP}`);
    const profile = await json('profile 100 every 1000000');
    expect(profile).toMatchObject({ samples: 0, state: { stop: { kind: 'breakpoint' } } });
    await perform(session, 'delete all');
    // jmp $ never ends
    await debug.writeMemory('gva', BigInt(LOOP), Uint8Array.of(0xeb, 0xfe), 0);
    const work = { cancelled: false, share: () => void (work.cancelled = true), done: () => {} };
    session.work = () => work;
    const ended = await json('profile 1000000 every 1000000000');
    expect(ended.state).toMatchObject({ running: false, stop: { kind: 'paused' } });
    expect(ended.samples).toBeLessThan(1000);
  });

  it.each([
    ['profile 0', '"0" is not a number of samples: a whole number from 1 up'],
    ['profile every 999', '"999" is not a number of instructions: a whole number from 1000 up'],
    ['profile every', 'nothing is not a number of instructions'],
    ['profile 5 every 0 at any', '"0" is not a number of exits: a whole number from 1 up'],
    ['profile 1000001', 'at most 1000000 samples'],
    ['profile by colour', '"colour" is not one of function, task, exit'],
    ['profile by exit', 'samples are of instructions; profile at any takes them at exits'],
    ['profile slowly', '"slowly": usage: profile [SAMPLES]'],
    ['profile at NOWHERE', 'no exit reason "NOWHERE"'],
  ])('%s: one line says what is wrong', async (line, message) => {
    await expect(open().text(line)).rejects.toThrow(message);
  });
});
