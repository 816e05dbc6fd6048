import type { ChildProcess } from 'node:child_process';
import { until } from './running-guest.js';

// biome-ignore lint/suspicious/noExplicitAny: bodies are what the protocol's schema says
type Body = any;

/** A client of the debug adapter protocol over a process's pipes. */
export class DapClient {
  private rest = Buffer.alloc(0);
  private sequence = 0;
  private readonly answers = new Map<number, { success: boolean; message?: string; body?: Body }>();
  private events: { event: string; body: Body }[] = [];
  private exited = false;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (bytes: Buffer) => this.take(bytes));
    child.on('close', () => {
      this.exited = true;
    });
  }

  private take(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      const header = this.rest.indexOf('\r\n\r\n');
      const length = /Content-Length: (\d+)/.exec(this.rest.toString('latin1', 0, Math.max(header, 0)))?.[1];
      const end = header + 4 + Number(length);
      if (header < 0 || length === undefined || this.rest.length < end) return;
      const message = JSON.parse(this.rest.toString('utf8', header + 4, end));
      this.rest = this.rest.subarray(end);
      if (message.type === 'response') this.answers.set(message.request_seq, message);
      else if (message.type === 'event') this.events.push(message);
    }
  }

  /** Sends a request; answers its body. @throws Error with the adapter's message when it fails */
  async ask(command: string, args: object): Promise<Body> {
    const seq = ++this.sequence;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    this.child.stdin?.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    await until(`an answer to ${command}`, () => this.answers.has(seq), 60_000);
    const { success, message, body } = this.answers.get(seq) as { success: boolean; message?: string; body?: Body };
    if (!success) throw new Error(`${command}: ${message}`);
    return body;
  }

  /** Takes the next event of a name. */
  async event(name: string): Promise<Body> {
    const at = (): number => this.events.findIndex(({ event }) => event === name);
    await until(`the event ${name}`, () => at() >= 0, 60_000);
    return this.events.splice(at(), 1)[0].body ?? {};
  }

  /** Asks for something that resumes the guest, and waits for its next stop. */
  async run(command: string, args: object): Promise<Body> {
    this.forget('stopped');
    await this.ask(command, args);
    return this.event('stopped');
  }

  /** Drops what events of a name have come so far. */
  forget(name: string): void {
    this.events = this.events.filter(({ event }) => event !== name);
  }

  async close(): Promise<void> {
    if (!this.exited) this.child.kill('SIGKILL');
    await until('the adapter ends', () => this.exited);
  }
}
