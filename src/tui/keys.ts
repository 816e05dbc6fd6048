/** Every key of the dashboard: what it does, and how the help shows it. */
import type { Dashboard } from './dashboard.js';
import { VIEW_TABS, VIEWS } from './layout.js';

export interface Binding {
  /** Names as `keyName` gives them; the first is shown. */
  keys: readonly string[];
  /** One or two words for the foot of the screen; absent: not shown there. */
  short?: string;
  /** Instead of it while the guest runs. */
  shortRunning?: string;
  help: string;
  run: (dashboard: Dashboard) => void;
}

export interface BindingGroup {
  title: string;
  bindings: readonly Binding[];
}

export const BINDINGS: readonly BindingGroup[] = [
  {
    title: 'Run',
    bindings: [
      {
        keys: ['c', 'f9'],
        short: 'run',
        shortRunning: 'pause',
        help: 'run, or pause',
        run: (d) => d.act(d.toggleRun()),
      },
      { keys: ['s', 'f7'], short: 'into', help: 'step one instruction', run: (d) => d.command('step') },
      { keys: ['n', 'f8'], short: 'over', help: 'step over calls', run: (d) => d.command('over') },
      { keys: ['f'], short: 'out', help: 'run until the function returns', run: (d) => d.command('out') },
      { keys: ['e'], short: 'next-exit', help: 'run to the next VM exit', run: (d) => d.command('next-exit') },
      { keys: ['E'], short: 'same', help: 'run to the next exit of the same reason', run: (d) => d.nextSameExit() },
      { keys: ['u'], help: 'run to the cursor', run: (d) => d.runToCursor() },
    ],
  },
  {
    title: 'Back in the run',
    bindings: [
      { keys: ['S'], help: 'one instruction back', run: (d) => d.command('back') },
      { keys: ['N'], help: 'back over calls', run: (d) => d.command('back-over') },
      { keys: ['F'], help: 'back to the call of this function', run: (d) => d.command('back-out') },
      { keys: ['C'], help: 'back to what would have stopped the guest', run: (d) => d.command('back-run') },
      { keys: ['X'], help: 'back to the VM exit before', run: (d) => d.command('back-exit') },
      { keys: ['G'], help: 'go to an instant: N, -N, #EXIT, N%, begin, end', run: (d) => d.prompt('travel ') },
      { keys: ['W'], help: 'back to who last wrote it', run: (d) => d.prompt('wrote ') },
    ],
  },
  {
    title: 'Break and look',
    bindings: [
      {
        keys: ['b', 'f2'],
        short: 'break',
        help: 'breakpoint at the cursor, on or off',
        run: (d) => d.toggleBreakpoint(),
      },
      { keys: ['w'], short: 'watch', help: 'watch memory', run: (d) => d.watchPrompt() },
      { keys: [','], short: 'back', help: 'look at the exit before', run: (d) => d.moveExit(-1) },
      { keys: ['.'], help: 'look at the exit after', run: (d) => d.moveExit(1) },
      { keys: ['['], help: 'back in the places visited', run: (d) => d.jump(-1) },
      { keys: [']'], help: 'forward in the places visited', run: (d) => d.jump(1) },
      { keys: ['i'], help: 'keyboard to the guest (ctrl-] or ctrl-a leaves)', run: (d) => d.capture() },
    ],
  },
  {
    title: 'Screen',
    bindings: [
      ...VIEWS.map((view) => ({
        keys: [`g ${VIEW_TABS[view].key}`],
        help: `view: ${VIEW_TABS[view].title}`,
        run: (d: Dashboard) => d.show(view),
      })),
      { keys: ['g s'], help: 'source, and steps by line there', run: (d) => d.showPane('source') },
      { keys: ['g n'], help: 'variables of the chosen frame', run: (d) => d.showPane('variables') },
      { keys: ['g w'], help: 'watched expressions', run: (d) => d.showPane('watches') },
      { keys: ['g p'], help: 'profile: where the guest spends its instructions', run: (d) => d.showPane('profile') },
      { keys: ['tab'], short: 'pane', help: 'next pane', run: (d) => d.focusNext(1) },
      { keys: ['S-tab'], help: 'previous pane', run: (d) => d.focusNext(-1) },
      { keys: ['z'], help: 'pane as large as the screen, and back', run: (d) => d.zoom() },
      { keys: ['C-up', '('], help: 'border of the pane up', run: (d) => d.resize('y', -1) },
      { keys: ['C-down', ')'], help: 'border of the pane down; the mouse drags borders', run: (d) => d.resize('y', 1) },
      { keys: ['C-left', '{'], help: 'border of the pane to the left', run: (d) => d.resize('x', -2) },
      { keys: ['C-right', '}'], help: 'border of the pane to the right', run: (d) => d.resize('x', 2) },
      { keys: ['='], help: 'all borders where they were', run: (d) => d.resetSizes() },
      { keys: ['space'], help: 'freeze what is shown; the guest runs on', run: (d) => d.freeze() },
      { keys: ['+'], help: 'refresh half as often', run: (d) => d.changeInterval(2) },
      { keys: ['-'], help: 'refresh twice as often', run: (d) => d.changeInterval(0.5) },
      {
        keys: ['/'],
        help: 'filter the rows of this pane, or find text in it; / Enter finds again',
        run: (d) => d.filterPrompt(),
      },
      { keys: ['T'], help: 'tour (vmscope demo): next step, or back to it', run: (d) => d.moveTour(1) },
      { keys: ['R'], help: 'tour: the step before', run: (d) => d.moveTour(-1) },
      { keys: ['y'], help: 'copy the row (OSC 52)', run: (d) => d.copy() },
      {
        keys: ['C-t'],
        help: 'mouse off, so that the terminal can select text; and on again',
        run: (d) => d.toggleMouse(),
      },
      { keys: ['C-l'], help: 'draw again', run: (d) => d.redraw() },
      { keys: ['C-z'], help: 'to the shell; fg comes back', run: (d) => d.suspend() },
      { keys: ['C-p', 'P'], help: 'every action by some letters of its name', run: (d) => d.openPalette() },
      {
        keys: [':'],
        short: 'cmd',
        help: 'command line; ctrl-R searches the lines typed before',
        run: (d) => d.prompt(''),
      },
      {
        keys: ['h'],
        help: 'explain what is under the cursor: bits, meaning, section of the SDM',
        run: (d) => d.explain(),
      },
      { keys: ['?', 'f1'], short: 'help', help: 'this help', run: (d) => d.help() },
      { keys: ['q', 'C-c'], short: 'quit', help: 'quit; asks before a guest is lost', run: (d) => d.askQuit() },
    ],
  },
];

