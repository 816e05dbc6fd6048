/** What breakpoints have done at their stops: commands of the table, by the one program that has the guest. */
import type { Debugger, DebuggerEvent } from '../engine/debugger.js';
import { announce } from './stop-done.js';

/** Commands of all breakpoints on the way to one answer: those that let the guest run meet others. */
class StopCommands {
  private work: Promise<void> = Promise.resolve();
  private pending = 0;

  constructor(private readonly debug: Debugger) {}

  onEvent(event: DebuggerEvent): void {
    if (event.type !== 'stopped' || !('commands' in event.stop)) return;
    const { commands } = event.stop;
    if (!commands?.length) return;
    const { vcpu } = event;
    this.pending++;
    this.work = this.work.then(() => this.carryOut(commands, vcpu)).finally(() => this.pending--);
  }

  /** Resolves when no commands are under way. */
  async settled(): Promise<void> {
    while (this.pending > 0) await this.work;
  }

  /** One that fails ends them, and says why. */
  private async carryOut(lines: readonly string[], vcpu: number): Promise<void> {
    // one that lets the guest run is over at once, as gdb's: what stops it next has commands of its own
    // loaded when the first breakpoint has some
    const [{ perform }, { openSession }] = await Promise.all([import('./script.js'), import('./session.js')]);
    const session = openSession(this.debug, { waits: false, vcpu });
    try {
      for (const line of lines) {
        const text = await (await perform(session, line)).text();
        // what lets the guest run is the last, as gdb has it
        if ((await this.debug.state()).running) break;
        if (text !== '') await this.debug.print(text.endsWith('\n') ? text : `${text}\n`);
      }
    } catch (error) {
      await this.debug.print(`<commands of a breakpoint: ${(error as Error).message}>\n`).catch(() => {});
    } finally {
      session.close();
    }
  }
}

/**
 * Carries out the commands of breakpoints as they stop the guest. For the process that has the guest: of several that
 * look at it one does this.
 * @returns a function that ends it
 */
export function serveStopCommands(debug: Debugger): () => void {
  const runner = new StopCommands(debug);
  announce(debug, runner);
  return debug.onEvent((event) => runner.onEvent(event));
}
