/** `assert`: what must hold of the guest for a script to go on. */
import { type Expression, expressionText, isComparison, parseExpression } from '../engine/debug/expression/syntax.js';
import { type Command, command, need, type Session, valueNow } from './command.js';
import { hex } from './numbers.js';

/** It does not hold. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** What the sides of a comparison were, of the parts that decide: `rax is 0x7, [rsp]:u64 is 0x0`. */
async function seen(session: Session, node: Expression): Promise<string[]> {
  if (node.kind === 'binary' && (node.op === 'and' || node.op === 'or')) {
    const first = await seen(session, node.a);
    if (node.op === 'and' && first.length > 0) return first;
    return [...first, ...(await seen(session, node.b))];
  }
  if ((await valueNow(session, node)) !== 0n) return [];
  const sides = node.kind === 'binary' && isComparison(node.op) ? [node.a, node.b] : [node];
  const told = await Promise.all(
    sides.map(async (side) => {
      const name = side.kind === 'number' ? `${side.value}` : expressionText(side);
      return `${name} is 0x${hex(await valueNow(session, side))}`;
    }),
  );
  return [told.join(', ')];
}

async function assert(session: Session, text: string): Promise<{ holds: true }> {
  const wanted = need(text, 'a condition, such as rax == 5 and [rsp]:u64 != 0,');
  const node = parseExpression(wanted);
  if ((await valueNow(session, node)) !== 0n) return { holds: true };
  throw new AssertionFailed(`${wanted} does not hold: ${(await seen(session, node)).join('; ')}`);
}

export const ASSERT_COMMANDS: readonly Command[] = [
  command({
    name: 'assert',
    usage: 'EXPRESSION',
    help: 'end a script with status 1 unless this holds',
    effect: 'looks',
    kinds: ['address', 'register', 'exit-reason'],
    run: assert,
    text: () => '',
    foot: () => 'it holds',
  }),
];
