/** The dashboard over a made-up guest, in this process, on a terminal emulator. */
import { PassThrough, Writable } from 'node:stream';
import { runDashboard, type View } from '../../src/tui/app.js';
import { TerminalView } from '../pty.js';
import { FakeDebugger, type FakeKind } from './fake-debugger.js';

/** Writes to the emulator, at once, as a terminal would take it. */
class Output extends Writable {
  readonly isTTY = true;

  constructor(
    public columns: number,
    public rows: number,
    private readonly take: (data: string) => void,
  ) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.take(chunk.toString());
    done();
  }
}

export class Demo extends TerminalView {
  readonly debug: FakeDebugger;
  readonly exit: Promise<number>;
  private readonly input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  private readonly output: Output;
  private readonly closed = new AbortController();

  constructor(
    kind: FakeKind,
    view: View,
    cols: number,
    rows: number,
    private readonly environment: Record<string, string> = {},
  ) {
    super(cols, rows);
    this.lookMs = 4;
    this.quietMs = 40;
    this.output = new Output(cols, rows, (data) => this.take(data));
    this.term.onData((data) => this.input.write(data));
    this.debug = new FakeDebugger(kind);
    let ticks = 0;
    this.exit = runDashboard(this.debug, {
      title: 'demo',
      initialView: view,
      fps: 200,
      maxFrameMs: 5,
      resizeTimeout: 5,
      now: () => (ticks += 500),
      environment: { TERM: 'xterm-256color', LANG: 'C.UTF-8', ...this.environment },
      input: this.input as never,
      output: this.output as never,
      signal: this.closed.signal,
      onQuit: () => this.debug.quit().catch(() => undefined),
    }).then(() => 0);
  }

  send(keys: string): void {
    this.last = Date.now();
    this.input.write(keys);
  }

  resize(cols: number, rows: number): void {
    this.last = Date.now();
    this.term.resize(cols, rows);
    Object.assign(this.output, { columns: cols, rows });
    this.output.emit('resize');
  }

  /** At rest: nothing was written for a while, and no pane waits for a value. */
  override async settle(quiet?: number, max?: number): Promise<void> {
    do await super.settle(quiet, max);
    while (this.text().includes('…'));
  }

  kill(): void {
    this.closed.abort();
    void this.debug.quit().catch(() => undefined);
  }
}

const running = new Set<Demo>();

/** Starts it and waits until its first screen stands. */
export async function startDemo(
  options: { kind?: FakeKind; view?: View; cols?: number; rows?: number; env?: Record<string, string> } = {},
): Promise<Demo> {
  const { kind = 'full', view = 'debug', cols = 120, rows = 40, env = {} } = options;
  const before = { ...process.env };
  delete process.env.NO_COLOR;
  Object.assign(process.env, { TERM: 'xterm-256color' }, env);
  const tui = new Demo(kind, view, cols, rows, env);
  running.add(tui);
  await tui.until(kind === 'failing' ? /failed/ : /STOPPED/);
  await tui.settle();
  for (const name of Object.keys(env)) delete process.env[name];
  Object.assign(process.env, before);
  return tui;
}

export async function killAll(): Promise<void> {
  for (const tui of running) {
    tui.kill();
    await tui.exit.catch(() => undefined);
  }
  running.clear();
}
