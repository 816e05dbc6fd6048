// `npm run fuzz`: installs, builds, then compares the core with this host's CPU and KVM; arguments go to the tester.
// `npm run fuzz -- x87 [--cases N] [--seed N] [--only REGEX]` compares x87 instructions, whose state the tester's cases do
// not carry: `--only '^f(i?div|sqrt)'`.
// `npm run fuzz -- simd [--cases N] [--seed N] [--only REGEX]` the same for SSE and AVX, with all rounding modes and
// exceptions: `--only '^V?MUL'`.
// `npm run fuzz -- peers [--cases N] [--seed N]` what hostile peers may say: libvirt's RPC, QMP, GDB stubs, trace pages.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { prepare, root } from './prepare.mjs';

const HELP = {
  x87: 'x87 instructions on the host CPU',
  simd: 'SSE and AVX instructions on the host CPU, all rounding modes',
  peers: 'what hostile peers may say: RPC, QMP, GDB stubs, trace pages',
};

const [first, ...rest] = process.argv.slice(2);
const values = first in HELP ? numbers(first, rest) : undefined;
prepare();
const run =
  first === 'x87'
    ? x87(values)
    : first === 'simd'
      ? simd(values)
      : first === 'peers'
        ? peers(values)
        : tester(process.argv.slice(2));
process.exit(run.status ?? 1);

function tester(args) {
  return spawnSync(process.execPath, ['dist/engine/host/difftest/main.js', ...args], { cwd: root, stdio: 'inherit' });
}

/** The options of one of the sets; help, or what is wrong with them, ends the program. */
function numbers(set, args) {
  const usage = `usage: npm run fuzz -- ${set} [--cases N] [--seed N] [--only REGEX]   ${HELP[set]}`;
  const options = {
    help: { type: 'boolean', default: false },
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  };
  try {
    const { values } = parseArgs({ args, options });
    if (!values.help) return values;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`fuzz: ${error.message.split('\n')[0]}\n${usage}`);
    process.exit(2);
  }
}

function simd(values) {
  const env = {
    ...process.env,
    VMSCOPE_SIMD_TOTAL: values.cases,
    VMSCOPE_SIMD_SEED: values.seed,
    VMSCOPE_SIMD_ONLY: values.only,
  };
  return vitest(['test/core/simd/native', '-t', 'random cases'], env);
}

function peers(values) {
  const env = { ...process.env, VMSCOPE_PEERS_TOTAL: values.cases, VMSCOPE_PEERS_SEED: values.seed };
  return vitest(['test/targets/fuzz.test.ts'], env);
}

function x87(values) {
  const env = {
    ...process.env,
    VMSCOPE_X87_TOTAL: values.cases,
    VMSCOPE_X87_SEED: values.seed,
    VMSCOPE_X87_ONLY: values.only,
  };
  return vitest(['test/core/fpu/native-x87', 'test/core/fpu/native-trans', '--passWithNoTests'], env);
}

function vitest(files, env) {
  return spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
}
