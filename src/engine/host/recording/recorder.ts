/** Writes a run's recording as it goes on: what it began with, each input, and what the machine holds at its end. */
import { closeSync } from 'node:fs';
import type { GuestEnd } from '../../devices/device.js';
import type { InputKeeper } from '../../time/input-keeper.js';
import type { Instant } from '../../time/instant.js';
import type { HostInput } from '../../time/journal.js';
import { BLOCK, BlockWriter } from './block-file.js';
import type { FinalState } from './final-state.js';
import { encodeInputs } from './inputs-codec.js';
import { deflateJson } from './json.js';

/** Inputs stand in memory for so long at most, and so many bytes of them. */
const WRITE_MS = 1000;
const WRITE_BYTES = 256 * 1024;
/** What an input takes beside its data, about. */
const INPUT_BYTES = 64;

export interface RecordedEnd {
  readonly instant: Instant;
  readonly state: FinalState;
  /** How the guest ended, if it did. */
  readonly end?: GuestEnd;
}

/** Takes a machine's inputs to the file, and gives them on to who keeps them in memory. */
export class Recorder implements InputKeeper {
  readonly #blocks = new BlockWriter();
  #first = 0;
  #inputs: HostInput[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #done = false;
  /** Told once why the recording ends before the run. */
  onEnd: (cause: string) => void = () => {};

  /** @param write takes all bytes @throws what `write` does */
  constructor(
    private readonly fd: number,
    private readonly write: (bytes: Uint8Array) => void,
    private readonly kept: InputKeeper,
    about: unknown,
    pieces: Iterable<Uint8Array>,
  ) {
    write(this.#blocks.head());
    write(this.#blocks.block(BLOCK.about, deflateJson(about)));
    for (const piece of pieces) write(this.#blocks.block(BLOCK.piece, piece));
  }

  get first(): number {
    return this.kept.first;
  }

  get end(): number {
    return this.kept.end;
  }

  at(position: number): HostInput | undefined {
    return this.kept.at(position);
  }

  keep(position: number, input: HostInput): void {
    this.kept.keep(position, input);
    if (this.#done) return;
    // positions jump where the machine takes over a saved state
    if (position !== this.#first + this.#inputs.length) {
      this.#flush();
      this.#first = position;
    }
    const { data } = input;
    this.#inputs.push(data instanceof Uint8Array ? { ...input, data: data.slice() } : input);
    this.#bytes += INPUT_BYTES + (typeof data === 'number' ? 0 : data.length);
    if (this.#bytes > WRITE_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), WRITE_MS).unref();
  }

  get done(): boolean {
    return this.#done;
  }

  /** The run ends here, or what comes is not its own. */
  finish(end: RecordedEnd, cause?: string): void {
    if (this.#done) return;
    this.#flush();
    this.#put(BLOCK.end, deflateJson(end));
    if (this.#done) return;
    this.#close();
    if (cause !== undefined) this.onEnd(cause);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inputs.length === 0) return;
    const body = encodeInputs(this.#first, this.#inputs);
    this.#first += this.#inputs.length;
    this.#inputs = [];
    this.#bytes = 0;
    this.#put(BLOCK.journal, body);
  }

  /** A disk that is full ends the recording, not the run. */
  #put(kind: number, body: Uint8Array): void {
    if (this.#done) return;
    try {
      this.write(this.#blocks.block(kind, body));
    } catch (error) {
      this.#close();
      this.onEnd((error as Error).message);
    }
  }

  #close(): void {
    this.#done = true;
    clearTimeout(this.#timer);
    closeSync(this.fd);
  }
}
