/** Reading and changing registers, the VMCS and memory. */
import type { VmcsFieldValue } from '../../engine/debugger.js';
import type { Dashboard } from '../dashboard.js';
import { parseBytes, wholeRegister } from '../expression.js';
import { bitsOf } from '../panes/vmcs.js';
import { hex } from '../screen/text.js';
import { type Command, need, space, value, words } from './command.js';

async function setRegister(d: Dashboard, text: string): Promise<string> {
  const match = /^(\w+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a register'));
  if (!match) throw new Error('it is REGISTER VALUE');
  const typed = match[1]!.toLowerCase();
  const name = wholeRegister(typed) ?? typed;
  const number = value(d, match[2]!);
  if (name !== typed && BigInt.asUintN(32, number) !== number)
    throw new Error(`${hex(number)} does not fit in ${typed}`);
  // as the CPU writes a 32-bit register: the upper half becomes 0
  await d.debug.writeRegister(d.model.vcpu, name, number);
  d.model.invalidate();
  return `${name} = ${hex(number)}`;
}

async function setVmcs(d: Dashboard, text: string): Promise<string> {
  const { vmcs } = d.debug;
  if (!vmcs) throw new Error(d.model.unavailable('vmcs'));
  const match = /^([^\s=]+)(?:\s*=\s*|\s+)(.+)$/.exec(need(text, 'a field'));
  if (!match) throw new Error('it is FIELD VALUE, FIELD +BIT or FIELD -BIT');
  const fields = await vmcs.read(d.model.vcpu);
  const name = match[1]!.toUpperCase();
  const field = fields.find((f) => f.name.toUpperCase() === name || `0X${hex(f.encoding).toUpperCase()}` === name);
  if (!field) throw new Error(`the VMCS has no field "${match[1]}"`);
  const number = bitChange(field, match[2]!) ?? value(d, match[2]!);
  await vmcs.write(d.model.vcpu, field.encoding, number);
  d.model.invalidate();
  return `${field.name} = ${hex(number)} (was ${hex(field.value)})`;
}

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

async function writeCommand(d: Dashboard, text: string): Promise<string> {
  const list = words(need(text, 'an address'));
  const where = space(list);
  const address = value(d, need(list.shift() ?? '', 'an address'));
  const bytes = parseBytes(list.join(' '));
  const written = await d.debug.writeMemory(where, address, bytes, d.model.vcpu);
  d.model.invalidate();
  if (written < bytes.length)
    throw new Error(`${written} of ${bytes.length} bytes written: memory ends or is not mapped`);
  return `${written} byte${written === 1 ? '' : 's'} at ${where} ${hex(address)}`;
}

export const STATE_COMMANDS: readonly Command[] = [
  { name: 'set', usage: 'REGISTER VALUE', help: 'change a register', run: setRegister },
  {
    name: 'vmcs',
    usage: 'FIELD VALUE | +BIT | -BIT',
    help: 'change a VMCS field, or a bit by name or number',
    run: setVmcs,
  },
  { name: 'write', usage: '[gva|gpa|hpa] ADDR BYTES | "TEXT"', help: 'change memory', run: writeCommand },
  {
    name: 'print',
    usage: 'EXPRESSION',
    help: 'value of a symbol, register or sum',
    run: (d, text) => {
      const number = value(d, need(text, 'an expression'));
      const label = d.model.symbols.label(number);
      return `0x${hex(number)} = ${number}${label ? ` ${label}` : ''}`;
    },
  },
];
