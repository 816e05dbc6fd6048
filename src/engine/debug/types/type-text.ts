/** Types as C writes them, in gdb's form. */
import type { TypeId, TypeNode } from '../../../disasm/type-node.js';
import type { TypeTable } from './type-table.js';

/** GCC's words in the order in which people write them. */
const SHORT: Readonly<Record<string, string>> = {
  'long int': 'long',
  'long unsigned int': 'unsigned long',
  'long long int': 'long long',
  'long long unsigned int': 'unsigned long long',
  'short int': 'short',
  'short unsigned int': 'unsigned short',
};
const MAX_DEPTH = 24;
const MAX_MEMBERS = 4000;

export const baseText = (name: string): string => SHORT[name] ?? name;

/** `int (*handlers[4])(int, char *)`: a type around a name; an empty one gives the type alone. */
export async function declaration(types: TypeTable, id: TypeId, name = '', depth = 0, whole = false): Promise<string> {
  if (depth > MAX_DEPTH) return '...';
  const node = await types.node(id);
  const spaced = (text: string): string => (name === '' ? text : `${text} ${name}`);
  switch (node.kind) {
    case 'void':
      return spaced('void');
    case 'base':
      return spaced(baseText(node.name));
    case 'typedef':
      return spaced(node.name);
    case 'struct':
    case 'union':
    case 'enum':
      return spaced(whole || node.name === undefined ? await body(types, node, depth) : `${node.kind} ${node.name}`);
    case 'qualified': {
      const { node: to } = await skipped(types, node.to);
      // of a pointer it stands behind the star
      if (to.kind === 'pointer')
        return declaration(types, node.to, ` ${node.qualifier} ${name}`.replace(/ $/, ''), depth + 1);
      return `${node.qualifier} ${await declaration(types, node.to, name, depth + 1, whole)}`;
    }
    case 'pointer': {
      const { node: to } = await skipped(types, node.to);
      const inner = `*${name}`.replace(/^\* +/, '* ');
      return declaration(
        types,
        node.to,
        to.kind === 'array' || to.kind === 'function' ? `(${inner})` : inner,
        depth + 1,
      );
    }
    case 'array': {
      const count = node.count === undefined ? '[]' : `[${node.count}]`;
      return declaration(types, node.of, `${name}${count}`, depth + 1, whole);
    }
    case 'function': {
      const list = await parameters(types, node, depth);
      // a function's own name has no space before its parameters
      return declaration(types, node.returns, `${name === '' ? '' : name}(${list})`, depth + 1);
    }
  }
}

async function skipped(types: TypeTable, id: TypeId): Promise<{ node: TypeNode }> {
  let node = await types.node(id);
  for (let depth = 0; depth < MAX_DEPTH && node.kind === 'qualified'; depth++) node = await types.node(node.to);
  return { node };
}

async function parameters(types: TypeTable, node: TypeNode & { kind: 'function' }, depth: number): Promise<string> {
  const list: string[] = [];
  for (const parameter of node.parameters) list.push(await declaration(types, parameter, '', depth + 1));
  if (node.variadic) list.push('...');
  return list.length === 0 && node.prototyped ? 'void' : list.join(', ');
}

/** A structure with its members, an enumeration with its values. */
async function body(
  types: TypeTable,
  node: TypeNode & { kind: 'struct' | 'union' | 'enum' },
  depth: number,
): Promise<string> {
  const head = node.name === undefined ? node.kind : `${node.kind} ${node.name}`;
  if (node.kind === 'enum') {
    const values: string[] = [];
    let next = 0n;
    for (const { name, value } of node.values.slice(0, MAX_MEMBERS)) {
      values.push(value === next ? name : `${name} = ${value}`);
      next = value + 1n;
    }
    if (depth > 0 && node.name === undefined) return `${node.kind} {${values.join(', ')}}`;
    return `${head} {${values.join(', ')}}`;
  }
  if (node.declared) return `${head} {\n    <incomplete type>\n}`;
  const indent = '    '.repeat(depth + 1);
  const lines: string[] = [];
  for (const { name, type, bits } of node.members.slice(0, MAX_MEMBERS)) {
    const text = await memberText(types, type, name ?? '', depth + 1);
    lines.push(`${indent}${text}${bits ? ` : ${bits.size}` : ''};`);
  }
  if (lines.length === 0) lines.push(`${indent}<no data fields>`);
  return `${head} {\n${lines.join('\n')}\n${'    '.repeat(depth)}}`;
}

