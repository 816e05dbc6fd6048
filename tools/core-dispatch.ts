// Text of generated/dispatch.ts and generated/ops.ts: the cases of the interpreter's one big switch, and the tables by
// which the decoder finds and joins micro-ops, both from src/spec/uops.
//
// A case reads its micro-op at u and either goes on (`u += 32; continue`), ends the block with the next RIP in `rip`
// (`break`), or leaves it by stop() before it has changed anything. The less common micro-ops are functions of their
// own (generated/rows.ts), which do the same by what they return, with the flags in memory.

import { FIRST_HANDLER, VEX_HANDLERS } from '../src/spec/opcodes/handlers.js';
import { isCommon } from '../src/spec/uops/common.js';
import { FLAG_KINDS } from '../src/spec/uops/flags.js';
import {
  alwaysCompletes,
  DECODED_FORMS,
  decodedForms,
  type NumberedUop,
  OP_END,
  OP_ENTER,
  OP_NEXT,
  OP_REGION,
  operandAccess,
  UOP_ROWS,
  UOPS,
} from '../src/spec/uops/index.js';
import {
  type FlagStep,
  type Place,
  STATUS_FLAGS,
  type Step,
  type UopRow,
  type VectorGuard,
} from '../src/spec/uops/row.js';
import { extended, registerAt, TYPES, text } from './expression-text.js';

/** How a body ends, by where it stands. */
interface Ways {
  readonly goOn: string;
  readonly fail: string;
  readonly stackFail: string;
  readonly forHandler: string;
  /** With the next RIP in `rip`. */
  readonly jump: string;
}

const IN_CASE: Ways = {
  goOn: 'u += 32; continue;',
  fail: 'return stop(u, k, fr, fs);',
  stackFail: '{ asStackFault(); return stop(u, k, fr, fs); }',
  forHandler: 'return stopForHandler(u, k, fr, fs);',
  jump: 'break;',
};

/** Flags that a function has set go back into memory where it does not fail. */
const inFunction = (keep: string): Ways => ({
  goOn: `${keep}return ROW_GOES_ON;`,
  fail: 'return ROW_FAILED;',
  stackFail: '{ asStackFault(); return ROW_FAILED; }',
  forHandler: 'return ROW_FOR_HANDLER;',
  jump: `${keep}store<u64>(JIT_RIP, rip); return ROW_JUMPED;`,
});

const PLACES: Record<Place, string> = {
  operand: 'address(u) & mask',
  plain: 'addressPlain(u) & mask',
  top: 'load<u64>(RSP) & mask',
  frame: 'load<u64>(RBP) & mask',
  source: 'load<u64>(RSI) & mask',
  destination: 'load<u64>(RDI) & mask',
};
const ACCESSES = { read: 'readable', write: 'writable', modify: 'modifiable' } as const;

function flagsText({ rule, size, result, first, carry, bits, mask }: FlagStep, set: boolean): string {
  const value = result ? `fr = ${extended(result, set)};` : '';
  switch (rule) {
    case 'added':
    case 'subtracted': {
      const plain = FLAG_KINDS[rule] + size;
      const carried = FLAG_KINDS[`${rule} with carry`] + size;
      const kind = carry ? `${text(carry, set)} ? ${carried} : ${plain}` : `${plain}`;
      return `k = ${kind}; fs = u64(${text(first!, set)}); ${value}`;
    }
    case 'logic':
      return `k = ${FLAG_KINDS.given}; fs = 0; ${value}`;
    case 'given':
      return `fs = u64(${text(bits!, set)}); k = ${FLAG_KINDS.given}; ${value}`;
    case 'some': {
      const before = mask === STATUS_FLAGS ? 'k = 0;' : 'if (k) { storeStatus(k, fr, fs); k = 0; }';
      return `${before} store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~${mask}) | ${text(bits!, set)});`;
    }
    default:
      return `if (k < ${FLAG_KINDS.increment}) keepCarry(k, fr, fs); k = ${FLAG_KINDS[rule] + size}; ${value}`;
  }
}

function setText(step: Extract<Step, { step: 'set' }>, value: string): string {
  const { to, size } = step;
  const at = typeof to === 'number' ? `${to * 8}` : to === 'vex' ? '(uImm2(u) << 3)' : registerAt(to, size);
  return size === 2 ? `store<u64>(${at}, u64(${value}), GPR);` : `store<${TYPES[size]}>(${at}, ${value}, GPR);`;
}

/** The end of a case: false when the last step has left it. */
function ends(body: readonly Step[]): boolean {
  const last = body.at(-1)?.step;
  return last === 'branch' || last === 'jump';
}

