/** Which panes stand where, for a view and a size of the terminal. */
import type { Rectangle } from './screen/cell-pane.js';

export const VIEWS = ['debug', 'exits', 'memory', 'vmcs', 'console'] as const;
export type View = (typeof VIEWS)[number];

/** Key after `g`, and the name on the tab. */
export const VIEW_TABS: Record<View, { key: string; title: string }> = {
  debug: { key: 'd', title: 'Debug' },
  exits: { key: 'x', title: 'Exits' },
  memory: { key: 'm', title: 'Mem/EPT' },
  vmcs: { key: 'v', title: 'VMCS' },
  console: { key: 'c', title: 'Console' },
};

export const PANES = [
  'disassembly',
  'registers',
  'memory',
  'walk',
  'exit',
  'trace',
  'breakpoints',
  'console',
  'serial',
  'vga',
  'devices',
  'reasons',
  'vmcs',
  'ept',
] as const;
export type PaneId = (typeof PANES)[number];

/** Panes of a view in the order of Tab; the first two are those that a small screen shows. */
export const VIEW_PANES: Record<View, readonly PaneId[]> = {
  debug: ['disassembly', 'registers', 'memory', 'walk', 'exit', 'trace', 'breakpoints', 'console', 'devices'],
  exits: ['reasons', 'trace', 'exit'],
  memory: ['memory', 'walk', 'ept', 'devices'],
  vmcs: ['vmcs', 'exit'],
  console: ['console', 'devices'],
};

/** Smallest screen that gets more than one pane. */
export const MIN_COLUMNS = 80;
export const MIN_ROWS = 24;

export interface Slot extends Rectangle {
  pane: PaneId;
  /** First and last of a column. */
  first: boolean;
  last: boolean;
}

export interface Layout {
  header: Rectangle;
  /** Absent where the header holds the tabs. */
  tabs?: Rectangle;
  footer?: Rectangle;
  slots: Slot[];
  small: boolean;
}

/** Height in rows; 0 takes what is left. */
type Row = readonly [pane: PaneId, height: number];

export function layout(view: View, columns: number, rows: number, focus: PaneId, zoomed: boolean): Layout {
  const small = columns < MIN_COLUMNS || rows < MIN_ROWS;
  const header = { x: 0, y: 0, width: columns, height: 1 };
  const tabs = !small && columns < 110 ? { x: 0, y: 1, width: columns, height: 1 } : undefined;
  const footer = rows >= 4 ? { x: 0, y: rows - 1, width: columns, height: 1 } : undefined;
  const top = tabs ? 2 : 1;
  const body: Rectangle = { x: 0, y: top, width: columns, height: Math.max(0, rows - top - (footer ? 1 : 0)) };
  const result = (slots: Slot[]): Layout => ({ header, tabs, footer, slots, small });
  if (small || zoomed) return result(column(body, [[focus, 0]]));
  if (columns < 110 || rows < 30) return result(compact(view, body, focus));
  if (columns >= 180 && rows >= 50) return result(large(view, body, focus));
  return result(medium(view, body, focus));
}

/** Panes one above the other. */
function column(area: Rectangle, rows: readonly Row[]): Slot[] {
  const fixed = rows.reduce((sum, [, height]) => sum + height, 0);
  const flexible = rows.filter(([, height]) => height === 0).length;
  let spare = Math.max(0, area.height - fixed);
  let left = flexible;
  let y = area.y;
  return rows.map(([pane, height], n) => {
    let rowHeight = height;
    if (height === 0) {
      rowHeight = Math.ceil(spare / left--);
      spare -= rowHeight;
    }
    // What a pane is drawn over its end is cut, so that a column never leaves its area.
    rowHeight = Math.max(0, Math.min(rowHeight, area.y + area.height - y));
    const slot = {
      pane,
      x: area.x,
      y,
      width: area.width,
      height: rowHeight,
      first: n === 0,
      last: n === rows.length - 1,
    };
    y += rowHeight;
    return slot;
  });
}

/** Areas side by side; the last takes what is left. */
function split(area: Rectangle, widths: readonly number[]): Rectangle[] {
  let x = area.x;
  const parts = widths.map((width) => {
    const part = { x, y: area.y, width, height: area.height };
    x += width;
    return part;
  });
  return [...parts, { x, y: area.y, width: area.x + area.width - x, height: area.height }];
}

