// Writes src/engine/core/generated/*.ts from the opcode table and the tables of registers and VMX. Run by the build of the core.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { featureOf, OPCODE_FEATURES, wideFeatureOf } from '../src/spec/opcodes/features.js';
import { FIRST_HANDLER, FIRST_LEAN_HANDLER, HANDLERS, LEAN_HANDLERS } from '../src/spec/opcodes/handlers.js';
import { OPCODES, type OpcodeRow, VECTOR_GROUPS } from '../src/spec/opcodes/index.js';
import { operationId, VECTOR_OPERATIONS } from '../src/spec/opcodes/vector-operations.js';
import { dispatchText } from './core-dispatch.js';
import { registerTables } from './gen-register-tables.js';
import { vmcsTables } from './gen-vmcs-tables.js';

const CORE = 'src/engine/core';
const HEADER = '// Written by tools/gen-core-tables.ts from src/spec/opcodes. Do not edit.\n';

/** Operand kinds and size letters, as the decoder's numbers. */
const KINDS = [
  '',
  'E',
  'G',
  'I',
  'J',
  'Z',
  'M',
  'R',
  'S',
  'C',
  'D',
  'O',
  'A',
  'ACC',
  'B',
  'ONE',
  'CL',
  'DX',
  'STR',
  'VEC',
  'SREG',
];
const SIZES = ['', 'b', 'w', 'd', 'q', 'v', 'y', 'z'];
const SREGS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const ACCUMULATORS: Record<string, string> = { AL: 'b', AX: 'w', eAX: 'z', rAX: 'v' };
const MODRM_KINDS = new Set(['E', 'G', 'M', 'R', 'S', 'C', 'D', 'VEC']);

const PREFIX_RULES = ['ANY', 'NP', '66', 'F3', 'F2', 'NFx'];
const ATTRIBUTE_BITS: Record<string, number> = { lock: 1, end: 2, d64: 4, f64: 8, rep: 16, w0: 64, w1: 128 };
const ATTRIBUTE_MODRM = 32;
/** Rules of VEX rows and marks of vector rows, in a word of their own. */
const VEX_BITS: Record<string, number> = { lig: 1, lv: 2, l1: 4, vsib: 8 };
const VEX_REGISTER = 16;
const VEX_VECTOR = 32;
/** Control and debug register moves: ModRM.mod is ignored. */
const ATTRIBUTE_REGISTER = 256;

interface Operand {
  kind: string;
  size: string;
  sreg: number;
}

function parseOperand(text: string): Operand {
  const plain = (kind: string, size = ''): Operand => ({ kind, size, sreg: -1 });
  if (text in ACCUMULATORS) return plain('ACC', ACCUMULATORS[text]);
  if (text === '1') return plain('ONE');
  if (text === 'CL' || text === 'DX') return plain(text);
  if (SREGS.includes(text)) return { kind: 'SREG', size: '', sreg: SREGS.indexOf(text) };
  const kind = text.slice(0, 1);
  const suffix = text.slice(1);
  if (kind === 'X' || kind === 'Y') return plain('STR', suffix);
  if ('VWPQUN'.includes(kind)) return plain('VEC', '');
  if (kind === 'L') return plain('I', 'b');
  if (!KINDS.includes(kind)) throw new Error(`operand ${text}`);
  if (kind === 'I' && suffix === 'bs') return plain('I', 'b');
  return plain(kind, SIZES.includes(suffix) ? suffix : '');
}

interface Entry {
  map: number;
  opcode: number;
  bytes: number[];
}

