// Code that regions hold already. A block that begins inside such code is hot mostly because slices end there: it waits.

const PAGE = 4096;
/** So often a block inside a region is sent back to become hot again: after that it is entered by itself. */
const PATIENCE = 2;

export class CoveredCode {
  /** A bit for each byte, by page and mode. */
  readonly #pages = new Map<number, Uint8Array>();
  /** How often a block was sent back. */
  readonly #sent = new Map<number, number>();

  clear(): void {
    this.#pages.clear();
    this.#sent.clear();
  }

  /** @param hpa where a block of a region lies */
  add(hpa: number, mode: number, bytes: number): void {
    for (let at = hpa; at < hpa + bytes; at++) {
      const key = at - (at % PAGE) + mode;
      let bits = this.#pages.get(key);
      if (!bits) {
        bits = new Uint8Array(PAGE / 8);
        this.#pages.set(key, bits);
      }
      bits[(at % PAGE) >> 3] |= 1 << (at & 7);
    }
  }

  /** Is the block to wait? Those that do come again, when they are as hot once more. */
  sendsBack(block: number, hpa: number, mode: number): boolean {
    const bits = this.#pages.get(hpa - (hpa % PAGE) + mode);
    if (!bits || ((bits[(hpa % PAGE) >> 3] >> (hpa & 7)) & 1) === 0) return false;
    const before = this.#sent.get(block) ?? 0;
    this.#sent.set(block, before + 1);
    return before < PATIENCE;
  }
}
