// Where the calls of a region stand: code of a function that is called from several places is written for each of them, so that
// its return leads to one. What a shared copy costs is not the return's table alone: its loops would have an entry by each
// caller, and nothing would be known of flags behind it. A function that calls itself shares the copy that it is in.

/** Calls inside one another that have copies of their own. */
const MAX_DEPTH = 8;

export class CallContext {
  /** Nodes of this copy by their distance from the region's root. */
  readonly known = new Map<number, number>();
  /** Nodes behind the calls that lead here. */
  returns = new Set<number>();
  readonly #depth: number;

  /** @param entry where the function begins, by the distance from the root; the root stands at 0 of the outermost one */
  constructor(
    readonly entry: number,
    readonly caller?: CallContext,
  ) {
    this.#depth = caller ? caller.#depth + 1 : 0;
  }

  /** A copy around this one that a call of the function leads back to. */
  around(entry: number): CallContext | undefined {
    if (this.entry === entry) return this;
    return this.caller?.around(entry);
  }

  get isDeep(): boolean {
    return this.#depth >= MAX_DEPTH;
  }
}

/** The copies of a region. */
export class CallContexts {
  readonly all: CallContext[];
  readonly #shared = new Map<number, CallContext>();

  /**
   * @param copies else all code of the region stands once, and each return may lead behind each call
   * @param entry where the function begins that the root stands in, as far as it is known
   */
  constructor(
    readonly copies: boolean,
    entry = 0,
  ) {
    this.all = [new CallContext(entry)];
  }

  get root(): CallContext {
    return this.all[0];
  }

  called(from: CallContext, entry: number): CallContext {
    if (!this.copies) return this.root;
    const known = from.around(entry) ?? (from.isDeep ? this.#shared.get(entry) : undefined);
    if (known) return known;
    const made = new CallContext(entry, from);
    if (from.isDeep) this.#shared.set(entry, made);
    this.all.push(made);
    return made;
  }
}
