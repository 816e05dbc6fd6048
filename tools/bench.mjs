// `npm run bench`: installs, builds, then measures; arguments go to bench/run.ts.
import { spawnSync } from 'node:child_process';
import { prepare, root } from './prepare.mjs';

prepare();
const options = { cwd: root, stdio: 'inherit' };
const built = spawnSync('npx', ['tsc', '-p', 'bench/tsconfig.json'], options);
if (built.status !== 0) process.exit(built.status ?? 1);
const run = spawnSync(process.execPath, ['build/bench/bench/run.js', ...process.argv.slice(2)], options);
process.exit(run.status ?? 1);
