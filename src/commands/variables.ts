/** Values with their types: `print`, `ptype`, `whatis`, and the variables of the chosen frame. */
import { type Expression, ExpressionError, parseExpression } from '../engine/debug/expression/syntax.js';
import { typeNameOf } from '../engine/debug/expression/type-name.js';
import { arithmeticOf } from '../engine/debug/types/type-table.js';
import { typeBody, typeText } from '../engine/debug/types/type-text.js';
import { type Format, valueText } from '../engine/debug/types/value-text.js';
import type { CodeBlock, TypedVariable } from '../engine/debugger.js';
import { chosenFrame, codeView } from './chosen-frame.js';
import { type Command, command, lacking, need, type Session, value } from './command.js';
import { lineAddress } from './line-place.js';
import { hex } from './numbers.js';
import { numberAt, placeNow, resolvedAt, typedNow, typedValueOf, valueContext, variableText } from './typed-values.js';

const FORMATS = 'xduotcafszi';

/** `/x` in front of what is printed. @throws Error naming a letter that is none */
function formatOf(text: string): { format?: Format; rest: string } {
  const [, letters, rest = ''] = /^\/(\S*)\s*(.*)$/s.exec(text.trim()) ?? [];
  if (letters === undefined) return { rest: text };
  if (letters.length !== 1 || !FORMATS.includes(letters))
    throw new Error(`/${letters} is not a format: ${[...FORMATS].map((letter) => `/${letter}`).join(' ')}`);
  return { format: letters as Format, rest };
}

interface Printed {
  /** Of what is a number. */
  value?: bigint;
  /** The symbol that it is in. */
  place?: string;
  /** Of what has a type. */
  type?: string;
  /** In gdb's form. */
  text?: string;
  /** Where it lies. */
  address?: bigint;
}

async function printed(session: Session, argument: string): Promise<Printed> {
  const { format, rest } = formatOf(argument);
  const node = parseExpression(need(rest, 'an expression'));
  const { value: typed, place } = await typedNow(session, node);
  if (typed.type === undefined) {
    const number = await numberAt(session, typed.node ?? node, place);
    if (format) {
      const context = await valueContext(session, format);
      const bytes = Uint8Array.from({ length: 8 }, (_, n) => Number((number >> BigInt(n * 8)) & 0xffn));
      return { value: number, text: await valueText(context, bytes, 'c:long unsigned int') };
    }
    const label = (await session.symbols()).label(number);
    return { value: number, ...(label === undefined ? {} : { place: label }) };
  }
  const { types } = codeView(session.debug);
  const type = await typeText(types, typed.type);
  const found = await typedValueOf(session, typed, place).catch((error: Error) => {
    if (!(error instanceof ExpressionError) || !/optimized out/.test(error.message)) throw error;
    return undefined;
  });
  if (found === undefined) return { type, text: '<optimized out>' };
  const { node: plain } = await types.plain(typed.type);
  const context = await valueContext(session, format);
  const at = found.address === undefined ? {} : { address: found.address };
  if (plain.kind === 'function') {
    const name = found.address === undefined ? undefined : context.label(found.address);
    return { type, ...at, text: `{${type}} 0x${hex(found.address ?? 0n)}${name ? ` <${name}>` : ''}` };
  }
  const text = await valueText(context, found.bytes, typed.type);
  if (arithmeticOf(plain) === undefined) return { type, ...at, text };
  const number = await numberAt(session, await resolvedAt(session, node, place), place);
  return { value: number, type, ...at, text };
}

const printedText = ({ value: number, place, text }: Printed): string =>
  text ?? `0x${hex(number!)} = ${number}${place ? ` ${place}` : ''}`;

/** A type by its name, or that of an expression's value. */
async function typeOfText(session: Session, text: string): Promise<string> {
  const wanted = need(text, 'a type, or an expression');
  const { types } = codeView(session.debug);
  const named = typeNameOf(wanted);
  if (named?.sure || (named && named.name.stars > 0)) return types.named(named.name, (await placeNow(session)).pc);
  const node = parseExpression(wanted);
  try {
    const { value: typed } = await typedNow(session, node);
    if (typed.type !== undefined) return typed.type;
    const id = await functionType(session, node);
    if (id !== undefined) return id;
    // what is no variable may be a type
    if (named && typed.node?.kind === 'name') return await types.named(named.name);
  } catch (error) {
    if (!named || !(error instanceof ExpressionError)) throw error;
    return types.named(named.name, (await placeNow(session)).pc);
  }
  return 'c:long long unsigned int';
}

async function functionType(session: Session, node: Expression): Promise<string | undefined> {
  if (node.kind !== 'name' || node.sign !== undefined) return undefined;
  return (await session.debug.types?.variable(node.name))?.type;
}

async function isVariable(session: Session, text: string): Promise<boolean> {
  if (!/^\s*\w+\s*$/.test(text)) return false;
  const found = await typedNow(session, parseExpression(text)).catch(() => undefined);
  return found?.value.type !== undefined && found.value.place !== undefined;
}

async function mustHaveTypes(session: Session): Promise<void> {
  if (session.debug.types === undefined) throw await lacking(session, 'types');
}

/** Those of a frame's blocks. */
interface Shown {
  name: string;
  type: string;
  text: string;
}

