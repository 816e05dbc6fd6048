#!/usr/bin/env node
// Runs kvm-unit-tests (https://gitlab.com/kvm-unit-tests/kvm-unit-tests) in vmscope.
//   samples/kvm-unit-tests/run.mjs [-j N] [--timeout SECONDS] DIR [NAME...]
// DIR is a checkout; where it is not configured, it is configured and built there with gcc. NAME: sections of
// x86/unittests.cfg, or names of its files without .flat; what is named is run though it wants what vmscope's machine has
// not. Prints PASS, FAIL or SKIP a test; status 1 when one failed.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const VMSCOPE = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const { parseCpu } = await import(new URL('../../dist/engine/vmm/cpu-option.js', import.meta.url).href);
/** The clock at power-on, so that runs repeat; tests that are told the date are told this one. */
const RTC = '2026-01-01T00:00:00';
/** What the suite writes to isa-debug-exit in the end: 0, or 77 >> 1 when it skipped all. */
const ENDED = /guest wrote 0x([0-9a-f]+) to the debug exit port/;
const PASSED = 0;
const SKIPPED = 77 >> 1;

/** Machines and devices of QEMU that vmscope's machine is not or has not, by what asks for them. */
const FOREIGN = [
  [/hv_passthrough|hyperv-testdev/, "needs Hyper-V's paravirtual interface"],
  [/intel-iommu/, 'needs an IOMMU'],
  [/vmport=on/, "needs VMware's backdoor port"],
  [/phys-bits=36/, 'needs fewer physical address bits than the host'],
];

/** The sections of unittests.cfg, as objects of their lines. */
function parseConfig(text) {
  const tests = [];
  for (const line of text.split('\n')) {
    const section = /^\[(.*)\]$/.exec(line);
    const entry = /^(\w+)\s*=\s*(.*)$/.exec(line);
    if (section) tests.push({ name: section[1] });
    else if (entry && tests.length > 0) tests.at(-1)[entry[1]] = entry[2].trim();
  }
  return tests;
}

const unquote = (text) => text.replace(/^(["'])(.*)\1$/, '$2');

/** Is it a feature that vmscope can turn on and off? */
function knows(feature) {
  try {
    parseCpu(`max,${feature}`);
    return true;
  } catch {
    return false;
  }
}

/** QEMU's models become `max`, its features those that vmscope knows: a test skips itself where one is missing. */
function cpuOf(text) {
  const parts = text.split(',').slice(1);
  const wanted = parts.filter((part) => part.startsWith('vendor=') || (/^[+-]/.test(part) && knows(part)));
  return ['max', ...wanted].join(',');
}

/** Arguments of `vmscope run` for a test, or why it cannot be run. `named`: it was asked for. */
function planOf(test, arch, named) {
  const params = test.qemu_params ?? '';
  if (test.arch !== undefined && test.arch !== arch) return { skip: `for ${test.arch}` };
  for (const [pattern, reason] of FOREIGN) if (!named && pattern.test(params)) return { skip: reason };
  const cpu = /-cpu (\S+)/.exec(params);
  const memory = /-m (\S+)/.exec(params);
  const seconds = String(Date.parse(`${RTC}Z`) / 1000);
  const append = unquote(test.test_args ?? '').replace(/`date \+%s`/, seconds);
  return {
    args: [
      ...['--headless', '--isa-debug-exit', '--rtc', RTC, '--vcpus', test.smp ?? '1'],
      ...['--cpu', cpu ? cpuOf(cpu[1]) : 'max'],
      ...['--memory', memory ? memory[1].replace(/^4g$/i, '3G') : '128'],
      ...(append === '' ? [] : ['--append', append]),
    ],
  };
}

function run(command, args, options) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
    child.on('error', (error) => done({ status: 127, output: `${output}${error.message}\n` }));
    child.on('close', (status) => done({ status: status ?? 127, output }));
  });
}