/** Jumps whose targets the compiler asks for. */
const COMPUTED = new Set(['execJmpNear', 'execCallNear']);

/** @param computed where the jump at its end leads to is noted */
function bodyText(body: readonly Step[], ways: Ways, computed = false): string {
  let flagsSet = false;
  const out: string[] = [];
  for (const step of body) {
    switch (step.step) {
      case 'let':
        out.push(`const ${step.name} = ${text(step.value, flagsSet)};`);
        break;
      case 'access': {
        const type = step.size === 5 ? '32' : `<${TYPES[step.size]}>`;
        const onStack = step.at === 'top' || step.at === 'frame' || typeof step.at !== 'string';
        const place = typeof step.at === 'string' ? PLACES[step.at] : text(step.at, flagsSet);
        out.push(`const p = ${ACCESSES[step.kind]}${type}(${place}); if (!p) ${onStack ? ways.stackFail : ways.fail}`);
        break;
      }
      case 'store': {
        const onStack = typeof step.at !== 'string';
        const at = typeof step.at === 'string' ? PLACES[step.at] : text(step.at, flagsSet);
        out.push(
          `if (!stored<${TYPES[step.size]}>(${at}, ${text(step.value, flagsSet)})) ${onStack ? ways.stackFail : ways.fail}`,
        );
        break;
      }
      case 'commit': {
        const { size } = step.values[0];
        step.values.forEach((value, n) => {
          const what = text(value, flagsSet);
          out.push(size === 4 ? `v128.store(p, ${what}, ${n * 16});` : `store<${TYPES[size]}>(p, ${what});`);
        });
        out.push(`if (!wrote${step.values.length > 1 ? '32' : `<${TYPES[size]}>`}(p)) ${ways.fail}`);
        break;
      }
      case 'set':
        out.push(setText(step, text(step.value, flagsSet)));
        break;
      case 'setVector':
        out.push(`v128.store(uReg(u) << 5, ${text(step.value, flagsSet)}, YMM${step.high ? ' + 16' : ''});`);
        break;
      case 'flags':
        out.push(flagsText(step, flagsSet));
        flagsSet = true;
        break;
      case 'noncanonical': {
        const t = text(step.value, flagsSet);
        out.push(`if (u64(i64(${t} << 16) >> 16) != ${t}) ${ways.forHandler}`);
        break;
      }
      case 'leaveIf':
        out.push(`if (${text(step.test, flagsSet)}) ${ways.forHandler}`);
        break;
      case 'system':
        out.push(`store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~${step.mask}) | ${step.value});`);
        break;
      case 'skipIf':
        out.push(`if (${text(step.test, flagsSet)}) { ${bodyText(step.instead, ways)} ${ways.goOn} }`);
        break;
      case 'branch':
        out.push(
          `rip = (load<u64>(RIP_BASE) + u64(i64(${text(step.test, flagsSet)} ? load<i32>(u, 28) : i32(uNext(u))))) & mask; ${ways.jump}`,
        );
        break;
      case 'jump':
        out.push(`rip = ${text(step.to, flagsSet)};${computed ? ' sawJump(u, rip);' : ''} ${ways.jump}`);
        break;
    }
  }
  return out.join(' ');
}

/** Else the handler is called: it knows why. */
function guardText(guard: VectorGuard, form: UopRow['form'], ways: Ways): string {
  const off = guard === 'vex' ? 'vexOff()' : 'sseOff()';
  const test = guard === 'sse aligned' && form !== 'RR' ? `${off} | u32(address(u) & mask) & 15` : off;
  return `if (${test}) ${ways.forHandler} `;
}

function rowText({ body, row }: NumberedUop, ways: Ways): string {
  const guard = row.guard ? guardText(row.guard, row.form, ways) : '';
  const then = ends(body) ? '' : ways.goOn;
  return `${guard}${bodyText(body, ways, COMPUTED.has(row.handler))} ${then}`.trim();
}

export function caseText(uop: NumberedUop): string {
  return `      case ${uop.number}: { // ${uop.name}\n        ${rowText(uop, IN_CASE)}\n      }`;
}

const FLAG_LOCALS = [
  ['k', 'let k = load<u32>(JIT_KIND);', 'store<u32>(JIT_KIND, k);'],
  ['fr', 'let fr = load<i64>(JIT_RESULT);', 'store<i64>(JIT_RESULT, fr);'],
  ['fs', 'let fs = load<u64>(JIT_FIRST);', 'store<u64>(JIT_FIRST, fs);'],
] as const;

