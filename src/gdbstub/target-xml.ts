/**
 * The target description that GDB and LLDB read: one XML file per layout.
 * LLDB needs bitsize, regnum, group and generic on every register; GDB ignores what it does not know.
 * @gdb appendix "Target Descriptions"
 */

import { MXCSR as MXCSR_BITS, RFLAGS } from '../spec/flags.js';
import type { RegisterLayout, RegisterSlot, RegisterType } from './register-layout.js';
import type { Architecture, EnumType, FlagsType } from './target.js';

const GDB_ARCHITECTURE: Record<Architecture, string> = {
  i8086: 'i8086',
  i386: 'i386',
  'x86-64': 'i386:x86-64',
};

const EFLAGS: FlagsType = {
  kind: 'flags',
  id: 'i386_eflags',
  fields: RFLAGS.map(({ name, hi, lo }) => ({ name, start: lo, end: hi })),
};

const MXCSR: FlagsType = {
  kind: 'flags',
  id: 'i386_mxcsr',
  // GDB's own type has no field for rounding control
  fields: MXCSR_BITS.filter(({ hi, lo }) => hi === lo).map(({ name, hi, lo }) => ({ name, start: lo, end: hi })),
};

const VEC128 = `  <vector id="v4f" type="ieee_single" count="4"/>
  <vector id="v2d" type="ieee_double" count="2"/>
  <vector id="v16i8" type="int8" count="16"/>
  <vector id="v8i16" type="int16" count="8"/>
  <vector id="v4i32" type="int32" count="4"/>
  <vector id="v2i64" type="int64" count="2"/>
  <union id="vec128">
    <field name="v4_float" type="v4f"/>
    <field name="v2_double" type="v2d"/>
    <field name="v16_int8" type="v16i8"/>
    <field name="v8_int16" type="v8i16"/>
    <field name="v4_int32" type="v4i32"/>
    <field name="v2_int64" type="v2i64"/>
    <field name="uint128" type="uint128"/>
  </union>
`;

/** Escapes text for XML content and attributes; characters that XML cannot hold become `?`. */
export function escapeXml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '?');
}

function flagsXml(type: FlagsType, bits: number): string {
  const fields = type.fields
    .map(({ name, start, end }) => `    <field name="${escapeXml(name)}" start="${start}" end="${end}"/>\n`)
    .join('');
  return `  <flags id="${escapeXml(type.id)}" size="${bits / 8}">\n${fields}  </flags>\n`;
}

function enumXml(type: EnumType, bits: number): string {
  const values = type.values
    .map(({ name, value }) => `    <evalue name="${escapeXml(name)}" value="${value}"/>\n`)
    .join('');
  return `  <enum id="${escapeXml(type.id)}" size="${bits / 8}">\n${values}  </enum>\n`;
}

function typeName(type: RegisterType): string {
  return typeof type === 'string' ? type : type.id;
}

/** Type definitions that the registers of one feature need; types are scoped to their feature. */
function typesXml(slots: readonly RegisterSlot[]): string {
  const seen = new Set<string>();
  let out = '';
  for (const { type, bits } of slots) {
    const name = typeName(type);
    if (seen.has(name)) continue;
    seen.add(name);
    if (type === 'i386_eflags') out += flagsXml(EFLAGS, 32);
    else if (type === 'i386_mxcsr') out += flagsXml(MXCSR, 32);
    else if (type === 'vec128') out += VEC128;
    else if (typeof type !== 'string') out += type.kind === 'flags' ? flagsXml(type, bits) : enumXml(type, bits);
  }
  return out;
}

function registerXml(register: RegisterSlot, number: number): string {
  const group = register.group === undefined ? '' : ` group="${escapeXml(register.group)}"`;
  // no call of gdb's is to put system state back
  const restored = register.source === 'extra' ? ' save-restore="no"' : '';
  const generic = register.generic === undefined ? '' : ` generic="${register.generic}"`;
  const name = escapeXml(register.name);
  const type = escapeXml(typeName(register.type));
  return `  <reg name="${name}" bitsize="${register.bits}" type="${type}" regnum="${number}"${restored}${group}${generic}/>\n`;
}

/** The annex `target.xml` of qXfer:features:read. */
export function targetXml(layout: RegisterLayout): string {
  const features = layout.features.map(({ name, first, count }) => {
    const members = layout.slots.slice(first, first + count);
    const registers = members.map((register, at) => registerXml(register, first + at)).join('');
    return ` <feature name="${name}">\n${typesXml(members)}${registers} </feature>\n`;
  });
  // A program of another class that the client holds must not keep it from this description: a boot loader of 16 bits
  // starts an ELF64, a 64-bit CPU runs an ELF32.
  const compatible = Object.values(GDB_ARCHITECTURE)
    .filter((name) => name !== GDB_ARCHITECTURE[layout.architecture])
    .map((name) => ` <compatible>${name}</compatible>\n`)
    .join('');
  return `<?xml version="1.0"?>
<!DOCTYPE target SYSTEM "gdb-target.dtd">
<target version="1.0">
 <architecture>${GDB_ARCHITECTURE[layout.architecture]}</architecture>
${layout.architecture === 'i8086' ? ' <osabi>none</osabi>\n' : ''}${compatible}${features.join('')}</target>
`;
}