/** The line that says most: the test's own reason to skip, its failures, or how it ended. */
function reasonOf(outcome, output, status) {
  const lines = output.split('\n');
  const own = lines.filter((line) => line.startsWith(`${outcome}: `)).map((line) => line.slice(6));
  const summary = lines.find((line) => line.startsWith('SUMMARY: '))?.slice(9);
  if (outcome === 'PASS') return summary ?? 'no summary of its own';
  return [summary, own[0] ?? lines.filter((line) => line !== '').at(-1), `status ${status}`].filter(Boolean).join('; ');
}

async function runTest(test, dir, arch, options) {
  const plan = planOf(test, arch, options.named);
  if (plan.skip !== undefined) return { outcome: 'SKIP', reason: plan.skip };
  const file = join(dir, 'x86', test.file);
  if (!existsSync(file)) return { outcome: 'SKIP', reason: `${test.file} was not built` };
  const { status, output } = await run(VMSCOPE, ['run', file, ...plan.args, '--timeout', options.timeout]);
  writeFileSync(join(options.logs, `${test.name}.log`), output);
  // by its words, since a guest that crashes ends with status 1 too
  const written = Number.parseInt(ENDED.exec(output)?.[1] ?? '', 16);
  const outcome = written === PASSED ? 'PASS' : written === SKIPPED ? 'SKIP' : 'FAIL';
  return { outcome, reason: reasonOf(outcome, output, status) };
}

/** Configures and builds the checkout where that has not been done. */
async function build(dir) {
  if (existsSync(join(dir, 'config.mak')) && existsSync(join(dir, 'x86/realmode.flat'))) return;
  process.stderr.write(`building ${dir}\n`);
  for (const [command, args] of [
    ['./configure', []],
    ['make', ['-s', '-j2', 'standalone=no']],
  ]) {
    const { status, output } = await run(command, args, { cwd: dir });
    if (status === 0) continue;
    process.stderr.write(`${output.split('\n').slice(-20).join('\n')}\n`);
    throw new Error(`${command} failed in ${dir}`);
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { jobs: { type: 'string', short: 'j', default: '1' }, timeout: { type: 'string', default: '600' } },
    allowPositionals: true,
  });
  const [given, ...names] = positionals;
  if (given === undefined || !existsSync(join(given, 'x86/unittests.cfg'))) {
    process.stderr.write(
      'usage: run.mjs [-j N] [--timeout SECONDS] DIR [NAME...]; DIR: a checkout of kvm-unit-tests\n',
    );
    return 2;
  }
  const dir = resolve(given);
  await build(dir);
  const arch = /^ARCH=(.*)$/m.exec(readFileSync(join(dir, 'config.mak'), 'utf8'))[1];
  const options = { named: names.length > 0, timeout: values.timeout, logs: join(dir, 'vmscope-logs') };
  mkdirSync(options.logs, { recursive: true });
  const all = parseConfig(readFileSync(join(dir, 'x86/unittests.cfg'), 'utf8'));
  const chosen = ({ name, file }) => names.includes(name) || names.includes(basename(file ?? '', '.flat'));
  const tests = names.length === 0 ? all : all.filter(chosen);
  const counts = { PASS: 0, FAIL: 0, SKIP: 0 };
  const queue = [...tests];
  const worker = async () => {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      const start = performance.now();
      const { outcome, reason } = await runTest(test, dir, arch, options);
      counts[outcome]++;
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      process.stdout.write(`${outcome} ${test.name} (${reason}) ${seconds} s\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  const missing = names.filter((name) => !tests.some((test) => test.name === name || test.file === `${name}.flat`));
  for (const name of missing) process.stderr.write(`no test ${name} in ${dir}/x86/unittests.cfg\n`);
  process.stdout.write(
    `${counts.PASS} passed, ${counts.FAIL} failed, ${counts.SKIP} skipped; output in ${options.logs}\n`,
  );
  return counts.FAIL > 0 || missing.length > 0 ? 1 : 0;
}

process.exitCode = await main();
