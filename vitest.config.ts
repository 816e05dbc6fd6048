import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: process.env.VMSCOPE_TEST_VERBOSE ? ['verbose'] : ['default', './tools/count-reporter.ts'],
  },
});
