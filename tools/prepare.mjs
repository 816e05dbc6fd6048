// Installs the packages and builds what is missing or older than its sources.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Newest modification time below a folder, in ms. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), 0);
}

function step(title, command, args) {
  process.stderr.write(`vmscope: ${title}\n`);
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}\nvmscope: ${title} failed\n`);
  process.exit(1);
}

function stale(output, ...sources) {
  const file = join(root, output);
  if (!existsSync(file)) return true;
  const time = statSync(file).mtimeMs;
  return sources.some((source) => existsSync(join(root, source)) && newest(join(root, source)) > time);
}

export function prepare() {
  if (stale('node_modules/.package-lock.json', 'package-lock.json'))
    // what the lock says, and the lock stays as it is
    step('installing packages', 'npm', ['ci', '--no-audit', '--no-fund']);
  // the core's tables are made from the spec by the tools
  if (stale('build/core.wasm', 'src/engine/core', 'src/spec', 'tools', 'asconfig.json'))
    step('building the engine core', 'npm', ['run', '--silent', 'build:core']);
  if (stale('dist/cli/main.js', 'src', 'tsconfig.json')) step('building', 'npm', ['run', '--silent', 'build:host']);
}
