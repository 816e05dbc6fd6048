/** What the view of exits shows. */
import { oneOf } from '../../commands/command.js';
import { EXIT_GROUP_KEYS } from '../../engine/debug/exit-groups.js';
import type { ScreenCommand } from './command.js';

export const EXIT_VIEW_COMMANDS: readonly ScreenCommand[] = [
  {
    name: 'group',
    usage: EXIT_GROUP_KEYS.join(' | '),
    words: EXIT_GROUP_KEYS,
    help: 'by what the view of exits groups them',
    key: 'o',
    show: (d, text) => {
      d.groupExits(oneOf(text, EXIT_GROUP_KEYS));
      return undefined;
    },
  },
];
