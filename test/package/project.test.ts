/** What somebody who picks the project up relies on, told by its files. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { TRACE_RECORD_BYTES } from '../../src/engine/core/layout.js';
import { MAX_BLOCK_RECORDS, TRACE_FILE_VERSION } from '../../src/formats/exit-trace-file.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const project = JSON.parse(read('package.json'));
const folder = mkdtempSync(join(tmpdir(), 'vmscope-project-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Locked {
  version?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

describe('the lock', () => {
  const packages: Record<string, Locked> = JSON.parse(read('package-lock.json')).packages;

  /** Where a package that `from` names is found, as Node looks for it. */
  function found(from: string, name: string): boolean {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
      if (packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`]) return true;
      if (at === '') return false;
    }
  }

  it('is of this package.json, and has all that `npm ci` asks for: optional packages of other systems too', () => {
    const { name, version } = JSON.parse(read('package-lock.json'));
    expect([name, version]).toEqual([project.name, project.version]);
    for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies'] as const)
      expect(packages[''][kind]).toEqual(project[kind]);
    const missing = Object.entries(packages).flatMap(
      ([path, { dependencies, optionalDependencies, devDependencies }]) =>
        Object.keys({ ...dependencies, ...optionalDependencies, ...(path === '' ? devDependencies : {}) })
          .filter((wanted) => !found(path, wanted))
          .map((wanted) => `${path}: ${wanted}`),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(packages).filter((path) => /win32|darwin/.test(path)).length).toBeGreaterThan(10);
  });
});

describe('npm start', () => {
  it('installs what the lock says, so that the checkout stays clean, and builds', () => {
    const copy = join(folder, 'checkout');
    for (const part of ['tools/start.mjs', 'tools/prepare.mjs', 'package.json', 'package-lock.json'])
      cpSync(join(root, part), join(copy, part));
    for (const part of ['src', 'bin', 'npm']) mkdirSync(join(copy, part), { recursive: true });
    writeFileSync(join(copy, 'bin', 'vmscope'), 'console.log(...process.argv.slice(2))');
    const npm = join(copy, 'npm', 'npm');
    writeFileSync(npm, '#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n');
    chmodSync(npm, 0o755);
    const run = (...words: string[]) =>
      spawnSync(process.execPath, [join(copy, 'tools/start.mjs'), ...words], {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${dirname(npm)}:${process.env.PATH}`, INIT_CWD: copy },
      });
    expect(run('--version').stdout).toBe('--version\n');
    expect(run().stdout).toBe('demo\n');
    const calls = readFileSync(join(copy, 'npm', 'calls'), 'utf8').split('\n');
    expect(calls.slice(0, 3)).toEqual([
      'ci --no-audit --no-fund',
      'run --silent build:core',
      'run --silent build:host',
    ]);
  });

  it('writes only what git does not keep', () => {
    const ignored = ['node_modules/x', 'dist/x', 'build/core.wasm', 'src/engine/core/generated/x'];
    const rules = read('.gitignore').split('\n').filter(Boolean);
    for (const path of ignored)
      expect(
        rules.some((rule) => `/${path}`.includes(`/${rule.replace(/^\/|\/$/g, '')}/`)),
        path,
      ).toBe(true);
  });
});

