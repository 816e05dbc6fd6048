/** The one table of commands: the dashboard's `:`, gdb's `monitor`, scripts, sockets and assistants look here. */

import { rowsText } from '../engine/debug/monitor-rows.js';
import { ASSERT_COMMANDS } from './assertion.js';
import { BRANCH_COMMANDS } from './branches.js';
import { BREAKPOINT_COMMANDS } from './breakpoints.js';
import { asText, type Command, command } from './command.js';
import { DESCRIPTOR_COMMANDS } from './descriptors.js';
import { DIFFERENCE_COMMANDS } from './difference.js';
import { EXIT_COMMANDS } from './exits.js';
import { FRAME_COMMANDS } from './frames.js';
import { HISTORY_COMMANDS } from './history.js';
import { MACHINE_COMMANDS } from './machine.js';
import { MAPPING_COMMANDS } from './mappings.js';
import { INFO_COMMANDS, monitorCommands } from './monitor.js';
import { PROFILE_COMMANDS } from './profile.js';
import { nothing, RUN_COMMANDS } from './running.js';
import { SEARCH_COMMANDS } from './search.js';
import { SOURCE_COMMANDS } from './source.js';
import { STATE_COMMANDS } from './state.js';
import { TELESCOPE_COMMANDS } from './telescope.js';
import { UNTIL_COMMANDS } from './until.js';
import { VARIABLE_COMMANDS } from './variables.js';
import { VIEWPOINT_COMMANDS } from './viewpoint.js';

const OWN: readonly Command[] = [
  ...BREAKPOINT_COMMANDS,
  ...RUN_COMMANDS,
  ...UNTIL_COMMANDS,
  ...HISTORY_COMMANDS,
  ...BRANCH_COMMANDS,
  ...STATE_COMMANDS,
  ...MAPPING_COMMANDS,
  ...SEARCH_COMMANDS,
  ...TELESCOPE_COMMANDS,
  ...VARIABLE_COMMANDS,
  ...FRAME_COMMANDS,
  ...SOURCE_COMMANDS,
  ...VIEWPOINT_COMMANDS,
  ...MACHINE_COMMANDS,
  ...EXIT_COMMANDS,
  ...DIFFERENCE_COMMANDS,
  ...PROFILE_COMMANDS,
  ...DESCRIPTOR_COMMANDS,
  ...ASSERT_COMMANDS,
  ...INFO_COMMANDS,
];

/** Time for the request to leave. */
const QUIT_MS = 50;

/** `monitor` is the machine's monitor: of these a whole name is needed, and QEMU's `x/4wx` is x. */
export const MONITOR_COMMANDS: readonly Command[] = [
  command({
    name: 'help',
    usage: '[COMMAND]',
    help: 'all commands, or those whose name begins so',
    effect: 'looks',
    page: true,
    run: async (_session, text) => helpText(text.trim()),
    text: asText,
  }),
  command({
    name: 'quit',
    usage: '',
    help: 'end the guest',
    effect: 'changes',
    run: async (session, text) => {
      nothing(text);
      // the answer to this may not come any more
      void session.debug.quit().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, QUIT_MS));
      return 'guest ended';
    },
    text: asText,
  }),
  ...monitorCommands(new Set(['help', 'quit', ...OWN.map(({ name }) => name)])),
];

/** @throws Error when no name begins so */
function helpText(name: string): string {
  const rows = COMMANDS.filter((row) => row.name.startsWith(name));
  if (rows.length === 0) throw new Error(`no command "${name}"`);
  return rowsText(rows);
}

export const COMMANDS: readonly Command[] = [...OWN, ...MONITOR_COMMANDS];

/** What gdb's users type for a name, though others begin so too. */
const SHORT: Readonly<Record<string, string>> = { p: 'print' };

export const wholeName = (word: string): string => (Object.hasOwn(SHORT, word) ? SHORT[word]! : word);

/** What any table of commands can be searched by. */
interface Named {
  readonly name: string;
}

/** A line's first word and the rest; `x/4wx 0` is `x` of `/4wx 0`. */
export function split(line: string): { word: string; argument: string } {
  const text = line.replace(/^(\s*(?:xp?|[io]|p|print))\//i, '$1 /');
  const [, word = '', argument = ''] = /^\s*(\S*)\s*(.*)$/s.exec(text) ?? [];
  return { word, argument: argument.trim() };
}

/**
 * The command of a line: its whole name, or a beginning that only one has; of `exact` ones the whole name.
 * @throws Error when there is none
 */
export function find<T extends Named>(
  line: string,
  table: readonly T[],
  exact: readonly T[],
): { command: T; argument: string } {
  const { word, argument } = split(line);
  const name = wholeName(word.toLowerCase());
  const whole = [...table, ...exact].find((row) => row.name === name);
  if (whole) return { command: whole, argument };
  const starts = table.filter((row) => row.name.startsWith(name));
  if (starts.length === 1) return { command: starts[0]!, argument };
  if (starts.length > 1) throw new Error(`"${word}" may be ${starts.map((row) => row.name).join(', ')}`);
  throw new Error(`no command "${word}"; : lists them`);
}

export const OWN_COMMANDS = OWN;
