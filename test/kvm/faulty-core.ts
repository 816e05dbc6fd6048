import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Compiles the core with one line of one of its files changed. @throws Error when nothing would change */
export function buildFaultyCore(file: string, change: (source: string) => string): WebAssembly.Module {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-faulty-'));
  try {
    mkdirSync(join(folder, 'core'));
    cpSync(join(root, 'src/engine/core'), join(folder, 'core'), { recursive: true });
    const path = join(folder, 'core', file);
    const source = readFileSync(path, 'utf8');
    const changed = change(source);
    const lines = changed.split('\n').filter((line, i) => line !== source.split('\n')[i]);
    if (lines.length !== 1) throw new Error(`${lines.length} lines of ${file} would change`);
    writeFileSync(path, changed);
    const config = JSON.parse(readFileSync(join(root, 'asconfig.json'), 'utf8')) as { options: object };
    const options = { ...config.options, outFile: 'core.wasm', optimizeLevel: 0, shrinkLevel: 0 };
    writeFileSync(join(folder, 'asconfig.json'), JSON.stringify({ entries: ['core/index.ts'], options }));
    const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');
    execFileSync(process.execPath, [asc, '--config', 'asconfig.json'], { cwd: folder, stdio: 'pipe' });
    return new WebAssembly.Module(readFileSync(join(folder, 'core.wasm')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
