/** `--dump-on-crash`: a memory dump at a triple fault, and where Linux panics. */
import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isKernelAddress } from '../engine/debug/linux/kernel-half.js';
import { dumpText } from '../engine/debug/monitor.js';
import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import { outputCause } from '../engine/host/file-cause.js';
import { UsageError } from './options.js';

/** How often it is looked whether the guest runs in a kernel. */
const LOOK_MS = 50;
/** Searches of memory for it wait for each other, twice as long each time, up to this. */
const LONGEST_WAIT_MS = 5000;
/** Linux's function that every panic goes through. */
const PANIC = 'panic';

/** @throws UsageError when the file's folder cannot be written: a crash is too late to notice */
export function checkDumpFile(option: string, file: string): void {
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
  } catch (error) {
    throw new UsageError(`${option} ${file}: ${outputCause(error)}`);
  }
}

export class CrashDump {
  readonly #file: string;
  #panic: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #written: Promise<void> | undefined;

  /** @param say takes a line for the user */
  constructor(
    readonly target: Debugger,
    file: string,
    readonly say: (line: string) => void,
  ) {
    this.#file = resolve(file);
    this.#look(LOOK_MS);
  }

  /** Acts on a stop. Answers a promise where it is the crash: of when the dump is written, or has failed. */
  onStop(event: Extract<DebuggerEvent, { type: 'stopped' }>): Promise<void> | undefined {
    const { stop } = event;
    if (stop.kind === 'ended') {
      clearTimeout(this.#timer);
      return stop.end.kind === 'triple-fault' ? this.#dump('triple fault') : this.#written;
    }
    if (stop.kind !== 'breakpoint' || stop.id !== this.#panic) return undefined;
    // the guest goes on: what it says of its panic comes after this
    return this.#dump('kernel panic').then(() => this.target.resume().catch(() => {}));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #dump(what: string): Promise<void> {
    // the first crash counts: a panic may end in a triple fault
    this.#written ??= this.target.dumpMemory(this.#file).then(
      (result) => this.say(`${what}: ${dumpText(result)}`),
      (error: Error) => this.say(`${what}: no dump: ${error.message}`),
    );
    return this.#written;
  }

  /** A kernel that is there once the guest runs in its half of the addresses gets a breakpoint where it panics. */
  #look(ms: number): void {
    this.#timer = setTimeout(() => {
      void this.#arm()
        .catch(() => 'not yet' as const)
        .then((found) => {
          if (found === 'not yet') this.#look(ms);
          else if (found === 'nothing') this.#look(Math.min(2 * ms, LONGEST_WAIT_MS));
        });
    }, ms);
    this.#timer.unref();
  }

  /** `nothing`: memory was searched in vain. */
  async #arm(): Promise<'armed' | 'not yet' | 'nothing'> {
    const { target } = this;
    const { rip = 0n } = await target.readRegisters(0, ['rip']);
    if (!isKernelAddress(rip)) return 'not yet';
    if ((await target.os?.info()) === undefined) return 'nothing';
    const panic = (await target.symbols()).find(({ name }) => name === PANIC);
    if (panic === undefined) return 'nothing';
    this.#panic = (await target.addBreakpoint({ kind: 'execute', gva: panic.address }, '--dump-on-crash')).id;
    return 'armed';
  }
}