/** The nesting counts the indentation, so that of types without a name is kept apart from the depth of a declaration. */
async function memberText(types: TypeTable, id: TypeId, name: string, depth: number): Promise<string> {
  let inner: TypeNode | undefined;
  let at = id;
  for (let steps = 0; steps < MAX_DEPTH; steps++) {
    inner = await types.node(at);
    const to =
      inner.kind === 'array' ? inner.of : inner.kind === 'pointer' || inner.kind === 'qualified' ? inner.to : undefined;
    if (to === undefined) break;
    at = to;
  }
  const isOpen =
    (inner?.kind === 'struct' || inner?.kind === 'union' || inner?.kind === 'enum') && inner.name === undefined;
  if (!isOpen) return declaration(types, id, name);
  // as gdb: what stands in one without a name is left out
  const open = inner as TypeNode & { kind: 'struct' | 'union' | 'enum' };
  const text = depth > 1 && open.kind !== 'enum' ? `${open.kind} {...}` : await body(types, open, depth);
  return wrapped(types, id, name, text);
}

async function wrapped(types: TypeTable, id: TypeId, name: string, open: string): Promise<string> {
  const node = await types.node(id);
  if (node.kind === 'array') return wrapped(types, node.of, `${name}[${node.count ?? ''}]`, open);
  if (node.kind === 'pointer') return wrapped(types, node.to, `*${name}`, open);
  if (node.kind === 'qualified') return `${node.qualifier} ${await wrapped(types, node.to, name, open)}`;
  return name === '' ? open : `${open} ${name}`;
}

/** A type alone: `struct foo *`, `char [16]`, `int (*)(int)`. */
export async function typeText(types: TypeTable, id: TypeId): Promise<string> {
  return declaration(types, id);
}

/** What `ptype` says: a typedef as what it stands for, a structure with its members. */
export async function typeBody(types: TypeTable, id: TypeId): Promise<string> {
  let at = id;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const node = await types.node(at);
    if (node.kind !== 'typedef') break;
    at = node.to;
  }
  const number = await qualifiedNumber(types, at);
  if (number !== undefined) return number;
  const node = await types.node(at);
  if (node.kind === 'struct' || node.kind === 'union' || node.kind === 'enum') return body(types, node, 0);
  // of a pointer or array of structures the members are shown too
  let base = at;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const inner = await types.node(base);
    const to =
      inner.kind === 'array'
        ? inner.of
        : inner.kind === 'pointer' || inner.kind === 'qualified' || inner.kind === 'typedef'
          ? inner.to
          : undefined;
    if (to === undefined) break;
    base = to;
  }
  const inner = await types.node(base);
  if (inner.kind !== 'struct' && inner.kind !== 'union' && inner.kind !== 'enum') return declaration(types, at);
  return outer(types, at, '', await body(types, inner, 0));
}

/** Of a type of numbers: what it stands for, `volatile unsigned int` of `volatile u32`; undefined for others. */
async function qualifiedNumber(types: TypeTable, id: TypeId): Promise<string | undefined> {
  const qualifiers = new Set<string>();
  let at = id;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const node = await types.node(at);
    if (node.kind === 'base') return [...[...qualifiers].sort(), await declaration(types, at)].join(' ');
    if (node.kind === 'qualified') qualifiers.add(node.qualifier);
    if (node.kind !== 'qualified' && node.kind !== 'typedef') return undefined;
    at = node.to;
  }
  return undefined;
}

async function outer(types: TypeTable, id: TypeId, name: string, open: string): Promise<string> {
  const node = await types.node(id);
  if (node.kind === 'typedef') return outer(types, node.to, name, open);
  if (node.kind === 'array') return outer(types, node.of, `${name}[${node.count ?? ''}]`, open);
  if (node.kind === 'pointer') {
    const { node: to } = await skipped(types, node.to);
    return outer(types, node.to, to.kind === 'array' ? `(*${name})` : `*${name}`, open);
  }
  if (node.kind === 'qualified') return `${node.qualifier} ${await outer(types, node.to, name, open)}`;
  return name === '' ? open : `${open} ${name}`;
}
