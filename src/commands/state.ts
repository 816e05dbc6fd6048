/** Reading and changing registers, the VMCS and memory. */
import { counted } from '../engine/counted.js';
import { wholeRegister } from '../engine/debug/expression/names.js';
import { parseExpression } from '../engine/debug/expression/syntax.js';
import type { AddressSpace, VmcsFieldValue } from '../engine/debugger.js';
import { REGISTER_NAMES } from '../engine/registers-view.js';
import { parseBytes } from './bytes.js';
import {
  type Command,
  command,
  firstValue,
  lacking,
  need,
  type Session,
  space,
  value,
  valueNow,
  words,
} from './command.js';
import { hex } from './numbers.js';
import { sourcePaths } from './source-paths.js';
import { objectNow } from './typed-values.js';
import { bitsOf } from './vmcs-bits.js';

interface Set {
  name: string;
  value: bigint | string;
}

function setSourcePath(session: Session, from: string, to: string): Set {
  sourcePaths(session.debug).substitute(from, to);
  session.changed('values');
  return { name: from, value: to };
}

/** `p->count = 3`, `var x = 3`; undefined for what is no variable. */
async function setVariable(session: Session, text: string): Promise<Set | undefined> {
  const [, word, name = '', given = ''] =
    /^(var(?:iable)?\s+)?(.+?)\s*(?<![<>=!])=(?!=)\s*(.+)$/s.exec(text.trim()) ?? [];
  if (name === '' || (word === undefined && isRegister(name))) return undefined;
  const object = await objectNow(session, parseExpression(name));
  if (object === undefined) throw new Error(`${name} is not a variable in memory`);
  const { address, bytes, bits } = object;
  if (bytes > 8) throw new Error(`${name} has ${bytes} bytes: set one of its members`);
  const number = await valueNow(session, parseExpression(given));
  const before = bits && (await session.debug.readMemory('gva', address, bytes, session.vcpu));
  const whole = bits === undefined ? number : merged(before!, number, bits);
  const data = Uint8Array.from({ length: bytes }, (_, n) => Number((whole >> BigInt(n * 8)) & 0xffn));
  const written = await session.debug.writeMemory('gva', address, data, session.vcpu);
  session.changed('values');
  if (written < bytes) throw new Error(`${name} cannot be written at gva 0x${hex(address)}`);
  return { name, value: number };
}

const isRegister = (name: string): boolean =>
  REGISTER_NAMES.includes(name.toLowerCase()) || wholeRegister(name.toLowerCase()) !== undefined;

function merged(before: Uint8Array, value: bigint, { offset, size }: { offset: number; size: number }): bigint {
  const old = before.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const mask = ((1n << BigInt(size)) - 1n) << BigInt(offset);
  return (old & ~mask) | ((value << BigInt(offset)) & mask);
}

const isSettable = async ({ debug, vcpu }: Session, name: string): Promise<boolean> =>
  isRegister(name) || Object.hasOwn(await debug.readRegisters(vcpu), name);

const noRegister = (name: string): Error => new Error(`no register ${name}; info registers lists them`);

