/** What is kept of an image from one session to the next: its breakpoints and watched expressions, as the commands that make them. */
import { exitWhenText, whenText } from '../commands/breakpoint-text.js';
import type { SymbolTable } from '../disasm/index.js';
import type { Breakpoint } from '../engine/debugger.js';
import { exitReasonName } from '../spec/vmx/exit-reasons.js';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** By its symbol, so that it holds where the image was built anew; `main+0x0` is main itself, not what is behind its prologue. */
function placeOf(address: bigint, symbols: SymbolTable): string {
  const found = symbols.lookup(address);
  const name = found?.symbol.name ?? '';
  const only = /^[A-Za-z_]\w*$/.test(name) && symbols.byName(name)?.address === found!.symbol.address;
  return only ? `${name}+${hex(found!.offset)}` : hex(address);
}

const ACCESS = { read: 'r', write: 'w', access: 'rw' } as const;

/** The command that sets it; undefined where it is a client's, or has a condition that has no text. */
function commandOf(breakpoint: Breakpoint, symbols: SymbolTable): string | undefined {
  const { kind, temporary } = breakpoint;
  const condition = kind === 'exit' ? breakpoint.when : breakpoint.condition;
  if (condition !== undefined && condition.text === undefined) return undefined;
  const text = kind === 'exit' ? (whenText(breakpoint) ?? exitWhenText(breakpoint.condition)) : condition?.text;
  const when = text === undefined ? '' : ` if ${text}`;
  if (kind === 'watch') {
    const { space, address, length, access } = breakpoint;
    const place = space === 'gva' ? placeOf(address, symbols) : `gpa ${hex(address)}`;
    return `watch ${place} ${length} ${ACCESS[access]}${when}`;
  }
  const place =
    kind === 'execute'
      ? placeOf(breakpoint.gva, symbols)
      : `vmexit ${breakpoint.condition.reasons?.map(exitReasonName).join('|') || 'any'}`;
  const { action } = breakpoint;
  if (action === undefined) return `${temporary ? 'tbreak' : 'break'} ${place}${when}`;
  return action.kind === 'print' && action.text !== undefined ? `dprintf ${place}${when},${action.text}` : undefined;
}

/** Lines that begin with a blank are about the breakpoint before them. */
export function markLines(
  breakpoints: readonly Breakpoint[],
  expressions: readonly string[],
  symbols: SymbolTable,
): string[] {
  const lines: string[] = [];
  for (const breakpoint of breakpoints) {
    const command = commandOf(breakpoint, symbols);
    if (command === undefined) continue;
    lines.push(command);
    if (breakpoint.ignore) lines.push(` ignore ${breakpoint.ignore}`);
    if (breakpoint.commands?.length) lines.push(` commands ${breakpoint.commands.join('; ')}`);
    if (!breakpoint.enabled) lines.push(' disable');
  }
  return [...lines, ...expressions.map((expression) => `display ${expression}`)];
}

/** Verbs of a line that may stand in the file: nobody else's line is carried out. */
const MAKES = /^(?:break|tbreak|dprintf|watch|display) \S/;
const CHANGES = /^ (ignore|commands|disable)(?: (.*))?$/;

export interface Restored {
  readonly breakpoints: number;
  readonly expressions: number;
  /** Lines that could not be carried out; they are kept. */
  readonly failed: readonly string[];
}

/**
 * Makes anew what was kept.
 * @param give carries out a command line
 * @param newest number of the breakpoint that was made last
 */
export async function restoreMarks(
  lines: readonly string[],
  give: (line: string) => Promise<unknown>,
  newest: () => Promise<number | undefined>,
): Promise<Restored> {
  let [breakpoints, expressions] = [0, 0];
  const failed: string[] = [];
  let id: number | undefined;
  for (const line of lines) {
    const change = CHANGES.exec(line);
    try {
      if (change) {
        if (id === undefined) failed.push(line);
        else await give(`${change[1]} ${id} ${change[2] ?? ''}`.trim());
        continue;
      }
      id = undefined;
      if (!MAKES.test(line)) continue;
      await give(line);
      if (line.startsWith('display ')) expressions++;
      else {
        breakpoints++;
        id = await newest();
      }
    } catch {
      failed.push(line);
    }
  }
  return { breakpoints, expressions, failed };
}
