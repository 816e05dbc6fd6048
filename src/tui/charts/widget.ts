/**
 * Charts of blessed-contrib as cells: a widget paints its own canvas, which stands on no screen, and a pane takes what is
 * on it, so that all themes, ASCII and the diff of the screen hold for charts too. Loaded when the first chart is drawn.
 */

/** What a widget of blessed-contrib is to us. */
export interface Widget {
  canvasSize: { width: number; height: number };
  calcSize(): void;
  emit(event: 'attach'): void;
  setData(data: unknown): void;
  readonly ctx: { readonly _canvas: { frame(): string } };
}
export type WidgetMaker = new (options: object) => Widget;

export interface ChartMakers {
  readonly Line: WidgetMaker;
  readonly Bar: WidgetMaker;
}

/** Colour of a cell: 0 to 7 as the terminal's eight; undefined: none was chosen. */
export interface ChartCell {
  readonly character: string;
  readonly colour?: number;
  /** Of the cell itself, where it is filled. */
  readonly filled?: number;
}

let makers: ChartMakers | undefined;
let loading: Promise<void> | undefined;
let failure: string | undefined;

/** The charts, or undefined while they load. @param ready called when they are there @throws Error when they cannot be had */
export function chartMakers(ready: () => void): ChartMakers | undefined {
  if (failure !== undefined) throw new Error(failure);
  if (makers === undefined) void loadCharts().finally(ready);
  return makers;
}

/** Resolves when charts can be drawn, or cannot. */
export function loadCharts(): Promise<void> {
  if (loading === undefined) loading = load();
  return loading;
}

async function load(): Promise<void> {
  try {
    const [line, bar] = await Promise.all([
      import('blessed-contrib/lib/widget/charts/line.js'),
      import('blessed-contrib/lib/widget/charts/bar.js'),
    ]);
    makers = { Line: line.default, Bar: bar.default };
  } catch (error) {
    failure = `charts need the package blessed-contrib: ${(error as Error).message}`;
  }
}

/** A screen as far as a widget that is on none asks for one. */
const NO_SCREEN = { on: () => {}, setEffects: () => {}, tput: { colors: 8 } };

/**
 * What a widget draws, row by row.
 * @param dots size of its canvas, which is in dots or cells as the widget has it
 */
export function paint(
  Make: WidgetMaker,
  options: object,
  dots: { width: number; height: number },
  data: unknown,
): ChartCell[][] {
  const widget = new Make({ ...options, screen: NO_SCREEN });
  widget.calcSize = () => {
    widget.canvasSize = dots;
  };
  widget.emit('attach');
  widget.setData(data);
  return cellsOf(widget.ctx._canvas.frame());
}

/** Text with colours as ANSI sequences, as cells. */
export function cellsOf(frame: string): ChartCell[][] {
  return frame.split('\n').map((row) => {
    const cells: ChartCell[] = [];
    let colour: number | undefined;
    let filled: number | undefined;
    for (const [, codes, character] of row.matchAll(/\x1b\[([\d;]*)m|([\s\S])/gu)) {
      if (character !== undefined) {
        cells.push({
          character,
          ...(colour === undefined ? {} : { colour }),
          ...(filled === undefined ? {} : { filled }),
        });
        continue;
      }
      for (const code of (codes || '0').split(';').map(Number)) {
        if (code === 0) colour = filled = undefined;
        else if (code >= 30 && code < 38) colour = code - 30;
        else if (code === 39) colour = undefined;
        else if (code >= 40 && code < 48) filled = code - 40;
        else if (code === 49) filled = undefined;
      }
    }
    return cells;
  });
}
