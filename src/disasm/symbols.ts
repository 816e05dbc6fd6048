/** Names for addresses. */

export interface Symbol {
  name: string;
  address: bigint;
  /** 0n when the image does not say. */
  size: bigint;
  /** Bytes that one without a size covers at most: 1 for the name of an end, absent where nothing is known. */
  reach?: bigint;
  /** What it is of, where that is known. */
  kind?: 'function' | 'object' | 'other';
}

export interface SymbolMatch {
  symbol: Symbol;
  offset: bigint;
}

/** A symbol without a size covers at most this much where its image does not say where its section ends. */
const UNSIZED_BYTES = 0x10000n;

/** `virtblk_done [virtio_blk]`: a symbol of a kernel module. */
const MODULE = / \[[\w-]+\]$/;

/** The symbol's name without its module. */
export function bareName(name: string): string {
  return name.replace(MODULE, '');
}

/** `start_kernel+0x1c`, `virtblk_done+0x1c [virtio_blk]`, as Linux prints it; the name alone at offset 0. */
export function formatPlace(name: string, offset: bigint): string {
  if (offset === 0n) return name;
  const bare = bareName(name);
  return `${bare}+0x${offset.toString(16)}${name.slice(bare.length)}`;
}

export class SymbolTable {
  private readonly sorted: Symbol[];
  private readonly names = new Map<string, Symbol>();

  constructor(symbols: readonly Symbol[] = []) {
    this.sorted = [...symbols].sort(inOrder);
    for (const symbol of this.sorted) if (!this.names.has(symbol.name)) this.names.set(symbol.name, symbol);
    for (const symbol of this.sorted) {
      const bare = bareName(symbol.name);
      if (bare !== symbol.name && !this.names.has(bare)) this.names.set(bare, symbol);
    }
  }

  get size(): number {
    return this.sorted.length;
  }

  /** The nearest symbol at or below `address` that covers it, or undefined. */
  lookup(address: bigint): SymbolMatch | undefined {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const nearest = this.sorted[low - 1];
    if (!nearest) return undefined;
    const offset = address - nearest.address;
    const covers = ({ size, reach }: Symbol) => offset < (size || (reach ?? UNSIZED_BYTES));
    if (nearest.size === 0n) return covers(nearest) ? { symbol: nearest, offset } : undefined;
    for (let at = low - 1; this.sorted[at]?.address === nearest.address; at--) {
      const symbol = this.sorted[at]!;
      if (symbol.size !== 0n && covers(symbol)) return { symbol, offset };
    }
    return undefined;
  }

  /** A module's symbol answers to its bare name too, unless the kernel itself has one of that name. */
  byName(name: string): Symbol | undefined {
    return this.names.get(name);
  }

  /** Symbols whose name contains `part`, at most `max`, in address order. */
  find(part: string, max = 20): Symbol[] {
    const result: Symbol[] = [];
    for (const symbol of this.sorted) {
      if (symbol.name.includes(part) && result.push(symbol) >= max) break;
    }
    return result;
  }

  /** `name`, `name+0x1f`, or undefined. */
  label(address: bigint): string | undefined {
    const match = this.lookup(address);
    if (!match) return undefined;
    return formatPlace(match.symbol.name, match.offset);
  }
}

/**
 * By address. Of symbols at one address the one that gdb prints stands last: it prefers those with a size, and of these
 * the last by name, byte for byte (tried with gdb 13); marks such as `__cpuidle_text_start` so give way to functions.
 */
function inOrder(a: Symbol, b: Symbol): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  if ((a.size === 0n) !== (b.size === 0n)) return a.size === 0n ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
