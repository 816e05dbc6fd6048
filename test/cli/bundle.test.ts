/** What bin/vmscope starts: the bundle, unless it is older than the modules that it was made of. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vs-'));
  mkdirSync(join(folder, 'bin'));
  copyFileSync(BIN, join(folder, 'bin', 'vmscope'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A main that says who it is, as old as it says. */
function built(part: 'cli' | 'bundle', seconds: number): void {
  const place = join(folder, 'dist', part);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'main.js'), `export const main = async () => console.log('${part}');`);
  writeFileSync(join(place, 'version.js'), "export const VERSION = '1.2.3';");
  utimesSync(join(place, 'main.js'), seconds, seconds);
}

function run(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'bin', 'vmscope'), ...args], {
    encoding: 'utf8',
  });
  return { stdout: stdout.trim(), stderr: stderr.trim(), status };
}

describe('bin/vmscope', () => {
  it.each([
    ['the bundle that is newer', 1000, 'bundle'],
    ['the bundle where all files have one time, as in a package', 900, 'bundle'],
    ['the modules that are newer', 800, 'cli'],
    ['the modules where there is no bundle', undefined, 'cli'],
  ])('starts %s', (_, bundleSeconds, started) => {
    built('cli', 900);
    if (bundleSeconds !== undefined) built('bundle', bundleSeconds);
    expect(run('top')).toEqual({ stdout: started, stderr: '', status: 0 });
    expect(run('--version').stdout).toBe('1.2.3');
  });

  it('says how to build it where it is not built', () => {
    const { status, stderr } = run('top');
    expect(status).toBe(3);
    expect(stderr).toMatch(/^vmscope: not built yet: run npm start/);
  });
});
