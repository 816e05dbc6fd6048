/** Tracepoints: what they are, when they collect, and what they have collected. */
import { decodeHex, encodeHexText, parseHexBigInt, parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { type ExitMarker, isMarkerOnly } from '../exit-markers.js';
import { messageOf, type Session } from '../session.js';
import type { TargetTraceStatus } from '../target.js';
import type { Tracepoint } from '../tracepoints.js';
import { parseConditions } from './breakpoint.js';

type Collected = Pick<Tracepoint, 'allRegisters' | 'memory' | 'expressions'>;

/** Serves a packet of a target that can trace; an error's text is the answer. */
function traced(name: string, run: (args: string, session: Session) => Promise<string>): Command {
  return {
    name,
    async run(args, session) {
      if (session.target.tracing === undefined) return '';
      try {
        return await run(args.slice(1), session);
      } catch (error) {
        // as text whatever the client announced: GDB shows these as they are
        return `E.${messageOf(error)}`;
      }
    },
  };
}

function number(text: string | undefined, what: string): number {
  const value = parseHexNumber(text ?? '');
  if (value === undefined) throw new Error(`malformed ${what}`);
  return value;
}

function address(text: string | undefined): bigint {
  const value = parseHexBigInt(text ?? '');
  if (value === undefined) throw new Error('malformed address');
  return BigInt.asUintN(64, value);
}

/** `R MASK`, `M BASE,OFFSET,LENGTH` and `X LENGTH,HEX`, one after the other. @throws Error naming what is wrong */
function parseActions(text: string): Collected {
  const result: Collected = { allRegisters: false, memory: [], expressions: [] };
  for (let rest = text; rest !== ''; ) {
    const registers = /^R[0-9a-fA-F]+/.exec(rest);
    const memory = /^M(-1|[0-9a-fA-F]+),([0-9a-fA-F]+),([0-9a-fA-F]+)/.exec(rest);
    const expression = /^X([0-9a-fA-F]+),/.exec(rest);
    const data = /^L/.exec(rest);
    if (registers) result.allRegisters = true;
    else if (data) {
      // an exit's frame has it
    } else if (memory) {
      const base = /^(-1|f{8,16})$/i.test(memory[1]) ? {} : { base: number(memory[1], 'register') };
      result.memory.push({ ...base, offset: address(memory[2]), length: number(memory[3], 'length') });
    } else if (expression) {
      const end = expression[0].length + number(expression[1], 'length') * 2;
      result.expressions.push(...parseConditions(rest.slice(0, end)));
      rest = rest.slice(end);
      continue;
    } else if (rest.startsWith('S')) throw new Error('while-stepping is not done here: collect at the later address');
    else throw new Error(`no such action of a tracepoint: ${rest.slice(0, 20)}`);
    rest = rest.slice((registers ?? memory ?? data)?.[0].length);
  }
  return result;
}

const INIT = traced('QTinit', async (_args, session) => {
  await session.trace.clear();
  return 'OK';
});

/** `QTDP:N:ADDR:E|D:STEP:PASS[:X...][-]` defines one, `QTDP:-N:ADDR:ACTIONS[-]` says what it collects. */
const DEFINE = traced('QTDP', async (args, session) => {
  const refusal = session.forbidden('InsertTrace');
  if (refusal !== undefined) throw new Error(refusal);
  const text = args.replace(/-$/, '');
  if (text.startsWith('-')) {
    const [which, at, ...actions] = text.slice(1).split(':');
    session.trace.extend(number(which, 'tracepoint'), address(at), parseActions(actions.join(':')));
    return 'OK';
  }
  const [which, at, enabled, step, passes, ...more] = text.split(':');
  if (enabled !== 'E' && enabled !== 'D') throw new Error('a tracepoint is E or D');
  if (number(step, 'step count') > 0) throw new Error('while-stepping is not done here: collect at the later address');
  const place = address(at);
  const exits = more.includes('S') || isMarkerOnly(place);
  if (more.some((part) => !/^(?:X|S$)/.test(part))) throw new Error('a fast tracepoint needs an agent in the program');
  const [condition] = more.filter((part) => part !== 'S').flatMap((part) => parseConditions(part));
  session.trace.add({
    ...{ number: number(which, 'tracepoint'), address: place, enabled: enabled === 'E' },
    ...{ passes: number(passes, 'pass count'), condition, exits },
    ...{ allRegisters: false, memory: [], expressions: [] },
  });
  return 'OK';
});

const START = traced('QTStart', async (_args, session) => {
  const refusal = session.forbidden('InsertTrace');
  if (refusal !== undefined) throw new Error(refusal);
  await session.trace.start();
  return 'OK';
});

const STOP = traced('QTStop', async (_args, session) => {
  await session.trace.end();
  return 'OK';
});

function stopText({ stopped }: TargetTraceStatus): string {
  const tracepoint = (stopped?.tracepoint ?? 0).toString(16);
  switch (stopped?.why) {
    case 'asked':
      return 'tstop:0';
    case 'full':
      return 'tfull:0';
    case 'passes':
      return `tpasscount:${tracepoint}`;
    case 'error':
      return `terror:${encodeHexText(stopped.text ?? '')}:${tracepoint}`;
    default:
      return 'tnotrun:0';
  }
}

/** Also where nothing can be traced: GDB asks this before it asks for the variables. */
const STATUS: Command = {
  name: 'qTStatus',
  async run(_args, session) {
    const { tracing } = session.target;
    if (tracing === undefined) return session.trace.variables.length > 0 ? 'T0;tnotrun:0' : '';
    const status = await tracing.status();
    const hex = (value: number): string => value.toString(16);
    const never = status.stopped?.why === 'never run';
    const bytes = never ? Math.max(0, session.trace.bufferBytes) : status.bytes;
    return [
      `T${status.running ? 1 : 0}`,
      ...(status.running ? [] : [stopText(status)]),
      ...[`tframes:${hex(status.frames)}`, `tcreated:${hex(status.created)}`],
      ...[`tfree:${hex(never ? bytes : status.free)}`, `tsize:${hex(bytes)}`],
      ...[`circular:${session.trace.circular ? 1 : 0}`, 'disconn:0'],
    ].join(';');
  },
};

/** `qTP:N:ADDR`: hits of a tracepoint, and bytes of the buffer, which are not told apart. */
const POINT_STATUS = traced('qTP', async (args, session) => {
  const which = number(args.split(':')[0], 'tracepoint');
  const hits = (await session.target.tracing?.status())?.hits.find(({ tracepoint }) => tracepoint === which)?.hits ?? 0;
  return `V${hits.toString(16)}:0`;
});

const BUFFER = traced('QTBuffer', async (args, session) => {
  const [what, value] = args.split(':');
  if (what === 'circular' && (value === '0' || value === '1')) session.trace.circular = value === '1';
  else if (what === 'size' && /^(-1|f{8,16})$/i.test(value ?? '')) session.trace.bufferBytes = -1;
  else if (what === 'size') session.trace.bufferBytes = number(value, 'size');
  else throw new Error(`QTBuffer:${args} is not known`);
  return 'OK';
});

/** `QTFrame:N`, `pc:A`, `tdp:N`, `range:A:B`, `outside:A:B`: the frame that registers and memory are read from. */
const FRAME = traced('QTFrame', async (args, session) => {
  const { trace } = session;
  const [what, first, last] = args.split(':');
  let found: number | undefined;
  if (/^(-1|f{8,16})$/i.test(what)) {
    trace.frame = undefined;
    return 'OK';
  }
  const inside = (at: bigint): boolean => at >= address(first) && at <= address(last);
  if (what === 'pc') found = await trace.find((frame) => frame.address === address(first));
  else if (what === 'tdp') found = await trace.find((frame) => frame.tracepoint === number(first, 'tracepoint'));
  else if (what === 'range') found = await trace.find((frame) => inside(frame.address));
  else if (what === 'outside') found = await trace.find((frame) => !inside(frame.address));
  else found = await trace.select(number(what, 'frame'));
  if (found === undefined) return 'F-1';
  return `F${found.toString(16)}T${(trace.frame?.frame.tracepoint ?? 0).toString(16)}`;
});

/** `QTDV:N:VALUE:BUILTIN:NAME`: a variable of the client's. */
const DEFINE_VARIABLE = traced('QTDV', async (args, session) => {
  const [which, value, , name] = args.split(':');
  const text = Buffer.from(decodeHex(name ?? '') ?? []).toString('latin1');
  session.trace.define({ number: number(which, 'variable'), value: address(value), name: text });
  return 'OK';
});

const VALUE: Command = {
  name: 'qTV',
  async run(args, session) {
    const which = parseHexNumber(args.slice(1));
    if (which === undefined) return session.error(22, 'malformed variable');
    const value = await session.trace.valueOf(which);
    return value === undefined ? 'U' : `V${BigInt.asUintN(64, value).toString(16)}`;
  },
};

/** Variables one after the other; `l` is the end. */
function variableText(session: Session, at: number): string {
  const variable = session.trace.variables[at];
  session.variablesTold = at + 1;
  if (variable === undefined) return 'l';
  const { number, value, name, builtin } = variable;
  return `${number.toString(16)}:${BigInt.asUintN(64, value).toString(16)}:${builtin ? 1 : 0}:${encodeHexText(name)}`;
}

const FIRST_VARIABLE: Command = { name: 'qTfV', run: (_args, session) => variableText(session, 0) };
const NEXT_VARIABLE: Command = {
  name: 'qTsV',
  run: (_args, session) => variableText(session, session.variablesTold),
};

const markerText = ({ address, id, extra }: ExitMarker): string =>
  `${address.toString(16)}:${encodeHexText(id)}:${encodeHexText(extra)}`;

/** Markers of a piece of the list; a packet holds them with ease. */
const MARKERS = 100;

/** Static markers, one piece after the other; `l` is the end. */
function markersText({ trace }: Session, from: number): string {
  const piece = trace.markers.slice(from, from + MARKERS);
  trace.markersTold = from + piece.length;
  return piece.length > 0 ? `m${piece.map(markerText).join(',')}` : 'l';
}

const FIRST_MARKERS = traced('qTfSTM', async (_args, session) => {
  await session.trace.findMarkers();
  return markersText(session, 0);
});
const NEXT_MARKERS = traced('qTsSTM', async (_args, session) => markersText(session, session.trace.markersTold));
/** `qTSTMat:ADDRESS`: a marker there. */
const MARKER_AT = traced('qTSTMat', async (args, session) => {
  const at = address(args);
  // `strace *ADDRESS` comes without a look at the list
  const markers = session.trace.markers.length > 0 ? session.trace.markers : await session.trace.findMarkers();
  const marker = markers.find((one) => one.address === at);
  return marker ? `m${markerText(marker)}` : 'l';
});

/** No tracepoint outlives a connection. */
const NONE: Command[] = ['qTfP', 'qTsP'].map((name) => traced(name, async () => 'l'));
/** Ranges that never change need not be collected: GDB reads them from its own file. */
const READ_ONLY = traced('QTro', async () => 'OK');
/** What the user says of the trace, which GDB keeps too. */
const NOTES = traced('QTNotes', async () => 'OK');

export const tracepointCommands: Command[] = [
  ...[INIT, DEFINE, START, STOP, STATUS, POINT_STATUS, BUFFER, FRAME],
  ...[DEFINE_VARIABLE, VALUE, FIRST_VARIABLE, NEXT_VARIABLE, READ_ONLY, NOTES, ...NONE],
  ...[FIRST_MARKERS, NEXT_MARKERS, MARKER_AT],
];
