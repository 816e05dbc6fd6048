/** Which panes stand where, for a view and a size of the terminal. */
import type { Rectangle } from './screen/cell-pane.js';

export const VIEWS = ['debug', 'exits', 'memory', 'vmcs', 'console', 'system', 'time', 'charts', 'tables'] as const;
export type View = (typeof VIEWS)[number];

/** Key after `g`, and the name on the tab. */
export const VIEW_TABS: Record<View, { key: string; title: string }> = {
  debug: { key: 'd', title: 'Debug' },
  exits: { key: 'x', title: 'Exits' },
  memory: { key: 'm', title: 'Mem/EPT' },
  vmcs: { key: 'v', title: 'VMCS' },
  console: { key: 'c', title: 'Console' },
  system: { key: 'o', title: 'OS' },
  time: { key: 't', title: 'Time' },
  charts: { key: 'h', title: 'Charts' },
  tables: { key: 'b', title: 'Tables' },
};

export const PANES = [
  'disassembly',
  'registers',
  'memory',
  'walk',
  'exit',
  'stack',
  'trace',
  'breakpoints',
  'console',
  'serial',
  'vga',
  'devices',
  'reasons',
  'vmcs',
  'ept',
  'processes',
  'modules',
  'log',
  'vcpus',
  'timeline',
  'rates',
  'spent',
  'times',
  'heat',
  'gdt',
  'idt',
  'tss',
  'vectors',
  'x87',
  'source',
  'variables',
  'watches',
  'profile',
] as const;
export type PaneId = (typeof PANES)[number];

