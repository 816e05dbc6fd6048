/** Frames of the stack: `backtrace`, and which of them commands are about. */

import { formatPlace } from '../disasm/index.js';
import type { CodeFrame } from '../engine/debug/types/frames.js';
import { allFrames, chosenFrame, codeView } from './chosen-frame.js';
import { type Command, command, NothingThere, type Session, value } from './command.js';
import { hex } from './numbers.js';
import { placeOfFrame, variableText } from './typed-values.js';

const MAX_SHOWN = 64;

async function mustStand(session: Session): Promise<void> {
  if ((await session.state()).running) throw new Error('the guest is running: stop it to see its stack');
}

/** `#1  0xffffffff81000123 in do_idle (cpu=0) at kernel/sched/idle.c:41`, as gdb has it. */
async function frameText(session: Session, frame: CodeFrame): Promise<string> {
  const symbols = await session.symbols();
  const { level, pc, at, name, line, inlined, found } = frame;
  const match = symbols.lookup(at);
  const called = name ?? (match ? formatPlace(match.symbol.name, pc - match.symbol.address) : '??');
  const args = await argumentsText(session, frame);
  const place = line ? ` at ${line.file}:${line.line}` : '';
  const address = inlined ? '' : `0x${hex(pc, 16)} in `;
  const how = found === 'scan' ? '  (found by a search of the stack)' : '';
  return `#${String(level).padEnd(3)}${address}${called} ${args}${place}${how}`;
}

async function argumentsText(session: Session, frame: CodeFrame): Promise<string> {
  const [func] = frame.blocks;
  if (func === undefined) return '()';
  const place = await placeOfFrame(session, frame);
  const list: string[] = [];
  for (const variable of func.variables.filter(({ parameter }) => parameter)) {
    const text = await variableText(session, variable, place);
    // a structure would fill the line
    list.push(`${variable.name}=${text.startsWith('{') ? '...' : text}`);
  }
  return `(${list.join(', ')})`;
}

interface Chosen {
  level: number;
  pc: bigint;
  name?: string;
  file?: string;
  line?: number;
  text: string;
}

async function told(session: Session, frame: CodeFrame): Promise<Chosen> {
  const { level, pc, name, line } = frame;
  return {
    ...{ level, pc },
    ...(name === undefined ? {} : { name }),
    ...(line ?? {}),
    text: await frameText(session, frame),
  };
}

/** @throws Error where there is no such frame */
async function choose(session: Session, level: number): Promise<Chosen> {
  await mustStand(session);
  const frames = await allFrames(session);
  const last = frames.length - 1;
  if (level < 0) throw new NothingThere('this is the innermost frame');
  if (level > last) throw new Error(`frames are 0 to ${last}`);
  codeView(session.debug).choose(session.vcpu, level);
  session.changed('values');
  return told(session, frames[level]!);
}

async function moved(session: Session, text: string, direction: 1 | -1): Promise<Chosen> {
  const count = text.trim() === '' ? 1 : Number(await value(session, text));
  const now = codeView(session.debug).level(session.vcpu);
  await mustStand(session);
  const last = (await allFrames(session)).length - 1;
  const wanted = now + direction * count;
  // as gdb: what goes beyond the end goes to it, unless it is there
  if (direction > 0 && now >= last) throw new NothingThere('this is the outermost frame');
  if (direction < 0 && now === 0) throw new NothingThere('this is the innermost frame');
  return choose(session, Math.max(0, Math.min(last, wanted)));
}

/** The frame that is chosen, with its registers. */
async function frameInfo(session: Session): Promise<string> {
  await mustStand(session);
  const frame = await chosenFrame(session);
  if (frame === undefined) return 'No stack.';
  const { registers } = frame;
  const names = ['rip', 'rsp', 'rbp', 'rbx', 'r12', 'r13', 'r14', 'r15'];
  const known = names.map((name) => `${name} ${registers[name] === undefined ? 'lost' : `0x${hex(registers[name]!)}`}`);
  return [await frameText(session, frame), known.join('  ')].join('\n');
}

export const FRAME_SUBJECTS = [
  {
    names: /^frame$/,
    usage: 'frame',
    help: 'the chosen frame and its registers',
    value: async (session: Session) => {
      await mustStand(session);
      const frame = await chosenFrame(session);
      return frame && { ...(await told(session, frame)), registers: frame.registers };
    },
    text: (session: Session) => frameInfo(session),
  },
] as const;

const CHOOSES = { effect: 'looks', text: ({ text }: Chosen): string => text } as const;

const backtrace = {
  usage: '[N]',
  help: 'who called whom, with arguments, what was inlined, and lines; the innermost N',
  effect: 'looks',
  page: true,
  run: async (session: Session, text: string): Promise<Chosen[]> => {
    await mustStand(session);
    const most = text.trim() === '' ? MAX_SHOWN : Number(await value(session, text));
    if (!(most >= 1)) throw new Error(`"${text.trim()}" is not a number of frames: 1 or more`);
    const list: Chosen[] = [];
    for (const frame of await allFrames(session, Math.min(most, MAX_SHOWN))) list.push(await told(session, frame));
    return list;
  },
  text: async (list: Chosen[], session: Session): Promise<string> => {
    const level = codeView(session.debug).level(session.vcpu);
    return list.map(({ text, level: own }) => `${own === level && level > 0 ? '>' : ' '}${text}`).join('\n');
  },
  places: (list: Chosen[]) => list.map(({ pc }) => ({ space: 'gva' as const, address: pc })),
} as const;

export const FRAME_COMMANDS: readonly Command[] = [
  command({ ...backtrace, name: 'backtrace' }),
  command({ ...backtrace, name: 'bt', help: 'as backtrace' }),
  command({
    ...CHOOSES,
    name: 'frame',
    usage: '[N]',
    help: 'the frame that variables and registers of expressions are of; or another one',
    kinds: ['frame'],
    run: async (session, text) => {
      if (text.trim() !== '') return choose(session, Number(await value(session, text)));
      return choose(session, codeView(session.debug).level(session.vcpu));
    },
  }),
  command({
    ...CHOOSES,
    name: 'up',
    usage: '[N]',
    help: "the caller's frame",
    run: (session, text) => moved(session, text, 1),
  }),
  command({
    ...CHOOSES,
    name: 'down',
    usage: '[N]',
    help: "the callee's frame",
    run: (session, text) => moved(session, text, -1),
  }),
];
