import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Tests that look at the whole host (all its QEMU processes, the kernel's counters), or at how long something takes: one file at a time, after the others. */
const alone = [
  'test/targets/**/*.test.ts',
  'test/cli/peers.test.ts',
  'test/tui/top.test.ts',
  'test/hostile/heard.test.ts',
];

export default defineConfig({
  test: {
    pool: 'forks',
    // what hangs is found in half a minute on a machine of one's own; one that others share may take longer for anything
    testTimeout: process.env.VMSCOPE_REQUIRE_TOOLS ? 120_000 : 30_000,
    hookTimeout: process.env.VMSCOPE_REQUIRE_TOOLS ? 120_000 : 60_000,
    setupFiles: ['test/own-folders.ts'],
    // on a machine that others share; what needed it is named at the end (tools/count-reporter.ts)
    retry: process.env.VMSCOPE_REQUIRE_TOOLS ? 1 : 0,
    reporters: process.env.VMSCOPE_TEST_VERBOSE ? ['verbose'] : ['default', './tools/count-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'beside',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          maxWorkers: Math.min(4, availableParallelism()),
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'alone', include: alone, fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});
