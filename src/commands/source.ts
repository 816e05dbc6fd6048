/** Source files: listed, looked for elsewhere, and run through line by line. */

import { counted } from '../engine/counted.js';
import { codeBase, codeBits, linearPc, stackBits } from '../engine/debug/guest-mode.js';
import { littleEndian } from '../engine/debug/unwind.js';
import type { Debugger, RunState, SourceLine } from '../engine/debugger.js';
import { chosenFrame } from './chosen-frame.js';
import { type Command, command, lacking, mustBeAlive, NothingThere, need, type Session } from './command.js';
import { lineStop } from './line-place.js';
import { hex } from './numbers.js';
import { behindPrologue } from './prologue.js';
import { instructionCount, MOVING, out, over } from './running.js';
import { sourcePaths } from './source-paths.js';
import { runTo, stepOut } from './stepping.js';
import { numberAt, placeOfFrame } from './typed-values.js';
import { codeAddress } from './variables.js';

type Source = NonNullable<Debugger['source']>;

/** Lines of `list`. */
const LISTED = 10;
/** Pieces of code that one step by line may go through: a loop in one line has its own end. */
const MAX_PIECES = 100_000;
/** Bytes of an instruction. */
const MAX_INSTRUCTION = 15n;

async function sourceOf(session: Session): Promise<Source> {
  if (!session.debug.source) throw await lacking(session, 'source');
  return session.debug.source;
}

interface Listing {
  file: string;
  /** Of the first. */
  first: number;
  lines: string[];
  /** Where the chosen frame stands. */
  current?: number;
}

/** What was listed last, for `list` alone to go on. */
const listed = new WeakMap<Debugger, { file: string; next: number; at: string }>();

async function standing(session: Session): Promise<SourceLine | undefined> {
  if ((await session.state()).running) return undefined;
  const frame = await chosenFrame(session).catch(() => undefined);
  return frame?.line;
}

/** `list`, `list N`, `list FILE:N`, `list FUNCTION`, `list N,M`. */
async function list(session: Session, text: string): Promise<Listing> {
  const source = await sourceOf(session);
  const here = await standing(session);
  const before = listed.get(session.debug);
  const wanted = text.trim();
  const at = here ? `${here.file}:${here.line}` : '';
  let file = before?.file ?? here?.file;
  let first: number;
  let count = LISTED;
  const span = /^(\d+)\s*,\s*(\d+)?$/.exec(wanted);
  if (wanted === '') {
    if (before && before.at === at) first = before.next;
    else if (here) [file, first] = [here.file, Math.max(1, here.line - LISTED / 2)];
    else throw new Error('no line information for this code: list FILE:LINE or FUNCTION');
  } else if (span) {
    first = Number(span[1]);
    if (span[2]) count = Math.max(0, Number(span[2]) - first + 1);
  } else if (/^\d+$/.test(wanted)) {
    first = Math.max(1, Number(wanted) - LISTED / 2);
    file = here?.file ?? file;
  } else {
    const address = await codeAddress(session, wanted);
    const [place] = await source.locate([address]);
    if (!place) throw new NothingThere(`no line for 0x${hex(address)}`);
    const line = Number(/:(\d+)$/.exec(wanted)?.[1] ?? place.line);
    [file, first] = [place.file, Math.max(1, line - LISTED / 2)];
  }
  if (file === undefined) throw new Error('of which file? list FILE:LINE or FUNCTION');
  const lines = await sourcePaths(session.debug).text(session.debug, file);
  if (lines === undefined) throw new Error(missing(file));
  if (first > lines.length)
    throw new NothingThere(`line ${first} is past the end: ${file} has ${counted(lines.length, 'line')}`);
  const shown = lines.slice(first - 1, first - 1 + Math.min(count, 1000));
  listed.set(session.debug, { file, next: first + shown.length, at });
  return { file, first, lines: shown, ...(here?.file === file ? { current: here.line } : {}) };
}

