/** One value of a tree that is unfolded step by step: its line, and the expressions of what it is made of. */
import { parseExpression } from '../engine/debug/expression/syntax.js';
import { valueText } from '../engine/debug/types/value-text.js';
import { codeView } from './chosen-frame.js';
import type { Session } from './command.js';
import { hex } from './numbers.js';
import { numberAt, typedNow, typedValueOf, valueContext } from './typed-values.js';

export interface TreeValue {
  text: string;
  /** It has no value, and the text says why. */
  failed: boolean;
  /** Names and expressions of members, elements, or of what it points at. */
  parts: { name: string; expression: string }[];
}

/** Of an array. */
const MAX_ELEMENTS = 200;

/** What a line of the tree shows. Never throws. */
export async function treeValue(session: Session, expression: string): Promise<TreeValue> {
  try {
    const node = parseExpression(expression);
    const { value, place } = await typedNow(session, node);
    if (value.type === undefined) {
      const number = await numberAt(session, value.node ?? node, place);
      const label = (await session.symbols()).label(number);
      return {
        text: `0x${hex(number)} = ${number}${label === undefined ? '' : ` ${label}`}`,
        failed: false,
        parts: [],
      };
    }
    const { types } = codeView(session.debug);
    const found = await typedValueOf(session, value, place);
    const { node: type } = await types.plain(value.type);
    const text = await valueText(await valueContext(session), found.bytes, value.type, false).catch(
      (error: Error) => `{${error.message}}`,
    );
    return {
      text,
      failed: false,
      parts: await partsOf(
        session,
        expression,
        value.type,
        type.kind === 'pointer' && found.bytes.every((byte) => byte === 0),
      ),
    };
  } catch (error) {
    return { text: `<${(error as Error).message}>`, failed: true, parts: [] };
  }
}

async function partsOf(session: Session, expression: string, id: string, isNull: boolean): Promise<TreeValue['parts']> {
  const { types } = codeView(session.debug);
  const { node } = await types.plain(id);
  // what stands in front of a member binds tighter than it does
  const whole =
    /^[\w.]+$|\]$|\)$|->\w+$/.test(expression) && !/^[*&(-]/.test(expression) ? expression : `(${expression})`;
  switch (node.kind) {
    case 'struct':
    case 'union':
      return (await membersOf(session, id)).map((name) => ({ name, expression: `${whole}.${name}` }));
    case 'array':
      return Array.from({ length: Math.min(node.count ?? 0, MAX_ELEMENTS) }, (_, n) => ({
        name: `[${n}]`,
        expression: `${whole}[${n}]`,
      }));
    case 'pointer': {
      if (isNull) return [];
      const { node: to } = await types.plain(node.to);
      if (to.kind === 'struct' || to.kind === 'union')
        return (await membersOf(session, node.to)).map((name) => ({ name, expression: `${whole}->${name}` }));
      return to.kind === 'void' || to.kind === 'function' ? [] : [{ name: '*', expression: `*${whole}` }];
    }
    default:
      return [];
  }
}

/** Names of members, with those of structures without a name. */
async function membersOf(session: Session, id: string, depth = 0): Promise<string[]> {
  const { types } = codeView(session.debug);
  const { node } = await types.plain(id);
  if ((node.kind !== 'struct' && node.kind !== 'union') || depth > 8) return [];
  const names: string[] = [];
  for (const { name, type } of node.members)
    if (name !== undefined) names.push(name);
    else names.push(...(await membersOf(session, type, depth + 1)));
  return names;
}
