/**
 * What can be called over a channel, with the shape of each argument. The other end may be any process of the user:
 * what is not in this table is not called, and no argument of another shape reaches the guest.
 */
import { EXIT_GROUPS } from '../debug/exit-groups.js';
import type { Debugger } from '../debugger.js';

type Check = (value: unknown) => boolean;

type Groups = Pick<
  Debugger,
  | 'ept'
  | 'vmcs'
  | 'exits'
  | 'compiler'
  | 'console'
  | 'os'
  | 'source'
  | 'types'
  | 'snapshots'
  | 'migration'
  | 'history'
  | 'recording'
  | 'each'
  | 'tracing'
  | 'syscalls'
>;
export const GROUPS = [
  'ept',
  'vmcs',
  'exits',
  'compiler',
  'console',
  'os',
  'source',
  'types',
  'snapshots',
  'migration',
  'history',
  'recording',
  'each',
  'tracing',
  'syscalls',
] as const satisfies (keyof Groups)[];
type MemberOf<Group extends keyof Groups> = `${Group}.${keyof NonNullable<Groups[Group]> & string}`;
/** `onEvent` is no call: events are sent unasked. */
type MethodName =
  | Exclude<keyof Debugger, keyof Groups | 'onEvent'>
  | { [Group in keyof Groups]-?: MemberOf<Group> }[keyof Groups];

/** Bytes or texts that one call may ask for or bring. */
const MAX_BYTES = 2 ** 26;
const MAX_TEXT = 2 ** 20;
const MAX_ITEMS = 2 ** 16;
/** Of a breakpoint's commands. */
const MAX_LINE = 4096;

const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const vcpu = count;
const length: Check = (value) => count(value) && (value as number) <= MAX_BYTES;
/** Unsigned and signed 64-bit numbers. */
const word: Check = (value) => typeof value === 'bigint' && value >= -(2n ** 63n) && value < 2n ** 64n;
const address: Check = (value) => word(value) && (value as bigint) >= 0n;
const text: Check = (value) => typeof value === 'string' && value.length <= MAX_TEXT;
const flag: Check = (value) => typeof value === 'boolean';
const step: Check = (value) => Number.isSafeInteger(value) && Math.abs(value as number) < 2 ** 31;
const bytes: Check = (value) => value instanceof Uint8Array && value.length <= MAX_BYTES;

const oneOf =
  (...values: unknown[]): Check =>
  (value) =>
    values.includes(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= MAX_ITEMS && value.every(check);
/** Has these fields, each of its shape; others are not looked at. */
const record =
  (fields: Record<string, Check>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));
const either =
  (...checks: Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));

const pixels: Check = (value) => count(value) && (value as number) > 0 && (value as number) <= 2 ** 16;
const ratio: Check = (value) => typeof value === 'number' && value >= 0.01 && value <= 100;
const fitInto = record({ width: pixels, height: pixels, aspect: optional(ratio) });
const space = oneOf('gva', 'gpa', 'hpa');
const condition = record({
  expressions: listOf(bytes),
  registers: listOf(optional(text)),
  space: oneOf('gva', 'gpa'),
  text: optional(text),
});
const exitCondition = record({
  test: optional(condition),
  reasons: optional(listOf(count)),
  where: optional(listOf(record({ field: text, op: oneOf('==', '!=', '<', '<=', '>', '>=', '&'), value: word }))),
});
const action = either(
  record({
    kind: oneOf('print'),
    expressions: listOf(bytes),
    registers: listOf(optional(text)),
    space: oneOf('gva', 'gpa'),
  }),
  record({
    ...{ kind: oneOf('collect'), tracepoint: count, passes: count, allRegisters: flag },
    ...{ expressions: listOf(bytes), registers: listOf(optional(text)), space: oneOf('gva', 'gpa') },
    memory: listOf(record({ base: optional(count), offset: word, length })),
  }),
);
const range = record({ start: address, end: address });
const lines: Check = listOf((value) => text(value) && (value as string).length <= MAX_LINE);
const manner = { ignore: optional(count), temporary: optional(flag), commands: optional(lines) };
const breakpoint = either(
  record({
    ...{ kind: oneOf('execute'), gva: address },
    ...{ condition: optional(condition), action: optional(action), ...manner },
  }),
  record({
    ...manner,
    condition: optional(condition),
    kind: oneOf('watch'),
    space: oneOf('gva', 'gpa'),
    address,
    length,
    access: oneOf('read', 'write', 'access'),
  }),
  record({
    ...{ kind: oneOf('exit'), condition: exitCondition },
    ...{ when: optional(condition), action: optional(action), ...manner },
  }),
);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const breakpointChange = record({
  ignore: optional(count),
  commands: optional(orNull(lines)),
  condition: optional(orNull(condition)),
  exits: optional(exitCondition),
});
const runTarget = record({
  gva: optional(address),
  icount: optional(address),
  exit: optional(exitCondition),
  kernel: optional(flag),
});

