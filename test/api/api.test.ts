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

it('waits for what commands let run, and says in a line what it cannot boot', () => {
  writeFileSync(
    join(folder, 'commands.mjs'),
    `import { boot } from 'vmscope';
const guest = await boot({ image: 'exit-zoo' });
const say = async (line) => console.log((await guest.command(line)).text.split(' at ')[0]);
await say('break vmexit CPUID');
await say('run');
await say('until vmexit MSR_READ');
await say('run');
await say('print 1 + 1');
for (const options of [{ vcpus: 99 }, { image: '/nonexistent/image' }, { memory: 'much' }, { cpu: 'fast' }])
  await boot({ image: 'exit-zoo', ...options }).catch((error) => console.log(error.message.split('\\n').length, error.message));
await guest.close();
console.log(typeof (await guest.closed));
`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, ['commands.mjs'], { cwd: folder, encoding: 'utf8' });
  expect([stderr, status]).toEqual(['', 0]);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.slice(0, 5)).toEqual([
    ...['breakpoint 1 on CPUID', 'STOPPED: CPUID (breakpoint 1)', 'STOPPED: MSR_READ', 'ENDED: guest powered off'],
    '0x2 = 2',
  ]);
  expect(lines[5]).toBe('1 vcpus 99: 1 to 16');
  expect(lines[6]).toMatch(/^1 .*\/nonexistent\/image: no such file/);
  expect(lines[7]).toMatch(/^1 .*much/);
  expect(lines[8]).toMatch(/^1 .*fast: no such model/);
  expect(lines.slice(9)).toEqual(['string']);
}, 60_000);
