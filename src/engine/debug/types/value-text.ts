/** Values in gdb's form. */
import type { TypeId, TypeNode } from '../../../disasm/type-node.js';
import { ExpressionError } from '../expression/syntax.js';
import type { TypeTable } from './type-table.js';
import { typeText } from './type-text.js';

/** gdb's letters: hexadecimal, signed, unsigned, octal, binary, character, address, float, text, hexadecimal with zeros. */
export type Format = 'x' | 'd' | 'u' | 'o' | 't' | 'c' | 'a' | 'f' | 's' | 'z' | 'i';

export interface ValueContext {
  readonly types: TypeTable;
  /** Bytes of memory; short where it ends. */
  read(address: bigint, length: number): Promise<Uint8Array>;
  /** `main`, `main+4`; undefined where no symbol covers the address. */
  label(address: bigint): string | undefined;
  readonly format?: Format;
}

/** As gdb's `print elements`, `print repeats` and `print max-depth`. */
const MAX_ELEMENTS = 200;
const REPEATS = 10;
const MAX_DEPTH = 20;
/** Elements and members of one answer: structures of structures of arrays may be large. */
const MAX_PARTS = 20_000;
/** Bytes of text behind a pointer. */
const TEXT_BYTES = 200;

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  27: '\\033',
  92: '\\\\',
};

function characterText(code: number, quote: string): string {
  const escaped = ESCAPES[code];
  if (escaped) return escaped;
  const character = String.fromCharCode(code);
  if (character === quote) return `\\${quote}`;
  return code >= 32 && code < 127 ? character : `\\${code.toString(8).padStart(3, '0')}`;
}

/** Text between quotes, with what repeats counted. */
export function stringText(bytes: Uint8Array, more = false): string {
  if (bytes.length === 0) return '""';
  const parts: string[] = [];
  let open = '';
  const close = (): void => {
    if (open) parts.push(`"${open}"`);
    open = '';
  };
  let at = 0;
  for (let told = 0; at < bytes.length && told < MAX_ELEMENTS; ) {
    let end = at + 1;
    while (end < bytes.length && bytes[end] === bytes[at]) end++;
    if (end - at > REPEATS - 1) {
      close();
      parts.push(`'${characterText(bytes[at]!, "'")}' <repeats ${end - at} times>`);
      told += REPEATS;
      at = end;
      continue;
    }
    // an octal number must not take a digit that follows it
    for (; at < end && told < MAX_ELEMENTS; at++, told++) open += characterText(bytes[at]!, '"');
  }
  close();
  return `${parts.join(', ')}${more || at < bytes.length ? '...' : ''}`;
}

const little = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

class Writer {
  private parts = 0;

  constructor(private readonly context: ValueContext) {}

  private count(): void {
    if (++this.parts > MAX_PARTS) throw new ExpressionError(`more than ${MAX_PARTS} members: look at one of them`);
  }

  async value(bytes: Uint8Array, id: TypeId, top: boolean, depth: number): Promise<string> {
    this.count();
    const { types, format } = this.context;
    const { node } = await types.plain(id);
    switch (node.kind) {
      case 'struct':
      case 'union':
        return this.structure(bytes, node, depth);
      case 'array':
        return this.array(bytes, node, depth);
      case 'void':
        return 'void';
      case 'function':
        return '{...}';
      default:
        return format && format !== 's' && !(format === 'f' && node.kind !== 'base')
          ? this.formatted(bytes, node, format)
          : this.scalar(bytes, node, id, top);
    }
  }

  private async structure(
    bytes: Uint8Array,
    node: TypeNode & { kind: 'struct' | 'union' },
    depth: number,
  ): Promise<string> {
    if (node.declared) return '<incomplete type>';
    if (depth >= MAX_DEPTH) return '{...}';
    if (node.members.length === 0) return '{<No data fields>}';
    const list: string[] = [];
    for (const { name, type, offset, bits } of node.members) {
      this.count();
      let text: string;
      if (bits) {
        const size = await this.context.types.bytes(type);
        const from = bits.offset >> 3;
        const all = little(bytes.subarray(from, from + 9)) >> BigInt(bits.offset & 7);
        const { node: own } = await this.context.types.plain(type);
        const isSigned =
          own.kind === 'base'
            ? own.encoding === 'signed' || own.encoding === 'char'
            : own.kind === 'enum' && own.signed;
        const value = isSigned ? BigInt.asIntN(bits.size, all) : BigInt.asUintN(bits.size, all);
        text = await this.value(bytesOf(value, size), type, false, depth + 1);
      } else {
        const size = await this.context.types.bytes(type);
        text = await this.value(bytes.subarray(offset, offset + size), type, false, depth + 1);
      }
      list.push(name === undefined ? text : `${name} = ${text}`);
    }
    return `{${list.join(', ')}}`;
  }

