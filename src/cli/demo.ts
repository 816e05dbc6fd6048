import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { serveStopCommands } from '../commands/stop-commands.js';
import type { Debugger } from '../engine/debugger.js';
import { runDashboard } from '../tui/app.js';
import { resolveImage } from './files.js';
import { startGuest } from './guest-process.js';
import { parseRtc, SCRIPTED_RTC } from './options.js';
import { hasTerminal, isInBackground } from './terminal.js';
import { noConfigOption, picturesOption, themeOption } from './theme-option.js';
import { printTour } from './tour.js';

/** The guest of the tour: it goes from real to long mode, so that every pane has something to show. */
const TOUR_HISTORY_BYTES = 32 * 2 ** 20;
const SAMPLE = fileURLToPath(new URL('../../samples/long-mode', import.meta.url));

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .summary('the tour of the dashboard, over a sample guest')
    .description(
      'The tour of the dashboard in twelve steps, over a sample guest; where there is no terminal, a summary as text.',
    )
    .addOption(themeOption())
    .addOption(picturesOption())
    .addOption(noConfigOption())
    .action(async () => {
      const terminal = hasTerminal() && !isInBackground();
      const guest = await startGuest({
        name: 'long-mode',
        engine: 'vtx',
        image: resolveImage(SAMPLE),
        memoryBytes: 32 * 2 ** 20,
        vcpus: 1,
        rtcSeconds: parseRtc(SCRIPTED_RTC),
        isaDebugExit: false,
        noReboot: true,
        paced: terminal,
        waitForInput: terminal,
        ...(terminal ? { history: TOUR_HISTORY_BYTES } : {}),
      });
      serveStopCommands(guest.target);
      if (terminal) {
        await startTour(guest.target);
        await runDashboard(guest.target, { title: 'long-mode (demo)', tour: true, onQuit: () => {} });
      } else {
        await printTour(guest.target, (line) => process.stdout.write(`${line}\n`));
      }
      await guest.terminate();
    });
}

/** The guest stands at its first instruction of 64-bit code. @throws Error when the sample has none */
async function startTour(target: Debugger): Promise<void> {
  const long = (await target.symbols()).find(({ name }) => name === 'long');
  if (long === undefined) throw new Error(`${SAMPLE} has no symbol "long"`);
  await target.runUntil({ gva: long.address });
}
