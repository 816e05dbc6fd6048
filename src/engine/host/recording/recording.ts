/** A recording that is opened: checked whole, its inputs read again as they are asked for. */
import { closeSync, openSync, statSync } from 'node:fs';
import { GUEST_END } from '../../state/guest-end.js';
import { named, optional, record, StateError, text } from '../../state/schema.js';
import type { InputKeeper } from '../../time/input-keeper.js';
import { compareInstants, type Instant, PHASE } from '../../time/instant.js';
import type { HostInput } from '../../time/journal.js';
import { fileCause } from '../file-cause.js';
import { BLOCK, type BlockPlace, readAt, readBlocks } from './block-file.js';
import { decodeInputs, INSTANT } from './inputs-codec.js';
import { inflateJson } from './json.js';
import type { RecordedEnd } from './recorder.js';

const END = record({ instant: INSTANT, state: named(text), end: optional(GUEST_END) });
/** Blocks of inputs that are held in memory. */
const HELD_BLOCKS = 8;

interface InputsPlace extends BlockPlace {
  readonly first: number;
  count: number;
}

/** A vCPU that was entered and stopped there has the phase of before the entry again. */
const goesBack = (before: Instant, then: Instant): boolean =>
  compareInstants({ ...before, phase: PHASE.exited }, { ...then, phase: PHASE.exited }) > 0;

/** What the checks of its block have passed is no recording of this program. @throws StateError */
function sound<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StateError(`is damaged: ${(error as Error).message}`);
  }
}

/** The run took over a saved state: positions begin anew there, and those from there on are of before. */
function cutFrom(places: InputsPlace[], position: number): void {
  while (places.length > 0 && places.at(-1)!.first >= position) places.pop();
  const last = places.at(-1);
  if (last) last.count = Math.min(last.count, position - last.first);
}

export class Recording implements InputKeeper {
  readonly #places: InputsPlace[] = [];
  /** Read blocks by their place's index, the newest use last. */
  readonly #held = new Map<number, HostInput[]>();
  /** Index of the place that was asked for last. */
  #latest = 0;

  private constructor(
    readonly path: string,
    private readonly fd: number,
    /** What the run began with: still to be checked. */
    readonly about: unknown,
    readonly pieces: readonly BlockPlace[],
    places: readonly InputsPlace[],
    /** The last instant that can be had. */
    readonly last: Instant,
    /** Absent where the recording was cut off. */
    readonly recordedEnd: RecordedEnd | undefined,
  ) {
    this.#places.push(...places);
  }

  /** Reads all of it. @throws StateError naming the file and what is wrong with it */
  static open(path: string): Recording {
    let fd: number | undefined;
    try {
      if (!statSync(path).isFile()) throw new StateError('is not an ordinary file');
      fd = openSync(path, 'r');
      return Recording.#read(path, fd);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      throw new StateError(`${path}: ${error instanceof StateError ? error.message : fileCause(error)}`);
    }
  }

  static #read(path: string, fd: number): Recording {
    let about: { value: unknown } | undefined;
    const pieces: BlockPlace[] = [];
    const places: InputsPlace[] = [];
    let last: Instant | undefined;
    let end: RecordedEnd | undefined;
    const blocks = readBlocks(fd);
    let step = blocks.next();
    for (; !step.done; step = blocks.next()) {
      const { place, body } = step.value;
      const { kind } = place;
      if ((about === undefined) !== (kind === BLOCK.about) || end !== undefined)
        throw new StateError('is damaged: its blocks are not in order');
      if (kind === BLOCK.about) about = { value: inflateJson(body) };
      else if (kind === BLOCK.piece && places.length === 0) pieces.push(place);
      else if (kind === BLOCK.journal) {
        const { first, inputs } = sound(() => decodeInputs(body));
        for (const input of inputs) {
          if (last && goesBack(last, input)) throw new StateError('is damaged: its inputs go back in time');
          last = input;
        }
        cutFrom(places, first);
        places.push({ ...place, first, count: inputs.length });
      } else if (kind === BLOCK.end) end = sound(() => END.check(inflateJson(body), 'end')) as RecordedEnd;
      else throw new StateError(`is damaged: a block of kind ${kind}`);
    }
    if (about === undefined || last === undefined) throw new StateError('is cut short: the run does not begin in it');
    if (end && goesBack(last, end.instant)) throw new StateError('is damaged: it ends before its inputs');
    if (end && step.value.cut) throw new StateError('is damaged: it goes on behind its end');
    return new Recording(path, fd, about.value, pieces, places, end?.instant ?? last, end);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Bytes of a block. @throws StateError naming the file, when it was changed meanwhile */
  body({ at, bytes }: BlockPlace): Buffer {
    try {
      return readAt(this.fd, at, bytes);
    } catch (error) {
      throw new StateError(`${this.path}: ${error instanceof StateError ? error.message : fileCause(error)}`);
    }
  }

  get first(): number {
    return this.#places[0].first;
  }

  get end(): number {
    const last = this.#places.at(-1)!;
    return last.first + last.count;
  }

  at(position: number): HostInput | undefined {
    const holds = (place: InputsPlace | undefined): boolean =>
      place !== undefined && position >= place.first && position < place.first + place.count;
    if (!holds(this.#places[this.#latest])) this.#latest = this.#places.findIndex(holds);
    return this.#latest < 0 ? undefined : this.#inputs(this.#latest)[position - this.#places[this.#latest].first];
  }

  keep(): void {
    throw new Error('nothing enters a run that is repeated from a recording');
  }

  /** All of it stays in the file. */
  forget(): void {}

  #inputs(index: number): HostInput[] {
    const held = this.#held.get(index);
    this.#held.delete(index);
    const inputs = held ?? decodeInputs(this.body(this.#places[index])).inputs;
    this.#held.set(index, inputs);
    if (this.#held.size > HELD_BLOCKS) this.#held.delete(this.#held.keys().next().value!);
    return inputs;
  }
}