  private async array(bytes: Uint8Array, node: TypeNode & { kind: 'array' }, depth: number): Promise<string> {
    const { types, format } = this.context;
    const { node: of } = await types.plain(node.of);
    const size = await types.bytes(node.of);
    const count = node.count ?? 0;
    const isText = of.kind === 'base' && of.bytes === 1 && (of.encoding === 'char' || of.encoding === 'uchar');
    if (isText && (format === undefined || format === 's')) {
      if (count === 0) return '""';
      const text = bytes.subarray(0, count);
      // the last NUL ends it
      return stringText(count <= MAX_ELEMENTS && text.at(-1) === 0 ? text.subarray(0, -1) : text);
    }
    if (depth >= MAX_DEPTH) return '{...}';
    const list: string[] = [];
    let told = 0;
    let at = 0;
    while (at < count && told < MAX_ELEMENTS) {
      const own = bytes.subarray(at * size, (at + 1) * size);
      let same = 1;
      while (at + same < count && Buffer.compare(own, bytes.subarray((at + same) * size, (at + same + 1) * size)) === 0)
        same++;
      const text = await this.value(own, node.of, false, depth + 1);
      if (same >= REPEATS) {
        list.push(`${text} <repeats ${same} times>`);
        told += REPEATS;
        at += same;
      } else {
        for (let n = 0; n < same && told < MAX_ELEMENTS; n++, at++, told++) list.push(text);
      }
    }
    return `{${list.join(', ')}${at < count ? '...' : ''}}`;
  }

  private async scalar(bytes: Uint8Array, node: TypeNode, id: TypeId, top: boolean): Promise<string> {
    const raw = little(bytes);
    switch (node.kind) {
      case 'pointer':
        return this.pointer(raw, node, id, top);
      case 'enum':
        return enumText(raw, node);
      case 'base':
        return baseValueText(bytes, raw, node);
      default:
        return `0x${raw.toString(16)}`;
    }
  }

  private async pointer(
    address: bigint,
    node: TypeNode & { kind: 'pointer' },
    id: TypeId,
    top: boolean,
  ): Promise<string> {
    const { types } = this.context;
    const { node: to } = await types.plain(node.to);
    const number = `0x${address.toString(16)}`;
    const isText = to.kind === 'base' && to.bytes === 1 && (to.encoding === 'char' || to.encoding === 'uchar');
    const label = address === 0n ? undefined : this.context.label(address);
    const place = label === undefined ? '' : ` <${label}>`;
    if (isText) {
      if (address === 0n) return number;
      const text = await this.text(address);
      return `${number}${place}${text === undefined ? '' : ` ${text}`}`;
    }
    return top ? `(${await typeText(types, id)}) ${number}${place}` : `${number}${place}`;
  }

  private async text(address: bigint): Promise<string | undefined> {
    const bytes = await this.context.read(address, TEXT_BYTES + 1);
    if (bytes.length === 0) return `<error: Cannot access memory at address 0x${address.toString(16)}>`;
    const end = bytes.subarray(0, TEXT_BYTES).indexOf(0);
    return end < 0 ? stringText(bytes.subarray(0, TEXT_BYTES), true) : stringText(bytes.subarray(0, end));
  }

