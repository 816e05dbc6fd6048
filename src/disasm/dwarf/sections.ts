/** The sections of an ELF file that hold DWARF; taken out, and inflated, when one is needed for the first time. */
import { elfSections } from '../elf-sections.js';

const NAMES = {
  info: '.debug_info',
  abbrev: '.debug_abbrev',
  str: '.debug_str',
  lineStr: '.debug_line_str',
  strOffsets: '.debug_str_offsets',
  addr: '.debug_addr',
  loc: '.debug_loc',
  loclists: '.debug_loclists',
  ranges: '.debug_ranges',
  rnglists: '.debug_rnglists',
  frame: '.debug_frame',
  ehFrame: '.eh_frame',
} as const;

export type SectionName = keyof typeof NAMES;

/** Offsets in .debug_info of a file that several share (dwz) are counted from here on. */
export const SHARED = 2 ** 40;

const EMPTY = new Uint8Array(0);

export class DwarfSections {
  readonly #found = new Map<SectionName, Uint8Array>();

  /** @param shared of the file that has what several files share */
  constructor(
    private readonly elf: Uint8Array,
    readonly shared?: DwarfSections,
  ) {}

  /** Empty where the file has none. */
  get(name: SectionName): Uint8Array {
    let bytes = this.#found.get(name);
    if (bytes === undefined) {
      bytes = elfSections(this.elf, [NAMES[name]]).get(NAMES[name]) ?? EMPTY;
      this.#found.set(name, bytes);
    }
    return bytes;
  }
}
