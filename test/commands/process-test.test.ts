/** `break PLACE process NAME|PID` as the condition that the engine evaluates. */
import { expect, test } from 'vitest';
import type { Session } from '../../src/commands/command.js';
import { processTest } from '../../src/commands/process-test.js';

const task = { ppid: 1, state: 'S', name: 'sh' };
const session = (current: boolean): Session =>
  ({
    debug: {
      os: {
        processes: async () => [
          { ...task, pid: 96, cr3: 0x1234_5000n },
          { ...task, pid: 2, name: 'kthreadd' },
        ],
        absence: async () => 'no kernel is found',
      },
      types: { variable: async () => (current ? {} : undefined) },
    },
  }) as unknown as Session;

test('a number is the page table of its process', async () => {
  expect(await processTest(session(true), '96')).toBe('(cr3 & 0x000fffffffffe000) == 0x12344000');
  await expect(processTest(session(true), '97')).rejects.toThrow('there is no process 97');
  await expect(processTest(session(true), '2')).rejects.toThrow('kthreadd (2) is a thread of the kernel');
});

test('a name is that of the task that runs, up to its end', async () => {
  expect(await processTest(session(true), 'sh')).toBe('([&current->comm+0]:u64 & 0xffffff) == 0x6873');
  expect(await processTest(session(true), 'busybox')).toBe('[&current->comm+0]:u64 == 0x786f6279737562');
  expect(await processTest(session(true), 'systemd-x')).toBe(
    '[&current->comm+0]:u64 == 0x2d646d6574737973 and ([&current->comm+8]:u64 & 0xffff) == 0x78',
  );
  await expect(processTest(session(true), 'a name far too long')).rejects.toThrow('1 to 15 bytes');
  await expect(processTest(session(false), 'sh')).rejects.toThrow(
    'the running process is not known (no kernel is found)',
  );
});
