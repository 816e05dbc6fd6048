/**
 * QMP, QEMU's machine protocol: JSON objects, a line each, over a stream. QEMU serves one client at a time; another one
 * connects and is not greeted, so every question has a deadline.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** A reply of QEMU; a screendump or a long tree stays below. */
const MAX_LINE_BYTES = 16 * 2 ** 20;
/** It is late where QEMU has not noticed yet that a client before has died, and on a busy host. */
const GREETING_MS = 3000;
const NO_GREETING = 'no greeting: another client has the monitor, or QEMU hangs';

/** QEMU's refusal: `class` is CommandNotFound, GenericError, DeviceNotFound ... */
export class QmpError extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

/** What speaks to a QEMU monitor: a socket of its own, or libvirt's connection. */
export interface Monitor {
  /** @throws QmpError, or Error when there is no answer */
  execute(command: string, parameters?: Record<string, unknown>): Promise<unknown>;
  /** A line of the human monitor. @param cpu index of the vCPU that it is about */
  human(line: string, cpu?: number): Promise<string>;
  onEvent(listener: (event: QmpEvent) => void): () => void;
  /** Resolves with the reason when nothing can be asked any more. */
  readonly closed: Promise<string>;
  close(): void;
}

export interface QmpLimits {
  answerMs: number;
  /**
   * Questions go out with the connection, before the greeting has come: one that does not come ends them all. `answerMs`
   * is for all of them together.
   */
  hasty?: boolean;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  command: string;
  /** Absent: the deadline is that of all questions. */
  timer: NodeJS.Timeout | undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class QmpClient implements Monitor {
  readonly closed: Promise<string>;
  /** `7.2.22` */
  version = '';
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #over: string | undefined;
  /** What is asked in one turn goes out together. */
  #unsent = '';
  /** For all answers, where they have one deadline. */
  #deadline: NodeJS.Timeout | undefined;
  #end: (reason: string) => void = () => {};
  #greeted: ((greeting: Record<string, unknown>) => void) | undefined;
  #isGreeted = false;

  private constructor(
    private readonly stream: Duplex,
    private readonly limits: QmpLimits,
  ) {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
    stream.on('data', (bytes: Buffer) => this.#feed(bytes));
    stream.on('error', (error: Error) => this.#finish(error.message));
    stream.on('close', () => this.#finish('QEMU has closed its monitor'));
    stream.on('end', () => this.#finish('QEMU has closed its monitor'));
  }

  /** @throws Error in one line: nobody there, in use, or no QMP */
  static async open(stream: Duplex, limits: QmpLimits = { answerMs: 3000 }): Promise<QmpClient> {
    const client = new QmpClient(stream, limits);
    if (limits.hasty) {
      client.#deadline = setTimeout(() => client.#late(), limits.answerMs);
      client.execute('qmp_capabilities').catch(() => {});
      return client;
    }
    try {
      const greeting = await client.#greeting();
      const qemu = isObject(greeting.version) && isObject(greeting.version.qemu) ? greeting.version.qemu : {};
      client.version = [qemu.major, qemu.minor, qemu.micro].map((n) => (typeof n === 'number' ? n : '?')).join('.');
      await client.execute('qmp_capabilities');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  static async connect(path: string, limits?: QmpLimits): Promise<QmpClient> {
    return await QmpClient.open(await connected(path), limits);
  }

  async execute(command: string, parameters?: Record<string, unknown>): Promise<unknown> {
    if (this.#over !== undefined) throw new Error(this.#over);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = this.limits.hasty ? undefined : setTimeout(() => this.#giveUp(id), this.limits.answerMs);
      this.#pending.set(id, { resolve, reject, command, timer });
    });
    if (this.#unsent === '')
      queueMicrotask(() => {
        if (this.#over === undefined) this.stream.write(this.#unsent);
        this.#unsent = '';
      });
    this.#unsent += `${JSON.stringify({ execute: command, ...(parameters ? { arguments: parameters } : {}), id })}\n`;
    return await answer;
  }

  /** What comes later finds nobody waiting. */
  #giveUp(id: number): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(new Error(`QEMU does not answer ${pending.command} in ${this.limits.answerMs} ms`));
  }

  /** The time for all answers is over. */
  #late(): void {
    if (this.#isGreeted) for (const id of [...this.#pending.keys()]) this.#giveUp(id);
    else this.#finish(NO_GREETING);
  }

  human(line: string, cpu?: number): Promise<string> {
    return humanCommand((command, parameters) => this.execute(command, parameters), line, cpu);
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#finish('closed');
  }

  async #greeting(): Promise<Record<string, unknown>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(NO_GREETING)), GREETING_MS);
    });
    const over = this.closed.then((reason) => {
      throw new Error(reason);
    });
    const greeted = new Promise<Record<string, unknown>>((resolve) => {
      this.#greeted = resolve;
    });
    try {
      return await Promise.race([greeted, late, over]);
    } finally {
      clearTimeout(timer);
      this.#greeted = undefined;
    }
  }

  #finish(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    clearTimeout(this.#deadline);
    this.stream.destroy();
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new Error(reason));
    }
    this.#pending.clear();
    this.#held = [];
    this.#end(reason);
  }

  #feed(bytes: Buffer): void {
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0 && this.#over === undefined; at = bytes.indexOf(10, from)) {
      let line: string;
      if (this.#heldBytes === 0) line = bytes.toString('utf8', from, at).trim();
      else {
        this.#held.push(bytes.subarray(from, at));
        line = Buffer.concat(this.#held).toString('utf8').trim();
        this.#held = [];
        this.#heldBytes = 0;
      }
      from = at + 1;
      if (line) this.#line(line);
    }
    if (from === bytes.length) return;
    this.#held.push(bytes.subarray(from));
    this.#heldBytes += bytes.length - from;
    if (this.#heldBytes > MAX_LINE_BYTES) this.#finish(`the monitor sends a line of more than ${MAX_LINE_BYTES} bytes`);
  }

  #line(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#finish('the monitor sends what is not JSON');
      return;
    }
    if (!isObject(message)) {
      this.#finish('the monitor sends JSON that is not an object');
      return;
    }
    if (isObject(message.QMP)) {
      this.#isGreeted = true;
      this.#greeted?.(message.QMP);
    } else if (typeof message.event === 'string') this.#event(message.event, message.data);
    else this.#answer(message);
  }

  #event(event: string, data: unknown): void {
    for (const listener of [...this.#listeners]) listener({ event, data: isObject(data) ? data : {} });
  }

  #answer(message: Record<string, unknown>): void {
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined;
    if (!pending) return;
    this.#pending.delete(message.id as number);
    clearTimeout(pending.timer);
    const { error } = message;
    if (isObject(error)) pending.reject(new QmpError(String(error.class), String(error.desc)));
    else pending.resolve(message.return);
  }
}

function connected(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** A line of QEMU's human monitor by QMP, on whichever way the commands go. */
export async function humanCommand(
  execute: (command: string, parameters: Record<string, unknown>) => Promise<unknown>,
  line: string,
  cpu?: number,
): Promise<string> {
  const parameters = { 'command-line': line, ...(cpu === undefined ? {} : { 'cpu-index': cpu }) };
  const text = await execute('human-monitor-command', parameters);
  if (typeof text !== 'string') throw new Error(`QEMU answers ${line} with no text`);
  return text.replaceAll('\r\n', '\n');
}