/** Why a file is not shown, and what helps. */
export const missing = (file: string): string =>
  `${file} cannot be read: directory DIR, or set substitute-path FROM TO, tells where it is`;

const listText = ({ first, lines, current }: Listing): string =>
  lines
    .map((line, index) => `${first + index === current ? '>' : ' '}${String(first + index).padStart(5)}  ${line}`)
    .join('\n');

async function lineInfo(session: Session, argument: string) {
  const source = await sourceOf(session);
  const address = await codeAddress(session, argument.replace(/^line\s*/, ''));
  const found = await source.piece?.(address);
  const [place] = await source.locate([address]);
  return { address, ...(found ?? place ?? {}) } as {
    address: bigint;
    file?: string;
    line?: number;
    start?: bigint;
    end?: bigint;
  };
}

export const SOURCE_SUBJECTS = [
  {
    names: /^line\b/,
    usage: 'line',
    takes: '[FILE:LINE | FUNCTION | ADDR]',
    help: 'source line of an address, and its code',
    value: lineInfo,
    text: async (session: Session, argument: string) => {
      const { address, file, line, start, end } = await lineInfo(session, argument);
      if (file === undefined) return `no line for 0x${hex(address)}`;
      const range = start === undefined ? '' : `, whose code goes from 0x${hex(start)} to 0x${hex(end!)}`;
      return `0x${hex(address)} is at ${file}:${line}${range}`;
    },
  },
  {
    names: /^source$/,
    usage: 'source',
    help: 'the file of the code that runs, and where files are looked for',
    value: async (session: Session) => ({ ...(await standing(session)), ...sourcePaths(session.debug).told() }),
    text: async (session: Session) => {
      await sourceOf(session);
      const here = await standing(session);
      const { directories, substitutes } = sourcePaths(session.debug).told();
      const text = here && (await sourcePaths(session.debug).text(session.debug, here.file));
      const from = await session.debug.types?.from();
      return [
        here ? `the chosen frame is at ${here.file}:${here.line}` : 'no line information for this code',
        ...(here ? [text ? `the file has ${counted(text.length, 'line')}` : missing(here.file)] : []),
        `types and variables: ${from === 'DWARF' ? 'DWARF' : from === 'BTF' ? "the kernel's BTF (types alone)" : 'none'}`,
        ...directories.map((directory) => `directory ${directory}`),
        ...substitutes.map(([a, b]) => `substitute-path ${a} ${b}`),
      ].join('\n');
    },
  },
] as const;

/** Where a step by line goes: into functions that have lines, over calls, or over calls and out of loops too. */
type LineStep = 'into' | 'over' | 'past';

