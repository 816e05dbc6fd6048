import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { named, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const gdb = requireTool('gdb');
/** Off where the packages cannot be had: everything else is the checkout's. */
const ONLINE = process.env.VMSCOPE_REQUIRE_TOOLS === '1';

describe.skipIf(!ONLINE)('the package', () => {
  let folder: string;
  let program: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-package-'));
    // the scripts would build anew under the other tests
    const [{ filename, files }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
        cwd: root,
        encoding: 'utf8',
      }),
    ) as [{ filename: string; files: { path: string }[] }];
    expect(files.filter(({ path }) => /^(src|test|tools|bench)\//.test(path))).toEqual([]);
    writeFileSync(join(folder, 'package.json'), '{"private": true}');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', join(folder, filename)], { cwd: folder });
    program = join(folder, 'node_modules/.bin/vmscope');
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('needs no compiler: the demo runs in an empty folder', () => {
    expect(existsSync(join(folder, 'node_modules/typescript'))).toBe(false);
    const demo = spawnSync(program, ['demo'], { cwd: folder, encoding: 'utf8', input: '' });
    expect(demo.stderr).toBe('');
    expect(demo.status).toBe(0);
    expect(demo.stdout).toContain('exit');
    const version = spawnSync(program, ['--version'], { cwd: folder, encoding: 'utf8' }).stdout.trim();
    expect(version).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  }, 120_000);

  it.skipIf(!gdb.available)(
    named('serves gdb', gdb),
    async () => {
      const socket = join(folder, 'gdb.sock');
      const guest = spawn(program, ['run', 'long-mode', '--headless', '--wait', '--gdb', `unix:${socket}`], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      try {
        await new Promise((resolve) => guest.stderr.once('data', resolve));
        const session = spawnSync(
          'gdb',
          ['-nx', '-batch', '-ex', `target remote ${socket}`, '-ex', 'stepi', '-ex', 'print/x $pc', '-ex', 'kill'],
          { encoding: 'utf8' },
        );
        expect(session.stdout).toMatch(/^\$1 = 0x100021$/m);
      } finally {
        guest.kill();
      }
    },
    120_000,
  );

  it('is a library: the example of docs/library.md runs, and its types hold', () => {
    const page = readFileSync(join(folder, 'node_modules/vmscope/docs/library.md'), 'utf8');
    writeFileSync(join(folder, 'example.mts'), /```ts\n([\s\S]*?)```/.exec(page)![1]!);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', ...types, 'example.mts'];
    expect(spawnSync(process.execPath, [tsc, ...options], { cwd: folder, encoding: 'utf8' }).stdout).toBe('');
    const run = spawnSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.stdout).toMatch(/^CPUID leaf 0 at .*\nAssertionFailed: /);
  }, 120_000);

  it('without koffi runs all but engine kvm', () => {
    rmSync(join(folder, 'node_modules/koffi'), { recursive: true, force: true });
    const run = spawnSync(program, ['run', 'long-mode', '--headless'], { cwd: folder, encoding: 'utf8' });
    expect(run.stdout).toContain('r15 kept its 64 bits');
    const kvm = spawnSync(program, ['run', 'long-mode', '--headless', '--engine', 'kvm'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(kvm.status).toBe(2);
    expect(kvm.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(kvm.stderr).toMatch(/koffi|\/dev\/kvm/);
  }, 60_000);
});
