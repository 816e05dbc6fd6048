/**
 * VMCOREINFO, the note that a kernel built with kexec keeps for crash dumps: its version, addresses of a few symbols,
 * sizes and offsets of a few structures. It is there without type information and without data in the symbol table.
 * @linux Documentation/admin-guide/kdump/vmcoreinfo.rst
 */
import { cString, occurrences, type PhysicalMemory, type Search } from './physical.js';

const FIRST_LINE = Buffer.from('OSRELEASE=');
/** The kernel keeps it in one page. */
const MAX_BYTES = 4096;
const MAX_PLACES = 1024;

export class Vmcoreinfo {
  readonly #values = new Map<string, string>();

  constructor(
    /** Lines `KEY=VALUE`, as the note holds them. */
    readonly text: string,
  ) {
    for (const line of text.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) this.#values.set(line.slice(0, at), line.slice(at + 1));
    }
  }

  /** The text at a place, if it is one. */
  static at(memory: PhysicalMemory, gpa: number): Vmcoreinfo | undefined {
    const text = cString(memory.view(gpa, Math.min(MAX_BYTES, memory.bytes - gpa)));
    const whole = /^OSRELEASE=\d+\.[^\n]{1,200}\n(?:BUILD-ID=[^\n]*\n)?PAGESIZE=\d+\n/.test(text);
    return whole && text.length < MAX_BYTES ? new Vmcoreinfo(text.slice(0, text.lastIndexOf('\n') + 1)) : undefined;
  }

  /** The one in memory that `fits`; there may be those of kernels that ran before. */
  static *search(memory: PhysicalMemory, fits: (found: Vmcoreinfo) => boolean): Search<Vmcoreinfo | undefined> {
    let found: Vmcoreinfo | undefined;
    yield* occurrences(memory, FIRST_LINE, 0, MAX_PLACES, (gpa) => {
      const candidate = Vmcoreinfo.at(memory, gpa);
      if (candidate === undefined || !fits(candidate)) return false;
      found = candidate;
      return true;
    });
    return found;
  }

  get release(): string {
    return this.#values.get('OSRELEASE') ?? '';
  }

  get hasPae(): boolean {
    return this.#values.get('CONFIG_X86_PAE') === 'y';
  }

  /** Address of a symbol, or of an array. */
  symbol(name: string): bigint | undefined {
    const text = this.#values.get(`SYMBOL(${name})`);
    return text !== undefined && /^(?:0x)?[0-9a-f]{1,16}$/.test(text)
      ? BigInt(`0x${text.replace('0x', '')}`)
      : undefined;
  }

  /** Bytes from the start of a structure. @throws Error naming a member that the note does not tell of */
  offsetOf(structure: string, member: string): number {
    return this.#number(`OFFSET(${structure}.${member})`);
  }

  /** Bytes of a structure. @throws Error naming one that the note does not tell of */
  sizeOf(structure: string): number {
    return this.#number(`SIZE(${structure})`);
  }

  #number(key: string): number {
    const text = this.#values.get(key) ?? '';
    if (!/^\d{1,9}$/.test(text)) throw new Error(`${this.release}'s VMCOREINFO has no ${key}`);
    return Number(text);
  }
}
