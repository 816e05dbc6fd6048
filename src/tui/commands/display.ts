/** What the panes show, and how. */
import { VIEWS, type View } from '../layout.js';
import { type Command, need, oneOf, space, value, words } from './command.js';

export const DISPLAY_COMMANDS: readonly Command[] = [
  {
    name: 'goto',
    usage: 'ADDR | SYMBOL',
    help: 'show code there',
    run: (d, text) => {
      d.gotoCode(value(d, need(text, 'an address')));
      return undefined;
    },
  },
  {
    name: 'memory',
    usage: '[gva|gpa|hpa] ADDR',
    help: 'show memory and its walk there',
    run: (d, text) => {
      const list = words(need(text, 'an address'));
      const where = space(list);
      d.gotoMemory(value(d, list.join(' ')), where);
      return undefined;
    },
  },
  {
    name: 'syntax',
    usage: 'intel | att',
    help: 'of the disassembly',
    run: (d, text) => {
      d.syntax = oneOf(text, ['intel', 'att']);
      return undefined;
    },
  },
  {
    name: 'arch',
    usage: 'auto | 16 | 32 | 64',
    help: 'width in which code is read',
    run: (d, text) => {
      const choice = oneOf(text, ['auto', '16', '32', '64']);
      d.model.forcedBits = choice === 'auto' ? undefined : (Number(choice) as 16 | 32 | 64);
      d.followCode();
      return undefined;
    },
  },
  {
    name: 'vcpu',
    usage: 'N',
    help: 'look at another vCPU',
    run: (d, text) => {
      const count = d.model.info?.vcpus ?? 1;
      const n = Number(need(text, 'a number'));
      if (!Number.isInteger(n) || n < 0 || n >= count) throw new Error(`vCPUs are 0 to ${count - 1}`);
      d.model.vcpu = n;
      d.model.invalidate();
      return undefined;
    },
  },
  {
    name: 'view',
    usage: VIEWS.join(' | '),
    help: 'change the view',
    run: (d, text) => {
      d.show(oneOf<View>(text, VIEWS));
      return undefined;
    },
  },
  {
    name: 'filter',
    usage: '[REGEX]',
    help: 'rows of the pane in focus',
    key: '/',
    run: (d, text) => {
      d.filter(d.focus, text);
      return undefined;
    },
  },
];
