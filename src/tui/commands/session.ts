/** The dashboard itself. */
import { need } from '../../commands/command.js';
import { writeTextFile } from '../../commands/text-file.js';
import { formatOfName, SCREENSHOT_FORMATS, screenshot } from '../screen/screenshot.js';
import type { ScreenCommand } from './command.js';

/** `svg FILE`, or a file whose name tells the format. */
function screenshotOf(text: string): { format: (typeof SCREENSHOT_FORMATS)[number]; file: string } {
  const [, word = '', rest = ''] = /^(\S+)(?:\s+(.*))?$/s.exec(need(text, 'a file: :screenshot FILE')) ?? [];
  const format = SCREENSHOT_FORMATS.find((name) => name === word.toLowerCase());
  if (format === undefined) return { format: formatOfName(text.trim()), file: text.trim() };
  return { format, file: need(rest, `a file: :screenshot ${format} FILE`) };
}

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
    name: 'screenshot',
    usage: '[text|ansi|svg] FILE',
    words: SCREENSHOT_FORMATS,
    kinds: ['file'],
    help: 'write what the screen shows: by the name .svg a drawing, .ansi with colours, else text',
    show: async (d, text) => {
      const { format, file } = screenshotOf(text);
      await writeTextFile(file, screenshot(format, d.screenLines(), d.theme));
      return `the screen is in ${file}`;
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
