/** What stands around the panes: header, tabs, foot, command line, help. */

import { stopText } from '../commands/stop-text.js';
import { modeText } from '../engine/debug/guest-mode.js';
import { paceText } from '../engine/debug/monitor-clock.js';
import type { Progress, RunState } from '../engine/debugger.js';
import { COMMANDS, completions } from './commands.js';
import { BINDINGS, showKey } from './keys.js';
import { VIEW_TABS, VIEWS, type View } from './layout.js';
import type { Model } from './model.js';
import type { PaneKeyHelp } from './panes/pane.js';
import type { Prompt } from './prompt.js';
import type { CellPane, Segment } from './screen/cell-pane.js';
import { grouped, rate as rateText } from './screen/text.js';
import { INVERSE } from './screen/theme.js';

/** Width of the longest command's name, in lists of commands. */
const NAME_COLUMNS = Math.max(...COMMANDS.map(({ name }) => name.length));

function runningText({ standstill }: RunState): string {
  return standstill === undefined ? 'RUNNING' : standstill.toUpperCase();
}

/** On which branch of its run the guest is; nothing on the trunk. */
function branchName({ position }: RunState): string {
  return position === undefined || position.line === 'trunk' ? '' : `${position.line} `;
}

/** Draws it up to column `end`; the icount goes first when there is no room. */
export function drawHeader(cells: CellPane, model: Model, title: string, end: number): void {
  const { theme } = cells;
  cells.clear(theme.header);
  const { state } = model;
  const vcpus = model.info?.vcpus ?? 1;
  const status = state.running ? runningText(state) : stopText(state.stop, model.symbols);
  const registers = model.registers().value;
  model.trace();
  const newest = model.records.at(-1);
  const rate = model.exitRate();
  const pace = paceText(state.pace);
  // What has no room is left out as a whole, the least wanted first.
  const parts: { text: string; attr: number; weight: number }[] = [
    { text: ` ${title} `, attr: theme.header, weight: 9 },
    // Of several it is never left out: all that is shown is of this one.
    {
      text: vcpus > 1 ? `vcpu${model.vcpu}/${vcpus}  ` : `vcpu${model.vcpu}  `,
      attr: theme.header,
      weight: vcpus > 1 ? 13 : 3,
    },
    { text: branchName(state), attr: theme.stopped, weight: 8 },
    { text: state.position?.past && !state.running ? 'PAST ' : '', attr: theme.stopped, weight: 11 },
    { text: model.frozen ? 'FROZEN ' : '', attr: theme.stopped, weight: 12 },
    { text: status, attr: state.running && !state.standstill ? theme.running : theme.stopped, weight: 10 },
    { text: registers ? `  ${modeText(registers)}` : '', attr: theme.header, weight: 6 },
    { text: newest ? `  exit #${grouped(newest.sequence)}` : '', attr: theme.header, weight: 5 },
    { text: pace === undefined ? '' : `  time ${pace}`, attr: theme.header, weight: 7.5 },
    { text: rate === undefined ? '' : `  ${rateText(rate)} exits/s`, attr: theme.header, weight: 7 },
    { text: model.counted ? `  icount ${grouped(state.icount)}` : '', attr: theme.header, weight: 1 },
  ];
  const left = new Set(parts);
  const width = () => [...left].reduce((sum, part) => sum + part.text.length, 0);
  for (const part of [...parts].sort((x, y) => x.weight - y.weight))
    if (width() > end && part.text !== status) left.delete(part);
  cells.line(
    0,
    parts.filter((part) => left.has(part)).map(({ text, attr }) => [text, attr] as const),
    0,
    end,
  );
}

/** A narrower header leaves the room of these tabs to what the guest does, unless one is open. */
const SELDOM: readonly View[] = ['charts', 'tables'];
const ROOM_FOR_ALL = 150;

const tabWidth = (view: View): number => VIEW_TABS[view].title.length + 2;
const widthOf = (views: readonly View[]): number => views.reduce((sum, view) => sum + tabWidth(view), 0);

/** The tabs that the header of a screen shows, and their width. */
export function headerTabs(view: View, columns: number): { views: readonly View[]; width: number } {
  const views = VIEWS.filter((one) => columns >= ROOM_FOR_ALL || one === view || !SELDOM.includes(one));
  return { views, width: widthOf(views) };
}

