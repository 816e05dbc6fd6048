/** The library: what docs/library.md shows, from the built program. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmscope-library-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The example of the page, in a folder where `vmscope` is this checkout. */
function example(): string {
  const page = readFileSync(join(root, 'docs/library.md'), 'utf8');
  const [, text] = /```ts\n([\s\S]*?)```/.exec(page)!;
  spawnSync('mkdir', ['-p', join(folder, 'node_modules')]);
  symlinkSync(root, join(folder, 'node_modules/vmscope'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  return text!;
}

it('runs the example of its page, whose types hold', () => {
  const text = example();
  writeFileSync(join(folder, 'example.ts'), text);
  const tsc = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules/@types'),
      'example.ts',
    ],
    { cwd: folder, encoding: 'utf8' },
  );
  expect(tsc.stdout).toBe('');
  const run = spawnSync(process.execPath, ['example.js'], { cwd: folder, encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(run.stdout).toMatch(
    /^CPUID leaf 0 at 0x[0-9a-f]+\nAssertionFailed: assert: rax == 99 does not hold: rax is 0x[0-9a-f]+, 99 is 0x63\n$/,
  );
  expect(run.status).toBe(0);
}, 60_000);
