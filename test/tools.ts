import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

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
  const reason = `${name} is not installed`;
  if (process.env.VMSCOPE_REQUIRE_TOOLS === '1') throw new Error(`${reason} (VMSCOPE_REQUIRE_TOOLS=1)`);
  return { available: false, reason, path: '' };
}

/** A test's title, with the reason appended when one of its tools is absent. */
export function named(title: string, ...tools: Tool[]): string {
  const reasons = tools.filter((tool) => !tool.available).map((tool) => tool.reason);
  return reasons.length === 0 ? title : `${title} [skipped: ${reasons.join(', ')}]`;
}
