/** Monitor commands about source: `info line` and `list`, by the image's line table. */
import type { Debugger } from '../debugger.js';

type Command = (context: {
  target: Debugger;
  pc: bigint;
  address(text: string): bigint;
  args: string[];
}) => Promise<string>;

const AROUND = 5;
const NONE = 'the guest has no line numbers: its image, or the file of --symbols, has no .debug_line';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

export const SOURCE_COMMANDS: Record<string, Command> = {
  'info line': async ({ target, pc, address, args }) => {
    if (target.source === undefined) return NONE;
    const at = args[0] === undefined ? pc : address(args[0]);
    const [place] = await target.source.locate([at]);
    return place === undefined ? `no line for ${hex(at)}` : `${hex(at)} is at ${place.file}:${place.line}`;
  },
  list: async ({ target, pc, address, args }) => {
    if (target.source === undefined) return NONE;
    const at = args[0] === undefined ? pc : address(args[0]);
    const [place] = await target.source.locate([at]);
    if (place === undefined) return `no line for ${hex(at)}`;
    const lines = await target.source.text(place.file);
    if (lines === undefined) return `${place.file}:${place.line}: the file cannot be read`;
    const first = Math.max(1, place.line - AROUND);
    return lines
      .slice(first - 1, place.line + AROUND)
      .map((line, index) => `${first + index === place.line ? '>' : ' '}${String(first + index).padStart(5)}  ${line}`)
      .join('\n');
  },
};
