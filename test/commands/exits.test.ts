/** What many exits cost, and which could be avoided, as commands of a guest. */
import { describe, expect, it } from 'vitest';
import { perform } from '../../src/commands/script.js';
import { openSession } from '../../src/commands/session.js';
import { Guest } from '../../src/engine/host/guest.js';
import { flatGuest } from '../engine/flat-guest.js';

/** CPUID leaf 0 three hundred times, then a port, then HLT. */
const LOOP = 'be 2c 01 66 31 c0 0f a2 4e 75 f8 ba f8 03 ee f4';

function open() {
  const { machine } = flatGuest(LOOP);
  const debug = new Guest(machine, { paced: false, waitForInput: false });
  const session = openSession(debug, { waits: true });
  // biome-ignore lint/suspicious/noExplicitAny: what programs get
  const json = async (line: string): Promise<any> => (await perform(session, line)).json();
  return { debug, json, text: async (line: string) => (await perform(session, line)).text() };
}

describe('exits', () => {
  it('counts and times those of the trace, by what they were about', async () => {
    const { json, text } = open();
    await text('until vmexit HLT');
    const leaves = await json('exits by leaf');
    expect(leaves.rows).toMatchObject([
      { name: 'leaf 0', samples: 300, timed: 300, minNs: 500, p99Ns: 500, maxNs: 500 },
    ]);
    expect(leaves.rows[0].histogram).toEqual([{ fromNs: 256, count: 300 }]);
    expect(leaves.others).toBe(2);
    expect((await json('exits port')).rows).toMatchObject([{ samples: 1, minNs: 1000 }]);
    expect((await json('exits if reason == 10')).rows).toMatchObject([{ name: 'CPUID', samples: 300 }]);
    expect(await text('exits histogram')).toMatch(
      /CPUID +300 +[\d.]+%[\s\S]*\nCPUID:\n +256ns to 512ns +\|@{40}\| 300\n/,
    );
  });

  it('tells what is avoidable in them', async () => {
    const { json, text } = open();
    expect(await text('hints')).toBe('no known avoidable pattern among the exits that the trace has');
    await text('until vmexit HLT');
    expect(await json('hints')).toMatchObject([{ id: 'cpuid-loop', exits: 299, ns: 299 * 500 }]);
    expect(await text('hints')).toContain('seen    299 of 302 exits (99.0%) in a row of leaf 0, ');
    expect(await text('hints')).toContain('last at 7c06');
  });

  it('measures the host time of handlers while it is wanted', async () => {
    const { json, text } = open();
    expect(await text('handler-times')).toContain('is not measured');
    expect(await text('handler-times on')).toContain('measured from now on');
    await text('until vmexit HLT');
    const rows = await json('handler-times');
    // the core completes by itself what repeats
    const cpuid = rows.find(({ reason }: { reason: number }) => reason === 10);
    expect(cpuid.timed).toBeGreaterThan(0);
    expect(cpuid.minNs).toBeGreaterThanOrEqual(0);
    expect(cpuid.maxNs).toBeLessThanOrEqual(cpuid.ns);
    expect(cpuid.octaves.reduce((sum: number, count: number) => sum + count, 0)).toBe(cpuid.timed);
    expect(await text('handler-times')).toMatch(/^HANDLER OF +COUNT +MIN[\s\S]*CPUID +\d+/);
    expect(await text('handler-times off')).toContain('is not measured');
    expect(await json('handler-times')).toBeUndefined();
  });

  it.each([
    ['exits by', 'a key is missing after "by": reason, subject, port'],
    ['exits by colour', '"colour" is not one of reason, subject, port'],
    ['exits port msr', 'usage: exits [by KEY] [histogram] [if CONDITION]'],
    ['exits if', 'a condition is missing after "if"'],
    ['exits if colour == 1', 'an exit has no field "colour"'],
    ['handler-times maybe', '"maybe" is not one of on, off'],
    ['hints 5', '"5"'],
  ])('%s: one line says what is wrong', async (line, message) => {
    await expect(open().text(line)).rejects.toThrow(message);
  });
});