/** @returns the columns of each tab, for clicks. */
export function drawTabs(
  cells: CellPane,
  view: View,
  start: number,
  views: readonly View[] = VIEWS,
): { view: View; from: number; to: number }[] {
  const { theme } = cells;
  let x = start;
  return views.map((name) => {
    const from = x;
    const { title } = VIEW_TABS[name];
    x = cells.put(x, 0, name === view ? `[${title}]` : ` ${title} `, name === view ? theme.tabActive : theme.tab);
    return { view: name, from, to: x };
  });
}

export interface Status {
  text: string;
  bad: boolean;
}

/** `searching guest memory for a kernel … 42 %` */
export function progressStatus({ task, share }: Progress): Status {
  return { text: `${task} …${share === undefined ? '' : ` ${Math.floor(share * 100)} %`}`, bad: false };
}

/** A part of the foot that can be clicked: it is the key. */
export interface KeyArea {
  key: string;
  from: number;
  to: number;
}

/** Where there is no room for all, these come first. */
const FIRST = ['c', 's', 'n', 'e', 'b', 'tab', 'f', 'E', 'w', ','];

/** @returns the keys that it shows, for clicks */
export function drawFooter(
  cells: CellPane,
  status: Status | undefined,
  chord: string,
  small: boolean,
  running: boolean,
): KeyArea[] {
  const areas: KeyArea[] = [];
  const { theme } = cells;
  cells.clear(theme.normal);
  if (status) {
    const room = cells.width - 2;
    const more = ' … :messages';
    const text =
      status.bad && status.text.length > room
        ? status.text.slice(0, Math.max(0, room - more.length)) + more
        : status.text;
    cells.put(1, 0, text, status.bad ? theme.crit : theme.ok);
    return areas;
  }
  if (chord) {
    let end = cells.put(1, 0, `${chord} then `, theme.key);
    for (const view of VIEWS) {
      const { key, title } = VIEW_TABS[view];
      const from = end;
      end = cells.put(end, 0, `${key} ${title}`, theme.key);
      areas.push({ key, from, to: end });
      end += 2;
    }
    cells.put(end, 0, 'Esc', theme.key);
    areas.push({ key: 'escape', from: end, to: end + 3 });
    return areas;
  }
  let x = 1;
  if (small) x = cells.put(x, 0, 'needs 80x24 for panes  ', theme.warn);
  const shown = BINDINGS.flatMap((group) => group.bindings)
    .filter((binding) => binding.short)
    .map((binding) => ({
      name: binding.keys[0]!,
      key: showKey(binding.keys[0]!),
      text: ` ${running && binding.shortRunning ? binding.shortRunning : binding.short}  `,
    }));
  // Whatever the width: how to get help and how to get out.
  const always = shown.filter(({ key }) => [':', '?', 'q'].includes(key));
  const width = (items: typeof shown) => items.reduce((sum, item) => sum + item.key.length + item.text.length, 0);
  const chosen = [...always];
  for (const name of small ? ['tab', ...FIRST] : FIRST) {
    const item = shown.find((one) => one.name === name);
    if (!item || chosen.includes(item)) continue;
    if (x + width([...chosen, item]) > cells.width + 1) break;
    chosen.push(item);
  }
  for (const { name, key, text } of shown.filter((item) => chosen.includes(item))) {
    const from = x;
    x = cells.put(x, 0, key, theme.key);
    x = cells.put(x, 0, text, theme.dim);
    areas.push({ key: name, from, to: x - 2 });
  }
  const hint = '(F-keys too)';
  if (x + hint.length <= cells.width) cells.put(x, 0, hint, theme.dim);
  return areas;
}

export function drawPrompt(cells: CellPane, prompt: Prompt): void {
  const { theme } = cells;
  cells.clear(theme.input);
  const room = cells.width - prompt.mark.length - 1;
  const skip = Math.max(0, prompt.cursor - room);
  const x = cells.put(0, 0, prompt.mark, theme.key);
  cells.put(x, 0, prompt.text.slice(skip), theme.input);
  cells.shade(x + prompt.cursor - skip, 0, 1, (attr) => attr ^ (INVERSE << 18));
}

/** Rows of the list above the command line at most. */
const LIST_ROWS = 10;
const MOST_COLUMNS = 40;

