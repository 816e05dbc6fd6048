/** The help of the table of guests. */
import type { Segment } from '../screen/cell-pane.js';
import type { Theme } from '../screen/theme.js';
import { COLUMNS, titleOf } from './columns.js';
import type { TopState } from './state.js';

const KEYS: readonly [string, string][] = [
  ['↑ ↓ k j PgUp PgDn', 'choose a guest; the cursor stays with it while rows move'],
  ['Enter', 'attach to it'],
  ['v, Tab', 'what is known of it, below the table; J K scroll there'],
  ['a', 'act on it: pause, resume, shut down, reset, destroy, its console, attach'],
  ['/', 'filter by name (a regular expression; !WORD: those without; -f WORD: fuzzy)'],
  [
    ':',
    'a command: sort COLUMN, columns COLUMN..., view NAME, delay SECONDS, filter TEXT, pause, resume, ..., attach, console, quit; Tab completes',
  ],
  ['0 1 2 3 4', 'guests, CPUs of the host, network interfaces, disks, exits of KVM guests with their times'],
  ['V e', 'exits of each vCPU apart; VM exits, MMIO by address or ports, as perf kvm stat --event has them'],
  ['P M T N E', 'sort by CPU, memory, CPU time, name, exits'],
  ['< > F', 'sort by the column beside; choose one'],
  [':columns', 'which columns this view has, in which order: columns state cpu exits; columns all'],
  ['I', 'reverse the order'],
  ['B', 'disks in bytes or in requests'],
  ['i', '100 % CPU is all CPUs of the host, or one'],
  ['+ - s d', 'longer or shorter interval; type one'],
  ['Space', 'freeze the rows; figures go on being collected'],
  ['W', 'keep these settings'],
  ['C-l C-z C-t', 'redraw, suspend, release the mouse'],
  ['q', 'quit'],
];

export function helpLines(theme: Theme, state: TopState): Segment[][] {
  const lines: Segment[][] = KEYS.map(([key, text]) => [
    [` ${key.padEnd(18)}`, theme.key],
    [text, theme.popup],
  ]);
  lines.push([['']], [[' Columns: sums over an interval as virt-top has them, colours by these limits', theme.popup]]);
  for (const column of COLUMNS)
    if (column.limits)
      lines.push([
        [` ${titleOf(column, state).padEnd(18)}`, theme.key],
        [column.limits, theme.popup],
      ]);
  return lines;
}
