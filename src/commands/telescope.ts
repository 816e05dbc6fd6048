/** `telescope`: words in memory, with what they point at. */
import { linearStack, stackBits } from '../engine/debug/guest-mode.js';
import { pageRights } from '../engine/debug/page-rights.js';
import { pointerChain, pointerOf, TEXT_BYTES } from '../engine/debug/pointer-chain.js';
import type { RegisterFile } from '../engine/debugger.js';
import { type Command, command, firstValue, type Session, value } from './command.js';
import { hex } from './numbers.js';

interface Word {
  address: bigint;
  value: bigint;
  /** Registers that point to it. */
  registers: string[];
  /** `→ r-x main+0x4` */
  chain: string;
}

interface Telescope {
  width: 4 | 8;
  words: Word[];
}

const WORDS = 16;
const MAX_WORDS = 1024;
const DEPTH = 5;
const POINTERS = [
  'rsp',
  'rbp',
  'rax',
  'rbx',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  ...[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `r${n}`),
];

async function telescope(session: Session, text: string): Promise<Telescope> {
  const { debug, vcpu } = session;
  const registers = await debug.readRegisters(vcpu);
  const given = text.trim() === '' ? undefined : await firstValue(session, text);
  const count = given?.rest ? await value(session, given.rest) : BigInt(WORDS);
  if (count < 1n || count > BigInt(MAX_WORDS)) throw new Error(`${count} words: 1 to ${MAX_WORDS}`);
  const width = stackBits(registers) === 64 ? 8 : 4;
  const first = given?.value ?? linearStack(registers);
  const bytes = await debug.readMemory('gva', first, Number(count) * width, vcpu);
  if (bytes.length < width) throw new Error(`nothing is mapped at 0x${hex(first)}`);
  const words: Word[] = [];
  for (let at = 0; at + width <= bytes.length; at += width) {
    const address = first + BigInt(at);
    const number = pointerOf(bytes.subarray(at), width)!;
    const chain = await chainOf(session, number, width);
    words.push({ address, value: number, registers: pointing(registers, address), chain });
  }
  return { width, words };
}

const pointing = (registers: RegisterFile, address: bigint): string[] =>
  POINTERS.filter((name) => registers[name] === address);

/** As the panes have it, from the guest as it is now. */
async function chainOf(session: Session, number: bigint, width: 4 | 8): Promise<string> {
  const { debug, vcpu } = session;
  const symbols = await session.symbols();
  const chain = pointerChain(number, { width, depth: DEPTH });
  let step = chain.next();
  while (!step.done) {
    const at = step.value;
    const bytes = await debug.readMemory('gva', at, TEXT_BYTES, vcpu);
    const rights = bytes.length > 0 ? pageRights(await debug.walk(at, vcpu)) : undefined;
    step = chain.next({ bytes, label: symbols.label(at), rights });
  }
  return step.value;
}

export const TELESCOPE_COMMANDS: readonly Command[] = [
  command({
    name: 'telescope',
    usage: '[ADDR [WORDS]]',
    help: 'words in memory (the stack without ADDR) with what they point at: rights, names, text',
    effect: 'looks',
    page: true,
    kinds: ['address', 'register'],
    run: telescope,
    text: ({ width, words }) =>
      words
        .map(({ address, value, registers, chain }) => {
          const names = registers.length > 0 ? `← ${registers.join(', ')}` : '';
          return [hex(address, width * 2), hex(value, width * 2), [chain, names].filter(Boolean).join(' ')]
            .join('  ')
            .trimEnd();
        })
        .join('\n'),
    places: ({ words }) => words.map(({ address }) => ({ space: 'gva' as const, address })),
  }),
];
