/** The engine's script, with and without what V8 made of it before. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachedWith, makeCache, runScript, scriptOf } from '../../src/cli/cached-script.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const TEXT = 'globalThis.ran = [__dirname, require("./other.cjs").value, (function () { return this; })()];';
let folder: string;
let script: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vs-'));
  script = join(folder, 'some.cjs');
  writeFileSync(script, TEXT);
  writeFileSync(join(folder, 'other.cjs'), 'exports.value = 7;');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function ran(): unknown {
  const all = globalThis as { ran?: unknown };
  all.ran = undefined;
  runScript(script);
  return all.ran;
}

describe('a script with its cache', () => {
  it('runs as a strict module does, with the cache, without, and with one that is none', () => {
    const expected = [folder, 7, undefined];
    expect(ran()).toEqual(expected);
    const { file, bytes } = makeCache(script);
    writeFileSync(file, bytes);
    expect(scriptOf(script, cachedWith(script)).cachedDataRejected).toBe(false);
    expect(ran()).toEqual(expected);
    writeFileSync(file, 'none');
    // V8 would know the same text by itself
    writeFileSync(script, `${TEXT}//`);
    expect(scriptOf(script, cachedWith(script)).cachedDataRejected).toBe(true);
    expect(ran()).toEqual(expected);
  });

  const bundle = join(DIST, 'bundle');
  const engine = existsSync(bundle)
    ? readdirSync(bundle).find((name) => /^guest-worker-.*\.cjs$/.test(name))
    : undefined;
  it.skipIf(engine === undefined)('is taken in the process of a guest', () => {
    const code = `const { compileSeldom, GUEST_COMPILES_SELDOM } = await import('${DIST}/cli/compile-seldom.js');
      const { cachedWith, scriptOf } = await import('${DIST}/cli/cached-script.js');
      compileSeldom(GUEST_COMPILES_SELDOM);
      const file = '${join(bundle, engine!)}';
      console.log(cachedWith(file).length > 1e5, scriptOf(file, cachedWith(file)).cachedDataRejected);`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect(stdout).toBe('true false\n');
  });
});
