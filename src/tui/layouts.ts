/** Layouts as the user makes, keeps and takes them: what the `layout` command does. */
import { type Arrangements, arrangementLines } from './arrangement.js';
import type { PaneId } from './layout.js';
import type { Stage } from './stage.js';

export class Layouts {
  constructor(
    private readonly stage: Stage,
    private readonly arrangements: Arrangements,
    /** Writes them to the settings. */
    private readonly keep: () => void,
  ) {}

  hide(pane: PaneId): string {
    const { view } = this.stage;
    this.arrangements.hide(view, pane);
    this.stage.leave(pane);
    return `${pane} is hidden in the view ${view}; layout add ${pane} brings it back`;
  }

  /** @param below without one: back where it was hidden, or below the pane that is chosen */
  add(pane: PaneId, below?: PaneId): string {
    const { view, focus } = this.stage;
    if (below !== undefined || !this.arrangements.bringBack(view, pane))
      this.arrangements.add(view, pane, below ?? focus);
    this.stage.focus = pane;
    return `${pane} is in the view ${view} now; layout save NAME keeps it`;
  }

  reset(): string {
    this.arrangements.reset();
    this.stage.resetBorders();
    this.stage.leave(undefined);
    return 'all views are back to their defaults';
  }

  save(name: string): string {
    this.arrangements.save(name, this.stage.moved);
    this.keep();
    return `layout ${name} is saved; layout ${name} brings it back`;
  }

  delete(name: string): string {
    this.arrangements.delete(name);
    this.keep();
    return `layout ${name} is deleted`;
  }

  use(name: string): string {
    const { borders } = this.arrangements.use(name);
    this.stage.moveBorders(borders);
    this.stage.leave(undefined);
    return `layout ${name}`;
  }

  text(): string {
    const now = arrangementLines({ changes: this.arrangements.changes, borders: this.stage.moved });
    const saved = Object.entries(this.arrangements.saved);
    return [
      'as it is',
      ...(now.length ? now : ['no pane hidden, added or moved']).map((line) => `  ${line}`),
      ...saved.flatMap(([name, arrangement]) => [name, ...arrangementLines(arrangement).map((line) => `  ${line}`)]),
    ].join('\n');
  }
}
