/** README and docs/ name what there is: verbs, options, commands, pages. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCommand } from '../../src/tui/commands.js';
import { PROGRAM, vmscope } from './vmscope.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const PAGES = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const TEXTS = ['README.md', ...PAGES.map((name) => `docs/${name}`)];

/** `vmscope ...` as it stands in a code block, up to a remark behind it. */
function commandLines(path: string): string[] {
  return [...read(path).matchAll(/^ {4}(?:\.\/bin\/)?(vmscope .*)$/gm)].map(
    ([, line]) => line!.split(/ {3,}|\s+\|\s+vm/)[0]!,
  );
}

describe('docs', () => {
  const options = new Map<string, string>();
  let verbs: string[];
  beforeAll(async () => {
    const { stdout } = await vmscope(['completion', 'fish']);
    verbs = [...stdout.matchAll(/__fish_use_subcommand -a (\S+)/g)].map((match) => match[1]!);
    for (const verb of verbs) {
      const lines = stdout.split('\n').filter((line) => line.includes(`_from ${verb}'`));
      options.set(verb, lines.join('\n'));
    }
  });

  it.each(TEXTS)('%s: each command line has a verb and options that there are', (path) => {
    for (const line of commandLines(path)) {
      const [, verb = ''] = line.split(/\s+/);
      if (verb.startsWith('-') || ['exit-zoo'].includes(verb)) continue;
      expect(verbs, line).toContain(verb);
      for (const [, name] of line.replace(/'[^']*'/g, '').matchAll(/\s--([\w-]+)/g))
        expect(options.get(verb), line).toMatch(new RegExp(` -l ${name} `));
    }
  });

  it.each(TEXTS)('%s: each `:command` is one', (path) => {
    for (const [, inline, block] of read(path).matchAll(/`:([a-z][^`]*)`|^ {4}:([a-z].*)$/gm)) {
      const line = (inline ?? block)!;
      expect(() => findCommand(line), line).not.toThrow();
    }
  });

  it('README lists each page, and no other', () => {
    const listed = [...read('README.md').matchAll(/^\| docs\/(\S+) \|/gm)].map((match) => match[1]!);
    expect(listed.sort()).toEqual([...PAGES].sort());
    for (const path of TEXTS)
      for (const [, name] of read(path).matchAll(/\bdocs\/([\w-]+\.md)/g)) expect(PAGES, path).toContain(name);
  });

  describe('lines that need nothing but a sample', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-docs-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const lines = TEXTS.flatMap(commandLines).filter((line) => line.startsWith('vmscope run exit-zoo --headless'));

    it.each(lines)('%s', (line) => {
      const script = `vmscope() { ${process.execPath} ${PROGRAM} "$@"; }\n${line}`;
      const { status, stderr } = spawnSync('bash', ['--norc', '-c', script], { cwd: folder, encoding: 'utf8' });
      expect([status, stderr]).toEqual([0, '']);
    });
  });
});
