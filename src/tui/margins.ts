/** The lines above and below the panes: header, tabs, foot, and the commands that may be meant. */
import {
  completionRows,
  drawCompletions,
  drawFooter,
  drawHeader,
  drawPrompt,
  drawTabs,
  headerTabs,
  type KeyArea,
  type Status,
} from './chrome.js';
import type { Layout, View } from './layout.js';
import type { Model } from './model.js';
import type { Prompts } from './prompts.js';
import type { CellPane } from './screen/cell-pane.js';

/** From this width on the tabs have room in the header. */
const TABS_IN_HEADER = 110;

/** What the foot says. */
export interface Foot {
  prompts: Prompts;
  status: Status | undefined;
  chord: string;
}

export class Margins {
  private readonly header: CellPane;
  private readonly tabs: CellPane;
  private readonly footer: CellPane;
  private readonly list: CellPane;
  private keys: KeyArea[] = [];
  private footAt = 0;
  private areas: { view: View; from: number; to: number; y: number }[] = [];

  constructor(
    cells: () => CellPane,
    private readonly model: Model,
    private readonly title: string,
  ) {
    this.header = cells();
    this.tabs = cells();
    this.footer = cells();
    this.list = cells();
  }

  drawTop(plan: Layout, view: View, columns: number): void {
    this.header.place(plan.header);
    const inHeader = !plan.tabs && columns >= TABS_IN_HEADER;
    const { views, width } = headerTabs(view, columns);
    drawHeader(this.header, this.model, this.title, inHeader ? columns - width - 2 : columns);
    this.tabs.visible = plan.tabs !== undefined;
    if (plan.tabs) {
      this.tabs.place(plan.tabs);
      this.tabs.clear(this.tabs.theme.tab);
      this.areas = drawTabs(this.tabs, view, 1).map((area) => ({ ...area, y: 1 }));
    } else if (inHeader) {
      this.areas = drawTabs(this.header, view, columns - width - 1, views).map((area) => ({ ...area, y: 0 }));
    } else this.areas = [];
  }

  drawFoot(plan: Layout, columns: number, rows: number, { prompts, status, chord }: Foot): void {
    this.keys = [];
    this.footer.visible = plan.footer !== undefined;
    this.list.visible = false;
    if (!plan.footer) return;
    this.footer.place(plan.footer);
    if (!prompts.active) {
      this.keys = drawFooter(this.footer, status, chord, plan.small, this.model.state.running);
      this.footAt = plan.footer.y;
      return;
    }
    drawPrompt(this.footer, prompts.active);
    const { command } = prompts;
    if (!command) return;
    const { found } = prompts.argument(command.text);
    const height = Math.min(completionRows(command.text, found, columns), rows - 3);
    if (height <= 0) return;
    this.list.visible = true;
    this.list.place({ x: 0, y: rows - 1 - height, width: columns, height });
    drawCompletions(this.list, command.text, found);
  }

  /** The key that the foot shows there. */
  keyAt(x: number, y: number): string | undefined {
    return y === this.footAt ? this.keys.find(({ from, to }) => x >= from && x < to)?.key : undefined;
  }

  /** The view whose tab is there. */
  tabAt(x: number, y: number): View | undefined {
    return this.areas.find((area) => area.y === y && x >= area.from && x < area.to)?.view;
  }
}
