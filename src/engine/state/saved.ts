/** Parts of a machine that have state, and the state of many of them by name. */
import { type Schema, StateError } from './schema.js';

/** What a state is of: `version` grows whenever the shape or its meaning changes. */
export interface StateFormat<S> {
  readonly kind: string;
  readonly version: number;
  readonly shape: Schema<S>;
}

/** A part with state. All of its mutable fields are in it, or follow from it. */
export interface Stateful<S = unknown> {
  /** Stable name: the key of its state. */
  readonly name: string;
  readonly format: StateFormat<S>;
  /** The state, which may share the part's own objects: who keeps it copies it, as `saveAll` does. */
  save(): S;
  /** What the shape cannot say of a state; nothing is changed. @throws StateError when it does not fit this part */
  check?(state: S): void;
  /** Takes over a state of its format as its own. */
  load(state: S): void;
}

/** A state with what it is of: structured-clone-able. */
export interface Saved {
  readonly kind: string;
  readonly version: number;
  readonly state: unknown;
}

/** A copy of each part's state by its name. */
export function saveAll(parts: Iterable<Stateful>): Record<string, Saved> {
  const states: Record<string, Saved> = {};
  for (const part of parts) {
    const { kind, version } = part.format;
    if (Object.hasOwn(states, part.name)) throw new Error(`two parts of the machine are called ${part.name}`);
    states[part.name] = { kind, version, state: structuredClone(part.save()) };
  }
  return states;
}

/**
 * Whether these are states of just these parts; nothing is changed.
 * @throws StateError naming the part, when one is missing, too many, of another kind or version, or has another shape.
 */
export function checkAll(parts: Iterable<Stateful>, states: Readonly<Record<string, Saved>>): void {
  const known = new Set<string>();
  for (const part of parts) {
    const { name, format } = part;
    known.add(name);
    if (!Object.hasOwn(states, name)) throw new StateError(`the state has no ${name}, which this machine has`);
    const { kind, version, state } = states[name];
    if (kind !== format.kind)
      throw new StateError(`${name} is a ${kind} in the state, a ${format.kind} in this machine`);
    if (version !== format.version)
      throw new StateError(`${name}: state has version ${version}, this program reads version ${format.version}`);
    format.shape.check(state, name);
    part.check?.(state);
  }
  for (const name of Object.keys(states)) {
    if (!known.has(name)) throw new StateError(`the state has ${name}, which this machine lacks`);
  }
}

/** Gives each part its state, after `checkAll`. */
export function loadAll(parts: Iterable<Stateful>, states: Readonly<Record<string, Saved>>): void {
  for (const part of parts) part.load(structuredClone(states[part.name].state));
}
