/** The dashboard itself. */
import type { ScreenCommand } from './command.js';

export const SESSION_COMMANDS: readonly ScreenCommand[] = [
  {
    name: 'messages',
    usage: '',
    help: 'what the guest and the engine reported',
    show: (d) => {
      d.showText('Messages', d.model.messages.join('\n') || 'none');
      return undefined;
    },
  },
  {
    name: 'help',
    usage: '',
    help: 'keys',
    key: '?',
    show: (d) => {
      d.help();
      return undefined;
    },
  },
  {
    name: 'detach',
    usage: '',
    help: 'leave the guest as it is, without a screen; vmscope attach comes back',
    show: (d) => {
      d.detach();
      return undefined;
    },
  },
  {
    name: 'quit',
    usage: '',
    help: 'end',
    key: 'q',
    show: (d) => {
      d.askQuit();
      return undefined;
    },
  },
];