/** One of generated/rows.ts. */
export function functionText(uop: NumberedUop): string {
  const plain = rowText(uop, inFunction(''));
  const used = FLAG_LOCALS.filter(([name]) => new RegExp(`\\b${name}\\b`).test(plain));
  const set = used.filter(([name]) => new RegExp(`\\b${name} = `).test(plain));
  const keep = set.map(([, , store]) => `${store} `).join('');
  const jumps = ends(uop.body) ? 'let rip: u64; ' : '';
  return `// ${uop.name}\nfunction row${uop.number}(u: usize, mask: u64): i32 {\n  ${jumps}${used.map(([, load]) => `${load} `).join('')}${rowText(uop, inFunction(keep))}\n}`;
}

/** The case of all that are functions: their flags go through memory. */
function functionsText(uops: readonly NumberedUop[]): string {
  return `      ${uops.map(({ number }) => `case ${number}:`).join(' ')} {
        tellFlags(k, fr, fs);
        const ended = callRow(load<u16>(u), u, mask);
        if (ended < 0) return ended == ROW_FOR_HANDLER ? stopForHandler(u, k, fr, fs) : stop(u, k, fr, fs);
        k = load<u32>(JIT_KIND);
        fr = load<i64>(JIT_RESULT);
        fs = load<u64>(JIT_FIRST);
        if (ended == ROW_GOES_ON) { ${IN_CASE.goOn} }
        rip = load<u64>(JIT_RIP);
        break;
      }`;
}

/** Handlers that need nothing of the dispatcher's state: only a fault or a retry puts that into memory. */
function leanText(count: number): string {
  const cases = Array.from({ length: count }, (_, n) => `case ${OP_END + n}:`);
  return `      ${cases.join(' ')} {
        const status = callLeanHandler(load<u16>(u) - ${OP_END}, u);
        if (status != XS_OK) return stopWith(u, k, fr, fs, status);
        ${IN_CASE.goOn}
      }`;
}

/** How a row is joined with a branch: its fused rows' first number, and whether they are 16, one, or JZ and JNZ. */
const FUSE_EACH = 1;
const FUSE_ALL = 2;
const FUSE_ZERO = 3;

function fusedTable(): number[] {
  const table = new Array<number>(OP_END * 2).fill(0);
  for (const { number, row, fused } of UOPS) {
    if (fused || !row.fused?.length) continue;
    const first = UOPS.find((uop) => uop.fused === row.fused![0])!;
    table[number * 2] = first.number;
    table[number * 2 + 1] = first.fused!.cc === undefined ? FUSE_ALL : row.fused.length === 2 ? FUSE_ZERO : FUSE_EACH;
  }
  return table;
}

/** Numbers by handler, operation, form, size and whether the operand has no index register; 0: no row. */
function placesTable(handlers: readonly string[]): { first: number[]; operations: number[]; places: number[] } {
  const places: number[] = [0];
  const first: number[] = [];
  const operations: number[] = [];
  for (const handler of handlers) {
    const rows = UOPS.filter((uop) => !uop.fused && uop.row.handler === handler && !uop.row.guard);
    const count = rows.length === 0 ? 0 : Math.max(...rows.map(({ row }) => row.operation)) + 1;
    operations.push(count);
    first.push(count === 0 ? 0 : places.length);
    const own = new Array<number>(count * DECODED_FORMS.length * 8).fill(0);
    for (const { number, row } of rows) {
      for (const form of decodedForms(row.form)) {
        const at = ((row.operation * DECODED_FORMS.length + form) * 4 + row.size) * 2;
        // rows of branches serve all sizes
        const sizes = row.form === 'J' && row.size === 0 ? [0, 2, 4, 6] : [0];
        for (const further of sizes) {
          const place = at + further + (row.plain ? 1 : 0);
          if (own[place]) throw new Error(`micro-op ${row.name} stands for what another one does`);
          own[place] = number;
        }
      }
    }
    places.push(...own);
  }
  return { first, operations, places };
}

function data(name: string, type: string, values: number[], doc: string): string {
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += 32) lines.push(`  ${values.slice(at, at + 32).join(', ')},`);
  return `/** ${doc} */\nexport const ${name}: usize = memory.data<${type}>([\n${lines.join('\n')}\n]);\n`;
}

const ACCESS_WRITES = 0x80;

/** By number: bytes of the memory operand, and ACCESS_WRITES; 0: none. */
function accessTable(): number[] {
  const table = new Array<number>(OP_END).fill(0);
  for (const { number, row, body } of UOPS) {
    const access = row.guard ? undefined : operandAccess(body);
    if (access) table[number] = access.bytes | (access.writes ? ACCESS_WRITES : 0);
  }
  return table;
}

/** By number: 1 where it always completes. */
const unseenTable = (): number[] => {
  const table = new Array<number>(OP_END).fill(0);
  for (const { number, row, body } of UOPS) if (alwaysCompletes(row.guard, body)) table[number] = 1;
  return table;
};

