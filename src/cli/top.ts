import type { Command } from 'commander';
import { newTopState, runTop } from '../tui/top.js';
import { guestRows, topTable } from '../tui/top-rows.js';
import { attachGuest } from './attach.js';
import { SocketFleet } from './fleet.js';
import { UsageError } from './options.js';
import { printable } from './tell.js';
import { hasTerminal } from './terminal.js';

interface TopOptions {
  delay: string;
  batch?: boolean;
  iterations?: string;
}

export function addTopCommand(program: Command): void {
  program
    .command('top')
    .summary('all running vmscope guests')
    .description(
      'All running vmscope guests of this user, with rates; Enter opens one. As text where there is no terminal.',
    )
    .option('-d, --delay <seconds>', 'time between looks', '2')
    .option('-b, --batch', 'as text')
    .option('-n, --iterations <n>', 'looks in text mode (default: 1)')
    .action(async (options: TopOptions) => {
      const delayMs = number('--delay', options.delay, 0.1, 3600) * 1000;
      const iterations = number('--iterations', options.iterations ?? '1', 1, 1e9);
      const fleet = new SocketFleet();
      const text = options.batch || !hasTerminal();
      try {
        if (text) await printTop(fleet, delayMs, iterations);
        else await interactive(fleet, delayMs);
      } finally {
        fleet.close();
      }
    });
}

function number(option: string, text: string, low: number, high: number): number {
  const value = Number(text);
  if (!(value >= low && value <= high)) throw new UsageError(`${option} ${text}: not a number from ${low} to ${high}`);
  return value;
}

async function printTop(fleet: SocketFleet, delayMs: number, iterations: number): Promise<void> {
  let before = await fleet.look();
  for (let n = 0; n < iterations; n++) {
    // Rates need two looks.
    if (before.length || n > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const now = await fleet.look();
    const lines = topTable(guestRows(before, now));
    process.stdout.write(`${lines.map(printable).join('\n')}\n`);
    before = now;
  }
}

async function interactive(fleet: SocketFleet, delayMs: number): Promise<void> {
  const state = newTopState();
  for (;;) {
    const name = await runTop(fleet, delayMs, state);
    if (name === undefined) return;
    state.notice = await attachGuest(name).catch((error: Error) => error.message);
  }
}
