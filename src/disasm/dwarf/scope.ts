/** Functions, what was inlined into them, blocks, and the variables of each. @dwarf 5, 3.3 "Subroutine and Entry Point Entries" */
import type { TypeId } from '../type-node.js';
import type { Entry } from './entry.js';
import { locationAt, type Range, rangesOf } from './lists.js';
import { AT, TAG } from './numbers.js';
import { typeIdOf, typeOf } from './types.js';
import type { DwarfUnits, Unit } from './units.js';

export interface DwarfVariable {
  name: string;
  type: TypeId;
  parameter: boolean;
  /** Where it lies at the address that was asked about; absent where nothing says: it was optimized out. */
  expression?: Uint8Array;
  /** Its value, where it lies nowhere. */
  constant?: bigint | Uint8Array;
  /** Whose addresses and base types its expression names. */
  unit: Unit;
  line?: number;
  /** Only said to be elsewhere. */
  declared: boolean;
}

export interface DwarfBlock {
  kind: 'function' | 'inlined' | 'block';
  name?: string;
  /** Of the function. */
  type?: TypeId;
  variables: DwarfVariable[];
  /** Of the innermost pieces of code it is. */
  ranges: Range[];
  /** Where the inlined one was called; file as the line table counts it. */
  callFile?: number;
  callLine?: number;
}

export interface DwarfScope {
  /** Outermost first: the function, then what lies in it. */
  blocks: DwarfBlock[];
  /** What the function's variables are counted from. */
  frameBase?: Uint8Array;
  unit: Unit;
  /** Offset of the unit's header in .debug_line. */
  lines?: number;
}

const MAX_DEPTH = 64;
const MAX_VARIABLES = 4096;

/** @param pc linked address at which its location is wanted; undefined: everywhere */
export function variableOf(units: DwarfUnits, entry: Entry, pc: bigint | undefined): DwarfVariable | undefined {
  const name = units.inherited(entry, (origin) => origin.text(AT.name));
  if (name === undefined) return undefined;
  const expression =
    units.inherited(entry, (origin) => origin.block(AT.location)) ??
    (pc === undefined ? undefined : units.inherited(entry, (origin) => locationAt(origin, AT.location, pc)));
  const constant = units.inherited<bigint | Uint8Array>(
    entry,
    (origin) =>
      origin.block(AT.constValue) ?? origin.signed(AT.constValue, 64) ?? textConstant(origin.text(AT.constValue)),
  );
  const line = units.inherited(entry, (origin) => origin.number(AT.declLine));
  return {
    name,
    type: typeOf(units, entry),
    parameter: entry.tag === TAG.formalParameter,
    // GCC says of what it has left out that it lies nowhere: an empty expression
    ...(expression !== undefined && expression.length > 0 ? { expression } : {}),
    ...(constant === undefined ? {} : { constant }),
    unit: entry.unit,
    ...(line === undefined ? {} : { line }),
    declared: entry.flag(AT.declaration),
  };
}

const textConstant = (text: string | undefined): Uint8Array | undefined =>
  text === undefined ? undefined : Buffer.from(`${text}\0`, 'utf8');

/** @param pc linked */
export function scopeAt(units: DwarfUnits, func: Entry, pc: bigint): DwarfScope {
  const blocks: DwarfBlock[] = [];
  for (let entry: Entry | undefined = func; entry !== undefined && blocks.length < MAX_DEPTH; ) {
    const variables: DwarfVariable[] = [];
    let inner: Entry | undefined;
    for (const child of units.children(entry)) {
      const isVariable = child.tag === TAG.variable || child.tag === TAG.formalParameter;
      if (isVariable && variables.length < MAX_VARIABLES) {
        const variable = variableOf(units, child, pc);
        if (variable) variables.push(variable);
      } else if (
        inner === undefined &&
        (child.tag === TAG.lexicalBlock || child.tag === TAG.inlinedSubroutine) &&
        rangesOf(child).some(({ low, high }) => pc >= low && pc < high)
      )
        inner = child;
    }
    blocks.push(blockOf(units, entry, variables));
    entry = inner;
  }
  const root = units.root(func.unit);
  const lines = root?.list(AT.stmtList);
  const frameBase = func.block(AT.frameBase) ?? locationAt(func, AT.frameBase, pc);
  return {
    blocks,
    ...(frameBase === undefined ? {} : { frameBase }),
    unit: func.unit,
    ...(lines !== undefined && 'offset' in lines ? { lines: lines.offset } : {}),
  };
}

function blockOf(units: DwarfUnits, entry: Entry, variables: DwarfVariable[]): DwarfBlock {
  const ranges = rangesOf(entry);
  if (entry.tag === TAG.lexicalBlock) return { kind: 'block', variables, ranges };
  const name = units.inherited(entry, (origin) => origin.text(AT.name));
  const origin = [...units.origins(entry)].at(-1)!;
  const callFile = entry.number(AT.callFile);
  const callLine = entry.number(AT.callLine);
  return {
    kind: entry.tag === TAG.subprogram ? 'function' : 'inlined',
    ...(name === undefined ? {} : { name }),
    type: typeIdOf(origin.offset),
    variables,
    ranges,
    ...(callFile === undefined ? {} : { callFile }),
    ...(callLine === undefined ? {} : { callLine }),
  };
}