describe('the package', () => {
  it('has its version in one place, and may be published', () => {
    expect(project.private).toBeUndefined();
    expect(project.version).toMatch(/^\d+\.\d+\.\d+$/);
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const others = sources.filter((name) => read(`src/${name}`).includes(`'${project.version}'`));
    expect(others).toEqual([]);
  });

  it('says which Node it needs wherever it does, and koffi is optional', () => {
    expect(project.engines.node).toBe('>=20');
    expect(read('src/cli/doctor-tools.ts')).toContain('const NODE_FROM = 20;');
    expect(read('README.md')).toContain('Node 20 or newer');
    expect(project.dependencies.koffi).toBeUndefined();
    expect(project.optionalDependencies.koffi).toBeDefined();
  });

  it('names each package that it uses in its notices, with its licence', () => {
    const notice = read('NOTICE');
    const used = { ...project.dependencies, ...project.optionalDependencies, ...project.devDependencies };
    const packages = JSON.parse(read('package-lock.json')).packages;
    for (const name of Object.keys(used)) {
      if (name.startsWith('@types/')) continue;
      const line = notice.split('\n').find((text) => text.startsWith(`  ${name} `));
      expect(line, name).toBeDefined();
      const { license } = packages[`node_modules/${name}`];
      for (const word of (license as string | undefined)?.match(/[\w.-]+/g) ?? [])
        if (word !== 'OR') expect(line).toContain(word);
    }
    expect(project.files).toContain('NOTICE');
  });

  it('is checked by CI as by hand: lint, types, tests', () => {
    const steps = read('.ci/run')
      .split('\n')
      .filter((line) => line.startsWith('npm '));
    expect(steps.map((step) => step.replace(/ --silent/, ''))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^npm ci /), 'npm run lint', 'npm run typecheck', 'npm test']),
    );
  });
});

describe('the texts', () => {
  it('README comes in the order of its readers', () => {
    const readme = read('README.md');
    const [title, beginning] = readme.split(/^## /m);
    expect(title).toMatch(/It is for people who[\s\S]*It is no replacement for/);
    // two commands, before all else
    expect(title!.match(/^ {4}\S.*$/gm)).toHaveLength(2);
    expect(beginning).toMatch(/^A stock kernel under gdb\n\nKASLR on, no vmlinux/);
    const parts = [...readme.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
    expect(parts).toEqual(['A stock kernel under gdb', 'Every exit, and why', 'Commands', 'Pages']);
  });

  it('docs/ has a page for each subject', () => {
    const subjects: Record<string, RegExp> = {
      dashboard: /^# The dashboard/,
      gdb: /gdb -i dap/,
      exits: /VMCS/,
      disks: /qcow2/,
      network: /hostfwd/,
      kvm: /--engine kvm/,
      scripting: /--exec/,
      troubleshooting: /^#/,
      comparison: /QEMU[\s\S]*Bochs[\s\S]*rr[\s\S]*virt-top/,
      assistants: /QMP/,
    };
    for (const [page, text] of Object.entries(subjects)) expect(read(`docs/${page}.md`), page).toMatch(text);
  });

  it('list the statuses, and the format of the trace as it is', () => {
    const rows = [...read('docs/scripting.md').matchAll(/^\| ([\d, ]+|other) \|/gm)].map(([, status]) => status);
    expect(rows).toEqual(['0', '1', '2', '3', '124', '129, 130, 143', '141', 'other']);
    const format = read('docs/trace-file.md');
    expect(format).toContain(`## Format, version ${TRACE_FILE_VERSION}\n`);
    expect(format).toContain(`| 4 | bytes a record (${TRACE_RECORD_BYTES}) |`);
    expect(format).toContain('| 4 | count of records, 1 to 16,384 |');
    expect(MAX_BLOCK_RECORDS).toBe(16_384);
    // fields follow each other without a hole to the end of the record
    const fields = [...format.matchAll(/^\| (\d+) \| ([248]) \| /gm)].map(([, at, size]) => [Number(at), Number(size)]);
    let end = 0;
    for (const [at, size] of fields.slice(fields.findIndex(([at]) => at === 0))) {
      expect(at).toBe(end);
      end += size!;
    }
    expect(end).toBe(TRACE_RECORD_BYTES);
  });

  it('CONTRIBUTING says how to add what people add, at places that there are', () => {
    const text = read('CONTRIBUTING.md');
    const parts = [...text.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
    expect(parts).toEqual(expect.arrayContaining(['An instruction', 'A device', "A packet of gdb's", 'A pane']));
    const named = [...text.matchAll(/`((?:src|test|samples|docs)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(15);
    for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
  });
});