/** The maps: one-byte, 0F, 0F38, 0F3A, then the same for VEX. */
function encode(row: OpcodeRow, handlerId: number): Entry[] {
  const tokens = row.bytes.split(' ');
  let prefix = 'ANY';
  let vex = false;
  let first = tokens[0] ?? '';
  if (first.startsWith('VEX.')) {
    vex = true;
    prefix = first.slice(4);
    tokens.shift();
  } else if (
    first === 'NP' ||
    first === 'NFx' ||
    ((first === '66' || first === 'F3' || first === 'F2') && /^[0-9A-F]{2}/.test(tokens[1] ?? ''))
  ) {
    prefix = first;
    tokens.shift();
  }
  let map = 0;
  const escaped = tokens[0] === '0F' ? (tokens[1] === '38' ? 2 : tokens[1] === '3A' ? 3 : 1) : 0;
  if (escaped > 0) {
    map = escaped;
    tokens.splice(0, escaped === 1 ? 1 : 2);
  }
  if (vex) map += 3;
  first = tokens.shift() ?? '';
  const plus = first.endsWith('+r');
  const opcode = Number.parseInt(first, 16);
  // The register in VEX.vvvv of a vector instruction goes beside the operands that the decoder walks through.
  const texts = row.operands === '' ? [] : row.operands.split(',');
  const operands = texts.filter((text) => !text.startsWith('H')).map(parseOperand);
  let reg = 0xff;
  let exact = 0;
  let modrm = operands.some((operand) => MODRM_KINDS.has(operand.kind));
  for (const token of tokens) {
    modrm = true;
    if (token === '/r') continue;
    if (token.startsWith('/')) reg = Number(token.slice(1));
    else exact = Number.parseInt(token, 16);
  }
  const sreg = operands.find((operand) => operand.kind === 'SREG');
  if (sreg) reg = sreg.sreg;
  const control = operands.some((o) => o.kind === 'C' || o.kind === 'D');
  const mod = control
    ? 0
    : operands.some((o) => o.kind === 'M')
      ? 1
      : exact || operands.some((o) => o.kind === 'R') || texts.some((text) => /^[UN]/.test(text))
        ? 2
        : 0;
  const mode = row.attributes.includes('i64') ? 1 : row.attributes.includes('o64') ? 2 : 0;
  let attributes = (modrm ? ATTRIBUTE_MODRM : 0) | (control ? ATTRIBUTE_REGISTER : 0);
  for (const attribute of row.attributes) attributes |= ATTRIBUTE_BITS[attribute] ?? 0;
  const op = FIRST_HANDLER + handlerId * 2;
  const codes = [0, 1, 2].map((n) => {
    const operand = operands[n];
    return operand ? KINDS.indexOf(operand.kind) * 8 + SIZES.indexOf(operand.size) : 0;
  });
  const operation = operationId(row);
  let rules = row.group === undefined ? 0 : VEX_VECTOR;
  if (texts.some((text) => /^[HB]/.test(text))) rules |= VEX_REGISTER;
  for (const attribute of row.attributes) rules |= VEX_BITS[attribute] ?? 0;
  const bytes = [
    op & 0xff,
    op >> 8,
    PREFIX_RULES.indexOf(prefix) | (mod << 3) | (mode << 5),
    reg,
    exact,
    ...codes,
    attributes & 0xff,
    attributes >> 8,
    operation & 0xff,
    operation >> 8,
    rules,
    0,
    featureNumber(featureOf(row)),
    featureNumber(wideFeatureOf(row)),
  ];
  if (PREFIX_RULES.indexOf(prefix) < 0) throw new Error(`prefix rule in ${row.bytes}`);
  return plus ? [0, 1, 2, 3, 4, 5, 6, 7].map((n) => ({ map, opcode: opcode + n, bytes })) : [{ map, opcode, bytes }];
}

/** 0: every CPU has it. */
function featureNumber(feature: string | undefined): number {
  if (feature === undefined) return 0;
  const place = OPCODE_FEATURES.indexOf(feature);
  if (place < 0 || place > 62) throw new Error(`feature ${feature}`);
  return place + 1;
}

/** Folders of the core that carry out instructions. */
const HANDLER_FOLDERS = ['exec', 'fpu', 'simd'];

/** Which file (folder/name) exports a handler. */
function findHandlers(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of HANDLER_FOLDERS.filter((name) => existsSync(`${CORE}/${name}`))) {
    for (const file of readdirSync(`${CORE}/${folder}`)) {
      const text = readFileSync(`${CORE}/${folder}/${file}`, 'utf8');
      for (const match of text.matchAll(/^export function (exec[A-Z]\w*)\(/gm))
        found.set(match[1] ?? '', `${folder}/${file.replace(/\.ts$/, '')}`);
    }
  }
  return found;
}

function writeOpcodeTable(): void {
  const lists: number[][][] = Array.from({ length: 7 * 256 }, () => []);
  for (const row of OPCODES) {
    for (const entry of encode(row, HANDLERS.indexOf(row.handler)))
      lists[entry.map * 256 + entry.opcode]?.push(entry.bytes);
  }
  const records: number[][] = [Array(16).fill(0)];
  const index: number[] = [];
  for (const list of lists) {
    index.push(list.length === 0 ? 0 : records.length);
    list.forEach((bytes, n) => {
      const copy = [...bytes];
      if (n === list.length - 1) copy[2] = (copy[2] ?? 0) | 0x80;
      records.push(copy);
    });
  }
  const lines = (values: number[]): string => {
    const out: string[] = [];
    for (let at = 0; at < values.length; at += 24) out.push(`  ${values.slice(at, at + 24).join(', ')},`);
    return out.join('\n');
  };
  const constants = [
    ...KINDS.slice(1).map((kind, n) => `export const KIND_${kind} = ${n + 1};`),
    ...SIZES.slice(1).map((size, n) => `export const SIZE_${size.toUpperCase()} = ${n + 1};`),
    ...PREFIX_RULES.map((rule, n) => `export const RULE_${rule.toUpperCase()} = ${n};`),
    ...Object.entries(ATTRIBUTE_BITS).map(([name, bit]) => `export const ATTR_${name.toUpperCase()} = ${bit};`),
    `export const ATTR_MODRM = ${ATTRIBUTE_MODRM};`,
    `export const ATTR_REGISTER = ${ATTRIBUTE_REGISTER};`,
    ...Object.entries(VEX_BITS).map(([name, bit]) => `export const VEX_${name.toUpperCase()} = ${bit};`),
    `export const VEX_REGISTER = ${VEX_REGISTER};`,
    `export const VEX_VECTOR = ${VEX_VECTOR};`,
    'export const ROW_BYTES = 16;',
  ];
  writeFileSync(
    `${CORE}/generated/opcode-table.ts`,
    `${HEADER}${constants.join('\n')}\n\n` +
      '/** First row of each opcode by map (one-byte, 0F, 0F38, 0F3A, VEX 0F, VEX 0F38, VEX 0F3A); 0 none. */\n' +
      `export const OPCODE_INDEX: usize = memory.data<u16>([\n${lines(index)}\n]);\n\n` +
      '/** {op u16, rule | mod << 3 | mode << 5 | last << 7, reg, whole ModRM, three operands, attributes u16, operation u16, VEX_* u16, feature u8, feature of VEX.L = 1 u8} */\n' +
      `export const OPCODE_ROWS: usize = memory.data<u8>([\n${lines(records.flat())}\n]);\n`,
  );
}

