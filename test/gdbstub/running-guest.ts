import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const sampleFile = (path: string): string => `${ROOT}samples/${path}`;

const PATIENCE_MS = 15_000;

/** Waits until `condition` holds. @throws Error naming `what` when that takes too long. */
export async function until(what: string, condition: () => boolean, ms = PATIENCE_MS): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** `vmscope run IMAGE --headless --serial stdio --gdb 127.0.0.1:0 --wait`: the built program, in a process of its own. */
export class RunningGuest {
  stdout = '';
  stderr = '';
  status: number | null | undefined;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.stderr += text;
    });
    child.on('close', (status) => {
      this.status = status;
    });
  }

  /** @param image absolute, or a path below samples/ */
  static async start(image: string, ...options: string[]): Promise<RunningGuest> {
    const args = [
      'run',
      isAbsolute(image) ? image : sampleFile(image),
      '--headless',
      '--serial',
      'stdio',
      '--gdb',
      '127.0.0.1:0',
      '--wait',
      ...options,
    ];
    const guest = new RunningGuest(
      spawn(process.execPath, [`${ROOT}bin/vmscope`, ...args], { stdio: ['pipe', 'pipe', 'pipe'] }),
    );
    await until('the stub listens', () => /stub on .*\n/.test(guest.stderr) || guest.status !== undefined);
    if (guest.status !== undefined) throw new Error(`vmscope ended: ${guest.stderr}`);
    return guest;
  }

  get port(): number {
    return Number(/:(\d+)\n/.exec(this.stderr)?.[1]);
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Exit status once the program has ended. */
  async ended(ms = PATIENCE_MS): Promise<number | null> {
    await until('the guest ends', () => this.status !== undefined, ms);
    return this.status as number | null;
  }

  async stop(): Promise<void> {
    if (this.status === undefined) this.child.kill('SIGKILL');
    await this.ended();
  }
}

/** Runs a debugger with commands to its end; resolves with all that it printed. */
export function runDebugger(program: string, args: string[], timeoutMs = 25_000): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: timeoutMs, killSignal: 'SIGKILL' }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

/** A debugger at a prompt, typed at through a pipe. */
export class Prompt {
  out = '';
  private exited = false;

  constructor(
    private readonly child: ChildProcess,
    private readonly patienceMs = PATIENCE_MS,
  ) {
    const take = (text: string): void => {
      this.out += text;
    };
    child.stdout?.setEncoding('utf8').on('data', take);
    child.stderr?.setEncoding('utf8').on('data', take);
    child.on('close', () => {
      this.exited = true;
    });
  }

  /** Types a line and waits for `expected` behind what was there before; answers the new output. */
  async type(line: string, expected: RegExp): Promise<string> {
    const from = this.out.length;
    this.child.stdin?.write(`${line}\n`);
    return this.expect(expected, from);
  }

  send(text: string): void {
    this.child.stdin?.write(text);
  }

  async expect(expected: RegExp, from = 0): Promise<string> {
    await until(`${expected} from the debugger`, () => expected.test(this.out.slice(from)), this.patienceMs).catch(
      (error: Error) => {
        throw new Error(`${error.message}, which said: ${this.out.slice(-600)}`);
      },
    );
    return this.out.slice(from);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async close(): Promise<void> {
    if (!this.exited) this.child.kill('SIGKILL');
    await until('the debugger ends', () => this.exited);
  }
}
