/** What the panes show, and how. */
import { need, oneOf, space, words } from '../../commands/command.js';
import { PANES, VIEWS, type View } from '../layout.js';
import type { ScreenCommand } from './command.js';

export const DISPLAY_COMMANDS: readonly ScreenCommand[] = [
  {
    name: 'goto',
    usage: 'ADDR | SYMBOL',
    kinds: ['address'],
    help: 'show code there',
    show: async (d, text) => {
      d.gotoCode(await d.value(need(text, 'an address')));
      return undefined;
    },
  },
  {
    name: 'memory',
    usage: '[gva|gpa|hpa] ADDR',
    words: ['gva', 'gpa', 'hpa'],
    kinds: ['address'],
    help: 'show memory and its walk there',
    show: async (d, text) => {
      const list = words(need(text, 'an address'));
      const where = space(list);
      d.gotoMemory(await d.value(list.join(' ')), where);
      return undefined;
    },
  },
  {
    name: 'syntax',
    usage: 'intel | att',
    words: ['intel', 'att'],
    help: 'of the disassembly',
    show: (d, text) => {
      d.syntax = oneOf(text, ['intel', 'att']);
      return undefined;
    },
  },
  {
    name: 'arch',
    usage: 'auto | 16 | 32 | 64',
    words: ['auto', '16', '32', '64'],
    help: 'width in which code is read',
    show: (d, text) => {
      const choice = oneOf(text, ['auto', '16', '32', '64']);
      d.model.forcedBits = choice === 'auto' ? undefined : (Number(choice) as 16 | 32 | 64);
      d.followCode();
      return undefined;
    },
  },
  {
    name: 'view',
    usage: VIEWS.join(' | '),
    words: VIEWS,
    help: 'change the view',
    show: (d, text) => {
      d.show(oneOf<View>(text, VIEWS));
      return undefined;
    },
  },
  {
    name: 'look-back',
    usage: '',
    help: 'at the exit before the one that is shown',
    key: ',',
    show: (d) => {
      d.moveExit(-1);
      return undefined;
    },
  },
  {
    name: 'focus',
    usage: 'PANE',
    words: PANES,
    help: 'the pane that has the keys',
    key: 'Tab',
    show: (d, text) => {
      d.focusPane(oneOf(text, PANES));
      return undefined;
    },
  },
  {
    name: 'filter',
    usage: '[REGEX]',
    help: 'rows of the pane in focus',
    key: '/',
    show: (d, text) => {
      d.filter(d.focus, text);
      return undefined;
    },
  },
];
