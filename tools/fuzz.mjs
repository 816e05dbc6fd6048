// `npm run fuzz`: installs, builds, then compares the core with this host's CPU and KVM; arguments go to the tester.
// `npm run fuzz -- x87 [--cases N] [--seed N]` compares x87 instructions, whose state the tester's cases do not carry.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { prepare, root } from './prepare.mjs';

/** Cases that the x87 tests make in one of their rounds. */
const X87_CASES_PER_ROUND = 520;

prepare();
const [first, ...rest] = process.argv.slice(2);
const run = first === 'x87' ? x87(rest) : tester(process.argv.slice(2));
process.exit(run.status ?? 1);

function tester(args) {
  return spawnSync(process.execPath, ['dist/engine/host/difftest/main.js', ...args], { cwd: root, stdio: 'inherit' });
}

function x87(args) {
  const options = { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } };
  const { values } = parseArgs({ args, options });
  const rounds = Math.max(1, Math.round(Number(values.cases) / X87_CASES_PER_ROUND));
  const env = { ...process.env, VMSCOPE_X87_ROUNDS: String(rounds), VMSCOPE_X87_SEED: values.seed };
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', 'test/core/fpu/native'];
  return spawnSync(process.execPath, vitest, { cwd: root, stdio: 'inherit', env });
}
