import { describe, expect, test } from 'vitest';
import { profileText } from '../../src/formats/profile.js';
import { wrongInProfile, wrongInTrace } from './reader-rules.js';

const name = { ph: 'M', name: 'thread_name', pid: 1, tid: 1, args: { name: 'vcpu 0' } };
const slice = { ph: 'X', name: 'CPUID', cat: 'vmexit', pid: 1, tid: 1, ts: 2, dur: 1, args: {} };
const SAMPLES = [{ stack: ['f', 'g'] }, { stack: ['f'] }, { stack: [] }];
const profile = (): Record<string, never> =>
  JSON.parse(profileText('speedscope', { name: 'a', every: 10, unit: 'instruction', samples: SAMPLES }, 'function', 1));

describe('rules of who reads our files', () => {
  test.each([
    ['ts as text', { ...slice, ts: '2' }, ['event 1: ts']],
    ['no dur', { ...slice, dur: undefined }, ['event 1: dur']],
    ['a time before 0', { ...slice, ts: -1 }, ['event 1: ts', 'event 1: begins within the one before']],
    ['a field that no viewer knows', { ...slice, colour: 1 }, ['event 1: colour']],
    ['another phase', { ...slice, ph: 'Z' }, ['event 1: ph']],
    ['a thread without a name', { ...slice, tid: 2 }, ['event 1: its thread has no name']],
    ['thread 0', { ...slice, tid: 0 }, ['event 1: tid', 'event 1: its thread has no name']],
  ])('trace events: %s', (_, event, wrong) => {
    expect(wrongInTrace({ displayTimeUnit: 'ns', traceEvents: [name, slice] })).toEqual([]);
    expect(wrongInTrace({ traceEvents: [name, event] })).toEqual(wrong);
    expect(wrongInTrace({ traceEvents: [name, slice], displayTimeUnit: 'us' })).toEqual(['file: displayTimeUnit']);
  });

  test('profiles: what a profile writes is right, and each change of it is told', () => {
    expect(wrongInProfile(profile())).toEqual([]);
    const changed = (change: object) => wrongInProfile({ ...profile(), ...change });
    const [own] = profile().profiles as unknown as object[];
    expect(changed({ $schema: 'x' })).toEqual(['file: $schema']);
    expect(changed({ activeProfileIndex: 1 })).toEqual(['file: activeProfileIndex']);
    expect(changed({ shared: { frames: [{ name: 'f' }] } })).toEqual(['profile 0: samples']);
    expect(changed({ profiles: [{ ...own, weights: [10, 10] }] })).toEqual(['profile 0: weights']);
    expect(changed({ profiles: [{ ...own, unit: 'instructions' }] })).toEqual(['profile 0: unit']);
    expect(changed({ profiles: [{ ...own, endValue: -1 }] })).toEqual(['profile 0: endValue', 'profile 0: weights']);
  });
});
