/** What verbs load of parts that most of them do not need. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Modules and packages that are loaded with a file: types and what is imported when it is needed are not. */
function loadedWith(file: string): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const load = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const [, names, from] of readFileSync(path, 'utf8').matchAll(
      /^(?:import|export)\s+(?!type\b)(?:([\w*{][^;']*?)\s+from\s+)?'([^']+)';/gm,
    )) {
      // one that names types alone is gone when it is compiled
      const types = names
        ?.match(/^\{(.*)\}$/s)?.[1]
        ?.split(',')
        .filter((part) => part.trim() !== '');
      if (types?.every((part) => /^\s*type\s/.test(part))) continue;
      if (from!.startsWith('.')) load(resolve(dirname(path), from!.replace(/\.js$/, '.ts')));
      else if (!from!.startsWith('node:')) packages.add(from!);
    }
  };
  load(join(SRC, file));
  return { files: [...files].map((path) => relative(SRC, path)), packages: [...packages] };
}

it('is the assistant’s protocol and the charts only where they are asked for', () => {
  for (const verb of ['run', 'top', 'attach', 'send', 'trace', 'doctor'])
    expect(loadedWith(`cli/${verb}.ts`).files.filter((file) => file.startsWith('mcp/'))).toEqual([]);
  expect(loadedWith('cli/mcp.ts').files).toContain('mcp/server.ts');
  const { packages } = loadedWith('tui/dashboard.ts');
  expect(packages.filter((name) => /contrib|xterm/.test(name))).toEqual([]);
});
