/**
 * The kernel's description of a trace event (`events/SYSTEM/NAME/format`): where its fields lie, and the names that it
 * prints for their values. Nothing of it is known beforehand, since it changes from kernel to kernel.
 * @see Documentation/trace/events.rst "Event formats"
 */

export interface EventField {
  name: string;
  offset: number;
  size: number;
  signed: boolean;
}

export interface EventFormat {
  name: string;
  id: number;
  fields: ReadonlyMap<string, EventField>;
  /** Bytes that a record must have to hold all fields. */
  bytes: number;
  /** Each `__print_symbolic(REC->FIELD ...)` of the print format, in order. */
  symbols: readonly { field: string; names: ReadonlyMap<number, string> }[];
}

const MAX_TEXT = 1 << 18;
const MAX_FIELDS = 256;
const MAX_NAMES = 4096;
/** No event of a ring buffer of pages is larger. */
const MAX_EVENT = 4096;

/** @throws Error when the text describes no event */
export function parseEventFormat(text: string): EventFormat {
  if (text.length > MAX_TEXT) throw new Error(`an event's format of ${text.length} bytes`);
  const name = /^name: (\S+)$/m.exec(text)?.[1];
  const id = Number(/^ID: (\d{1,9})$/m.exec(text)?.[1] ?? Number.NaN);
  if (name === undefined || !Number.isInteger(id)) throw new Error('no format of an event: it has no name or ID');
  const fields = new Map<string, EventField>();
  let bytes = 0;
  const line = /^\s*field:([^;\n]+);\s*offset:(\d{1,6});\s*size:(\d{1,6});(?:\s*signed:(\d);)?/gm;
  for (const [, declaration, offset, size, signed] of text.matchAll(line)) {
    const field = /(\w+)\s*(?:\[[^\]]*\])?\s*$/.exec(declaration!)?.[1];
    const one = { name: field ?? '', offset: Number(offset), size: Number(size), signed: signed === '1' };
    if (!field || one.offset + one.size > MAX_EVENT || fields.size >= MAX_FIELDS) continue;
    fields.set(field, one);
    bytes = Math.max(bytes, one.offset + one.size);
  }
  return { name, id, fields, bytes, symbols: symbolsOf(/^print fmt: ([\s\S]*)$/m.exec(text)?.[1] ?? '') };
}

function symbolsOf(print: string): EventFormat['symbols'] {
  const tables: { field: string; names: Map<number, string> }[] = [];
  for (const part of print.split('__print_symbolic(').slice(1)) {
    const field = /^\(*\s*REC->(\w+)/.exec(part)?.[1];
    if (field === undefined) continue;
    const names = new Map<number, string>();
    // The list ends with the bracket of the call; names hold none.
    const end = part.search(/\}\s*\)/);
    for (const [, value, text] of (end < 0 ? part : part.slice(0, end + 1)).matchAll(
      /\{\s*(0x[0-9a-fA-F]+|\d+)[uUlL]*\s*,\s*"([^"]{0,64})"\s*\}/g,
    )) {
      if (names.size >= MAX_NAMES) break;
      names.set(Number(value), text!);
    }
    if (names.size) tables.push({ field, names });
  }
  return tables;
}

/** Reads one field of a record that starts at `at`; undefined where the event has none, or none that is a number. */
export type FieldReader = (record: DataView, at: number) => number | undefined;

/** A field's value; those of 64 bits lose their low bits above 2^53. */
export function fieldReader(format: EventFormat, name: string): FieldReader {
  const field = format.fields.get(name);
  if (!field) return () => undefined;
  const { offset, size, signed } = field;
  if (size === 8) return (record, at) => Number(record.getBigUint64(at + offset, true));
  if (size === 4)
    return signed
      ? (record, at) => record.getInt32(at + offset, true)
      : (record, at) => record.getUint32(at + offset, true);
  if (size === 2) return (record, at) => record.getUint16(at + offset, true);
  if (size === 1) return (record, at) => record.getUint8(at + offset);
  return () => undefined;
}

/** KVM_ISA_VMX, KVM_ISA_SVM. */
const ISA_VMX = 1;

/** What a kvm_exit record says of its reason, in the kernel's words. */
export function exitReasonReader(format: EventFormat): (record: DataView, at: number) => string {
  const reason = fieldReader(format, 'exit_reason');
  const isa = fieldReader(format, 'isa');
  const tables = format.symbols.filter(({ field }) => field === 'exit_reason').map(({ names }) => names);
  const [vmx, svm = vmx] = tables;
  return (record, at) => {
    const value = reason(record, at) ?? 0;
    const isVmx = (isa(record, at) ?? ISA_VMX) === ISA_VMX;
    // VMX: the basic reason; bit 31 is a failed entry. SVM: a code of its own.
    const names = isVmx ? vmx : svm;
    const code = isVmx ? value & 0xffff : value >>> 0;
    const failed = isVmx && value >>> 31 ? ' (entry failed)' : '';
    return `${names?.get(code) ?? `0x${code.toString(16)}`}${failed}`;
  };
}
