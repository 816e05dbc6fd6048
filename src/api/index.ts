/**
 * vmscope for programs: guests with the debugger API that the dashboard, gdb and scripts use.
 *
 *     import { boot } from 'vmscope';
 *     const guest = await boot({ image: 'exit-zoo' });
 *     await guest.debug.stepToExit({ reasons: [10] });
 *     await guest.command('assert reason == CPUID');
 *     await guest.close();
 */
import { basename } from 'node:path';
import { parseDisk } from '../cli/drive-options.js';
import { resolveImage } from '../cli/files.js';
import { startGuest } from '../cli/guest-process.js';
import { openGuest } from '../cli/open-guest.js';
import { parseCpuModel, parseMemory, parseRtc, parseSize, SCRIPTED_RTC } from '../cli/options.js';
import { perform } from '../commands/script.js';
import { openSession } from '../commands/session.js';
import type { Debugger } from '../engine/debugger.js';

export type * from '../engine/debugger.js';

export interface BootOptions {
  /** File that `vmscope run` takes, or a sample by its name. A disk is given in `disks`. */
  image: string;
  name?: string;
  /** As of --memory: `128M` (default), a number of MiB. */
  memory?: string;
  vcpus?: number;
  /** As of --cpu. */
  cpu?: string;
  engine?: 'vtx' | 'kvm';
  append?: string;
  initrd?: string;
  /** Load address and entry of a flat binary. */
  at?: number;
  /** File of symbols, instead of the image's. */
  symbols?: string;
  /** As of --disk: `FILE[,format=...][,if=...]`. */
  disks?: string[];
  /** Memory for going back, as of --history: `64M`. Absent: nothing is kept. */
  history?: string;
  jit?: 'off' | 'on' | 'always';
  /** The guest stops after so many instructions. */
  maxInstructions?: number;
}

export interface OpenedGuest {
  readonly debug: Debugger;
  /**
   * Carries out one of the dashboard's commands; those that let the guest run are over when it stands again.
   * @throws Error in one line; its name is `AssertionFailed` where an `assert` does not hold
   */
  command(line: string): Promise<{ result: unknown; text: string }>;
  /** Resolves with the reason when the guest's engine, or process, is no more. */
  readonly closed: Promise<string>;
  /** Ends a guest that was booted; leaves one that was attached to. */
  close(): Promise<void>;
}

function opened(debug: Debugger, closed: Promise<string>, close: () => Promise<void>): OpenedGuest {
  const session = openSession(debug, { waits: true });
  return {
    debug,
    closed,
    async command(line) {
      const done = await perform(session, line);
      return { result: done.result, text: await done.text() };
    },
    async close() {
      session.close();
      await close();
    },
  };
}

/** Starts a guest in a thread of this process. It stands at its first instruction. @throws Error in one line */
export async function boot(options: BootOptions): Promise<OpenedGuest> {
  const image = resolveImage(options.image);
  const { vcpus = 1, engine = 'vtx', jit = 'on' } = options;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > 16) throw new Error(`vcpus ${vcpus}: 1 to 16`);
  const guest = await startGuest({
    name: options.name ?? basename(image).replace(/\.(elf|bin|img)$/, ''),
    engine,
    image,
    memoryBytes: parseMemory(options.memory ?? '128M'),
    vcpus,
    jit,
    ...(options.cpu === undefined ? {} : { cpu: parseCpuModel(options.cpu) }),
    ...(options.append === undefined ? {} : { append: options.append }),
    ...(options.initrd === undefined ? {} : { initrd: options.initrd }),
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(options.symbols === undefined ? {} : { symbols: options.symbols }),
    ...(options.disks === undefined ? {} : { drives: options.disks.map(parseDisk) }),
    ...(options.history === undefined ? {} : { history: parseSize('history', options.history) }),
    ...(options.maxInstructions === undefined ? {} : { maxInstructions: options.maxInstructions }),
    rtcSeconds: parseRtc(SCRIPTED_RTC),
    isaDebugExit: false,
    noReboot: false,
    paced: false,
    waitForInput: false,
  });
  return opened(guest.target, guest.closed, () => guest.terminate());
}

/** A guest that runs in another process: what `vmscope attach` takes. @throws Error in one line */
export async function attach(name: string): Promise<OpenedGuest> {
  const guest = await openGuest(name);
  return opened(guest.target, guest.closed, () => guest.close());
}
