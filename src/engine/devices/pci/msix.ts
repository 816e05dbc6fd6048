/** MSI-X and MSI of a function. @pci 6.8 "Message Signaled Interrupts" */
import { bytes, record, type Schema, type StateOf, u16, words } from '../../state/schema.js';
import type { BarRegion } from './function.js';

export const CAPABILITY_MSI = 0x05;
export const CAPABILITY_MSIX = 0x11;

const ENTRY_BYTES = 16;
const ENTRY_WORDS = 4;
const WORD_DATA = 2;
const WORD_CONTROL = 3;
const ENTRY_MASKED = 1;

const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

/** Words of a table's entries, a byte a pending bit, and the message control word. */
function msixShape(vectors: number) {
  return record({ words: words(vectors * ENTRY_WORDS), pending: bytes(pendingBits(vectors)), control: u16 });
}
export type MsixState = StateOf<ReturnType<typeof msixShape>>;

function pendingBits(vectors: number): number {
  return (vectors + 63) & ~63;
}

/** The MSI-X table and its pending bits, both in one region: the table first, the bits from `pendingOffset` on. */
export class MsixTable implements BarRegion {
  private readonly words: Uint32Array;
  private readonly pending: Uint8Array;
  private control = 0;

  /** `send` writes a message; `vectors` is at most 2048. */
  constructor(
    readonly vectors: number,
    readonly pendingOffset: number,
    private readonly send: (address: number, data: number) => void,
  ) {
    this.words = new Uint32Array(vectors * ENTRY_WORDS);
    this.pending = new Uint8Array(pendingBits(vectors));
    this.reset();
  }

  reset(): void {
    this.words.fill(0);
    for (let vector = 0; vector < this.vectors; vector++)
      this.words[vector * ENTRY_WORDS + WORD_CONTROL] = ENTRY_MASKED;
    this.pending.fill(0);
    this.control = 0;
  }

  get enabled(): boolean {
    return (this.control & ENABLE) !== 0;
  }

  /** The message control word, as the guest wrote it. */
  setControl(control: number): void {
    this.control = control;
    for (let vector = 0; vector < this.vectors; vector++) this.deliverPending(vector);
  }

  /** Interrupts by a vector: sent, or kept pending while it is masked. */
  signal(vector: number): void {
    if (!this.enabled || vector >= this.vectors) return;
    if (this.masked(vector)) this.pending[vector] = 1;
    else this.deliver(vector);
  }

  private masked(vector: number): boolean {
    const masked = this.words[vector * ENTRY_WORDS + WORD_CONTROL] & ENTRY_MASKED;
    return masked !== 0 || (this.control & FUNCTION_MASK) !== 0;
  }

  private deliverPending(vector: number): void {
    if (!this.pending[vector] || !this.enabled || this.masked(vector)) return;
    this.pending[vector] = 0;
    this.deliver(vector);
  }

  private deliver(vector: number): void {
    const at = vector * ENTRY_WORDS;
    this.send(this.words[at], this.words[at + WORD_DATA]);
  }

  read(offset: number, bytes: number): number {
    const at = offset & ~3;
    return cut(at < this.words.length * 4 ? this.words[at >> 2] : this.pendingWord(at), offset & 3, bytes);
  }

  private pendingWord(at: number): number {
    const first = (at - this.pendingOffset) * 8;
    let word = 0;
    for (let bit = 0; bit < 32; bit++) if (first + bit >= 0 && this.pending[first + bit]) word |= 1 << bit;
    return word >>> 0;
  }

  write(offset: number, bytes: number, value: number): void {
    const index = offset >> 2;
    // Only whole words may be written; pending bits are read-only.
    if (bytes !== 4 || (offset & 3) !== 0 || index >= this.words.length) return;
    const keep = index % ENTRY_WORDS === WORD_CONTROL ? ENTRY_MASKED : index % ENTRY_WORDS === 0 ? ~3 : -1;
    this.words[index] = value & keep;
    if (index % ENTRY_WORDS === WORD_CONTROL) this.deliverPending(Math.floor(index / ENTRY_WORDS));
  }

  get shape(): Schema<MsixState> {
    return msixShape(this.vectors);
  }

  save(): MsixState {
    return { words: this.words, pending: this.pending, control: this.control };
  }

  load({ words, pending, control }: MsixState): void {
    this.words.set(words);
    this.pending.set(pending);
    this.control = control;
  }
}

function cut(word: number, byte: number, bytes: number): number {
  const value = word >>> (8 * byte);
  return bytes === 4 ? value : value & (2 ** (8 * bytes) - 1);
}

/** Body of the MSI-X capability for a table at the start of a BAR. */
export function msixCapability(vectors: number, bar: number, pendingOffset: number): number[] {
  const words = [bar, pendingOffset | bar];
  return [
    (vectors - 1) & 0xff,
    (vectors - 1) >> 8,
    ...words.flatMap((w) => [w & 255, (w >> 8) & 255, (w >> 16) & 255, 0]),
  ];
}

/** Size of the table of so many vectors. */
export function msixTableBytes(vectors: number): number {
  return vectors * ENTRY_BYTES;
}

/** The registers of an MSI capability with 64-bit address and one vector, decoded from configuration space. */
export class Msi {
  /** Message control, address and data: one vector, 64-bit addresses. */
  static readonly BODY: readonly number[] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  /** Writable bits of the whole capability, id and link first. */
  static readonly WRITABLE: readonly number[] = [0, 0, 1, 0, 0xfc, 255, 255, 255, 255, 255, 255, 255, 255, 255];

  constructor(
    private readonly config: Uint8Array,
    private readonly at: number,
    private readonly send: (address: number, data: number) => void,
  ) {}

  get enabled(): boolean {
    return (this.config[this.at + 2] & 1) !== 0;
  }

  signal(): void {
    if (!this.enabled) return;
    const view = new DataView(this.config.buffer, this.config.byteOffset);
    this.send(view.getUint32(this.at + 4, true), view.getUint16(this.at + 12, true));
  }
}
