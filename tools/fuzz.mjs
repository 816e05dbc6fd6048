// `npm run fuzz`: installs, builds, then compares the core with this host's CPU and KVM; arguments go to the tester.
// `npm run fuzz -- x87 [--cases N] [--seed N]` compares x87 instructions, whose state the tester's cases do not carry.
// `npm run fuzz -- simd [--cases N] [--seed N]` the same for SSE and AVX, with all rounding modes and exceptions.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { prepare, root } from './prepare.mjs';

/** Cases that the x87 tests make in one of their rounds. */
const X87_CASES_PER_ROUND = 520;

prepare();
const [first, ...rest] = process.argv.slice(2);
const run = first === 'x87' ? x87(rest) : first === 'simd' ? simd(rest) : tester(process.argv.slice(2));
process.exit(run.status ?? 1);

function tester(args) {
  return spawnSync(process.execPath, ['dist/engine/host/difftest/main.js', ...args], { cwd: root, stdio: 'inherit' });
}

function numbers(args) {
  const options = { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } };
  return parseArgs({ args, options }).values;
}

function simd(args) {
  const values = numbers(args);
  const env = { ...process.env, VMSCOPE_SIMD_TOTAL: values.cases, VMSCOPE_SIMD_SEED: values.seed };
  return vitest(['test/core/simd/native'], env);
}

function x87(args) {
  const values = numbers(args);
  const rounds = Math.max(1, Math.round(Number(values.cases) / X87_CASES_PER_ROUND));
  const env = { ...process.env, VMSCOPE_X87_ROUNDS: String(rounds), VMSCOPE_X87_SEED: values.seed };
  return vitest(['test/core/fpu/native'], env);
}

function vitest(files, env) {
  return spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
}
