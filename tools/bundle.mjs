// Part of `npm run build:host`: puts the modules of dist into few files in dist/bundle, which bin/vmscope starts. Node
// takes about a millisecond for each of the 700 modules of a guest with its dashboard, most of the time to the first screen.
// The engine's thread is one script with V8's code cache beside it (src/cli/cached-script.ts).
// Without the bundler (npm install --omit=dev) the modules are started as they are.
import { createHash } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const place = join(dist, 'bundle');
const ENTRIES = {
  main: 'cli/main.js',
  'engine-thread': 'cli/engine-thread.js',
  'cached-script': 'cli/cached-script.js',
};
/** The one thread that is started from the bundle too; other threads and processes are started from their own modules. */
const WORKER = "new URL('./guest-worker.js', import.meta.url)";
const WORKER_MODULE = 'cli/guest-worker.js';
/** Of a script, which has no import.meta. */
const SCRIPT_URL = "require('node:url').pathToFileURL(__filename)";

/** A module that asks where it is learns where it was. */
const places = (url) => ({
  name: 'places',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null;
    const original = JSON.stringify(relative(place, id));
    const parts = code.split(WORKER);
    const moved = parts.map((part) => part.replaceAll('import.meta.url', `new URL(${original}, ${url}).href`));
    return { code: moved.join(WORKER.replace('import.meta.url', url)) };
  },
});

let rolldown;
try {
  ({ rolldown } = await import('rolldown'));
} catch {
  process.stderr.write('vmscope: no bundler (npm install brings it): dist is started as it is\n');
}

const bundleOf = (input, url) =>
  rolldown({
    ...{ input, platform: 'node', plugins: [places(url)], treeshake: false, logLevel: 'warn' },
    // packages stay where they are
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    // the modules' own way to load a part later; in one file there is none
    checks: { ineffectiveDynamicImport: false },
  });

async function writeModules() {
  const bundle = await bundleOf(
    Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(dist, file)])),
    'import.meta.url',
  );
  const files = { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' };
  await bundle.write({ dir: place, format: 'esm', ...files });
  await bundle.close();
}

const escaped = (character) =>
  [...Array(character.length).keys()]
    .map((n) => `\\u${character.charCodeAt(n).toString(16).padStart(4, '0')}`)
    .join('');

async function writeEngine() {
  const bundle = await bundleOf(join(dist, WORKER_MODULE), SCRIPT_URL);
  const { output } = await bundle.generate({ format: 'cjs' });
  await bundle.close();
  if (output.length !== 1) throw new Error(`the engine is ${output.length} files`);
  const code = output[0].code.replace(/[^\0-\x7f]/gu, escaped);
  const name = `guest-worker-${createHash('sha256').update(code).digest('hex').slice(0, 8)}.cjs`;
  writeFileSync(join(place, name), code);
  const url = `new URL('./${name}', import.meta.url)`;
  writeFileSync(
    join(place, 'guest-worker.js'),
    `import { fileURLToPath } from 'node:url';
import { runScript } from './cached-script.js';

runScript(fileURLToPath(${url}));
`,
  );
  const { compileSeldom, GUEST_COMPILES_SELDOM } = await import(join(dist, 'cli/compile-seldom.js'));
  const { makeCache } = await import(join(dist, 'cli/cached-script.js'));
  // as the process of a guest has it
  compileSeldom(GUEST_COMPILES_SELDOM);
  const { file, bytes } = makeCache(join(place, name));
  writeFileSync(file, bytes);
}

if (rolldown) {
  await writeModules();
  await writeEngine();
  const bytes = readdirSync(place).reduce((sum, name) => sum + statSync(join(place, name)).size, 0);
  if (bytes === 0) throw new Error(`${place} is empty`);
}
