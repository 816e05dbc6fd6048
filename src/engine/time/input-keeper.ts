/** Who keeps the inputs of a machine, and how many: nobody, a history in memory, a recording on disk. */
import type { HostInput } from './journal.js';

/** Inputs have positions, counted from 0 at power-on. Those from `first` up to, not including, `end` can be had again. */
export interface InputKeeper {
  readonly first: number;
  readonly end: number;
  /** The input at a position; undefined when it is not kept. */
  at(position: number): HostInput | undefined;
  /** Takes a live input. What was kept from `position` on is of another future and goes. Bytes must be copied. */
  keep(position: number, input: HostInput): void;
}

/** For runs that nobody goes back in: a guest may receive bytes for weeks, and none of them stays. */
export const FORGETTING: InputKeeper = { first: 0, end: 0, at: () => undefined, keep: () => {} };

/** What an entry takes besides its data, in bytes: an object, a stamp, a place in a list. */
const ENTRY_BYTES = 128;

/** The newest inputs, in memory: as many as fit the budget, and none from before what `forget` was told. */
export class InputLog implements InputKeeper {
  /** Undefined where an input is dropped and its place not yet given back. */
  #list: (HostInput | undefined)[] = [];
  #dropped = 0;
  /** Position of `#list[0]`. */
  #base = 0;
  #bytes = 0;

  /** `recorded` are the inputs of an earlier run from its power-on. @param base position of the first one that comes */
  constructor(
    private readonly budgetBytes = Number.POSITIVE_INFINITY,
    recorded: Iterable<HostInput> = [],
    base = 0,
  ) {
    this.#base = base;
    for (const input of recorded) this.keep(this.end, input);
  }

  get first(): number {
    return this.#base + this.#dropped;
  }

  get end(): number {
    return this.#base + this.#list.length;
  }

  /** Memory that the inputs take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The kept inputs in order. */
  get entries(): readonly HostInput[] {
    return this.#list.slice(this.#dropped) as HostInput[];
  }

  at(position: number): HostInput | undefined {
    return this.#list[position - this.#base];
  }

  keep(position: number, input: HostInput): void {
    this.#cut(position);
    const { data } = input;
    this.#list.push(data instanceof Uint8Array ? { ...input, data: data.slice() } : input);
    this.#bytes += bytesOf(input);
    while (this.#bytes > this.budgetBytes) this.#dropFirst();
    this.#giveBack();
  }

  /** Nobody will go back before `position`: the oldest snapshot is there. */
  forget(position: number): void {
    while (this.first < Math.min(position, this.end)) this.#dropFirst();
    this.#giveBack();
  }

  #cut(position: number): void {
    if (position < this.first || position > this.end) {
      // the run went on unkept, or went back before the oldest input: a gap cannot be repeated
      this.#list = [];
      this.#dropped = 0;
      this.#base = position;
      this.#bytes = 0;
      return;
    }
    // to set the length it has costs an array its spare room
    if (position === this.end) return;
    for (let at = position; at < this.end; at++) this.#bytes -= bytesOf(this.at(at)!);
    this.#list.length = position - this.#base;
  }

  #dropFirst(): void {
    this.#bytes -= bytesOf(this.#list[this.#dropped]!);
    this.#list[this.#dropped++] = undefined;
  }

  /** Moves the list up once half of it is empty: each input is moved once on average. */
  #giveBack(): void {
    if (this.#dropped * 2 <= this.#list.length) return;
    this.#list = this.#list.slice(this.#dropped);
    this.#base += this.#dropped;
    this.#dropped = 0;
  }
}

/** The inputs of a branch: those of the run that it leaves, up to the fork, and its own from there on. */
export class BranchInputs implements InputKeeper {
  readonly #own: InputLog;

  /** @param fork position of the first input that is its own */
  constructor(
    private readonly before: Pick<InputKeeper, 'first' | 'at'>,
    readonly fork: number,
    budgetBytes: number,
  ) {
    this.#own = new InputLog(budgetBytes, [], fork);
  }

  get first(): number {
    return this.#own.first > this.fork ? this.#own.first : Math.min(this.before.first, this.fork);
  }

  get end(): number {
    return this.#own.end;
  }

  /** Memory that its own take, about. */
  get bytes(): number {
    return this.#own.bytes;
  }

  at(position: number): HostInput | undefined {
    return position < this.fork ? this.before.at(position) : this.#own.at(position);
  }

  keep(position: number, input: HostInput): void {
    this.#own.keep(position, input);
  }

  forget(position: number): void {
    this.#own.forget(position);
  }
}

function bytesOf({ data }: HostInput): number {
  if (data instanceof Uint8Array) return ENTRY_BYTES + data.length;
  return ENTRY_BYTES + (typeof data === 'string' ? 2 * data.length : 0);
}
