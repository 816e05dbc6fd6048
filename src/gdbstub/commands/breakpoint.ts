import { decodeHex, parseAddressLength, parseHexNumber } from '../../rsp/hex.js';
import type { BreakpointType } from '../breakpoints.js';
import type { Command } from '../command.js';
import { messageOf, type Session } from '../session.js';
import type { MemorySpace, TargetCondition } from '../target.js';

const UPPER_HALF = 1n << 31n;
const FOUR_GIB = 1n << 32n;

interface Request {
  type: BreakpointType;
  address: bigint;
  length: number;
  /** What follows `addr,kind`: conditions and commands. */
  rest: string;
}

function parse(args: string): Request | undefined {
  const match = /^([0-4]),([^;]*)(?:;(.*))?$/s.exec(args);
  const range = match === null ? undefined : parseAddressLength(match[2]);
  if (match === null || range === undefined) return undefined;
  return { type: Number(match[1]) as BreakpointType, ...range, rest: match[3] ?? '' };
}

/** The agent expressions of `X len,hexX len,hex`. @throws Error naming what is wrong. */
export function parseConditions(text: string): Uint8Array[] {
  const conditions: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    const comma = text.indexOf(',', at);
    const length = text[at] === 'X' && comma > 0 ? parseHexNumber(text.slice(at + 1, comma)) : undefined;
    const code = length === undefined ? undefined : decodeHex(text.slice(comma + 1, comma + 1 + length * 2));
    if (code === undefined || code.length === 0 || code.length !== length) throw new Error('malformed expression');
    conditions.push(code);
    at = comma + 1 + length * 2;
  }
  return conditions;
}

/** `cmds:PERSIST,` is followed by what is done there instead of stopping. It goes with the client as all breakpoints do. */
function splitRest(rest: string): { conditions: Uint8Array[]; commands: Uint8Array[] } {
  const at = rest.indexOf('cmds:');
  if (at < 0) return { conditions: parseConditions(rest), commands: [] };
  const commands = /^cmds:[01],(.*)$/s.exec(rest.slice(at))?.[1];
  if (commands === undefined || commands === '') throw new Error('malformed breakpoint commands');
  return { conditions: parseConditions(rest.slice(0, at).replace(/;$/, '')), commands: parseConditions(commands) };
}

/**
 * Where a breakpoint goes. A client that is shown 32-bit code cuts addresses to 32 bits, also those of a program for
 * 64-bit mode: what may be in that program's upper 2 GiB is watched there too.
 */
async function placesOf(session: Session, address: bigint): Promise<bigint[]> {
  const { wordBytes } = await session.registers.layout(session.generalThread);
  const cut = wordBytes === 4 && address >= UPPER_HALF && address < FOUR_GIB;
  return cut ? [address, BigInt.asUintN(64, BigInt.asIntN(32, address))] : [address];
}

/**
 * `Z TYPE,ADDR,KIND[;X...][;cmds:PERSIST,X...]`. None of them touches guest memory, so Z0 and Z1 differ in name only and there is no
 * limit on either. A condition that cannot be evaluated is refused here: ignoring it would stop always.
 */
export const insertBreakpoint: Command = {
  name: 'Z',
  async run(args, session) {
    if (/^\d/.test(args) && !/^[0-4]/.test(args)) return '';
    const request = parse(args);
    if (request === undefined) return session.error(22, 'malformed breakpoint');
    const refusal = session.refusal('InsertBreak');
    if (refusal !== undefined) return refusal;
    if (request.type >= 2 && request.length === 0) return session.error(22, 'a watchpoint needs a length');
    try {
      const { conditions, commands } = splitRest(request.rest);
      const space: MemorySpace = session.physicalMemory ? 'physical' : 'virtual';
      const bare = request.type >= 2 || (conditions.length === 0 && commands.length === 0);
      const names = bare ? undefined : await session.expressionNames();
      const of = (expressions: Uint8Array[]): TargetCondition | undefined =>
        names && expressions.length > 0 ? { expressions, space, ...names } : undefined;
      const printing = of(commands);
      const action = printing && ({ kind: 'print', ...printing } as const);
      for (const address of await placesOf(session, request.address))
        await session.breakpoints.insert(
          session.views.general,
          request.type,
          space,
          address,
          request.length,
          of(conditions),
          action,
        );
      return 'OK';
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};

/** `z TYPE,ADDR,KIND`. */
export const removeBreakpoint: Command = {
  name: 'z',
  async run(args, session) {
    if (/^\d/.test(args) && !/^[0-4]/.test(args)) return '';
    const request = parse(args);
    if (request === undefined) return session.error(22, 'malformed breakpoint');
    for (const address of await placesOf(session, request.address)) {
      session.breakpoints.remove(session.views.general, request.type, address, request.length);
    }
    // threads run on: they are not to meet it
    if (session.nonStop) await session.breakpoints.reconcile();
    return 'OK';
  },
};
