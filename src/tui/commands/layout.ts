/** Panes of the views: hidden, added, and kept under a name. */
import { words } from '../../commands/command.js';
import { WORDS } from '../arrangement.js';
import { PANES, type PaneId } from '../layout.js';
import type { ScreenCommand } from './command.js';

const USAGE = 'usage: layout [NAME | save NAME | delete NAME | hide [PANE] | add PANE [below PANE] | reset | list]';

function paneOf(text: string): PaneId {
  const found = PANES.find((pane) => pane === text.toLowerCase());
  if (!found) throw new Error(`"${text}" is not one of ${PANES.join(', ')}`);
  return found;
}

export const LAYOUT_COMMANDS: readonly ScreenCommand[] = [
  {
    name: 'layout',
    usage: '[NAME | save NAME | delete NAME | hide [PANE] | add PANE [below PANE] | reset]',
    words: [...WORDS, ...PANES],
    kinds: ['layout'],
    behind: { delete: ['layout'], save: ['layout'] },
    help: 'panes of this view, hidden or added, and borders; kept under names in the settings',
    show: (d, text) => {
      const [verb = 'list', ...rest] = words(text);
      const [first, second, third, ...more] = rest;
      const layouts = d.layouts;
      if (more.length > 0) throw new Error(USAGE);
      switch (verb.toLowerCase()) {
        case 'list':
          d.showText('Layouts', layouts.text());
          return undefined;
        case 'hide':
          if (second !== undefined) throw new Error(USAGE);
          return layouts.hide(first === undefined ? d.focus : paneOf(first));
        case 'add': {
          if (first === undefined) throw new Error('the pane to add is missing');
          if (second !== undefined && (second.toLowerCase() !== 'below' || third === undefined)) throw new Error(USAGE);
          return layouts.add(paneOf(first), third === undefined ? undefined : paneOf(third));
        }
        case 'reset':
          if (rest.length > 0) throw new Error(USAGE);
          return layouts.reset();
        case 'save':
          if (first === undefined || second !== undefined) throw new Error('a name is missing: layout save NAME');
          return layouts.save(first);
        case 'delete':
          if (first === undefined || second !== undefined) throw new Error('a name is missing: layout delete NAME');
          return layouts.delete(first);
        default:
          if (rest.length > 0) throw new Error(USAGE);
          return layouts.use(verb);
      }
    },
  },
];
