import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { runDashboard } from '../tui/app.js';
import { resolveImage } from './files.js';
import { startGuest } from './guest-process.js';
import { parseRtc, SCRIPTED_RTC } from './options.js';
import { hasTerminal, isInBackground } from './terminal.js';
import { themeOption } from './theme-option.js';
import { printTour } from './tour.js';

/** The guest of the tour: it goes from real to long mode, so that every pane has something to show. */
const SAMPLE = fileURLToPath(new URL('../../samples/long-mode', import.meta.url));

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .summary('the tour: a sample guest, stopped at its first exit')
    .description('The tour: a sample guest, stopped at its first VM exit; as text where there is no terminal.')
    .addOption(themeOption())
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
      });
      if (terminal) {
        await guest.target.stepToExit();
        await runDashboard(guest.target, { title: 'long-mode (demo)', onQuit: () => {} });
      } else {
        await printTour(guest.target, (line) => process.stdout.write(`${line}\n`));
      }
      await guest.terminate();
    });
}