/** One line further. */
async function stepLine(session: Session, how: LineStep): Promise<RunState> {
  const { debug, vcpu } = session;
  const source = await sourceOf(session);
  if (!source.piece) throw new Error('this target has no line numbers: step and over go by instruction');
  const disassembler = await session.disassembler();
  let registers = await debug.readRegisters(vcpu);
  let piece = await source.piece(linearPc(registers));
  if (piece === undefined)
    throw new Error(
      `no line for 0x${hex(linearPc(registers))}: step and over go by instruction, out leaves the function`,
    );
  let { file, line } = piece;
  const begin = how === 'past' ? await functionStart(session, piece.start) : piece.start;
  // a call of the function by itself begins at its first instruction: that is not in the range
  if (begin < piece.start) piece = { ...piece, start: begin + 1n };
  const own = piece;
  let stack = registers.rsp ?? 0n;
  let frame = await frameBase(session);
  for (let count = 0; count < MAX_PIECES; count++) {
    const state = await debug.step(vcpu, 1, { start: piece.start, end: piece.end });
    if (state.running || state.stop?.kind !== 'step' || state.stop.note !== undefined) return state;
    registers = await debug.readRegisters(vcpu);
    const pc = linearPc(registers);
    if (pc >= piece.start && pc < piece.end) return state;
    const back = await returnInto(session, registers, piece);
    if (back !== undefined) {
      const callee = how === 'into' ? await source.piece(pc) : undefined;
      if (callee !== undefined) return intoFunction(session, pc, state);
      const bits = stackBits(registers);
      const sp = registers.rsp ?? 0n;
      const over = await runTo(debug, vcpu, back, (now) => BigInt.asUintN(bits, now.rsp ?? 0n) > sp);
      if (over.running || over.stop?.kind !== 'until') return over;
      registers = await debug.readRegisters(vcpu);
    }
    const at = linearPc(registers);
    if (how === 'past' && at >= begin && at < own.end) {
      piece = own;
      continue;
    }
    const next = await source.piece(at);
    const now = await frameBase(session);
    // it has returned: where the call was
    const returned =
      frame !== undefined && now !== undefined
        ? now > frame
        : (registers.rsp ?? 0n) > stack + 16n && next?.start !== at;
    if (next === undefined) {
      // code without lines: out of it
      if (returned) return debug.state();
      const out = await stepOut(debug, disassembler, vcpu, await session.symbols());
      if (out.running || (out.stop?.kind !== 'until' && out.stop?.kind !== 'step')) return out;
      const there = await source.piece(linearPc(await debug.readRegisters(vcpu)));
      if (there === undefined) return out;
      piece = there;
      continue;
    }
    const isOther = next.line !== line || next.file !== file;
    if (isOther && next.begins && next.start === at) return debug.state();
    // in the middle of the caller's line: to the one behind it, as gdb
    if (returned) [file, line, frame, stack] = [next.file, next.line, now, registers.rsp ?? 0n];
    piece = next;
  }
  return debug.state();
}

/** Where the function of an address begins, or the code itself where that is not told. */
async function functionStart(session: Session, address: bigint): Promise<bigint> {
  const blocks = (await session.debug.types?.scope(address)) ?? [];
  const whole = blocks.findLast(({ kind }) => kind === 'function')?.ranges ?? [];
  const range = whole.find(({ low, high }) => address >= low && address < high);
  return range?.low ?? (await session.symbols()).lookup(address)?.symbol.address ?? address;
}

/**
 * As gdb's `until` alone: to a line behind this one, so that a loop that ends here runs to its end; without lines, to an
 * instruction behind this one in the function.
 */
export async function untilPast(session: Session): Promise<RunState> {
  const { debug, vcpu } = session;
  await mustBeAlive(session);
  const pc = linearPc(await debug.readRegisters(vcpu));
  if (await debug.source?.piece?.(pc)) return stepLine(session, 'past');
  const start = await functionStart(session, pc);
  for (;;) {
    const state = await debug.step(vcpu, 1, { start, end: pc + 1n });
    if (state.running || state.stop?.kind !== 'step' || state.stop.note !== undefined) return state;
    const registers = await debug.readRegisters(vcpu);
    // a call from the instruction itself returns behind it
    const back = await returnInto(session, registers, { start, end: pc + MAX_INSTRUCTION });
    if (back === undefined) return state;
    const sp = registers.rsp ?? 0n;
    const bits = stackBits(registers);
    const over = await runTo(debug, vcpu, back, (now) => BigInt.asUintN(bits, now.rsp ?? 0n) > sp);
    if (over.running || over.stop?.kind !== 'until' || back > pc) return over;
  }
}

/** The stack pointer that the caller had: the same all through a function. */
async function frameBase(session: Session): Promise<bigint | undefined> {
  const frame = await chosenFrame(session).catch(() => undefined);
  const rules = frame && (await session.debug.types?.caller(frame.at));
  if (!frame || !rules) return undefined;
  return numberAt(session, rules.cfa, await placeOfFrame(session, frame)).catch(() => undefined);
}

