import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProgressLine } from '../../src/cli/progress-line.js';

let out = '';

beforeEach(() => {
  out = '';
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => vi.useRealTimers());

const line = (): ProgressLine =>
  new ProgressLine((text) => {
    out += text;
  });

it('shows nothing of work that is over within a second', () => {
  const progress = line();
  progress.update({ type: 'progress', task: 'reading' });
  vi.advanceTimersByTime(900);
  progress.update({ type: 'progress', task: 'reading', done: true });
  vi.advanceTimersByTime(5000);
  expect(out).toBe('');
});

it('shows longer work with its share and time, and takes the line away', () => {
  const progress = line();
  progress.update({ type: 'progress', task: 'reading', share: 0.1 });
  vi.advanceTimersByTime(1000);
  expect(out).toBe('\r\x1b[Kvmscope: reading … 10 % 1 s');
  progress.update({ type: 'progress', task: 'reading', share: 0.429 });
  vi.advanceTimersByTime(1000);
  expect(out).toMatch(/reading … 42 % 2 s$/);
  progress.update({ type: 'progress', task: 'reading', done: true });
  expect(out).toMatch(/2 s\r\x1b\[K$/);
  const end = out;
  vi.advanceTimersByTime(5000);
  expect(out).toBe(end);
});

it('follows one task at a time and is silent without a terminal', () => {
  const progress = line();
  progress.update({ type: 'progress', task: 'first' });
  progress.update({ type: 'progress', task: 'second' });
  progress.update({ type: 'progress', task: 'first', done: true });
  vi.advanceTimersByTime(1500);
  expect(out).toMatch(/second … 1 s$/);
  progress.close();
  const silent = new ProgressLine(undefined);
  silent.update({ type: 'progress', task: 'unseen' });
  vi.advanceTimersByTime(5000);
  silent.update({ type: 'progress', task: 'unseen', done: true });
  expect(out).not.toContain('unseen');
});
