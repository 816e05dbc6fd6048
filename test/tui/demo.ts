/** Builds and starts the demo program of these tests. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Tui } from '../pty.js';
import type { FakeKind } from './fake-debugger.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const app = `${root}build/tui-test/test/tui/demo-app.js`;

/** The demo runs under plain Node, so it is compiled: about a second. */
export function buildDemo(): void {
  execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}test/tui/tsconfig.json`], {
    stdio: 'pipe',
  });
}

const running = new Set<Tui>();

/** Starts it and waits until its first screen stands. */
export async function startDemo(
  options: { kind?: FakeKind; view?: string; cols?: number; rows?: number; env?: Record<string, string> } = {},
): Promise<Tui> {
  const { kind = 'full', view = 'debug', cols = 120, rows = 40, env } = options;
  const tui = new Tui(app, [kind, view], cols, rows, env);
  running.add(tui);
  await tui.until(kind === 'failing' ? /failed/ : /STOPPED/);
  await tui.settle();
  return tui;
}

export function killAll(): void {
  for (const tui of running) tui.kill();
  running.clear();
}