async function setRegister(session: Session, text: string): Promise<Set | FieldChange> {
  const field = /^vmcs\b\s*(?!=)(.*)$/is.exec(text.trim());
  if (field) return setVmcs(session, field[1]!);
  const [, from, to] = /^substitute-path\s+(\S+)\s+(\S+)$/.exec(text.trim()) ?? [];
  if (from !== undefined && to !== undefined) return setSourcePath(session, from, to);
  const variable = await setVariable(session, text);
  if (variable) return variable;
  const match = /^(\w+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a register'));
  if (!match)
    throw new Error(
      'usage: set REGISTER VALUE, set VARIABLE = VALUE, set vmcs FIELD VALUE, or set substitute-path FROM TO',
    );
  const typed = match[1]!.toLowerCase();
  const name = wholeRegister(typed) ?? typed;
  const number = await value(session, match[2]!).catch(async (error) => {
    // what is to be set comes first, and no value makes it right
    throw (await isSettable(session, name)) ? error : noRegister(match[1]!);
  });
  if (name !== typed && BigInt.asUintN(32, number) !== number)
    throw new Error(`${hex(number)} does not fit in ${typed}`);
  // as the CPU writes a 32-bit register: the upper half becomes 0
  await session.debug.writeRegister(session.vcpu, name, number);
  session.changed('values');
  return { name, value: number };
}

interface FieldChange {
  name: string;
  encoding: number;
  value: bigint;
  before: bigint;
}

async function setVmcs(session: Session, text: string): Promise<FieldChange> {
  const { vmcs } = session.debug;
  if (!vmcs) throw await lacking(session, 'vmcs');
  const match = /^([^\s=]+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a field'));
  if (!match) throw new Error('usage: vmcs FIELD VALUE, vmcs FIELD +BIT or vmcs FIELD -BIT');
  const fields = await vmcs.read(session.vcpu);
  const name = match[1]!.toUpperCase();
  const field = fields.find((f) => f.name.toUpperCase() === name || `0X${hex(f.encoding).toUpperCase()}` === name);
  if (!field) throw new Error(`the VMCS has no field "${match[1]}"; info vmcs lists them`);
  const number = bitChange(field, match[2]!) ?? (await value(session, match[2]!));
  await vmcs.write(session.vcpu, field.encoding, number);
  session.changed('values');
  return { name: field.name, encoding: field.encoding, value: number, before: field.value };
}

const changeText = ({ name, value }: Set): string => `${name} = ${typeof value === 'bigint' ? hex(value) : value}`;
const fieldText = ({ name, value, before }: FieldChange): string => `${name} = ${hex(value)} (was ${hex(before)})`;

/** `+HLT exiting`, `+7`, `-HLT exiting` set and clear a bit by its name, the beginning of it, or its number. */
function bitChange(field: VmcsFieldValue, text: string): bigint | undefined {
  const match = /^([+-])\s*(\S.*)$/.exec(text.trim());
  if (!match) return undefined;
  const mask = 1n << BigInt(bitNumber(field, match[2]!));
  return match[1] === '+' ? field.value | mask : field.value & ~mask;
}

/** @throws Error naming a bit that the field does not have. */
function bitNumber(field: VmcsFieldValue, text: string): number {
  const bits = bitsOf(field);
  if (bits.length === 0) throw new Error(`${field.name} is not made of bits: give its value`);
  if (/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) {
    const number = Number(text);
    if (number < field.widthBits) return number;
    throw new Error(`${field.name} has bits 0 to ${field.widthBits - 1}, none of number ${text}`);
  }
  const name = text.toLowerCase();
  const found =
    bits.find((b) => b.name.toLowerCase() === name) ?? bits.find((b) => b.name.toLowerCase().startsWith(name));
  if (!found) throw new Error(`${field.name} has no bit "${text}"`);
  return found.bit;
}

interface Written {
  space: AddressSpace;
  address: bigint;
  bytes: number;
}

async function writeMemory(session: Session, text: string): Promise<Written> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  const { value: address, rest } = await firstValue(session, need(list.join(' '), 'an address'));
  const bytes = parseBytes(rest);
  const written = await session.debug.writeMemory(where, address, bytes, session.vcpu);
  session.changed('values');
  if (written < bytes.length)
    throw new Error(`${written} of ${bytes.length} bytes written: memory ends or is not mapped`);
  return { space: where, address, bytes: written };
}

export const STATE_COMMANDS: readonly Command[] = [
  command({
    name: 'set',
    usage: 'REGISTER VALUE | VARIABLE = VALUE | vmcs FIELD VALUE | substitute-path FROM TO',
    help: 'change a register, a variable or a VMCS field; where source files lie',
    effect: 'changes',
    words: ['vmcs', 'substitute-path'],
    kinds: ['register', 'address'],
    behind: { vmcs: ['vmcs-field'], 'substitute-path': ['file'] },
    run: setRegister,
    text: (change) => ('before' in change ? fieldText(change) : changeText(change)),
  }),
  command({
    name: 'vmcs',
    usage: 'FIELD VALUE | +BIT | -BIT',
    help: 'change a VMCS field, or a bit by name or number',
    effect: 'changes',
    kinds: ['vmcs-field', 'address'],
    run: setVmcs,
    text: fieldText,
  }),
  command({
    name: 'write',
    usage: '[gva|gpa|hpa] ADDR BYTES | "TEXT"',
    help: 'change memory',
    effect: 'changes',
    words: ['gva', 'gpa', 'hpa'],
    kinds: ['address'],
    run: writeMemory,
    text: ({ space, address, bytes }) => `${counted(bytes, 'byte')} at ${space} ${hex(address)}`,
  }),
];
