import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // on a machine that others share; what needed it is named at the end (tools/count-reporter.ts)
    retry: process.env.VMSCOPE_REQUIRE_TOOLS ? 1 : 0,
    reporters: process.env.VMSCOPE_TEST_VERBOSE ? ['verbose'] : ['default', './tools/count-reporter.ts'],
  },
});
