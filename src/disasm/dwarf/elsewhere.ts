/** What an ELF file says of others that have its debug information, or a part of it. */
import { elfSections, hasElfSection } from '../elf-sections.js';

/** A file by its name, and its build's id in hexadecimal digits where that is told. */
export interface NamedFile {
  name: string;
  id: string;
}

const MAX_NAME = 4096;
const MAX_ID = 64;

function nameOf(bytes: Uint8Array): string | undefined {
  const end = bytes.subarray(0, MAX_NAME).indexOf(0);
  return end > 0 ? Buffer.from(bytes.subarray(0, end)).toString('utf8') : undefined;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, MAX_ID)).toString('hex');

/** The file that has what this one shares with others, by dwz; undefined where it shares nothing. */
export function sharedWith(elf: Uint8Array): NamedFile | undefined {
  const bytes = elfSections(elf, ['.gnu_debugaltlink']).get('.gnu_debugaltlink');
  const name = bytes && nameOf(bytes);
  return name === undefined ? undefined : { name, id: hexOf(bytes!.subarray(Buffer.byteLength(name) + 1)) };
}

/** The file that has all of it, where this one was stripped. */
export function strippedTo(elf: Uint8Array): NamedFile | undefined {
  if (hasElfSection(elf, '.debug_info') || hasElfSection(elf, '.debug_line')) return undefined;
  const bytes = elfSections(elf, ['.gnu_debuglink']).get('.gnu_debuglink');
  const name = bytes && nameOf(bytes);
  return name === undefined ? undefined : { name, id: buildId(elf) ?? '' };
}

/** Undefined where the linker gave none. */
export function buildId(elf: Uint8Array): string | undefined {
  const note = elfSections(elf, ['.note.gnu.build-id']).get('.note.gnu.build-id');
  // sizes of name and id, a type, and the name GNU
  return note && note.length > 16 ? hexOf(note.subarray(16)) : undefined;
}
