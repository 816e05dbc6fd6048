/** `assert`: what must hold of the guest for a script to go on. */
import { type Command, command, need, type Session } from './command.js';
import { evaluate, type Names } from './expression.js';
import { hex } from './numbers.js';

/** It does not hold. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

const COMPARISONS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '&': (a, b) => (a & b) !== 0n,
};
const MEMORY = /\[([^[\]]+)\](?::(u8|u16|u32|u64))?/;
/** Memory operands in one line, those inside one another too. */
const MAX_READS = 32;

/** `[ADDR]:u32` as the number that lies there. @throws Error where nothing is mapped */
async function withMemory(session: Session, text: string, names: Names): Promise<string> {
  for (let reads = 0; ; reads++) {
    const match = MEMORY.exec(text);
    if (!match) return text;
    if (reads === MAX_READS) throw new Error(`"${text}" reads memory more than ${MAX_READS} times`);
    const bytes = Number((match[2] ?? 'u64').slice(1)) / 8;
    const address = evaluate(match[1]!, names);
    const found = await session.debug.readMemory('gva', address, bytes, session.vcpu);
    if (found.length < bytes) throw new Error(`${match[0]}: nothing is mapped at 0x${hex(address)}`);
    const number = [...found].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    text = `${text.slice(0, match.index)}0x${hex(number)}${text.slice(match.index + match[0].length)}`;
  }
}

interface Term {
  holds: boolean;
  /** `rax is 0x7` */
  saw: string;
}

async function term(session: Session, text: string, names: Names): Promise<Term> {
  const [, left = '', op, right = ''] = /^(.*?)(==|!=|<=|>=|<|>|&)(.*)$/s.exec(text) ?? [];
  if (op === undefined) {
    const value = evaluate(await withMemory(session, text, names), names);
    return { holds: value !== 0n, saw: `${text.trim()} is 0x${hex(value)}` };
  }
  const [a, b] = [
    evaluate(await withMemory(session, left, names), names),
    evaluate(await withMemory(session, right, names), names),
  ];
  return { holds: COMPARISONS[op]!(a, b), saw: `${left.trim()} is 0x${hex(a)}, ${right.trim()} is 0x${hex(b)}` };
}

async function assert(session: Session, text: string): Promise<{ holds: true }> {
  const wanted = need(text, 'what must hold: rax == 5 and [rsp]:u64 != 0');
  const names = await session.names();
  const seen: string[] = [];
  for (const all of wanted.split(/\bor\b|\|\|/i)) {
    let holds = true;
    for (const part of all.split(/\band\b|&&/i)) {
      const found = await term(session, part, names);
      if (!found.holds) seen.push(found.saw);
      holds &&= found.holds;
      if (!holds) break;
    }
    if (holds) return { holds };
  }
  throw new AssertionFailed(`${wanted} does not hold: ${seen.join('; ')}`);
}

export const ASSERT_COMMANDS: readonly Command[] = [
  command({
    name: 'assert',
    usage: 'EXPR OP EXPR [and|or ...]',
    help: 'ends a script with status 1 where it does not hold',
    effect: 'looks',
    kinds: ['address', 'register', 'exit-reason'],
    run: assert,
    text: () => '',
    foot: () => 'it holds',
  }),
];