/** Panes of a view in the order of Tab; the first two are those that a small screen shows. */
export const VIEW_PANES: Record<View, readonly PaneId[]> = {
  debug: [
    'disassembly',
    'registers',
    'exit',
    'stack',
    'memory',
    'walk',
    'trace',
    'reasons',
    'breakpoints',
    'vcpus',
    'console',
    'devices',
    'source',
    'variables',
    'watches',
    'profile',
  ],
  exits: ['reasons', 'trace', 'exit'],
  memory: ['memory', 'walk', 'ept', 'devices'],
  vmcs: ['vmcs', 'exit'],
  console: ['console', 'devices'],
  system: ['processes', 'log', 'modules'],
  time: ['timeline', 'exit', 'trace'],
  charts: ['rates', 'spent', 'times', 'heat'],
  tables: ['gdt', 'idt', 'tss', 'vectors', 'x87'],
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

/** A border between two panes that can be moved. */
export interface Splitter {
  /** Under which its shift is kept. */
  key: string;
  /** `x`: between columns, moves left and right; `y`: between panes of a column. */
  axis: 'x' | 'y';
  /** Cells where it can be taken. */
  area: Rectangle;
  /** How far it has moved, within its limits. */
  shift: number;
}

/** How far the user has moved each splitter, in cells. */
export type Shifts = ReadonlyMap<string, number>;

export interface Layout {
  header: Rectangle;
  /** Absent where the header holds the tabs. */
  tabs?: Rectangle;
  footer?: Rectangle;
  slots: Slot[];
  splitters: Splitter[];
  small: boolean;
}

/** What the user has changed of a view, and what its panes need. */
export interface Wishes {
  /** Rows of content, by pane, where it is known. */
  readonly needs: ReadonlyMap<PaneId, number>;
  readonly change: {
    readonly hidden: readonly PaneId[];
    readonly added: readonly { readonly pane: PaneId; readonly below: PaneId }[];
  };
  /** Panes of the view. */
  readonly panes: readonly PaneId[];
}

/** Height in rows; 0 takes what is left. */
type Row = readonly [pane: PaneId, height: number];

const MIN_PANE_ROWS = 2;
const MIN_PANE_COLUMNS = 20;

export function layout(
  view: View,
  columns: number,
  rows: number,
  focus: PaneId,
  zoomed: boolean,
  shifts: Shifts = new Map(),
  /** Rows above the foot that are somebody else's. */
  reserved = 0,
  wishes: Wishes = { needs: new Map(), change: { hidden: [], added: [] }, panes: VIEW_PANES[view] },
): Layout {
  const small = columns < MIN_COLUMNS || rows < MIN_ROWS;
  const header = { x: 0, y: 0, width: columns, height: 1 };
  const tabs = !small && columns < 110 ? { x: 0, y: 1, width: columns, height: 1 } : undefined;
  const footer = rows >= 4 ? { x: 0, y: rows - 1, width: columns, height: 1 } : undefined;
  const top = tabs ? 2 : 1;
  const body: Rectangle = {
    x: 0,
    y: top,
    width: columns,
    height: Math.max(0, rows - top - (footer ? 1 : 0) - reserved),
  };
  const tiles = new Tiles(view, shifts, wishes);
  const own = wishes.change.added.some(({ pane }) => pane === focus);
  // one that was added has its place, and needs no other's
  const guest = own ? wishes.panes[0]! : focus;
  if (small || zoomed) tiles.column(body, [[focus, 0]], true);
  else if (columns < 110 || rows - reserved < 30) compact(tiles, view, body, focus, wishes.panes);
  else {
    if (columns >= 180 && rows - reserved >= 50) large(tiles, view, body, guest);
    else medium(tiles, view, body, guest);
    tiles.fill(body);
  }
  return { header, tabs, footer, slots: tiles.slots, splitters: tiles.splitters, small };
}

/** Cuts an area into panes, and remembers the borders. */
class Tiles {
  readonly slots: Slot[] = [];
  readonly splitters: Splitter[] = [];

  constructor(
    private readonly view: View,
    private readonly shifts: Shifts,
    private readonly wishes: Wishes,
  ) {}

  /** Areas whose panes are all hidden. */
  private readonly free: Rectangle[] = [];

  /** What the user wants of a column: without the hidden panes, with the added ones. */
  private wanted(rows: readonly Row[]): Row[] {
    const { hidden, added } = this.wishes.change;
    const own = rows.filter(([pane]) => !hidden.includes(pane) && !added.some((one) => one.pane === pane));
    const list: Row[] = [];
    const put = (row: Row): void => {
      list.push(row);
      for (const { pane, below } of added) if (below === row[0]) put([pane, row[1]]);
    };
    for (const row of own) put(row);
    const last = list.at(-1);
    if (last && list.every(([, height]) => height !== 0)) list[list.length - 1] = [last[0], 0];
    return list;
  }

  /**
   * Panes beside an area that nobody has any more take it; one that was added below a pane that has no place here takes
   * half of the tallest.
   */
  fill(body: Rectangle): void {
    const { change, panes } = this.wishes;
    if (this.slots.length === 0) this.slots.push({ pane: panes[0]!, ...body, first: true, last: true });
    else this.give(body);
    for (const { pane } of change.added) {
      const [tallest] = [...this.slots].sort((a, b) => b.height - a.height);
      if (this.slots.some((slot) => slot.pane === pane)) continue;
      const height = Math.floor(tallest!.height / 2);
      tallest!.height -= height;
      this.slots.push({ ...tallest!, pane, y: tallest!.y + tallest!.height, height });
    }
    for (const slot of this.slots) {
      const column = this.slots.filter(({ x, width }) => x === slot.x && width === slot.width);
      slot.first = !column.some(({ y, height }) => y + height === slot.y);
      slot.last = !column.some(({ y }) => y === slot.y + slot.height);
    }
  }

  /** The free areas go to the panes beside them; where none fits, all panes stand in one column. */
  private give(body: Rectangle): void {
    const sides = [
      ['x', true],
      ['x', false],
      ['y', true],
      ['y', false],
    ] as const;
    let free = this.free;
    for (let before = free.length + 1; free.length > 0 && free.length < before; ) {
      before = free.length;
      free = free.filter((area) => !sides.some(([axis, first]) => this.grow(area, axis, first)));
    }
    if (free.length === 0) return;
    const rows = this.slots.map(({ pane }): Row => [pane, 0]);
    this.slots.length = 0;
    this.splitters.length = 0;
    this.column(body, rows, true);
  }

  private grow(area: Rectangle, axis: 'x' | 'y', before: boolean): boolean {
    const [size, across, length] =
      axis === 'x' ? (['width', 'y', 'height'] as const) : (['height', 'x', 'width'] as const);
    const touching = this.slots.filter(
      (slot) =>
        (before ? slot[axis] + slot[size] === area[axis] : slot[axis] === area[axis] + area[size]) &&
        slot[across] >= area[across] &&
        slot[across] + slot[length] <= area[across] + area[length],
    );
    if (touching.reduce((sum, slot) => sum + slot[length], 0) !== area[length]) return false;
    for (const slot of touching) {
      slot[size] += area[size];
      if (!before) slot[axis] = area[axis];
    }
    return true;
  }

  /** Rows that those with a fixed height need more go from those that have them to spare. */
  private lend(rows: readonly Row[], heights: number[]): void {
    const needs = rows.map(([pane], n) => {
      const content = this.wishes.needs.get(pane);
      return content === undefined ? undefined : content + (n === rows.length - 1 ? 2 : 1);
    });
    rows.forEach(([, fixed], to) => {
      if (fixed === 0) return;
      let lacking = Math.max(0, (needs[to] ?? 0) - heights[to]!);
      rows.forEach(([, height], from) => {
        if (height !== 0 || needs[from] === undefined) return;
        const lent = Math.min(lacking, Math.max(0, heights[from]! - needs[from]!));
        heights[from]! -= lent;
        heights[to]! += lent;
        lacking -= lent;
      });
    });
  }

  /** Panes one above the other. */
  column(area: Rectangle, all: readonly Row[], asTheyAre = false): void {
    const rows = asTheyAre ? all : this.wanted(all);
    if (rows.length === 0) {
      this.free.push(area);
      return;
    }
    const fixed = rows.reduce((sum, [, height]) => sum + height, 0);
    let left = rows.filter(([, height]) => height === 0).length;
    let spare = Math.max(0, area.height - fixed);
    const heights = rows.map(([, height]) => {
      if (height !== 0) return height;
      const share = Math.ceil(spare / left--);
      spare -= share;
      return share;
    });
    this.lend(rows, heights);
    const keys = rows.slice(1).map(([pane], n) => `${this.view} ${rows[n]![0]} ${pane}`);
    const shifts = keys.map((key, n) => this.shift(heights, n, key, MIN_PANE_ROWS));
    let y = area.y;
    for (const [n, [pane]] of rows.entries()) {
      // What a pane is drawn over its end is cut, so that a column never leaves its area.
      const height = Math.max(0, Math.min(heights[n]!, area.y + area.height - y));
      this.slots.push({ pane, x: area.x, y, width: area.width, height, first: n === 0, last: n === rows.length - 1 });
      if (n > 0)
        this.splitters.push({
          key: keys[n - 1]!,
          axis: 'y',
          area: { x: area.x, y, width: area.width, height: 1 },
          shift: shifts[n - 1]!,
        });
      y += height;
    }
  }

  /** Areas side by side; the last takes what is left. */
  split(area: Rectangle, name: string, widths: readonly number[]): Rectangle[] {
    const all = [...widths, area.width - widths.reduce((sum, width) => sum + width, 0)];
    return this.parts(area, name, 'x', all);
  }

  /** An upper area of `height` rows and the rest. */
  halves(area: Rectangle, name: string, height: number): Rectangle[] {
    return this.parts(area, name, 'y', [height, area.height - height]);
  }

  private parts(area: Rectangle, name: string, axis: 'x' | 'y', sizes: number[]): Rectangle[] {
    const keys = sizes.slice(1).map((_, n) => `${this.view} ${name} ${n}`);
    const least = axis === 'x' ? MIN_PANE_COLUMNS : 3;
    const shifts = keys.map((key, n) => this.shift(sizes, n, key, least));
    let at = axis === 'x' ? area.x : area.y;
    return sizes.map((size, n) => {
      const part = axis === 'x' ? { ...area, x: at, width: size } : { ...area, y: at, height: size };
      // Two borders lie side by side between columns.
      const grip = axis === 'x' ? { ...area, x: at - 1, width: 2 } : { ...area, y: at, height: 1 };
      if (n > 0) this.splitters.push({ key: keys[n - 1]!, axis, area: grip, shift: shifts[n - 1]! });
      at += size;
      return part;
    });
  }

  /** Moves the border behind the n-th size as far as both sides keep their least size. */
  private shift(sizes: number[], n: number, key: string, least: number): number {
    const wanted = this.shifts.get(key);
    if (!wanted) return 0;
    const low = Math.min(0, least - sizes[n]!);
    const high = Math.max(0, sizes[n + 1]! - least);
    const shift = Math.max(low, Math.min(high, wanted));
    sizes[n]! += shift;
    sizes[n + 1]! -= shift;
    return shift;
  }
}

/** 80x24: the view's first pane, and below it the one in focus. */
function compact(tiles: Tiles, view: View, body: Rectangle, focus: PaneId, panes: readonly PaneId[]): void {
  const [main, second] = panes;
  if (view === 'vmcs' || view === 'console' || view === 'charts' || second === undefined) {
    tiles.column(body, [[focus, 0]], true);
    return;
  }
  const share = view === 'time' ? 0.7 : 0.4;
  const upper = view === 'debug' ? body.height >> 1 : Math.ceil(body.height * share);
  const rows: Row[] = [
    [main!, upper],
    [focus === main ? second : focus, 0],
  ];
  tiles.column(body, rows, true);
}

/** Panes without a place of their own take that of the breakpoints while they have the focus. */
const GUESTS: readonly PaneId[] = ['console', 'devices', 'reasons', 'vcpus', 'variables', 'watches'];

/** While one of these has the focus the source stands where the disassembly does. */
const SOURCES: readonly PaneId[] = ['source', 'variables'];

/** What stands in the middle of the debug view: the code, unless something that needs its room has the focus. */
const mainOf = (focus: PaneId): PaneId =>
  focus === 'profile' ? focus : SOURCES.includes(focus) ? 'source' : 'disassembly';

function medium(tiles: Tiles, view: View, body: Rectangle, focus: PaneId): void {
  const { height, width } = body;
  switch (view) {
    case 'debug': {
      const [left, right] = tiles.split(body, 'columns', [Math.round(width * 0.6)]);
      const tall = height >= 36;
      const guest: PaneId = GUESTS.includes(focus) ? focus : 'breakpoints';
      tiles.column(left!, [
        [mainOf(focus), 0],
        ['memory', tall ? 5 : 3],
        ['walk', 3],
        ['trace', tall ? 9 : 6],
      ]);
      tiles.column(right!, [
        ['registers', tall ? 15 : 11],
        ['exit', 0],
        ['stack', tall ? 5 : 3],
        [guest, guest === 'breakpoints' ? (tall ? 5 : 3) : 10],
      ]);
      return;
    }
    case 'exits': {
      const [upper, lower] = tiles.halves(body, 'halves', Math.floor(height * 0.4));
      const [left, right] = tiles.split(lower!, 'lower', [Math.round(width * 0.62)]);
      tiles.column(upper!, [['reasons', 0]]);
      tiles.column(left!, [['trace', 0]]);
      tiles.column(right!, [['exit', 0]]);
      return;
    }
    case 'memory': {
      const [left, right] = tiles.split(body, 'columns', [Math.max(79, Math.round(width * 0.55))]);
      tiles.column(left!, [
        ['memory', 0],
        ['walk', Math.max(18, height >> 1)],
      ]);
      tiles.column(right!, [
        ['ept', 0],
        ['devices', Math.floor(height / 2)],
      ]);
      return;
    }
    case 'vmcs': {
      const [left, right] = tiles.split(body, 'columns', [Math.round(width * 0.62)]);
      tiles.column(left!, [['vmcs', 0]]);
      tiles.column(right!, [['exit', 0]]);
      return;
    }
    case 'console': {
      if (width < 82 + 36) {
        tiles.column(body, [[focus, 0]]);
        return;
      }
      const [left, right] = tiles.split(body, 'columns', [82]);
      tiles.column(left!, [['console', 0]]);
      tiles.column(right!, [['devices', 0]]);
      return;
    }
    case 'system': {
      const [upper, lower] = tiles.halves(body, 'halves', Math.ceil(height * 0.6));
      const [left, right] = tiles.split(upper!, 'upper', [Math.round(width * 0.58)]);
      tiles.column(left!, [['processes', 0]]);
      tiles.column(right!, [['modules', 0]]);
      tiles.column(lower!, [['log', 0]]);
      return;
    }
    case 'charts': {
      const [left, right] = tiles.split(body, 'columns', [Math.round(width * 0.5)]);
      tiles.column(left!, [
        ['rates', 0],
        ['times', 0],
      ]);
      tiles.column(right!, [
        ['spent', 0],
        ['heat', 0],
      ]);
      return;
    }
    case 'tables': {
      const [left, right] = tiles.split(body, 'columns', [Math.round(width * 0.5)]);
      tiles.column(left!, [
        ['gdt', Math.floor(height * 0.3)],
        ['idt', 0],
      ]);
      tiles.column(right!, [
        ['vectors', 0],
        ['x87', Math.min(18, Math.floor(height * 0.35))],
        ['tss', Math.min(13, Math.floor(height * 0.3))],
      ]);
      return;
    }
    case 'time': {
      const [upper, lower] = tiles.halves(body, 'halves', Math.ceil(height * 0.6));
      const [left, right] = tiles.split(lower!, 'lower', [Math.round(width * 0.62)]);
      tiles.column(upper!, [['timeline', 0]]);
      tiles.column(left!, [['trace', 0]]);
      tiles.column(right!, [['exit', 0]]);
    }
  }
}

function large(tiles: Tiles, view: View, body: Rectangle, focus: PaneId): void {
  const { width } = body;
  switch (view) {
    case 'debug': {
      const [upper, lower] = tiles.halves(body, 'halves', body.height - 14);
      const [left, middle, right] = tiles.split(upper!, 'upper', [Math.round(width * 0.29), Math.round(width * 0.41)]);
      const [trace, reasons] = tiles.split(lower!, 'lower', [Math.round(width * 0.52)]);
      tiles.column(left!, [
        ['console', 0],
        ['stack', 10],
        focus === 'variables' || focus === 'watches' ? [focus, 20] : [focus === 'vcpus' ? focus : 'breakpoints', 6],
        ['devices', 10],
      ]);
      tiles.column(middle!, [
        [mainOf(focus), 0],
        ['memory', 7],
        ['walk', 15],
      ]);
      tiles.column(right!, [
        ['registers', 22],
        ['exit', 0],
      ]);
      tiles.column(trace!, [['trace', 0]]);
      tiles.column(reasons!, [['reasons', 0]]);
      return;
    }
    case 'memory': {
      const [left, middle, right] = tiles.split(body, 'columns', [84, 64]);
      tiles.column(left!, [
        ['memory', 0],
        ['walk', Math.max(20, body.height >> 1)],
      ]);
      tiles.column(middle!, [['ept', 0]]);
      tiles.column(right!, [['devices', 0]]);
      return;
    }
    case 'console': {
      const [left, middle, right] = tiles.split(body, 'columns', [82, 82]);
      tiles.column(left!, [['serial', 0]]);
      tiles.column(middle!, [['vga', 0]]);
      tiles.column(right!, [['devices', 0]]);
      return;
    }
    default:
      medium(tiles, view, body, focus);
  }
}