/** @throws Error where nothing is told of the code */
async function variablesOf(session: Session, wanted: (variable: TypedVariable) => boolean): Promise<Shown[]> {
  await mustHaveTypes(session);
  const state = await session.state();
  if (state.running) throw new Error('the guest is running: stop it to see variables');
  const frame = await chosenFrame(session);
  if (frame === undefined || frame.blocks.length === 0) {
    const from = await session.debug.types?.from();
    const why =
      from === 'DWARF'
        ? 'it has none in the image, or in the file of --symbols'
        : 'that needs an image with DWARF, or --symbols FILE';
    throw new Error(`no debug information for the variables of the code at 0x${hex(frame?.pc ?? 0n)}: ${why}`);
  }
  const place = await placeNow(session);
  const shown: Shown[] = [];
  const { types } = codeView(session.debug);
  for (const { variables } of [...frame.blocks].reverse())
    for (const variable of variables.filter(wanted)) {
      const { name, type } = variable;
      shown.push({
        name,
        type: await typeText(types, type).catch(() => '?'),
        text: await variableText(session, variable, place),
      });
    }
  return shown;
}

export const localsOf = (session: Session): Promise<Shown[]> => variablesOf(session, ({ parameter }) => !parameter);
export const argumentsOf = (session: Session): Promise<Shown[]> => variablesOf(session, ({ parameter }) => parameter);

const rows = (list: readonly Shown[], none: string): string =>
  list.length === 0 ? none : list.map(({ name, text }) => `${name} = ${text}`).join('\n');

/** The variables that have names at an address of code, with where they lie. */
async function scopeRows(
  session: Session,
  text: string,
): Promise<{ name: string; type: string; where: string; block: string }[]> {
  await mustHaveTypes(session);
  const at = await codeAddress(session, text);
  const blocks: readonly CodeBlock[] = (await session.debug.types!.scope(at)) ?? [];
  if (blocks.length === 0) throw new Error(`no debug information for the variables of the code at 0x${hex(at)}`);
  const { types } = codeView(session.debug);
  const found: { name: string; type: string; where: string; block: string }[] = [];
  for (const block of [...blocks].reverse())
    for (const { name, type, parameter, place } of block.variables)
      found.push({
        name,
        type: await typeText(types, type).catch(() => '?'),
        where: place.kind === 'none' ? place.why : (PLACES[place.kind] ?? place.kind),
        block: `${parameter ? 'argument' : 'variable'} of ${block.name ?? 'a block'}`,
      });
  return found;
}

const PLACES: Readonly<Record<string, string>> = {
  memory: 'in memory',
  value: 'in a register, or computed',
  bytes: 'a constant',
  pieces: 'in parts',
};

/**
 * An address of code: of `FILE:LINE`, a symbol, an expression; of the chosen frame without one.
 * @param ofLine where a line's code is: lineStop where the guest is to stop for it
 */
export async function codeAddress(session: Session, text: string, ofLine = lineAddress): Promise<bigint> {
  const wanted = text.trim().replace(/^\*\s*/, '');
  if (wanted === '') {
    const frame = await chosenFrame(session);
    return frame?.at ?? (await value(session, 'pc'));
  }
  const [, file, line] = /^([^\s:]+):(\d+)$/.exec(wanted) ?? [];
  return file === undefined ? value(session, wanted) : ofLine(session, file, Number(line));
}

/** Subjects of `info`. */
export const VARIABLE_SUBJECTS = [
  {
    names: /^locals$/,
    usage: 'locals',
    help: 'variables of the chosen frame',
    value: (session: Session) => localsOf(session),
    text: async (session: Session) => rows(await localsOf(session), 'No locals.'),
  },
  {
    names: /^args$/,
    usage: 'args',
    help: 'arguments of the chosen frame',
    value: (session: Session) => argumentsOf(session),
    text: async (session: Session) => rows(await argumentsOf(session), 'No arguments.'),
  },
  {
    names: /^scope\b/,
    usage: 'scope',
    takes: '[FILE:LINE | FUNCTION | ADDR]',
    help: 'variables that code there can see, and where they are kept',
    value: (session: Session, argument: string) => scopeRows(session, argument.replace(/^scope\s*/, '')),
    text: async (session: Session, argument: string) => {
      const list = await scopeRows(session, argument.replace(/^scope\s*/, ''));
      return (
        list.map(({ name, type, where, block }) => `${name}: ${type}, ${block}, ${where}`).join('\n') || 'No variables.'
      );
    },
  },
] as const;

export const VARIABLE_COMMANDS: readonly Command[] = [
  command({
    name: 'print',
    usage: '[/FORMAT] EXPRESSION',
    help: 'value of registers, symbols, variables p->x[3].y, memory [rsp+8]:u32, casts, + - * / and so on; /x /d /t ...',
    effect: 'looks',
    kinds: ['address', 'register'],
    run: printed,
    text: printedText,
  }),
  command({
    name: 'ptype',
    usage: 'TYPE | EXPRESSION',
    help: 'a type with its members: ptype struct task_struct',
    effect: 'looks',
    page: true,
    kinds: ['address'],
    run: async (session, text) => ({
      type: await typeBody(codeView(session.debug).types, await typeOfText(session, text)),
    }),
    text: ({ type }) => `type = ${type}`,
  }),
  command({
    name: 'whatis',
    usage: 'TYPE | EXPRESSION',
    help: 'the type of a value',
    effect: 'looks',
    kinds: ['address'],
    run: async (session, text) => {
      const { types } = codeView(session.debug);
      const id = await typeOfText(session, text);
      // of a type's own name: what it stands for
      const node = typeNameOf(text) && !(await isVariable(session, text)) ? await types.node(id) : undefined;
      return { type: await typeText(types, node?.kind === 'typedef' ? node.to : id) };
    },
    text: ({ type }) => `type = ${type}`,
  }),
];
