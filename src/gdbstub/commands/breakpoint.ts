import { decodeHex, parseAddressLength, parseHexNumber } from '../../rsp/hex.js';
import { checkAgentExpression } from '../agent-expression.js';
import type { BreakpointType } from '../breakpoints.js';
import type { Command } from '../command.js';
import { messageOf } from '../session.js';

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
function parseConditions(text: string): Uint8Array[] {
  const conditions: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    const comma = text.indexOf(',', at);
    const length = text[at] === 'X' && comma > 0 ? parseHexNumber(text.slice(at + 1, comma)) : undefined;
    const code = length === undefined ? undefined : decodeHex(text.slice(comma + 1, comma + 1 + length * 2));
    if (code === undefined || code.length === 0 || code.length !== length) throw new Error('malformed condition');
    checkAgentExpression(code);
    conditions.push(code);
    at = comma + 1 + length * 2;
  }
  return conditions;
}

/**
 * `Z TYPE,ADDR,KIND[;X...]`. None of them touches guest memory, so Z0 and Z1 differ in name only and there is no
 * limit on either. A condition that cannot be evaluated is refused here: ignoring it would stop always.
 */
export const insertBreakpoint: Command = {
  name: 'Z',
  async run(args, session) {
    if (/^\d/.test(args) && !/^[0-4]/.test(args)) return '';
    const request = parse(args);
    if (request === undefined) return session.error(22, 'malformed breakpoint');
    if (request.type >= 2 && request.length === 0) return session.error(22, 'a watchpoint needs a length');
    if (request.rest.includes('cmds:')) return session.error(22, 'breakpoint commands are not supported');
    try {
      const conditions = parseConditions(request.rest);
      const space = session.physicalMemory ? 'physical' : 'virtual';
      await session.breakpoints.insert(request.type, space, request.address, request.length, conditions);
      return 'OK';
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};

/** `z TYPE,ADDR,KIND`. */
export const removeBreakpoint: Command = {
  name: 'z',
  run(args, session) {
    if (/^\d/.test(args) && !/^[0-4]/.test(args)) return '';
    const request = parse(args);
    if (request === undefined) return session.error(22, 'malformed breakpoint');
    session.breakpoints.remove(request.type, request.address, request.length);
    return 'OK';
  },
};