function vectorNumber(kind: 'load' | 'store'): string {
  const handler = kind === 'load' ? 'execVectorLoad' : 'execVectorStore';
  const rows = UOPS.filter((uop) => uop.row.handler === handler && uop.row.form !== 'RR');
  return `/** By operation. */\nexport const VECTOR_${kind.toUpperCase()}S: usize = memory.data<u16>([${rows.map((uop) => uop.number).join(', ')}]);\n`;
}

const constant = (name: string, value: number): string => `export const ${name}: u32 = ${value};\n`;
const numberOf = (name: string): number => UOPS.find((uop) => uop.name === name)!.number;

function opsText(header: string, handlers: readonly string[]): string {
  const { first, operations, places } = placesTable(handlers);
  return [
    header,
    '// Numbers of the micro-ops that have cases of their own, and how the decoder finds them.\n',
    constant('OP_ENTER', OP_ENTER),
    constant('OP_NEXT', OP_NEXT),
    constant('OP_REGION', OP_REGION),
    constant('OP_JCC', numberOf('JO')),
    constant('OP_FUSED', UOPS.find((uop) => uop.fused)!.number),
    constant('OP_VECTOR', OP_END),
    constant('OP_VECTOR_COPY', numberOf('MOVAPS RR')),
    constant('OP_SEGMENT_16', numberOf('SEGMENT 16')),
    constant('OP_SEGMENT_32', numberOf('SEGMENT 32')),
    constant('ACCESS_WRITES', ACCESS_WRITES),
    constant('FUSE_EACH', FUSE_EACH),
    constant('FUSE_ALL', FUSE_ALL),
    constant('FUSE_ZERO', FUSE_ZERO),
    constant('DECODED_FORMS', DECODED_FORMS.length),
    ...DECODED_FORMS.map((name, n) => constant(`FORM_${name}`, n)),
    data('ROW_FIRST', 'u16', first, 'By handler: where its rows begin in ROW_PLACES.'),
    data('ROW_OPERATIONS', 'u8', operations, 'By handler: how many operations have rows.'),
    data(
      'ROW_VEX',
      'u8',
      handlers.map((name) => (VEX_HANDLERS.has(name) ? 1 : 0)),
      'By handler: 1 where VEX encodes it, which does not exist in all modes outside long mode.',
    ),
    data('ROW_PLACES', 'u16', places, 'Number by operation, form, size, plain; 0 none.'),
    data('FUSED', 'u16', fusedTable(), 'By number: {first fused number, FUSE_*}.'),
    data('ROW_ACCESS', 'u8', accessTable(), 'By number: bytes of the memory operand, and ACCESS_WRITES; 0 none.'),
    data('ROW_UNSEEN', 'u8', unseenTable(), 'By number: 1 where it always completes.'),
    vectorNumber('load'),
    vectorNumber('store'),
  ].join('');
}

/** generated/rows.ts, with the imports of the template. */
function rowsText(header: string, imports: string, uops: readonly NumberedUop[]): string {
  return `${header}// Micro-ops that have no case in the dispatcher.
${imports}
${uops.map(functionText).join('\n\n')}

export function fillRowTable(): void {
${uops.map(({ number }) => `  store<u32>(ROW_CALLS, row${number}.index, ${number * 4});`).join('\n')}
}
`;
}

/** Where the cases go in exec/execute-blocks.ts. */
const MARK = /^ *\/\/ CASES\n/m;
const IMPORTS = /^import [^;]*;\n/gm;

/**
 * @param template exec/execute-blocks.ts
 * @param handlers all, in the order of their numbers
 * @param lean how many of them, at the end, the dispatcher calls itself
 */
export function dispatchText(
  header: string,
  template: string,
  handlers: readonly string[],
  lean: number,
): { dispatch: string; rows: string; ops: string } {
  if (UOP_ROWS.some((row) => !handlers.includes(row.handler))) throw new Error('a micro-op of no handler');
  if (OP_END + lean > FIRST_HANDLER) throw new Error('micro-ops have the numbers of handlers');
  const functions = UOPS.filter((uop) => !isCommon(uop));
  if (!MARK.test(template)) throw new Error('exec/execute-blocks.ts has no place for the cases');
  const cases = [...UOPS.filter(isCommon).map(caseText), functionsText(functions), leanText(lean)].join('\n');
  return {
    dispatch: `${header}${template.replace(MARK, `${cases}\n`)}`,
    rows: rowsText(header, (template.match(IMPORTS) ?? []).join(''), functions),
    ops: opsText(header, handlers),
  };
}