  private formatted(bytes: Uint8Array, node: TypeNode, format: Format): string {
    const bits = bytes.length * 8;
    const raw = little(bytes);
    const isFloat = node.kind === 'base' && node.encoding === 'float';
    switch (format) {
      case 'x':
        return `0x${raw.toString(16)}`;
      case 'z':
        return `0x${raw.toString(16).padStart(bytes.length * 2, '0')}`;
      case 'o':
        return raw === 0n ? '0' : `0${raw.toString(8)}`;
      case 't':
        return raw.toString(2);
      case 'd':
        return BigInt.asIntN(bits, raw).toString();
      case 'u':
        return raw.toString();
      case 'c': {
        const value = BigInt.asIntN(8, raw);
        return `${value} '${characterText(Number(BigInt.asUintN(8, raw)), "'")}'`;
      }
      case 'a':
      case 'i': {
        const label = this.context.label(raw);
        return `0x${raw.toString(16)}${label === undefined ? '' : ` <${label}>`}`;
      }
      default:
        if (isFloat) return floatText(bytes);
        if (bytes.length === 4 || bytes.length === 8)
          return node.kind === 'base' && node.encoding === 'unsigned'
            ? raw.toString()
            : BigInt.asIntN(bits, raw).toString();
        return raw.toString();
    }
  }
}

export const bytesOf = (value: bigint, count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, n) => Number((value >> BigInt(n * 8)) & 0xffn));

function enumText(raw: bigint, node: TypeNode & { kind: 'enum' }): string {
  const value = node.signed ? BigInt.asIntN(node.bytes * 8, raw) : raw;
  const same = node.values.find((row) => row.value === value);
  if (same) return same.name;
  // of single bits it is those that it has
  const isFlags = node.values.length > 0 && node.values.every((row) => row.value >= 0n && isFlag(row.value));
  if (!isFlags || value === 0n || value < 0n) return value.toString();
  let left = value;
  const names: string[] = [];
  for (const row of node.values)
    if (row.value !== 0n && (left & row.value) === row.value) {
      names.push(row.name);
      left &= ~row.value;
    }
  if (left !== 0n) names.push(`unknown: 0x${left.toString(16)}`);
  return `(${names.join(' | ')})`;
}

/** One bit, or some beside one another. */
function isFlag(value: bigint): boolean {
  if (value === 0n) return true;
  let bits = value;
  while ((bits & 1n) === 0n) bits >>= 1n;
  return (bits & (bits + 1n)) === 0n;
}

function baseValueText(bytes: Uint8Array, raw: bigint, node: TypeNode & { kind: 'base' }): string {
  const bits = node.bytes * 8;
  switch (node.encoding) {
    case 'bool':
      return raw === 0n ? 'false' : raw === 1n ? 'true' : raw.toString();
    case 'char':
      if (node.bytes === 1) return `${BigInt.asIntN(8, raw)} '${characterText(Number(raw & 0xffn), "'")}'`;
      return BigInt.asIntN(bits, raw).toString();
    case 'uchar':
      return `${raw} '${characterText(Number(raw & 0xffn), "'")}'`;
    case 'signed':
      return BigInt.asIntN(bits, raw).toString();
    case 'float':
      return floatText(bytes);
    default:
      return raw.toString();
  }
}

/** As C's %g with so many digits that nothing is lost. */
function floatText(bytes: Uint8Array): string {
  const view = new DataView(bytes.slice().buffer);
  if (bytes.length !== 4 && bytes.length !== 8) return `0x${little(bytes).toString(16)}`;
  const value = bytes.length === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  if (Number.isNaN(value)) {
    const bits = little(bytes);
    const [sign, fraction] =
      bytes.length === 4 ? [bits >> 31n, bits & 0x7fffffn] : [bits >> 63n, bits & 0xfffffffffffffn];
    return `${sign ? '-' : ''}nan(0x${fraction.toString(16)})`;
  }
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const digits = bytes.length === 4 ? 9 : 17;
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const exponent = Number(value.toExponential(digits - 1).split('e')[1]);
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = '', power = ''] = value.toExponential(digits - 1).split('e');
    const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return `${trimmed}e${power[0]}${power.slice(1).padStart(2, '0')}`;
  }
  const text = value.toPrecision(digits);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** @param top a pointer tells its type @throws ExpressionError where it is too much */
export function valueText(context: ValueContext, bytes: Uint8Array, type: TypeId, top = true): Promise<string> {
  return new Writer(context).value(bytes, type, top, 0);
}
