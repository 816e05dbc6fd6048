/** What the user has changed of the views: panes hidden and added, borders moved; kept under names. */
import { PANES, type PaneId, VIEW_PANES, VIEWS, type View } from './layout.js';

/** Of one view. */
export interface ViewChange {
  readonly hidden: readonly PaneId[];
  /** Below which pane each stands. */
  readonly added: readonly { readonly pane: PaneId; readonly below: PaneId }[];
}

export type Changes = Readonly<Partial<Record<View, ViewChange>>>;

/** A layout as it is kept: its changes and how far borders were moved. */
export interface Arrangement {
  readonly changes: Changes;
  readonly borders: Readonly<Record<string, number>>;
}

const NONE: ViewChange = { hidden: [], added: [] };
const MAX_LAYOUTS = 100;
const NAME = /^[\w.-]{1,40}$/;

export class Arrangements {
  #changes: Changes;
  readonly #saved: Map<string, Arrangement>;

  constructor(changes: Changes = {}, saved: Readonly<Record<string, Arrangement>> = {}) {
    this.#changes = changes;
    this.#saved = new Map(Object.entries(saved));
  }

  get changes(): Changes {
    return this.#changes;
  }

  get saved(): Readonly<Record<string, Arrangement>> {
    return Object.fromEntries(this.#saved);
  }

  of(view: View): ViewChange {
    return this.#changes[view] ?? NONE;
  }

  /** Panes of a view in the order of Tab. */
  panes(view: View): readonly PaneId[] {
    const { hidden, added } = this.of(view);
    const own = VIEW_PANES[view].filter((pane) => !hidden.includes(pane) && !added.some((one) => one.pane === pane));
    return [...own, ...added.map(({ pane }) => pane)];
  }

  /** @throws Error when the view has no such pane, or no other one */
  hide(view: View, pane: PaneId): void {
    const { hidden, added } = this.of(view);
    const panes = this.panes(view);
    if (!panes.includes(pane)) throw new Error(`the view ${view} has no ${pane} pane`);
    if (panes.length === 1) throw new Error(`${pane} is the only pane of the view ${view}`);
    this.#put(view, {
      hidden: VIEW_PANES[view].includes(pane) ? [...hidden, pane] : hidden,
      added: added.filter((one) => one.pane !== pane && one.below !== pane),
    });
  }

  /** Brings a pane back to where it was hidden. False: it is not hidden. */
  bringBack(view: View, pane: PaneId): boolean {
    const { hidden, added } = this.of(view);
    if (!hidden.includes(pane)) return false;
    this.#put(view, { hidden: hidden.filter((one) => one !== pane), added });
    return true;
  }

  /** Puts a pane below another, wherever it stood or was hidden. @throws Error when the view has no such other one */
  add(view: View, pane: PaneId, below: PaneId): void {
    const { hidden, added } = this.of(view);
    if (pane === below) throw new Error(`${pane} cannot be below itself`);
    if (!this.panes(view).includes(below)) throw new Error(`the view ${view} has no ${below} pane`);
    this.#put(view, {
      hidden: hidden.filter((one) => one !== pane),
      added: [...added.filter((one) => one.pane !== pane), { pane, below }],
    });
  }

  reset(view?: View): void {
    this.#changes = view === undefined ? {} : { ...this.#changes, [view]: NONE };
  }

  /** @throws Error when it is no name, or there are too many */
  save(name: string, borders: Readonly<Record<string, number>>): void {
    if (!NAME.test(name) || WORDS.has(name))
      throw new Error(
        `"${name}" is not a name for a layout: letters, digits, - _ . up to 40, and none of ${[...WORDS].join(', ')}`,
      );
    if (!this.#saved.has(name) && this.#saved.size >= MAX_LAYOUTS)
      throw new Error(`there are ${MAX_LAYOUTS} layouts already`);
    this.#saved.set(name, { changes: this.#changes, borders });
  }

  /** @throws Error when there is none of that name */
  use(name: string): Arrangement {
    const found = this.#saved.get(name);
    if (!found) throw new Error(this.#none(name));
    this.#changes = found.changes;
    return found;
  }

  /** @throws Error when there is none of that name */
  delete(name: string): void {
    if (!this.#saved.delete(name)) throw new Error(this.#none(name));
  }

  #none(name: string): string {
    const names = [...this.#saved.keys()];
    return `there is no layout "${name}"; ${names.length ? `there are ${names.join(', ')}` : 'layout save NAME makes one'}`;
  }

  #put(view: View, change: ViewChange): void {
    this.#changes = { ...this.#changes, [view]: change };
  }
}

/** What `layout` takes beside names. */
export const WORDS: ReadonlySet<string> = new Set(['save', 'delete', 'hide', 'add', 'reset', 'list']);

const isView = (text: string): text is View => (VIEWS as readonly string[]).includes(text);
const isPane = (text: string): text is PaneId => (PANES as readonly string[]).includes(text);

/** Lines of the settings: `hide VIEW PANE`, `add VIEW PANE PANE`, `border KEY SHIFT`. */
export function arrangementLines({ changes, borders }: Arrangement): string[] {
  const views = Object.entries(changes) as [View, ViewChange][];
  return [
    ...views.flatMap(([view, { hidden, added }]) => [
      ...hidden.map((pane) => `hide ${view} ${pane}`),
      ...added.map(({ pane, below }) => `add ${view} ${pane} ${below}`),
    ]),
    ...Object.entries(borders)
      .filter(([, shift]) => shift !== 0)
      .map(([key, shift]) => `border ${key} ${shift}`),
  ];
}

/** An arrangement with what a line of the settings says; undefined when it says nothing that is known. */
export function withLine(arrangement: Arrangement, line: string): Arrangement | undefined {
  const border = /^border (.+) (-?\d{1,4})$/.exec(line);
  if (border) return { ...arrangement, borders: { ...arrangement.borders, [border[1]!]: Number(border[2]) } };
  const [kind, view = '', pane = '', below = '', ...more] = line.split(/\s+/);
  if (!isView(view) || !isPane(pane) || more.length > 0) return undefined;
  const all = new Arrangements(arrangement.changes);
  try {
    if (kind === 'hide' && below === '') all.hide(view, pane);
    else if (kind === 'add' && isPane(below)) all.add(view, pane, below);
    else return undefined;
  } catch {
    return undefined;
  }
  return { ...arrangement, changes: all.changes };
}
