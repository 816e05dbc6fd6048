import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';

export interface Tool {
  available: boolean;
  /** Why a test that needs the tool is skipped; empty when it is available. */
  reason: string;
  /** Full path of the program; empty when it is absent. */
  path: string;
}

function findProgram(name: string): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return '';
}

/**
 * Says whether an outside program that a test needs is on PATH.
 *
 * Use: `const gdb = requireTool('gdb'); test.skipIf(!gdb.available)(named('continue', gdb), ...)`.
 * @throws Error under VMSCOPE_REQUIRE_TOOLS=1 when the program is absent: there a skip is a failure.
 */
export function requireTool(name: string): Tool {
  const path = findProgram(name);
  if (path !== '') return { available: true, reason: '', path };
  return absent(`${name} is not installed`);
}

/** The same for a file that a package brings, such as a guest's image. */
export function requireFile(path: string, packageName: string): Tool {
  if (existsSync(path)) return { available: true, reason: '', path };
  return absent(`${path} is absent: package ${packageName} is not installed`);
}

/** For a script; those that only long tests run build kernels. */
const SCRIPT_MS = process.env.VMSCOPE_LONG_TESTS === '1' ? 3_600_000 : 300_000;

/** The same for what a script of the project fetches or builds. */
export function requireScript(script: string, ...args: string[]): Tool {
  // two files that run at the same time may want the same guest: the second waits until it is there
  const flock = findProgram('flock');
  const [program, words] = flock === '' ? [script, args] : [flock, [script, script, ...args]];
  const run = spawnSync(program, words, { encoding: 'utf8', timeout: SCRIPT_MS });
  if (run.status === 0) return { available: true, reason: '', path: script };
  const lines = `${run.error?.message ?? run.stderr}`.trim().split('\n');
  return absent(`${basename(script)} failed: ${lines[lines.length - 1]}`);
}

function absent(reason: string): Tool {
  if (process.env.VMSCOPE_REQUIRE_TOOLS === '1') throw new Error(`${reason} (VMSCOPE_REQUIRE_TOOLS=1)`);
  return { available: false, reason, path: '' };
}

/** A test's title, with the reason appended when one of its tools is absent. */
export function named(title: string, ...tools: Tool[]): string {
  const reasons = tools.filter((tool) => !tool.available).map((tool) => tool.reason);
  return reasons.length === 0 ? title : `${title} [skipped: ${reasons.join(', ')}]`;
}
