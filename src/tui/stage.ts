/** The panes on the screen: the view that shows them, where each stands, and which one has the keys. */
import { Borders } from './borders.js';
import { type Layout, layout, type PaneId, type Slot, VIEW_PANES, type View } from './layout.js';
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

  constructor(
    readonly panes: Panes,
    newCells: () => CellPane,
    view: View,
    /** Panes that have nothing to show of this guest: Tab passes them. */
    private readonly hides: (pane: PaneId) => boolean = () => false,
    moved: Readonly<Record<string, number>> = {},
  ) {
    this.borders = new Borders(moved);
    this.shownView = view;
    this.focus = VIEW_PANES[view][0]!;
    for (const id of Object.keys(panes)) this.cells.set(id, newCells());
  }

  get view(): View {
    return this.shownView;
  }

  set view(view: View) {
    if (view === this.shownView) return;
    this.shownView = view;
    this.zoomed = false;
    this.focus = VIEW_PANES[view][0]!;
  }

  /** The pane in focus. */
  get pane(): Pane {
    return this.panes[this.focus];
  }

  /** Draws the panes of the view. `held`: the guest has the keyboard, so no pane shows a cursor. */
  draw(columns: number, rows: number, held: boolean, reserved = 0): Layout {
    const plan = layout(this.view, columns, rows, this.focus, this.zoomed, this.borders.shifts, reserved);
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
    const all = this.plan && !this.plan.small ? this.tabOrder(this.plan) : VIEW_PANES[this.view];
    const order = all.filter((pane) => pane === this.focus || !this.hides(pane));
    const at = order.indexOf(this.focus);
    this.focus = order[(at + step + order.length) % order.length]!;
  }

  private tabOrder(plan: Layout): readonly PaneId[] {
    const shown = plan.slots.map((slot) => slot.pane);
    const extra = shown.filter((pane) => !VIEW_PANES[this.view].includes(pane));
    const base = VIEW_PANES[this.view].filter((pane) => !(pane === 'console' && shown.includes('serial')));
    return [...extra, ...base];
  }

  /** The button went down at a cell: takes the border there, if one is there. */
  takeBorder(x: number, y: number): void {
    this.borders.take(this.plan, x, y);
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
