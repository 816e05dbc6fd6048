// `npm run fuzz`: installs, builds, then compares the core with this host's CPU and KVM; arguments go to the tester.
import { spawnSync } from 'node:child_process';
import { prepare, root } from './prepare.mjs';

prepare();
const tester = 'dist/engine/host/difftest/main.js';
const run = spawnSync(process.execPath, [tester, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.exit(run.status ?? 1);