/** How names stand side by side. */
function grid(found: readonly string[], width: number): { column: number; across: number } {
  const column = Math.min(MOST_COLUMNS, Math.max(...found.map(({ length }) => length))) + 2;
  return { column, across: Math.max(1, Math.floor((width - 2) / column)) };
}

/** Rows that the list above the command line wants. @param found what the argument may be */
export function completionRows(text: string, found: readonly string[], width: number): number {
  const commands = completions(text).length;
  const names = found.length === 0 ? 0 : Math.ceil(found.length / grid(found, width).across);
  return Math.min(LIST_ROWS, commands + names);
}

/** The commands that a line may be; behind the name of one, what its argument may be. */
export function drawCompletions(cells: CellPane, text: string, found: readonly string[]): void {
  const { theme } = cells;
  cells.clear(theme.popup);
  const commands = completions(text).slice(0, cells.height);
  if (found.length > 0) drawNames(cells, found, commands.length);
  for (const [y, command] of commands.entries()) {
    cells.line(y, [
      [` ${command.name.padEnd(NAME_COLUMNS)} `, theme.key],
      [` ${command.usage.padEnd(50)}`, theme.popup],
      [` ${command.help}`, theme.popup],
      [command.key ? `  (${command.key})` : '', theme.popup],
    ]);
  }
}

/** Names in columns from a row on; the last place says how many have none. */
function drawNames(cells: CellPane, found: readonly string[], top: number): void {
  const { theme } = cells;
  const { column, across } = grid(found, cells.width);
  const room = (cells.height - top) * across;
  const shown = found.length > room ? found.slice(0, Math.max(0, room - 1)) : found;
  const place = (n: number) => [1 + (n % across) * column, top + Math.floor(n / across)] as const;
  for (const [n, name] of shown.entries()) cells.put(...place(n), name.slice(0, column - 1), theme.key);
  if (shown.length < found.length && room > 0)
    cells.put(...place(shown.length), `${found.length - shown.length} more`.slice(0, column - 1), theme.dim);
}

/** Lines of the help: keys in columns, then commands. */
export function helpLines(cells: CellPane, pane?: { id: string; keys: readonly PaneKeyHelp[] }): Segment[][] {
  const { theme } = cells;
  const lines: Segment[][] = [];
  if (pane?.keys.length) {
    lines.push([[` In this pane: ${pane.id}`, theme.title]]);
    for (const [shown, , help] of pane.keys) lines.push([[`   ${shown.padEnd(14)}`, theme.key], [help]]);
  }
  for (const group of BINDINGS) {
    lines.push([[` ${group.title}`, theme.title]]);
    for (const binding of group.bindings) {
      lines.push([[`   ${binding.keys.map(showKey).join(' ').padEnd(14)}`, theme.key], [binding.help]]);
    }
  }
  lines.push([[' In panes', theme.title]]);
  const inPanes: [string, string][] = [
    ['↑ ↓ PgUp PgDn', 'move; also j k, Home, End, the wheel'],
    ['Enter', 'follow: code target, exit, frame, range to walk; edit: register, VMCS field, memory'],
    ['t', 'memory: gva, gpa, hpa'],
    ['v', 'console: serial or VGA; stack: frames or words'],
    ['o', 'VMCS: bits of a control field, Enter sets or clears one'],
    ['< > I', 'exits by reason: sort column, reverse'],
    ['b', 'exits by reason: break on that reason'],
    ['d', 'breakpoints: delete'],
    ["header: 'time x0.3'", "the guest's time beside the host's; info clock says why"],
    [
      'mouse',
      'click a row, a tab, the gutter (breakpoint); drag a border or the cursor of Time; Shift-drag selects text',
    ],
  ];
  for (const [key, help] of inPanes) lines.push([[`   ${key.padEnd(14)}`, theme.key], [help]]);
  lines.push([[' Commands (after :)', theme.title]]);
  for (const command of COMMANDS) {
    lines.push([
      [`   ${command.name.padEnd(NAME_COLUMNS)} `, theme.key],
      [`${command.usage}  `],
      [command.help, theme.dim],
    ]);
  }
  lines.push([
    ['   Numbers are 0x1f, 42 or fee00000; names of symbols and registers count, and sums: main+0x10', theme.dim],
  ]);
  return lines;
}