/** 80x24: the view's first pane, and below it the one in focus. */
function compact(view: View, body: Rectangle, focus: PaneId): Slot[] {
  const [main, second] = VIEW_PANES[view];
  if (view === 'vmcs' || view === 'console') return column(body, [[focus, 0]]);
  const upper = view === 'debug' ? body.height >> 1 : Math.ceil(body.height * 0.4);
  return column(body, [
    [main!, upper],
    [focus === main ? second! : focus, 0],
  ]);
}

function medium(view: View, body: Rectangle, focus: PaneId): Slot[] {
  const { height, width } = body;
  switch (view) {
    case 'debug': {
      const [left, right] = split(body, [Math.round(width * 0.6)]);
      const tall = height >= 36;
      // Panes without a place of their own take that of the breakpoints while they have the focus.
      const guest: PaneId = focus === 'console' || focus === 'devices' ? focus : 'breakpoints';
      return [
        ...column(left!, [
          ['disassembly', 0],
          ['memory', tall ? 5 : 3],
          ['walk', 3],
          ['trace', tall ? 9 : 6],
        ]),
        ...column(right!, [
          ['registers', tall ? 18 : 14],
          ['exit', 0],
          [guest, guest === 'breakpoints' ? (tall ? 6 : 3) : 10],
        ]),
      ];
    }
    case 'exits': {
      const [upper, lower] = halves(body, Math.floor(height * 0.4));
      const [left, right] = split(lower, [Math.round(width * 0.62)]);
      return [...column(upper, [['reasons', 0]]), ...column(left!, [['trace', 0]]), ...column(right!, [['exit', 0]])];
    }
    case 'memory': {
      const [left, right] = split(body, [Math.max(79, Math.round(width * 0.55))]);
      return [
        ...column(left!, [
          ['memory', 0],
          ['walk', 15],
        ]),
        ...column(right!, [
          ['ept', 0],
          ['devices', Math.floor(height / 2)],
        ]),
      ];
    }
    case 'vmcs': {
      const [left, right] = split(body, [Math.round(width * 0.62)]);
      return [...column(left!, [['vmcs', 0]]), ...column(right!, [['exit', 0]])];
    }
    case 'console': {
      if (width < 82 + 36) return column(body, [[focus, 0]]);
      const [left, right] = split(body, [82]);
      return [...column(left!, [['console', 0]]), ...column(right!, [['devices', 0]])];
    }
  }
}

function large(view: View, body: Rectangle, focus: PaneId): Slot[] {
  const { width } = body;
  switch (view) {
    case 'debug': {
      const [upper, lower] = halves(body, body.height - 14);
      const [left, middle, right] = split(upper, [Math.round(width * 0.29), Math.round(width * 0.41)]);
      const [trace, reasons] = split(lower, [Math.round(width * 0.62)]);
      return [
        ...column(left!, [
          ['console', 0],
          ['breakpoints', 8],
          ['devices', 12],
        ]),
        ...column(middle!, [
          ['disassembly', 0],
          ['memory', 9],
          ['walk', 13],
        ]),
        ...column(right!, [
          ['registers', 24],
          ['exit', 0],
        ]),
        ...column(trace!, [['trace', 0]]),
        ...column(reasons!, [['reasons', 0]]),
      ];
    }
    case 'memory': {
      const [left, middle, right] = split(body, [84, 64]);
      return [
        ...column(left!, [
          ['memory', 0],
          ['walk', 15],
        ]),
        ...column(middle!, [['ept', 0]]),
        ...column(right!, [['devices', 0]]),
      ];
    }
    case 'console': {
      const [left, middle, right] = split(body, [82, 82]);
      return [...column(left!, [['serial', 0]]), ...column(middle!, [['vga', 0]]), ...column(right!, [['devices', 0]])];
    }
    default:
      return medium(view, body, focus);
  }
}

function halves(area: Rectangle, upper: number): [Rectangle, Rectangle] {
  return [
    { ...area, height: upper },
    { ...area, y: area.y + upper, height: area.height - upper },
  ];
}
