// Part of `npm run build:host`: puts the modules of dist into few files in dist/bundle, which bin/vmscope starts. Node
// takes about a millisecond for each of the 700 modules of a guest with its dashboard, most of the time to the first screen.
// Without the bundler (npm install --omit=dev) the modules are started as they are.
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const place = join(dist, 'bundle');
const ENTRIES = {
  main: 'cli/main.js',
  'engine-thread': 'cli/engine-thread.js',
  'guest-worker': 'cli/guest-worker.js',
};
/** The one thread that is started from the bundle too; other threads and processes are started from their own modules. */
const WORKER = "new URL('./guest-worker.js', import.meta.url)";

/** A module that asks where it is learns where it was. */
const places = {
  name: 'places',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null;
    const original = JSON.stringify(relative(place, id));
    const parts = code.split(WORKER);
    const moved = parts.map((part) => part.replaceAll('import.meta.url', `new URL(${original}, import.meta.url).href`));
    return { code: moved.join(WORKER) };
  },
};

let rolldown;
try {
  ({ rolldown } = await import('rolldown'));
} catch {
  process.stderr.write('vmscope: no bundler (npm install brings it): dist is started as it is\n');
}
if (rolldown) {
  const input = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(dist, file)]));
  const bundle = await rolldown({
    ...{ input, platform: 'node', plugins: [places], treeshake: false, logLevel: 'warn' },
    // packages stay where they are
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  });
  const files = { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' };
  await bundle.write({ dir: place, format: 'esm', ...files });
  await bundle.close();
  const bytes = readdirSync(place).reduce((sum, name) => sum + statSync(join(place, name)).size, 0);
  if (bytes === 0) throw new Error(`${place} is empty`);
}
