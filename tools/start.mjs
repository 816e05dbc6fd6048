// `npm start`: installs, builds and opens the demo, or passes its arguments to vmscope.
import { spawnSync } from 'node:child_process';
import { prepare, root } from './prepare.mjs';

prepare();
const args = process.argv.slice(2);
const run = spawnSync(
  process.execPath,
  [new URL('../bin/vmscope', import.meta.url).pathname, ...(args.length > 0 ? args : ['demo'])],
  { cwd: process.env.INIT_CWD ?? root, stdio: 'inherit' },
);
process.exit(run.status ?? 1);
