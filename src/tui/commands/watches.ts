/** Expressions that the screen shows at each stop. */
import { need } from '../../commands/command.js';
import { parseExpression } from '../../engine/debug/expression/syntax.js';
import type { ScreenCommand } from './command.js';

export const WATCH_COMMANDS: readonly ScreenCommand[] = [
  {
    name: 'display',
    usage: '[EXPRESSION]',
    kinds: ['address', 'register'],
    help: 'watch an expression in a pane; alone: go to it',
    show: (d, text) => {
      if (text.trim() !== '') {
        parseExpression(text);
        d.watches.add(text.trim());
      }
      d.showPane('watches');
      return undefined;
    },
  },
  {
    name: 'undisplay',
    usage: 'N | all',
    words: ['all'],
    kinds: ['watch'],
    help: 'delete a watched expression',
    show: (d, text) => {
      const wanted = need(text, 'the number of a watched expression, or all,');
      if (wanted === 'all') d.watches.expressions.length = 0;
      else if (/^\d+$/.test(wanted)) d.watches.remove(Number(wanted));
      else throw new Error(`"${wanted}" is not the number of a watched expression`);
      return undefined;
    },
  },
];