const historyTarget = record({
  line: optional(text),
  icount: optional(address),
  exit: optional(count),
  share: optional((value) => typeof value === 'number' && value >= 0 && value <= 1),
  begin: optional(oneOf(true)),
  end: optional(oneOf(true)),
  bookmark: optional(text),
  fault: optional(count),
});

const written = either(
  record({ kind: oneOf('memory'), space: oneOf('gva', 'gpa'), address, length }),
  record({ kind: oneOf('register'), name: text }),
  record({ kind: oneOf('msr'), number: count }),
  record({ kind: oneOf('vmcs'), encoding: count }),
  record({ kind: oneOf('pte'), gva: address, level: optional(text) }),
  record({ kind: oneOf('ept'), gpa: address, level: optional(text) }),
  record({ kind: oneOf('idt', 'gdt', 'ldt'), index: count }),
  record({ kind: oneOf('sector'), disk: text, sector: count }),
);
const became = either(record({ op: oneOf('==', '!=', '<', '<=', '>', '>=', '&'), value: word }), oneOf('now'));

/** Each method's arguments in order. */
const METHODS: Record<MethodName, readonly Check[]> = {
  info: [],
  state: [],
  resume: [optional(listOf(vcpu))],
  pause: [],
  step: [vcpu, optional(count), optional(range), optional(listOf(vcpu))],
  stepToExit: [optional(exitCondition)],
  runUntil: [runTarget],
  readRegisters: [vcpu, optional(listOf(text))],
  writeRegister: [vcpu, text, (value) => typeof value === 'bigint' && value >= -(2n ** 511n) && value < 2n ** 512n],
  readMemory: [space, address, length, optional(vcpu)],
  writeMemory: [space, address, bytes, optional(vcpu)],
  walk: [address, optional(vcpu)],
  addBreakpoint: [breakpoint, optional(text)],
  removeBreakpoint: [count],
  enableBreakpoint: [count, flag],
  changeBreakpoint: [count, breakpointChange],
  breakpoints: [],
  print: [text],
  symbols: [],
  devices: [],
  totals: [],
  usage: [flag],
  monitor: [text, optional(vcpu)],
  dumpMemory: [text],
  'snapshots.save': [text],
  'snapshots.load': [text],
  'snapshots.names': [],
  'migration.start': [text],
  'migration.cancel': [],
  'migration.status': [],
  'history.where': [],
  'history.goTo': [historyTarget],
  'history.stepBack': [vcpu, optional(count)],
  'history.continueBack': [],
  'history.wrote': [written, optional(vcpu), optional(became)],
  'history.reads': [written, optional(vcpu)],
  'history.bookmark': [text],
  'history.bookmarks': [],
  'history.previousExit': [optional(exitCondition)],
  'history.stops': [],
  'history.printed': [text, address, length],
  'history.branch': [optional(text)],
  'history.branches': [],
  'history.switchTo': [text],
  'history.deleteBranch': [text],
  'history.renameBranch': [text, text],
  'history.compare': [optional(text), optional(text)],
  'history.statesAt': [listOf(count)],
  'recording.about': [],
  'recording.compare': [],
  reset: [],
  quit: [],
  'tracing.start': [
    record({ bytes: count, circular: flag, variables: listOf(record({ number: count, value: word })) }),
  ],
  'tracing.stop': [],
  'tracing.status': [],
  'tracing.frame': [count],
  'tracing.list': [],
  'tracing.variable': [count],
  'syscalls.catch': [optional(record({ numbers: optional(listOf(count)) }))],
  'each.independent': [flag],
  'each.resume': [listOf(vcpu)],
  'each.stop': [listOf(vcpu)],
  'each.step': [vcpu, optional(range)],
  'ept.walk': [address, optional(vcpu)],
  'ept.ranges': [],
  'ept.heat': [
    address,
    (value) => address(value) && (value as bigint) > 0n,
    (value) => count(value) && (value as number) >= 1 && (value as number) <= 100_000,
    optional(flag),
  ],
  'vmcs.read': [vcpu],
  'vmcs.write': [vcpu, count, word],
  // -1: from the first one on
  'exits.records': [(value) => value === -1 || count(value), count],
  'exits.controls': [count],
  'exits.counts': [],
  'exits.report': [(value) => typeof value === 'string' && Object.hasOwn(EXIT_GROUPS, value), optional(exitCondition)],
  'exits.course': [(value) => count(value) && (value as number) >= 1 && (value as number) <= 1000],
  'exits.hints': [],
  'exits.handlerTimes': [optional(flag)],
  'compiler.counters': [],
  'console.serialLog': [],
  'console.serialInput': [bytes],
  'console.holdOutput': [flag],
  'console.key': [text],
  'console.keyboardIdle': [],
  'console.keyEvent': [text, flag],
  'console.mouse': [step, step, step, step],
  'console.screen': [],
  'console.picture': [optional(count), optional(count)],
  'console.look': [count, optional(fitInto)],
  'console.screendump': [text, optional((value) => value === 'png' || value === 'ppm')],
  'os.info': [],
  'os.foresee': [],
  'os.release': [],
  'os.log': [],
  'os.unwind': [],
  'os.frameRow': [address],
  'os.processes': [],
  'os.modules': [],
  'os.current': [vcpu],
  'os.stack': [count],
  'os.absence': [],
  'source.locate': [listOf(address)],
  'source.piece': [address],
  'source.text': [text],
  'source.address': [text, count],
  'types.from': [],
  'types.nodes': [listOf(text)],
  'types.named': [oneOf('struct', 'union', 'enum', 'name'), text, optional(address)],
  'types.enumerator': [text, optional(address)],
  'types.scope': [address],
  'types.variable': [text, optional(address)],
  'types.caller': [address],
  'types.atCall': [address, text],
};

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Calls a method by its dotted name. @throws Error when there is none of that name, or an argument has no such shape. */
export async function callMethod(target: Debugger, method: unknown, args: unknown): Promise<unknown> {
  if (typeof method !== 'string' || !Object.hasOwn(METHODS, method)) {
    throw new Error(
      `the target has no ${typeof method === 'string' ? JSON.stringify(method.slice(0, 80)) : 'such call'}`,
    );
  }
  const checks = METHODS[method as MethodName];
  if (!Array.isArray(args) || args.length > checks.length) throw new Error(`${method}: not its arguments`);
  const wrong = checks.findIndex((check, index) => !check(args[index]));
  if (wrong >= 0) throw new Error(`${method}: argument ${wrong + 1} is not of its type`);
  const [group, member] = method.split('.');
  const owner = (member === undefined ? target : target[group as keyof Debugger]) as
    | Record<string, unknown>
    | undefined;
  const callee = owner?.[member ?? group];
  if (typeof callee !== 'function') throw new Error(`the target has no ${method}`);
  return callee.apply(owner, args);
}
