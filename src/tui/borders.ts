/** The borders between panes as the user has moved them, by key and by mouse. */
import { NothingThere } from '../commands/command.js';
import type { Layout, PaneId, Shifts, Splitter } from './layout.js';

export class Borders {
  private readonly moved: Map<string, number>;
  private dragged: { splitter: Splitter; from: number } | undefined;

  /** @param moved as they were left by an earlier session */
  constructor(moved: Readonly<Record<string, number>> = {}) {
    this.moved = new Map(Object.entries(moved));
  }

  /** How far each border has been moved. */
  get shifts(): Shifts {
    return this.moved;
  }

  /** The button went down at a cell: takes the border there. @returns whether one is there */
  take(layout: Layout | undefined, x: number, y: number): boolean {
    const inside = ({ area }: Splitter) =>
      x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height;
    const splitter = layout?.splitters.find(inside);
    this.dragged = splitter && { splitter, from: splitter.axis === 'x' ? x : y };
    return splitter !== undefined;
  }

  /** The pointer moved with its button down. @returns whether a border moved. */
  drag(x: number, y: number): boolean {
    if (!this.dragged) return false;
    const { splitter, from } = this.dragged;
    this.moved.set(splitter.key, splitter.shift + (splitter.axis === 'x' ? x : y) - from);
    return true;
  }

  drop(): void {
    this.dragged = undefined;
  }

  /** Moves the border after a pane, or the one before it where it is the last. @throws Error where there is none. */
  move(layout: Layout | undefined, pane: PaneId, axis: 'x' | 'y', step: number): void {
    const slot = layout?.slots.find((s) => s.pane === pane);
    if (!slot) return;
    const at = (x: number, y: number) =>
      layout!.splitters.find(({ axis: along, area }) => {
        if (along !== axis) return false;
        return axis === 'x'
          ? area.x + 1 === x && y >= area.y && y < area.y + area.height
          : area.y === y && x >= area.x && x < area.x + area.width;
      });
    const after = axis === 'x' ? at(slot.x + slot.width, slot.y) : at(slot.x, slot.y + slot.height);
    const splitter = after ?? at(slot.x, slot.y);
    if (!splitter) throw new NothingThere('no border to move here');
    this.moved.set(splitter.key, splitter.shift + step);
  }

  reset(): void {
    this.moved.clear();
  }

  /** As another layout has them. */
  set(moved: Readonly<Record<string, number>>): void {
    this.moved.clear();
    for (const [key, shift] of Object.entries(moved)) this.moved.set(key, shift);
  }
}