/** Where a call out of a piece of code returns to, while the guest stands at the called one's first instruction. */
async function returnInto(
  { debug, vcpu }: Session,
  registers: Record<string, bigint>,
  piece: { start: bigint; end: bigint },
): Promise<bigint | undefined> {
  const bytes = codeBits(registers) / 8;
  const sp = codeBits(registers) === 64 ? (registers.rsp ?? 0n) : (registers.ss_base ?? 0n) + (registers.rsp ?? 0n);
  const word = await debug.readMemory('gva', sp, bytes, vcpu);
  if (word.length < bytes) return undefined;
  const back = littleEndian(word) + codeBase(registers);
  if (back <= piece.start || back > piece.end) return undefined;
  const before = await debug.readMemory('gva', back - 5n, 5, vcpu);
  // CALL with 32 bits, or FF /2 in two to seven bytes, of which the last are looked at
  const isDirect = before[0] === 0xe8;
  const isIndirect = before.includes(0xff);
  return isDirect || isIndirect ? back : undefined;
}

/** Behind what sets up the called one's frame. */
async function intoFunction(session: Session, pc: bigint, state: RunState): Promise<RunState> {
  const gva = await behindPrologue(session, pc);
  return gva === pc ? state : session.debug.runUntil({ gva });
}

async function stepLines(session: Session, text: string, how: LineStep): Promise<RunState> {
  const count = instructionCount(text);
  let state = await mustBeAlive(session);
  for (let done = 0; done < count; done++) {
    state = await stepLine(session, how);
    if (state.running || (state.stop?.kind !== 'step' && state.stop?.kind !== 'until')) break;
  }
  return state;
}

/** Runs to a place in the code; stops too where the function returns. */
async function advance(session: Session, text: string): Promise<RunState> {
  await mustBeAlive(session);
  const gva = await codeAddress(session, need(text, 'a place: FILE:LINE, a function or an address'), lineStop);
  return session.debug.runUntil({ gva });
}

export const SOURCE_COMMANDS: readonly Command[] = [
  command({
    name: 'list',
    usage: '[N | N,M | FILE:LINE | FUNCTION]',
    help: 'lines of source; alone it goes on where it ended',
    effect: 'looks',
    page: true,
    kinds: ['address'],
    run: list,
    text: listText,
  }),
  command({
    ...MOVING,
    name: 'next',
    usage: '[N]',
    help: 'to the next line, calls as one (N lines)',
    run: (session, text) => stepLines(session, text, 'over'),
  }),
  command({
    ...MOVING,
    name: 'step-line',
    usage: '[N]',
    help: 'to the next line, into functions that have lines',
    run: (session, text) => stepLines(session, text, 'into'),
  }),
  command({
    ...MOVING,
    name: 'stepi',
    usage: '[N]',
    help: 'N instructions, as step',
    run: async (session, text) => {
      const count = instructionCount(text);
      await mustBeAlive(session);
      return session.debug.step(session.vcpu, count);
    },
  }),
  command({
    ...MOVING,
    name: 'nexti',
    usage: '',
    help: 'one instruction, calls as one, as over',
    run: over,
  }),
  command({
    ...MOVING,
    name: 'finish',
    usage: '',
    help: 'until the function returns, as out',
    run: out,
  }),
  command({
    ...MOVING,
    name: 'advance',
    usage: 'FILE:LINE | FUNCTION | ADDR',
    help: 'run to a place in the code',
    kinds: ['address'],
    run: advance,
  }),
  command({
    name: 'directory',
    usage: '[DIR...]',
    help: 'where source files are looked for; without one, nowhere but where the compiler saw them',
    effect: 'looks',
    kinds: ['file'],
    run: async (session, text) => {
      sourcePaths(session.debug).setDirectories(text.split(/[\s:]+/).filter(Boolean));
      session.changed('values');
      return sourcePaths(session.debug).told();
    },
    text: ({ directories }) => (directories.length === 0 ? 'no directories' : directories.join('\n')),
  }),
];
