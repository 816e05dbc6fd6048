/** The panes on the screen: the view that shows them, where each stands, and which one has the keys. */

import type { Arrangements } from './arrangement.js';
import { Borders } from './borders.js';
import { type Layout, layout, type PaneId, type Slot, type View } from './layout.js';
import type { Panes } from './panes/all.js';
import type { Pane } from './panes/pane.js';
import type { CellPane } from './screen/cell-pane.js';
import { reason } from './sources.js';

export class Stage {
  focus: PaneId;
  zoomed = false;
  private shownView: View;
  private readonly cells = new Map<string, CellPane>();
  private readonly borders: Borders;
  private plan: Layout | undefined;
  /** Rows that the content of each pane has had at most, at this size of the screen. */
  private readonly needs = new Map<PaneId, number>();
  private size = '';

  constructor(
    readonly panes: Panes,
    newCells: () => CellPane,
    view: View,
    /** Panes that have nothing to show of this guest: Tab passes them. */
    private readonly hides: (pane: PaneId) => boolean = () => false,
    moved: Readonly<Record<string, number>>,
    private readonly arrangements: Arrangements,
  ) {
    this.borders = new Borders(moved);
    this.shownView = view;
    this.focus = arrangements.panes(view)[0]!;
    for (const id of Object.keys(panes)) this.cells.set(id, newCells());
  }

  get view(): View {
    return this.shownView;
  }

  set view(view: View) {
    if (view === this.shownView) return;
    this.shownView = view;
    this.zoomed = false;
    this.focus = this.arrangements.panes(view)[0]!;
  }

  /** The pane in focus. */
  get pane(): Pane {
    return this.panes[this.focus];
  }

  /** Draws the panes of the view. `held`: the guest has the keyboard, so no pane shows a cursor. */
  draw(columns: number, rows: number, held: boolean, reserved = 0): Layout {
    const size = `${columns} ${rows} ${reserved}`;
    if (size !== this.size) {
      this.size = size;
      this.needs.clear();
    }
    const plan = this.drawOnce(columns, rows, held, reserved);
    // what the panes have shown now may need more room than it has
    return this.learnNeeds() ? this.drawOnce(columns, rows, held, reserved) : plan;
  }

  /** Whether a pane needs more rows than ever at this size; it never gives them back, so that the panes do not jump. */
  private learnNeeds(): boolean {
    let more = false;
    for (const slot of this.plan?.slots ?? []) {
      const wanted = this.panes[slot.pane].rowsWanted;
      const known = this.needs.get(slot.pane);
      if (wanted === undefined || (known !== undefined && known >= wanted)) continue;
      this.needs.set(slot.pane, wanted);
      more = true;
    }
    return more;
  }

  private drawOnce(columns: number, rows: number, held: boolean, reserved: number): Layout {
    const plan = layout(this.view, columns, rows, this.focus, this.zoomed, this.borders.shifts, reserved, {
      needs: this.needs,
      change: this.arrangements.of(this.view),
      panes: this.arrangements.panes(this.view),
    });
    this.plan = plan;
    if (!plan.slots.some((slot) => slot.pane === this.focus) && plan.slots[0]) this.focus = plan.slots[0].pane;
    for (const cells of this.cells.values()) cells.visible = false;
    for (const slot of plan.slots) {
      const cells = this.cells.get(slot.pane)!;
      cells.visible = true;
      cells.place(slot);
      const focused = slot.pane === this.focus;
      drawPane(this.panes[slot.pane], cells, { ...slot, focused }, focused && !held);
    }
    return plan;
  }

  slotAt(x: number, y: number): Slot | undefined {
    return this.plan?.slots.find((s) => x >= s.x && x < s.x + s.width && y >= s.y && y < s.y + s.height);
  }

  /** The first of these panes that has a place on the screen. */
  shownOf(panes: readonly PaneId[]): PaneId | undefined {
    return this.plan?.slots.find((slot) => panes.includes(slot.pane))?.pane;
  }

  focusNext(step: number): void {
    // Panes that stand on the screen come in the order of the view; those without a place come when focused.
    const all = this.plan && !this.plan.small ? this.tabOrder(this.plan) : this.arrangements.panes(this.view);
    const order = all.filter((pane) => pane === this.focus || !this.hides(pane));
    const at = order.indexOf(this.focus);
    this.focus = order[(at + step + order.length) % order.length]!;
  }

  private tabOrder(plan: Layout): readonly PaneId[] {
    const shown = plan.slots.map((slot) => slot.pane);
    const panes = this.arrangements.panes(this.view);
    const extra = shown.filter((pane) => !panes.includes(pane));
    const base = panes.filter((pane) => !(pane === 'console' && shown.includes('serial')));
    return [...extra, ...base];
  }

  /** The button went down at a cell: takes the border there, if one is there. */
  /** @returns whether a border is there. */
  takeBorder(x: number, y: number): boolean {
    return this.borders.take(this.plan, x, y);
  }

  /** @returns whether a border moved. */
  dragBorder(x: number, y: number): boolean {
    return this.borders.drag(x, y);
  }

  dropBorder(): void {
    this.borders.drop();
  }

  /** Moves a border of the pane in focus. @throws Error where it has none. */
  moveBorder(axis: 'x' | 'y', step: number): void {
    this.borders.move(this.plan, this.focus, axis, step);
  }

  /** How far each border stands from its place. */
  get moved(): Record<string, number> {
    return Object.fromEntries(this.borders.shifts);
  }

  resetBorders(): void {
    this.borders.reset();
  }

  moveBorders(moved: Readonly<Record<string, number>>): void {
    this.borders.set(moved);
  }

  /** A pane has no place any more; undefined: nobody knows which. */
  leave(pane: PaneId | undefined): void {
    const panes = this.arrangements.panes(this.view);
    if (pane === this.focus || !panes.includes(this.focus)) this.focus = panes[0]!;
  }

  /** Whether the view has this pane. */
  has(pane: PaneId): boolean {
    return this.arrangements.panes(this.view).includes(pane);
  }
}

function drawPane(
  pane: Pane,
  cells: CellPane,
  frame: { first: boolean; last: boolean; focused: boolean },
  focused: boolean,
): void {
  cells.clear();
  try {
    cells.frame(frame);
    pane.draw(cells, focused);
    cells.heading(pane.title());
  } catch (error) {
    // One failing pane must not take the others with it.
    cells.clear();
    cells.frame(frame);
    cells.heading([[` ${pane.id} `]]);
    cells.put(1, 0, reason(error), cells.theme.crit);
  }
}