const BY_KEY = new Map(
  BINDINGS.flatMap((group) => group.bindings).flatMap((b) => b.keys.map((key) => [key, b] as const)),
);

export function bindingOf(key: string): Binding | undefined {
  return BY_KEY.get(key);
}

const SHOWN: Record<string, string> = { space: 'Space', tab: 'Tab', 'S-tab': 'Shift-Tab', enter: 'Enter' };

/** `C-t` as `ctrl-t`, `f9` as `F9`. */
export function showKey(key: string): string {
  return (
    SHOWN[key] ??
    key
      .replace(/^C-/, 'ctrl-')
      .replace(/^f(\d+)$/, 'F$1')
      .replace(/^g /, 'g')
  );
}

export interface ParsedKey {
  name?: string;
  full?: string;
  ctrl?: boolean;
  meta?: boolean;
  shift?: boolean;
  sequence?: string;
}

/** One name for a key press: the character itself, `enter`, `f9`, `C-t`, `S-tab`; undefined for what is not one. */
export function keyName(character: string | undefined, key: ParsedKey): string | undefined {
  // blessed reports CR twice, as `return` and as `enter`.
  if (key.name === 'return' || key.name === 'linefeed') return undefined;
  if (key.name === 'enter' || key.name === 'escape' || key.name === 'backspace') return key.name;
  if (key.meta) return undefined;
  if (key.name === 'space') return key.ctrl ? undefined : 'space';
  if (character && character >= ' ' && character.length === 1 && !key.ctrl) return character;
  return key.full;
}