function writeHandlers(): void {
  const found = findHandlers();
  const missing = HANDLERS.filter((name) => !found.has(name));
  if (missing.length > 0) console.warn(`not there yet, answered with #UD: ${missing.join(' ')}`);
  const byFile = new Map<string, string[]>();
  for (const name of HANDLERS) {
    const file = found.get(name);
    if (file !== undefined) byFile.set(file, [...(byFile.get(file) ?? []), name]);
  }
  const imports = [...byFile].map(([file, names]) => `import { ${names.join(', ')} } from '../${file}';`);
  const ids = HANDLERS.map(
    (name, n) =>
      `export const H_${name
        .slice(4)
        .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
        .toUpperCase()}: u32 = ${FIRST_HANDLER + n * 2};`,
  );
  const stores = HANDLERS.map(
    (name, n) => `  store<u32>(CALLS, ${found.has(name) ? name : 'execUd'}.index, ${n * 4});`,
  );
  if (!found.has('execUd')) throw new Error('exec/ has no execUd');
  const lean = HANDLERS.length - LEAN_HANDLERS.length;
  writeFileSync(
    `${CORE}/generated/handlers.ts`,
    `${HEADER}
// Micro-op numbers of the handlers; the odd number that follows is the same handler ending its block.
export const H_FIRST = ${FIRST_HANDLER};
${ids.join('\n')}

/** From here on: handlers that the dispatcher calls itself, its cases from OP_VECTOR on. */
export const H_LEAN: u32 = ${FIRST_LEAN_HANDLER};

/** Places in the function table. */
export const CALLS: usize = memory.data(${HANDLERS.length * 4});

// A table instead of a switch: V8 compiles whole functions, and guests heat few of these.
/** Carries out a micro-op that has no case of its own in the dispatcher. */
@inline export function callHandler(op: u32, u: usize): i32 {
  return call_indirect<i32>(load<u32>(CALLS + ((op - H_FIRST) >> 1 << 2)), u);
}

/** @param n counted from the first lean one */
@inline export function callLeanHandler(n: u32, u: usize): i32 {
  return call_indirect<i32>(load<u32>(CALLS + (n << 2), ${lean * 4}), u);
}
`,
  );
  // apart: only the module's start needs all the handlers' files
  writeFileSync(
    `${CORE}/generated/handler-table.ts`,
    `${HEADER}${imports.join('\n')}
import { CALLS } from './handlers';

export function fillHandlerTable(): void {
${stores.join('\n')}
}
`,
  );
}

function writeOperations(): void {
  const lines = VECTOR_GROUPS.flatMap((group, n) => {
    const names = VECTOR_OPERATIONS.get(group) ?? [];
    if (names.length === 0) return [];
    const first = n * 64;
    return [
      `export const GROUP_${group.toUpperCase()}: u32 = ${n};`,
      ...names.map((name, place) => `export const ${operationName(group, name)}: u32 = ${first + place};`),
    ];
  });
  writeFileSync(
    `${CORE}/generated/vector-ops.ts`,
    `${HEADER}// Operations of the vector instructions: GROUP_* * 64 + place.\n${lines.join('\n')}\n`,
  );
}

/** V_PADDB; the groups whose names are common words keep theirs: F_ADD, C_CVTPS2PD, FMA_FMADD, M_ALIGNED. */
function operationName(group: string, name: string): string {
  const prefix: Record<string, string> = { float: 'F', convert: 'C', fma: 'FMA', move: 'M', permute: 'X' };
  return `${prefix[group] ?? 'V'}_${name}`;
}

function writeDispatch(): void {
  const { dispatch, rows, ops } = dispatchText(
    HEADER,
    readFileSync(`${CORE}/exec/execute-blocks.ts`, 'utf8'),
    HANDLERS,
    LEAN_HANDLERS.length,
  );
  writeFileSync(`${CORE}/generated/dispatch.ts`, dispatch);
  writeFileSync(`${CORE}/generated/rows.ts`, rows);
  writeFileSync(`${CORE}/generated/ops.ts`, ops);
}

mkdirSync(`${CORE}/generated`, { recursive: true });
writeOpcodeTable();
writeHandlers();
writeOperations();
writeDispatch();
for (const [name, text] of Object.entries({ ...vmcsTables(), ...registerTables() }))
  writeFileSync(`${CORE}/generated/${name}`, text);
